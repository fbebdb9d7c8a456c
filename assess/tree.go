package assess

import (
	"fmt"
	"slices"
	"strings"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/index"
)

// truth is the three-valued outcome of a node, with true split by how sure it is. The order is the
// order of severity: OR takes the highest, AND the lowest.
type truth int8

const (
	no truth = iota
	unknown
	guessed // true, but by a guess: a derived name or a comparison without the vendor's rule
	yes
)

func (t truth) String() string {
	return [...]string{"false", "unknown", "true", "true"}[t]
}

func (t truth) verdict() firmward.Verdict {
	return [...]firmward.Verdict{firmward.NotAffected, firmward.Possible, firmward.Likely, firmward.Affected}[t]
}

// negated flips a certain outcome. A guess cannot exclude, so it turns into unknown.
func (t truth) negated() truth {
	return [...]truth{yes, unknown, unknown, no}[t]
}

// outcome is what one node of a configuration came to.
type outcome struct {
	truth   truth
	named   bool // a vulnerable criterion below names the device's product
	matched bool // a platform criterion below is the device's own
	words   bool // the product is named in words, not by CPE
	reason  reason
	why     *firmward.Explanation // nil unless it was asked for
}

// reader evaluates one record for one device.
type reader struct {
	*Evaluator
	rec       index.Record
	speaker   string // "NVD"
	ownTrack  *bool  // the record has a range that ends on the device's release track; nil while nobody asked
	memorable bool   // what a criterion comes to does not depend on the record
}

// tree evaluates the configurations of the record. It reports false when none names the device's product.
func (r *reader) tree() (outcome, bool) {
	places, w, n := r.rec.Configurations()
	all := join{}
	one := func(w *index.Walk) {
		c := join{of: w.Join()}
		for m := w.Count(); m > 0; m-- {
			c.add(r, r.node(w))
		}
		if o := c.end(r); o.named {
			all.add(r, o)
		}
	}
	if len(places) == 0 {
		for ; n > 0; n-- {
			one(&w)
		}
	} else { // of many configurations only those that name the device
		r.starts = r.starts[:0]
		for _, s := range r.spans {
			r.starts = places.Of(s.from, s.to, r.starts)
		}
		slices.Sort(r.starts)
		for _, start := range slices.Compact(r.starts) {
			at := w.At(start)
			one(&at)
		}
	}
	if all.n == 0 {
		return outcome{}, false
	}
	o := all.end(r)
	switch {
	case o.reason != noReason:
	case o.truth == no:
		o.reason = outOfRange
	default:
		o.reason = inRange
	}
	return o, true
}

func (r *reader) node(w *index.Walk) outcome {
	j := join{of: w.Join()}
	leaves := w.Leaves()
	if j.of.And() {
		for i := range leaves.Len() {
			j.add(r, r.match(leaves.At(i)))
		}
	} else if leaves.Len() > 0 {
		r.either(&j, leaves)
	}
	for n := w.Count(); n > 0; n-- {
		j.add(r, r.node(w))
	}
	return j.end(r)
}

// either adds the leaves of an OR: those that name one of the device's products, else all of them as one.
func (r *reader) either(j *join, leaves index.Leaves) {
	listed := r.leaves[:0]
	best, named := no, false
	for _, s := range r.spans {
		for i := leaves.From(s.from); i < leaves.Len() && leaves.At(i).Criterion() < s.to; i++ {
			o := r.quiet(leaves.At(i))
			switch {
			case !o.named && !o.matched:
			case r.explain && named && !o.named: // what it is counts before what it stands on
			case r.explain && o.named && !named:
				listed, best, named = append(listed[:0], leaves.At(i)), o.truth, true
			case r.explain:
				listed, best = append(listed, leaves.At(i)), max(best, o.truth)
			default:
				j.add(r, o)
			}
		}
	}
	r.leaves = listed
	switch {
	case len(listed) > 0:
		r.list(j, listed, best)
	case j.n > 0:
	case r.explain && leaves.Len() == 1:
		j.add(r, r.stranger(leaves.At(0)))
	default:
		j.add(r, r.strangers(j.of, leaves))
	}
}

// quiet evaluates a leaf without its explanation.
func (r *reader) quiet(l index.Leaf) outcome {
	explain := r.explain
	r.explain = false
	o := r.match(l)
	r.explain = explain
	return o
}

// maxListed bounds how many alternatives that come to the same are explained one by one.
const maxListed = 3

// list explains the leaves that decide, which come to best, and counts the others. All of them name the device, or none does.
func (r *reader) list(j *join, leaves []index.Leaf, best truth) {
	shown, rank := 0, 1
	for _, l := range leaves {
		o := r.quiet(l)
		if o.named {
			rank = 0
		}
		if o.truth == best && shown < maxListed {
			shown++
			j.add(r, r.match(l))
			continue
		}
		j.n++
		j.addAny(rank, o)
	}
	if rest := len(leaves) - shown; rest > 0 {
		j.whys[rank] = append(j.whys[rank], firmward.Explanation{
			Text: fmt.Sprintf("%s gives %d more versions or ranges here, which change nothing.", r.speaker, rest), Result: best.String(), Source: r.rec.Source,
		})
	}
}

// strangers judges alternatives of which none names one of the device's products.
func (r *reader) strangers(of index.Join, leaves index.Leaves) outcome {
	open, system, hardware := of.Needs()
	names := func() string {
		var b strings.Builder
		for i := range min(leaves.Len(), 3) {
			b.WriteString(label(r.x.Criterion(leaves.At(i).Criterion())) + ", ")
		}
		return strings.TrimSuffix(b.String(), ", ")
	}
	switch {
	case open, system && !r.carded('o'), hardware && !r.carded('h'):
		return r.say(unknown, platformAbsent, func() string {
			return fmt.Sprintf("It needs one of %d products; whether this device is or has one is not known: %s …", leaves.Len(), names())
		})
	case system, hardware:
		return r.say(no, platformAbsent, func() string {
			return fmt.Sprintf("%s names %d products here, none is this device's.", r.speaker, leaves.Len())
		})
	}
	return r.say(no, otherProduct, func() string {
		return fmt.Sprintf("%s names %d products here, none is this device's.", r.speaker, leaves.Len())
	})
}

// reason is a reason code in one byte: very many outcomes are made, few are told.
type reason uint8

const (
	noReason reason = iota
	inRange
	exact
	outOfRange
	noVersion
	unspecified
	allVersions
	incomparable
	otherProduct
	platformAbsent
	stated
	investigated
)

func (r reason) String() string {
	return [...]string{
		"", firmward.ReasonInRange, firmward.ReasonExact, firmward.ReasonOutOfRange, firmward.ReasonNoVersion, firmward.ReasonUnspecified,
		firmward.ReasonAllVersions, firmward.ReasonIncomparable, firmward.ReasonOtherProduct, firmward.ReasonPlatformAbsent,
		firmward.ReasonStated, firmward.ReasonInvestigated,
	}[r]
}

// join combines the parts of a node as they come: AND takes the lowest, anything else is OR and takes the highest of the
// alternatives that are about the device, of all of them where none is.
type join struct {
	of     index.Join
	n      int
	worst  outcome    // AND
	reason reason     // AND: that of the last named part
	best   [3]outcome // OR: by rank, about the device's product, about its platform, about others
	parts  [3]int     // OR: how many of each rank
	whys   *[3][]firmward.Explanation
}

func (j *join) add(r *reader, o outcome) {
	j.n++
	rank := 2
	switch {
	case j.of.And():
		j.addAll(o)
		rank = 0
	case o.named:
		rank = 0
		j.addAny(rank, o)
	case o.matched:
		rank = 1
		j.addAny(rank, o)
	default:
		j.addAny(rank, o)
	}
	if r.explain {
		if j.whys == nil {
			j.whys = &[3][]firmward.Explanation{}
		}
		j.whys[rank] = append(j.whys[rank], *o.why)
	}
}

func (j *join) addAny(rank int, o outcome) {
	best := &j.best[rank]
	if j.parts[rank]++; j.parts[rank] == 1 {
		*best = o
		return
	}
	named, matched := best.named || o.named, best.matched || o.matched
	if o.truth > best.truth {
		*best = o
	}
	best.named, best.matched = named, matched
}

func (j *join) addAll(o outcome) {
	if j.n == 1 {
		j.worst = o
	} else {
		named, matched := j.worst.named || o.named, j.worst.matched || o.matched
		if o.truth < j.worst.truth || o.truth == j.worst.truth && o.named && !j.worst.named {
			j.worst = o
		}
		j.worst.named, j.worst.matched = named, matched
	}
	if o.named && o.reason != noReason {
		j.reason = o.reason
	}
}

// end gives what the parts come to.
func (j *join) end(r *reader) outcome {
	if j.n == 0 {
		return r.say(unknown, unspecified, func() string { return r.speaker + " gives an empty condition." })
	}
	var o outcome
	if j.of.And() {
		o = j.worst
		if o.truth > unknown && j.reason != noReason { // true because of the product, not because of its platform
			o.reason = j.reason
		}
		if r.explain && j.n > 1 {
			o.why = r.group(o.truth, allTexts, j.whys[0])
		}
	} else {
		rank := 0
		for j.parts[rank] == 0 {
			rank++
		}
		o = j.best[rank]
		if r.explain && j.parts[rank] > 1 {
			o.why = r.group(o.truth, anyTexts, j.whys[rank])
		}
	}
	if j.of.Negate() {
		o.truth = o.truth.negated()
		o.reason = noReason // a negated part is a condition, the reason lies elsewhere
		if r.explain {
			o.why = &firmward.Explanation{
				Text: "The following must not hold.", Result: o.truth.String(), Source: r.rec.Source,
				Children: []firmward.Explanation{*o.why},
			}
		}
	}
	return o
}

// The sentences over the parts of a node, for false, unknown and true.
var (
	allTexts = [3]string{"Not all of these hold.", "It is not known whether all of these hold.", "All of these hold."}
	anyTexts = [3]string{"None of these holds.", "None of these is certain to hold, and not all are excluded.", "At least one of these holds."}
)

func (r *reader) group(t truth, texts [3]string, parts []firmward.Explanation) *firmward.Explanation {
	return &firmward.Explanation{Text: texts[min(t, guessed)], Result: t.String(), Source: r.rec.Source, Children: parts}
}

// say makes an outcome; text is called only where somebody wants to read it.
func (r *reader) say(t truth, why reason, text func() string) outcome {
	o := outcome{truth: t, reason: why}
	if r.explain {
		o.why = &firmward.Explanation{Text: text(), Result: t.String(), Source: r.rec.Source}
	}
	return o
}
