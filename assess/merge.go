package assess

import (
	"fmt"
	"iter"
	"strings"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/cpe"
	"github.com/firmward/firmward/version"
)

// definite reports whether the vote rests on a version.
func (v vote) definite() bool {
	switch v.reason {
	case firmward.ReasonInRange, firmward.ReasonExact, firmward.ReasonOutOfRange:
		return true
	}
	return false
}

// vague reports whether the record named the product and said nothing of versions.
func (v vote) vague() bool {
	return v.reason == firmward.ReasonUnspecified || v.reason == firmward.ReasonAllVersions && !v.advisory.NoFix
}

// record is the source that steps back behind others.
const record = "cve"

// yields gives the vote behind which a CVE record's own steps back, and the sentence that says so.
// Voting among sources may take its place one day.
func (v vote) yields(votes []vote) (vote, string, bool) {
	if v.advisory.Source != record {
		return vote{}, "", false
	}
	for _, o := range votes {
		name := speaker(o.advisory.Source)
		switch {
		case o.advisory.Source == record:
		case v.words && !o.words:
			return o, name + " names the product by CPE, the CVE record only in words: what is said by CPE counts.", true
		case !v.definite() && (o.definite() || o.truth == no):
			return o, name + " is precise, the CVE record rests on no version: the precise one counts.", true
		}
	}
	return vote{}, "", false
}

// merge makes one verdict of all votes. The worst verdict counts, except that a vendor's or a
// correction's statement about versions counts before one without a version that comes from
// elsewhere, and that a CVE record yields. Every vote stays in the explanation, and so does disagreement.
func (s Subject) merge(f *firmward.Finding, votes []vote) {
	informed := false
	for _, v := range votes {
		informed = informed || authority(v.advisory.Source) > 0 && v.definite()
	}
	var best *vote
	var set []string
	var children, stepped []firmward.Explanation
	low, high := yes, no
	for i := range votes {
		v := &votes[i]
		e := v.why
		if len(votes) > 1 {
			e = firmward.Explanation{
				Text: speaker(v.advisory.Source) + " says: " + string(v.truth.verdict()) + ".", Result: string(v.truth.verdict()),
				Source: origin(v.advisory), Children: []firmward.Explanation{v.why},
			}
		} else {
			e.Source = origin(v.advisory)
		}
		children = append(children, e)
		if o, why, ok := v.yields(votes); ok {
			stepped = append(stepped, firmward.Explanation{Text: why, Result: string(o.truth.verdict()), Source: "merge"})
			continue
		}
		if informed && v.vague() && authority(v.advisory.Source) == 0 {
			set = append(set, speaker(v.advisory.Source))
		} else {
			low, high = min(low, v.truth), max(high, v.truth)
			if best == nil || v.truth > best.truth {
				best = v
			}
		}
	}
	children = append(children, stepped...)
	if len(set) > 0 {
		children = append(children, firmward.Explanation{
			Text:   fmt.Sprintf("%s names versions, %s does not: the one that knows versions counts.", speaker(best.advisory.Source), strings.Join(set, " and ")),
			Result: string(best.truth.verdict()), Source: "merge",
		})
	}
	if low == no && high > no {
		children = append(children, firmward.Explanation{Text: "The sources disagree: the worst of what they say counts.", Result: string(high.verdict()), Source: "merge"})
	}
	f.Verdict, f.Reason = best.truth.verdict(), best.reason
	f.Explanation = firmward.Explanation{Text: s.summary(f.Verdict, f.Reason), Result: string(f.Verdict), Source: "assess", Children: children}
}

func origin(a firmward.Advisory) string {
	s := a.Source
	if a.Origin.Document != "" {
		s += ", " + a.Origin.Document
	}
	if !a.Origin.Dated.IsZero() {
		s += " of " + a.Origin.Dated.UTC().Format("2006-01-02")
	}
	return s
}

// summary is the sentence at the root.
func (s Subject) summary(v firmward.Verdict, reason string) string {
	who := "This " + s.what()
	switch v {
	case firmward.Affected:
		return who + " is affected."
	case firmward.Likely:
		return who + " is likely affected."
	case firmward.NotAffected:
		if reason == firmward.ReasonPlatformAbsent {
			return who + " is not affected: it is not the hardware or platform that is named."
		}
		return who + " is not affected: its version lies outside what is named."
	}
	because := map[string]string{
		firmward.ReasonNoVersion:      "which version it runs is not known",
		firmward.ReasonUnspecified:    "the source gives no version",
		firmward.ReasonIncomparable:   "its version cannot be compared with the one that is named",
		firmward.ReasonPlatformAbsent: "whether it is the named hardware or platform is not known",
	}[reason]
	if because == "" {
		because = "not all conditions are known"
	}
	return who + " may be affected: " + because + "."
}

// fixedIn gives the nearest version that repairs the advisory: on the device's release track where
// there is one, else the lowest that is newer. When the device's version is unknown or compares with
// none, it is the highest that is named: that one is enough whatever runs now.
func (s Subject) fixedIn(votes []vote) string {
	own, track, any := "", "", ""
	for _, v := range votes {
		for _, fix := range s.fixes(v.advisory) {
			if any == "" {
				any = fix
			} else if o, _ := s.compare(fix, any); o == version.Greater {
				any = fix
			}
			if o, _ := s.compare(fix, s.Device.Firmware); o != version.Greater {
				continue
			}
			own = s.nearer(own, fix)
			if version.SameTrack(s.Model.Scheme, s.Device.Firmware, fix) {
				track = s.nearer(track, fix)
			}
		}
	}
	switch {
	case track != "":
		return track
	case own != "":
		return own
	}
	if s.readable(any) {
		return "" // comparable, and none is newer: no fix is known for this device
	}
	return any
}

func (s Subject) nearer(a, b string) string {
	if o, _ := s.compare(b, a); a == "" || o == version.Less {
		return b
	}
	return a
}

// readable reports whether the device's version compares with v.
func (s Subject) readable(v string) bool {
	o, _ := s.compare(s.Device.Firmware, v)
	return v != "" && o != version.Incomparable
}

// fixes lists the repaired versions that a record names for the device's products.
func (s Subject) fixes(a firmward.Advisory) []string {
	var out []string
	for m := range matches(a) {
		c, err := cpe.Parse(m.Criteria)
		if err != nil || !m.Vulnerable || m.VersionEndExcluding == "" {
			continue
		}
		if _, ok := s.find(c, m.Words != ""); ok {
			out = append(out, m.VersionEndExcluding)
		}
	}
	for _, f := range a.Fixes {
		if s.sells(f) {
			out = append(out, f.Version)
		}
	}
	return out
}

func (s Subject) sells(f firmward.Fix) bool {
	key := bare(cpe.Key{Vendor: cpe.Vendor(f.Vendor), Product: f.Product})
	for _, n := range s.Names {
		if bare(n.CPE.Key()) == key {
			return true
		}
	}
	return false
}

// repaired reports the fix on the device's own release track that the device already has. Only
// vendors with tracks are judged so: elsewhere ranges say the same.
func (r reader) repaired() (string, bool) {
	s := r.subject
	if !version.Tracks(s.Model.Scheme) {
		return "", false
	}
	for _, f := range r.advisory.Fixes {
		if !s.sells(f) || !version.SameTrack(s.Model.Scheme, s.Device.Firmware, f.Version) {
			continue
		}
		if o, p := s.compare(s.Device.Firmware, f.Version); (o == version.Greater || o == version.Equal) && p == version.Exact {
			return f.Version, true
		}
	}
	return "", false
}

// matches walks all CPE matches of a record.
func matches(a firmward.Advisory) iter.Seq[firmward.CPEMatch] {
	return func(yield func(firmward.CPEMatch) bool) {
		for _, c := range a.Configurations {
			if !walk(c.Nodes, yield) {
				return
			}
		}
	}
}

func walk(nodes []firmward.Node, yield func(firmward.CPEMatch) bool) bool {
	for _, n := range nodes {
		for _, m := range n.Matches {
			if !yield(m) {
				return false
			}
		}
		if !walk(n.Children, yield) {
			return false
		}
	}
	return true
}
