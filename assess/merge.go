package assess

import (
	"fmt"
	"strings"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/cpe"
	"github.com/firmward/firmward/index"
	"github.com/firmward/firmward/version"
)

// vote is what one record says.
type vote struct {
	outcome
	rec    index.Record
	stated bool // it rests on the source's own word on this product, and not on a range
	noFix  bool // the source says so for this product
}

// vote evaluates a record. It reports false when the record does not name the device's product.
func (e *Evaluator) vote(rec index.Record) (vote, bool) {
	r := &e.reader
	*r = reader{Evaluator: e, rec: rec, memorable: !e.tracked && !rec.NoFix && rec.Source != record}
	if e.explain {
		r.speaker = speaker(rec.Source)
	}
	v := vote{rec: rec}
	var ok bool
	if v.outcome, ok = r.tree(); ok && v.truth != no {
		if fix, repaired := r.repaired(); repaired {
			was := v.why
			v.outcome = r.say(no, outOfRange, func() string {
				return fmt.Sprintf("%s says it is repaired in %s on this release track; this device runs %s.", r.speaker, fix, e.subject.Device.Firmware)
			})
			v.named = true
			if e.explain {
				v.why.Children = []firmward.Explanation{*was}
			}
		}
	}
	if !rec.Stated {
		return v, ok
	}
	return r.statements(v, ok)
}

// definite reports whether the vote rests on a version.
func (v *vote) definite() bool {
	switch v.reason {
	case inRange, exact, outOfRange:
		return true
	}
	return v.stated
}

// vague reports whether the record named the product and said nothing of versions.
func (v *vote) vague() bool {
	return v.reason == unspecified || v.reason == allVersions && !v.rec.NoFix
}

// record is the source that steps back behind others.
const record = "cve"

// yields gives the vote behind which a CVE record's own steps back, and why.
func (v *vote) yields(votes []vote) (*vote, string) {
	if v.rec.Source != record {
		return nil, ""
	}
	for i := range votes {
		o := &votes[i]
		switch {
		case o.rec.Source == record:
		case v.words && !o.words:
			return o, " names the product by CPE, the CVE record only in words: what is said by CPE counts."
		case !v.definite() && (o.definite() || o.truth == no):
			return o, " is precise, the CVE record rests on no version: the precise one counts."
		}
	}
	return nil, ""
}

// merge makes one verdict of all votes. The worst verdict counts, with three exceptions, and every vote stays in the
// explanation, and so does disagreement. A CVE record yields. A vendor's or a correction's statement about versions counts before
// one without a version that comes from elsewhere. And what a vendor states on its own product counts before what others
// conclude from ranges.
func (e *Evaluator) merge(f *firmward.Finding, votes []vote) {
	informed, stated := false, false
	for i := range votes {
		v := &votes[i]
		close := authority(v.rec.Source) > 0
		informed = informed || close && v.definite()
		stated = stated || close && v.stated && v.truth == no
	}
	var best *vote
	var vague, apart []string
	var children, stepped []firmward.Explanation
	low, high := yes, no
	for i := range votes {
		v := &votes[i]
		if e.explain {
			children = append(children, v.said(len(votes) > 1))
		}
		o, why := v.yields(votes)
		far := authority(v.rec.Source) == 0
		switch {
		case o != nil:
			if e.explain {
				stepped = append(stepped, firmward.Explanation{Text: speaker(o.rec.Source) + why, Result: string(o.truth.verdict()), Source: "merge"})
			}
		case far && stated && v.truth > no:
			apart = append(apart, inside(speaker(v.rec.Source))+": "+string(v.truth.verdict()))
		case far && informed && v.vague():
			vague = append(vague, inside(speaker(v.rec.Source)))
		default:
			low, high = min(low, v.truth), max(high, v.truth)
			if best == nil || v.truth > best.truth {
				best = v
			}
		}
	}
	f.Verdict, f.Reason = best.truth.verdict(), best.reason.String()
	if !e.explain {
		return
	}
	children = append(children, stepped...)
	add := func(text string, t truth) {
		children = append(children, firmward.Explanation{Text: text, Result: string(t.verdict()), Source: "merge"})
	}
	if len(apart) > 0 {
		add(fmt.Sprintf("%s speaks of this very product: that counts before what follows from ranges (%s).", speaker(best.rec.Source), strings.Join(apart, "; ")), best.truth)
	}
	if len(vague) > 0 {
		add(fmt.Sprintf("%s names versions, %s does not: the one that knows versions counts.", speaker(best.rec.Source), strings.Join(vague, " and ")), best.truth)
	}
	if low == no && high > no {
		add("The sources disagree: the worst of what they say counts.", high)
	}
	f.Explanation = firmward.Explanation{Text: e.subject.summary(f.Verdict, f.Reason), Result: string(f.Verdict), Source: "assess", Children: children}
}

// inside is a speaker within a sentence.
func inside(speaker string) string {
	for _, article := range []string{"The ", "A ", "An "} {
		if strings.HasPrefix(speaker, article) {
			return strings.ToLower(article) + speaker[len(article):]
		}
	}
	return speaker
}

// said is the vote as a part of the explanation; beside others it says first whose it is.
func (v *vote) said(beside bool) firmward.Explanation {
	if beside {
		return firmward.Explanation{
			Text: speaker(v.rec.Source) + " says: " + string(v.truth.verdict()) + ".", Result: string(v.truth.verdict()),
			Source: origin(v.rec), Children: []firmward.Explanation{*v.why},
		}
	}
	e := *v.why
	e.Source = origin(v.rec)
	return e
}

func origin(r index.Record) string {
	s := r.Source
	if r.Document != "" {
		s += ", " + r.Document
	}
	if !r.Dated.IsZero() {
		s += " of " + r.Dated.Format(time.DateOnly)
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
		if reason == firmward.ReasonStated {
			return who + " is not affected: who makes it says so."
		}
		if reason == firmward.ReasonPlatformAbsent {
			return who + " is not affected: it is not the hardware or platform that is named."
		}
		return who + " is not affected: its version lies outside what is named."
	}
	because := map[string]string{
		firmward.ReasonNoVersion:      "which version it runs is not known",
		firmward.ReasonUnspecified:    "the source gives no version",
		firmward.ReasonIncomparable:   "its version cannot be compared with the one that is named",
		firmward.ReasonInvestigated:   "it is under investigation",
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
func (e *Evaluator) fixedIn(votes []vote) string {
	newer, track, any := "", "", ""
	var by *own
	order := func(n *own, a, b string) version.Order {
		o, _ := e.compare(n, e.versions.Version(a), e.versions.Version(b))
		return o
	}
	for i := range votes {
		e.fixes(votes[i].rec, func(n *own, fix string) {
			by = n
			if any == "" || order(n, fix, any) == version.Greater {
				any = fix
			}
			if order(n, fix, n.Version) != version.Greater {
				return
			}
			if newer == "" || order(n, fix, newer) == version.Less {
				newer = fix
			}
			if e.versions.SameTrack(n.Scheme, n.Version, fix) && (track == "" || order(n, fix, track) == version.Less) {
				track = fix
			}
		})
	}
	switch {
	case track != "":
		return track
	case newer != "":
		return newer
	case any == "" || order(by, by.Version, any) != version.Incomparable:
		return "" // comparable, and none is newer: no fix is known for this device
	}
	return any
}

// fixes calls f with each repaired version that a record names for one of the device's names.
func (e *Evaluator) fixes(r index.Record, f func(n *own, fix string)) {
	r.Each(func(l index.Leaf) {
		if !l.Vulnerable() || !e.own(l.Criterion()) {
			return
		}
		c := e.x.Criterion(l.Criterion())
		if end, number := c.Bound(3); number != 0 {
			if n := e.find(c); n != nil {
				f(n, end)
			}
		}
	})
	for _, fix := range e.x.Fixes(r) {
		if n := e.sells(fix); n != nil {
			f(n, fix.Version)
		}
	}
	for _, s := range e.x.Statements(r) {
		if s.Status != firmward.StatedFixed || !e.own(s.Criterion) {
			continue
		}
		if c := e.x.Criterion(s.Criterion); !c.Ranged() && !c.Version().Logical() {
			if n := e.find(c); n != nil {
				f(n, plain(c.Version()))
			}
		}
	}
}

func (e *Evaluator) sells(f firmward.Fix) *own {
	key := bare(cpe.Key{Vendor: cpe.Vendor(f.Vendor), Product: f.Product})
	for i := range e.names {
		if n := &e.names[i]; n.CPE.Part != "h" && bare(n.CPE.Key()) == key {
			return n
		}
	}
	return nil
}

// repaired reports the fix on the device's own release track that the device already has. Only
// vendors with tracks are judged so: elsewhere ranges say the same.
func (r *reader) repaired() (string, bool) {
	if !r.tracked {
		return "", false
	}
	for _, f := range r.x.Fixes(r.rec) {
		n := r.sells(f)
		if n == nil || !version.Tracks(n.Scheme) || !r.versions.SameTrack(n.Scheme, n.Version, f.Version) {
			continue
		}
		if o, p := r.compare(n, n.is, r.versions.Version(f.Version)); (o == version.Greater || o == version.Equal) && p == version.Exact {
			return f.Version, true
		}
	}
	return "", false
}
