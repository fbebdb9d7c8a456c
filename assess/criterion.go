package assess

import (
	"fmt"
	"strings"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/cpe"
)

// criterion evaluates one CPE match.
func (r reader) criterion(m firmward.CPEMatch) outcome {
	c, err := cpe.Parse(m.Criteria)
	if err != nil {
		return r.say(unknown, firmward.ReasonUnspecified, fmt.Sprintf("%s gives a product name that cannot be read.", r.speaker))
	}
	name, ok := r.subject.find(c, m.Words != "")
	if !ok {
		return r.stranger(c, m.Vulnerable)
	}
	var o outcome
	switch {
	case c.Part == "h":
		o = r.hardware(c, m.Vulnerable)
	case !m.Vulnerable && c.Version.Logical() && !ranged(m):
		o = r.say(yes, "", fmt.Sprintf("It concerns %s, which this device runs.", label(c)))
	default:
		o = r.software(c, m)
	}
	if o.truth > unknown && r.narrower(c) {
		o.truth = unknown
		o.reason = firmward.ReasonUnspecified
		o.why.Text = strings.TrimSuffix(o.why.Text, ".") + ", but only in an edition that this device may or may not be."
	}
	if m.Words != "" {
		o.words, o.truth = true, min(o.truth, guessed)
		o.why.Text = strings.TrimSuffix(o.why.Text, ".") + fmt.Sprintf(". The record names the product %q in words, not by CPE.", m.Words)
	}
	if o.truth == yes && name.Derived {
		o.truth = guessed
		o.why.Text = strings.TrimSuffix(o.why.Text, ".") + ". The product was matched by a name made from vendor and model, not by a model card."
	}
	o.why.Result = o.truth.String()
	o.named, o.matched = m.Vulnerable, !m.Vulnerable
	return o
}

func (r reader) say(t truth, reason, text string) outcome {
	return outcome{truth: t, reason: reason, why: firmward.Explanation{Text: text, Result: t.String(), Source: r.advisory.Source}}
}

// stranger judges a criterion that names none of the device's products.
func (r reader) stranger(c cpe.Name, vulnerable bool) outcome {
	switch {
	case vulnerable:
		return r.say(no, firmward.ReasonOtherProduct, fmt.Sprintf("%s is another product.", label(c)))
	case c.Part == "a" || !r.subject.carded(c.Part):
		return r.say(unknown, firmward.ReasonPlatformAbsent, fmt.Sprintf("It needs %s; whether this device is or has that is not known.", label(c)))
	}
	return r.say(no, firmward.ReasonPlatformAbsent, fmt.Sprintf("It needs %s, which this device is not.", label(c)))
}

// hardware judges a hardware criterion of the device's model. The version of a hardware name is its
// revision; ANY and NA mean every revision.
func (r reader) hardware(c cpe.Name, vulnerable bool) outcome {
	rev := revision(c.Version.Text())
	own := revision(r.subject.Device.Hardware)
	switch {
	case vulnerable && c.Version == cpe.NA:
		return r.say(unknown, firmward.ReasonUnspecified, fmt.Sprintf("%s names the hardware %s and gives no version.", r.speaker, label(c)))
	case c.Version.Logical() && vulnerable:
		return r.allVersions(c)
	case c.Version.Logical():
		return r.say(yes, "", fmt.Sprintf("It concerns the hardware %s, which this is.", label(c)))
	case own == "":
		return r.say(unknown, firmward.ReasonPlatformAbsent, fmt.Sprintf("It concerns hardware revision %s; this device's revision is not known.", rev))
	case own == rev, len(rev) == 2 && rev[1] == 'x' && strings.HasPrefix(own, rev[:1]):
		reason := ""
		if vulnerable {
			reason = firmward.ReasonExact
		}
		return r.say(yes, reason, fmt.Sprintf("It concerns hardware revision %s, which this is.", rev))
	}
	return r.say(no, firmward.ReasonPlatformAbsent, fmt.Sprintf("It concerns hardware revision %s; this device is revision %s.", rev, own))
}

// revision drops what vendors write before a revision: "Rev. A1", "rev_a1", "hw: a1", "v2", "2".
func revision(s string) string {
	s = strings.ToLower(strings.TrimSpace(s))
	for _, p := range []string{"revision", "version", "rev", "ver", "hw", "v"} {
		if rest, ok := strings.CutPrefix(s, p); ok && rest != "" {
			s = strings.TrimLeft(rest, " ._:-")
			break
		}
	}
	return s
}

// narrower reports whether the criterion asks for an edition or target that nobody knows of the
// device. The mark "lts" is met by the product name of a release track.
func (r reader) narrower(c cpe.Name) bool {
	for _, a := range []cpe.Attr{c.Edition, c.SWEdition, c.TargetSW, c.TargetHW, c.Other} {
		if !a.Logical() && a != "" && !(a == "lts" && a == c.SWEdition) {
			return true
		}
	}
	return false
}

// label is a criterion's product for a sentence: "dlink dns-320l_firmware".
func label(c cpe.Name) string {
	return c.Vendor.Text() + " " + c.Product.Text()
}

// speakers names the feeds in sentences.
var speakers = map[string]string{
	"nvd": "NVD", "starter": "The starter set", "overrides": "A correction", "override": "A correction", "vendor": "The vendor", "cve": "The CVE record",
}

func speaker(source string) string {
	base, _, _ := strings.Cut(source, ":")
	if s, ok := speakers[base]; ok {
		return s
	}
	if source == "" {
		return "An unnamed source"
	}
	return source
}

// authority ranks sources by how close they are to the facts of a product: the vendor and
// corrections made by hand know ranges that aggregators do not. The starter set is a digest of
// others' records and silences none of them.
func authority(source string) int {
	base, _, _ := strings.Cut(source, ":")
	switch base {
	case "vendor", "overrides", "override":
		return 1
	}
	return 0
}
