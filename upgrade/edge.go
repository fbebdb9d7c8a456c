package upgrade

import (
	"fmt"
	"slices"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/version"
)

// cost is what a way costs, the worst first: wipes, changes of variant, steps without return, steps down, steps.
type cost [5]int

func (c cost) plus(d cost) cost {
	for i := range c {
		c[i] += d[i]
	}
	return c
}

func (c cost) compare(d cost) int { return slices.Compare(c[:], d[:]) }

// obstacle is the first reason why a release does not go on a node. A higher rank is nearer to the goal.
type obstacle struct {
	rank int
	code string
	why  string
	need firmward.Need // what would have to be there, where something would help
}

// edge gives the node after a release and what that costs, or why it may not be installed there.
func (g *graph) edge(n node, i int) (to node, c cost, no obstacle) {
	r := g.rels[i]
	p := part(r)
	at := g.at(n, p)
	if no := g.passes(n, i, p, at); no.why != "" {
		return to, c, no
	}
	to = n
	c[4] = 1
	if r.WipesConfig {
		c[0] = 1
	}
	if p == firmward.MainPart {
		to.version = r.Version
		if r.Variant != "" && r.Variant != n.variant {
			to.variant, c[1] = r.Variant, 1
		}
	} else {
		to.parts = slices.Clone(n.parts)
		k, _ := slices.BinarySearch(g.parts, p)
		to.parts[k] = r.Version
	}
	if r.Floor != "" {
		if !g.least(at, r.Floor) {
			c[2] = 1
		}
		if g.floors {
			g.raise(&to, floor{p, r.Floor})
		}
	}
	if g.compare(at, r.Version) == version.Greater {
		c[3] = 1
	}
	return to, c, no
}

func (g *graph) passes(n node, i int, p, at string) obstacle {
	r := g.rels[i]
	name := named(p, r.Version)
	switch {
	case g.bars[i] != "":
		return obstacle{1, Barred, name + " " + g.bars[i], firmward.Need{}}
	case r.Variant != "" && n.variant == "":
		return obstacle{2, VariantUnknown, fmt.Sprintf("%s is of variant %s, and nobody knows which variant this device has", name, r.Variant), firmward.Need{}}
	case r.Variant != "" && r.Variant != n.variant && !slices.Contains(r.FromVariants, n.variant):
		return obstacle{3, OtherVariant, fmt.Sprintf("%s is of variant %s, this device has %s", name, r.Variant, n.variant), firmward.Need{}}
	case at == "":
		return obstacle{4, PartUnknown, "nobody knows the version of its " + p, firmward.Need{}}
	}
	o := g.compare(at, r.Version)
	switch {
	case o == version.Incomparable:
		return obstacle{5, Incomparable, fmt.Sprintf("%s and %s cannot be compared: it could be a step back", at, r.Version), firmward.Need{}}
	case o == version.Greater && !r.MayDowngrade:
		return obstacle{6, NotBack, fmt.Sprintf("%s is older than %s, and nobody says that it may go over it", name, at), firmward.Need{}}
	case o == version.Equal && (p != firmward.MainPart || r.Variant == "" || r.Variant == n.variant):
		return obstacle{6, NotBack, "it runs " + name + " already", firmward.Need{}}
	}
	if r.MinFrom != "" && !g.least(at, r.MinFrom) {
		return obstacle{7, MissingHop, fmt.Sprintf("%s goes over %s or newer only", name, r.MinFrom), firmward.Need{Part: p, AtLeast: r.MinFrom}}
	}
	if r.MaxFrom != "" && !g.least(r.MaxFrom, at) {
		return obstacle{8, TooNew, fmt.Sprintf("%s goes over %s or older only, and it runs %s", name, r.MaxFrom, at), firmward.Need{}}
	}
	for _, f := range n.floors {
		if o == version.Greater && f.part == p && !g.least(r.Version, f.version) {
			return obstacle{9, BelowFloor, fmt.Sprintf("it takes nothing below %s any more, and %s is", f.version, name), firmward.Need{}}
		}
	}
	for _, need := range r.Needs {
		switch has := g.at(n, need.Part); {
		case has == "":
			return obstacle{10, PartUnknown, fmt.Sprintf("%s needs %s or newer, and nobody knows the version of its %s", name, named(need.Part, need.AtLeast), need.Part), firmward.Need{}}
		case !g.least(has, need.AtLeast):
			return obstacle{11, MissingHop, fmt.Sprintf("%s needs %s or newer", name, named(need.Part, need.AtLeast)), need}
		}
	}
	return obstacle{}
}

// hop tells of one edge of a way; next is the release after it, -1 for the last.
func (g *graph) hop(n node, i, next int) Hop {
	r := g.rels[i]
	to, c, _ := g.edge(n, i)
	h := Hop{
		Release: *r, Part: part(r), From: g.at(n, part(r)), To: r.Version, Outage: g.q.Outage,
		Wipes: c[0] > 0, NoReturn: c[2] > 0, Down: c[3] > 0,
	}
	if c[1] > 0 {
		h.Changes = n.variant + " to " + to.variant
	}
	switch {
	case next < 0:
		h.Why = "it is what shall run"
	default:
		_, _, no := g.edge(n, next)
		if h.Why = no.why; h.Why == "" {
			h.Why = "the way is safer than " + named(part(g.rels[next]), g.rels[next].Version) + " directly"
		}
	}
	return h
}
