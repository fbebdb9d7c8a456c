package assess

import (
	"fmt"
	"strings"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/cpe"
)

// truth is the three-valued outcome of a node, with true split by how sure it is. The order is the
// order of severity: OR takes the highest, AND the lowest.
type truth int

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
	reason  string
	named   bool // a vulnerable criterion below names the device's product
	matched bool // a platform criterion below is the device's own
	words   bool // the product is named in words, not by CPE
	why     firmward.Explanation
}

// vote is what one record says.
type vote struct {
	outcome
	advisory firmward.Advisory
}

// reader evaluates one record for one device.
type reader struct {
	subject  Subject
	advisory firmward.Advisory
	speaker  string // "NVD"
	ownTrack bool   // the record has a range that ends on the device's release track
}

// vote evaluates a record. It reports false when the record does not name the device's product.
func (s Subject) vote(a firmward.Advisory) (vote, bool) {
	r := reader{subject: s, advisory: a, speaker: speaker(a.Source)}
	r.ownTrack = r.hasOwnTrack()
	var parts []outcome
	for _, c := range a.Configurations {
		var nodes []outcome
		for _, n := range c.Nodes {
			nodes = append(nodes, r.node(n))
		}
		if o := r.join(c.Operator, c.Negate, nodes); o.named {
			parts = append(parts, o)
		}
	}
	if len(parts) == 0 {
		return vote{}, false
	}
	o := r.join("OR", false, parts)
	if o.reason == "" {
		o.reason = map[bool]string{true: firmward.ReasonOutOfRange, false: firmward.ReasonInRange}[o.truth == no]
	}
	if o.truth != no {
		if fix, ok := r.repaired(); ok {
			o = outcome{truth: no, reason: firmward.ReasonOutOfRange, named: true, why: firmward.Explanation{
				Text:   fmt.Sprintf("%s says it is repaired in %s on this release track; this device runs %s.", r.speaker, fix, s.Device.Firmware),
				Result: no.String(), Source: a.Source, Children: []firmward.Explanation{o.why},
			}}
		}
	}
	return vote{outcome: o, advisory: a}, true
}

func (r reader) node(n firmward.Node) outcome {
	parts := make([]outcome, 0, len(n.Matches)+len(n.Children))
	for _, m := range n.Matches {
		parts = append(parts, r.criterion(m))
	}
	for _, c := range n.Children {
		parts = append(parts, r.node(c))
	}
	return r.join(n.Operator, n.Negate, parts)
}

// join combines the parts of a node. An empty operator means OR, as in NVD.
func (r reader) join(operator string, negate bool, parts []outcome) outcome {
	if len(parts) == 0 {
		return outcome{truth: unknown, reason: firmward.ReasonUnspecified, why: firmward.Explanation{
			Text: r.speaker + " gives an empty condition.", Result: unknown.String(), Source: r.advisory.Source,
		}}
	}
	var o outcome
	if operator == "AND" {
		o = r.all(parts)
	} else {
		o = r.any(relevant(parts))
	}
	if negate {
		o.truth = o.truth.negated()
		o.reason = "" // a negated part is a condition, the reason lies elsewhere
		o.why = firmward.Explanation{
			Text: "The following must not hold.", Result: o.truth.String(), Source: r.advisory.Source,
			Children: []firmward.Explanation{o.why},
		}
	}
	return o
}

// relevant keeps the alternatives that are about the device; without one, all of them count.
func relevant(parts []outcome) []outcome {
	var named, matched []outcome
	for _, p := range parts {
		switch {
		case p.named:
			named = append(named, p)
		case p.matched:
			matched = append(matched, p)
		}
	}
	switch {
	case len(named) > 0:
		return named
	case len(matched) > 0:
		return matched
	}
	return parts
}

func (r reader) any(parts []outcome) outcome {
	best := parts[0]
	for _, p := range parts[1:] {
		if p.truth > best.truth {
			best = p
		}
		best.named = best.named || p.named
		best.matched = best.matched || p.matched
	}
	if len(parts) == 1 {
		return best
	}
	text := "At least one of these holds."
	switch {
	case best.truth == no && !best.named:
		best.why.Text = fmt.Sprintf("%s names %d products here, none is this device's.", r.speaker, len(parts))
		best.why.Children = nil
		return best
	case best.truth == no:
		text = "None of these holds."
	case best.truth == unknown:
		text = "None of these is certain to hold, and not all are excluded."
	}
	best.why = firmward.Explanation{Text: text, Result: best.truth.String(), Source: r.advisory.Source, Children: reasons(parts)}
	return best
}

func (r reader) all(parts []outcome) outcome {
	worst := parts[0]
	for _, p := range parts[1:] {
		named, matched := worst.named || p.named, worst.matched || p.matched
		if p.truth < worst.truth || p.truth == worst.truth && p.named && !worst.named {
			worst = p
		}
		worst.named, worst.matched = named, matched
	}
	if worst.truth > unknown { // true because of the product, not because of its platform
		for _, p := range parts {
			if p.named && p.reason != "" {
				worst.reason = p.reason
			}
		}
	}
	if len(parts) == 1 {
		return worst
	}
	text := "All of these hold."
	switch worst.truth {
	case no:
		text = "Not all of these hold."
	case unknown:
		text = "It is not known whether all of these hold."
	}
	worst.why = firmward.Explanation{Text: text, Result: worst.truth.String(), Source: r.advisory.Source, Children: reasons(parts)}
	return worst
}

func reasons(parts []outcome) []firmward.Explanation {
	out := make([]firmward.Explanation, len(parts))
	for i, p := range parts {
		out[i] = p.why
	}
	return out
}

// find gives the device's name that a criterion speaks of; a name of the card before a derived one.
// Part ANY means any, and words do not tell a product from its firmware.
func (s Subject) find(c cpe.Name, words bool) (Name, bool) {
	key := c.Key()
	if words {
		key = bare(key)
	}
	var found Name
	ok := false
	for _, n := range s.Names {
		own := n.CPE.Key()
		if words {
			own = bare(own)
		}
		if (c.Part == cpe.Any || software(n.CPE.Part) == software(c.Part)) && own == key && (!ok || found.Derived && !n.Derived) {
			found, ok = n, true
		}
	}
	return found, ok
}

// bare drops what CPE names hang on a product for its firmware.
func bare(k cpe.Key) cpe.Key {
	k.Product = strings.TrimSuffix(k.Product, "_firmware")
	return k
}

// carded reports whether the model card gives a name of this part.
func (s Subject) carded(part cpe.Attr) bool {
	for _, n := range s.Names {
		if n.CPE.Part == part && !n.Derived {
			return true
		}
	}
	return false
}
