package assess

import (
	"fmt"
	"strings"

	"github.com/firmward/firmward/cpe"
	"github.com/firmward/firmward/index"
)

// match evaluates one leaf of a tree.
func (r *reader) match(l index.Leaf) outcome {
	place, ok := r.place(l.Criterion())
	if !ok {
		return r.stranger(l)
	}
	if r.explain || !r.memorable {
		return r.fresh(l)
	}
	m := &r.memo[2*place+uint32(l&1)]
	if m.turn != r.turn {
		o := r.fresh(l)
		if !o.named && !o.matched {
			return o
		}
		*m = remembered{turn: r.turn, truth: o.truth, words: o.words, reason: o.reason}
		return o
	}
	return outcome{truth: m.truth, words: m.words, reason: m.reason, named: l.Vulnerable(), matched: !l.Vulnerable()}
}

// fresh evaluates a leaf that may speak of one of the device's names.
func (r *reader) fresh(l index.Leaf) outcome {
	c := r.x.Criterion(l.Criterion())
	n := r.find(c)
	if n == nil {
		return r.stranger(l)
	}
	o := r.about(n, c, l.Vulnerable())
	o.named, o.matched = l.Vulnerable(), !l.Vulnerable()
	return o
}

// about evaluates a criterion that speaks of one of the device's names.
func (r *reader) about(n *own, c index.Criterion, vulnerable bool) outcome {
	var o outcome
	switch {
	case c.Part() == "h":
		o = r.hardware(n, c, vulnerable)
	case !vulnerable && c.Version().Logical() && !c.Ranged():
		o = r.say(yes, noReason, func() string { return fmt.Sprintf("It concerns %s, which this device runs.", label(c)) })
	default:
		o = r.software(n, c)
	}
	if o.truth > no && !c.Plain() {
		r.narrow(&o, n, c)
	}
	if c.InWords() {
		o.words, o.truth = true, min(o.truth, guessed)
		r.amend(&o, ". The record names the product %q in words, not by CPE.", c.Words())
	}
	if o.truth == yes && n.Derived {
		o.truth = guessed
		r.amend(&o, ". The product was matched by a name made from vendor and model, not by a model card.")
	}
	if r.explain {
		o.why.Result = o.truth.String()
	}
	return o
}

// amend goes on with a sentence.
func (r *reader) amend(o *outcome, format string, args ...any) {
	if r.explain {
		o.why.Text = strings.TrimSuffix(o.why.Text, ".") + fmt.Sprintf(format, args...)
	}
}

// stranger judges a criterion that names none of the device's products.
func (r *reader) stranger(l index.Leaf) outcome {
	c := r.x.Criterion(l.Criterion())
	switch {
	case c.Product() == index.None:
		return r.say(unknown, platformAbsent, func() string { return r.speaker + " gives a product name that cannot be read." })
	case l.Vulnerable():
		return r.say(no, otherProduct, func() string { return label(c) + " is another product." })
	case c.Part() == "o" && r.carded('o'), c.Part() == "h" && r.carded('h'):
		return r.say(no, platformAbsent, func() string { return fmt.Sprintf("It needs %s, which this device is not.", label(c)) })
	}
	return r.say(unknown, platformAbsent, func() string {
		return fmt.Sprintf("It needs %s; whether this device is or has that is not known.", label(c))
	})
}

// hardware judges a hardware criterion of the device's model. The version of a hardware name is its
// revision; ANY and NA mean every revision.
func (r *reader) hardware(n *own, c index.Criterion, vulnerable bool) outcome {
	v := c.Version()
	switch {
	case vulnerable && v == cpe.NA && n.Listed && n.CPE.Version == cpe.NA:
		return r.say(yes, exact, func() string {
			return fmt.Sprintf("%s names the hardware %s, which has no versions.", r.speaker, label(c))
		})
	case vulnerable && v == cpe.NA:
		return r.say(unknown, unspecified, func() string {
			return fmt.Sprintf("%s names the hardware %s and gives no version.", r.speaker, label(c))
		})
	case v.Logical() && vulnerable:
		return r.allVersions(n, c)
	case v.Logical():
		return r.say(yes, noReason, func() string { return fmt.Sprintf("It concerns the hardware %s, which this is.", label(c)) })
	}
	rev, is := revision(v.Text()), revision(n.Version)
	switch {
	case is == "":
		return r.say(unknown, platformAbsent, func() string {
			return fmt.Sprintf("It concerns hardware revision %s; this device's revision is not known.", rev)
		})
	case is == rev, len(rev) == 2 && rev[1] == 'x' && strings.HasPrefix(is, rev[:1]):
		why := noReason
		if vulnerable {
			why = exact
		}
		return r.say(yes, why, func() string { return fmt.Sprintf("It concerns hardware revision %s, which this is.", rev) })
	}
	return r.say(no, platformAbsent, func() string {
		return fmt.Sprintf("It concerns hardware revision %s; this device is revision %s.", rev, is)
	})
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

// narrow takes into account what else a criterion asks for: an edition, a language, a target. What the device's own name
// leaves open is unknown; what it states and is another excludes (NISTIR 7696 §6.2). The mark "lts" is met by the product name
// of a release track.
func (r *reader) narrow(o *outcome, n *own, of index.Criterion) {
	c := of.Name()
	pairs := [...][2]cpe.Attr{
		{c.Edition, n.CPE.Edition},
		{c.Language, n.CPE.Language},
		{c.SWEdition, n.CPE.SWEdition},
		{c.TargetSW, n.CPE.TargetSW},
		{c.TargetHW, n.CPE.TargetHW},
		{c.Other, n.CPE.Other},
	}
	for i, p := range pairs {
		if p[0] == cpe.Any || p[0] == "" || p[0] == "lts" && i == 2 {
			continue
		}
		switch cpe.Compare(p[0], p[1]) {
		case cpe.Superset, cpe.Equal:
		case cpe.Disjoint:
			if n.Listed {
				*o = r.say(no, otherProduct, func() string {
					return fmt.Sprintf("%s names the edition or target %q of %s; this is %q.", r.speaker, p[0].Text(), label(of), p[1].Text())
				})
				return
			}
			fallthrough
		default:
			o.truth, o.reason = min(o.truth, unknown), unspecified
			r.amend(o, ", but only in an edition that this device may or may not be.")
			return
		}
	}
}

// label is a criterion's product for a sentence: "dlink dns-320l_firmware".
func label(c index.Criterion) string {
	return c.Vendor().Text() + " " + c.ProductName().Text()
}

// speakers names the feeds in sentences.
var speakers = map[string]string{
	"nvd": "NVD", "starter": "The starter set", "overrides": "A correction", "override": "A correction", "vendor": "The vendor", "cve": "The CVE record",
	"fda": "The FDA",
}

// speaker names a source for a sentence. What stands behind a colon is whose word it is: "csaf:siemens", "vex:axis".
func speaker(source string) string {
	base, who, _ := strings.Cut(source, ":")
	if s, ok := speakers[base]; ok {
		return s
	}
	switch {
	case source == "":
		return "An unnamed source"
	case base == "csaf" && who != "":
		return "The advisory of " + who
	case base == "vex" && who != "":
		return "The VEX of " + who
	}
	return source
}

// authority ranks sources by how close they are to the facts of a product: the vendor, who speaks in CSAF and VEX, and
// corrections made by hand know ranges that aggregators do not. The starter set is a digest of
// others' records and silences none of them.
func authority(source string) int {
	base, _, _ := strings.Cut(source, ":")
	switch base {
	case "vendor", "overrides", "override", "csaf", "vex":
		return 1
	}
	return 0
}
