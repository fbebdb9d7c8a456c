package assess

import (
	"fmt"
	"strings"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/cpe"
	"github.com/firmward/firmward/version"
)

func ranged(m firmward.CPEMatch) bool {
	return m.VersionStartIncluding != "" || m.VersionStartExcluding != "" || m.VersionEndIncluding != "" || m.VersionEndExcluding != ""
}

// software judges a criterion that names the device's firmware by its version or range.
func (r reader) software(c cpe.Name, m firmward.CPEMatch) outcome {
	own := r.subject.Device.Firmware
	switch {
	case !ranged(m) && c.Version == cpe.NA && r.lists(c):
		return r.say(unknown, firmward.ReasonUnspecified, fmt.Sprintf("%s says nothing certain of other versions of %s; this device runs %s.", r.speaker, label(c), orUnknown(own)))
	case !ranged(m) && c.Version == cpe.NA:
		return r.say(unknown, firmward.ReasonUnspecified, fmt.Sprintf("%s names %s and gives no version; this device runs %s.", r.speaker, label(c), orUnknown(own)))
	case !ranged(m) && c.Version == cpe.Any:
		return r.allVersions(c)
	case strings.TrimSpace(own) == "":
		return r.say(unknown, firmward.ReasonNoVersion, fmt.Sprintf("%s says %s are affected; which version this device runs is not known.", r.speaker, phrase(c, m)))
	case ranged(m):
		return r.inRange(c, m, own)
	}
	return r.exact(c, own)
}

// lists reports whether a CVE record gives versions of the product elsewhere: beside single versions its
// "-" stands for all the others.
func (r reader) lists(c cpe.Name) bool {
	if r.advisory.Source != record {
		return false
	}
	for m := range matches(r.advisory) {
		if o, err := cpe.Parse(m.Criteria); err == nil && m.Vulnerable && o.Key() == c.Key() && (ranged(m) || !o.Version.Logical()) {
			return true
		}
	}
	return false
}

// allVersions: the source excludes no version. Without a vendor's scheme for the model the reading
// is a guess, unless the source also says that no fix exists.
func (r reader) allVersions(c cpe.Name) outcome {
	t := yes
	if s := r.subject.Model.Scheme; (!version.Known(s) || s == version.Generic) && !r.advisory.NoFix {
		t = guessed
	}
	return r.say(t, firmward.ReasonAllVersions, fmt.Sprintf("%s says all versions of %s are affected.", r.speaker, label(c)))
}

func (r reader) exact(c cpe.Name, own string) outcome {
	want := c.Version.Text()
	if !c.Update.Logical() && c.Update != "" {
		want += " " + strings.ReplaceAll(c.Update.Text(), "_", " ")
	}
	if c.Version.Wild() {
		if cpe.Compare(c.Version, cpe.Literal(own)) == cpe.Superset {
			return r.say(guessed, firmward.ReasonInRange, fmt.Sprintf("%s says versions %s are affected; this device runs %s.", r.speaker, want, own))
		}
		return r.say(no, firmward.ReasonOutOfRange, fmt.Sprintf("%s says versions %s are affected; this device runs %s.", r.speaker, want, own))
	}
	order, precision := r.subject.compare(own, want)
	switch {
	case order == version.Incomparable:
		return r.incomparable(fmt.Sprintf("version %s is", want), own)
	case order == version.Equal && precision == version.Exact:
		return r.say(yes, firmward.ReasonExact, fmt.Sprintf("%s says version %s is affected; this device runs it.", r.speaker, want))
	case order == version.Equal:
		return r.say(guessed, firmward.ReasonExact, fmt.Sprintf("%s says version %s is affected; this device runs %s, which reads as the same.", r.speaker, want, own))
	}
	return r.outside(fmt.Sprintf("version %s is", want), own, precision)
}

func (r reader) inRange(c cpe.Name, m firmward.CPEMatch, own string) outcome {
	text := phrase(c, m) + " are"
	if end := endOf(m); end != "" && r.otherTrack(end) && r.ownTrack {
		return r.say(no, firmward.ReasonOutOfRange, fmt.Sprintf("%s says %s affected, which is about another release track; the range for this device's track counts.", r.speaker, text))
	}
	worst := version.Exact
	open := false
	for _, b := range bounds(m) {
		order, precision := r.subject.compare(own, b.version)
		if order == version.Incomparable {
			open = true
			continue
		}
		if !b.holds(order) {
			return r.outside(text, own, precision)
		}
		worst = min(worst, precision)
	}
	switch {
	case open:
		return r.incomparable(text, own)
	case worst < version.Exact:
		return r.say(guessed, firmward.ReasonInRange, fmt.Sprintf("%s says %s affected; this device runs %s, compared without the vendor's own rule.", r.speaker, text, own))
	case r.otherTrack(endOf(m)):
		return r.say(guessed, firmward.ReasonInRange, fmt.Sprintf("%s says %s affected; this device runs %s, an older release track for which no fix is named.", r.speaker, text, own))
	}
	return r.say(yes, firmward.ReasonInRange, fmt.Sprintf("%s says %s affected; this device runs %s.", r.speaker, text, own))
}

// outside excludes the device, unless the order was decided on words that no rule explains: then
// nothing is excluded.
func (r reader) outside(text, own string, precision version.Precision) outcome {
	if precision == version.Rough {
		return r.say(unknown, firmward.ReasonIncomparable, fmt.Sprintf("%s says %s affected; this device runs %s, which seems to lie outside, but its form allows no certain order.", r.speaker, text, own))
	}
	return r.say(no, firmward.ReasonOutOfRange, fmt.Sprintf("%s says %s affected; this device runs %s, which lies outside.", r.speaker, text, own))
}

func (r reader) incomparable(text, own string) outcome {
	return r.say(unknown, firmward.ReasonIncomparable, fmt.Sprintf("%s says %s affected; this device runs %s, and the two cannot be compared.", r.speaker, text, own))
}

// compare orders two versions by the model's scheme. Without one a scheme is guessed from the shapes,
// and the result is never exact.
func (s Subject) compare(a, b string) (version.Order, version.Precision) {
	if version.Known(s.Model.Scheme) {
		return version.Compare(s.Model.Scheme, a, b)
	}
	o, p := version.Compare(version.Guess(a, b), a, b)
	return o, min(p, version.Natural)
}

type limit struct {
	version   string
	low, with bool
}

func bounds(m firmward.CPEMatch) []limit {
	var out []limit
	for _, l := range []limit{
		{m.VersionStartIncluding, true, true},
		{m.VersionStartExcluding, true, false},
		{m.VersionEndIncluding, false, true},
		{m.VersionEndExcluding, false, false},
	} {
		if l.version != "" {
			out = append(out, l)
		}
	}
	return out
}

// holds reports whether a device whose version stands in this order to the limit is inside.
func (l limit) holds(o version.Order) bool {
	switch {
	case o == version.Equal:
		return l.with
	case l.low:
		return o == version.Greater
	}
	return o == version.Less
}

// phrase says a criterion's versions in words.
func phrase(c cpe.Name, m firmward.CPEMatch) string {
	if !ranged(m) {
		return "exactly the versions " + c.Version.Text() + " of " + label(c)
	}
	from := ""
	switch {
	case m.VersionStartIncluding != "":
		from = " from " + m.VersionStartIncluding
	case m.VersionStartExcluding != "":
		from = " after " + m.VersionStartExcluding
	}
	switch {
	case m.VersionEndExcluding != "" && from != "":
		return "versions" + from + " and before " + m.VersionEndExcluding
	case m.VersionEndExcluding != "":
		return "versions before " + m.VersionEndExcluding
	case m.VersionEndIncluding != "" && from != "":
		return "versions" + from + " up to " + m.VersionEndIncluding
	case m.VersionEndIncluding != "":
		return "versions up to " + m.VersionEndIncluding
	}
	return "versions" + from + " on"
}

func endOf(m firmward.CPEMatch) string {
	if m.VersionEndExcluding != "" {
		return m.VersionEndExcluding
	}
	return m.VersionEndIncluding
}

// otherTrack reports whether v lies on another release track than the device. A vendor without
// tracks has one.
func (r reader) otherTrack(v string) bool {
	own, other := version.Track(r.subject.Model.Scheme, r.subject.Device.Firmware), version.Track(r.subject.Model.Scheme, v)
	return version.Known(r.subject.Model.Scheme) && own != "" && other != "" && own != other
}

// hasOwnTrack reports whether a range for the device's product ends on the device's release track.
func (r reader) hasOwnTrack() bool {
	if !version.Tracks(r.subject.Model.Scheme) {
		return false
	}
	for m := range matches(r.advisory) {
		c, err := cpe.Parse(m.Criteria)
		if err != nil || !m.Vulnerable || endOf(m) == "" {
			continue
		}
		if _, ok := r.subject.find(c, m.Words != ""); ok && version.SameTrack(r.subject.Model.Scheme, r.subject.Device.Firmware, endOf(m)) {
			return true
		}
	}
	return false
}

func orUnknown(v string) string {
	if v == "" {
		return "an unknown one"
	}
	return v
}
