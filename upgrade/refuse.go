package upgrade

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/version"
)

// refuse says why no way leads to what is wanted, by what keeps the nearest release of it from being installed.
func (g *graph) refuse() *Refusal {
	var wanted []int
	for i, r := range g.rels {
		if part(r) == firmward.MainPart && g.compare(r.Version, g.q.Want) == version.Equal {
			wanted = append(wanted, i)
		}
	}
	if len(wanted) == 0 {
		return &Refusal{
			Code: NoRelease, Missing: g.q.Want, Part: firmward.MainPart,
			Why: fmt.Sprintf("no release of %s for %s, hardware %s, is in the depot; get %[1]s", g.q.Want, g.q.Model, cmp.Or(g.q.Hardware, "unknown")),
		}
	}
	var best *Refusal
	rank := -1
	for _, i := range wanted {
		if g.q.Variant != "" && g.rels[i].Variant != "" && g.rels[i].Variant != g.q.Variant {
			continue // it would not be the wanted variant
		}
		if r, at := g.why(i, map[int]bool{}); at > rank {
			best, rank = r, at
		}
	}
	if best == nil {
		best = &Refusal{Code: OtherVariant, Why: fmt.Sprintf("%s is in the depot, but not as variant %s", g.q.Want, g.q.Variant)}
	}
	return best
}

// why follows a release back to what is missing for it. seen are the releases that were followed already.
func (g *graph) why(i int, seen map[int]bool) (r *Refusal, rank int) {
	seen[i] = true
	var no obstacle
	for _, n := range g.reached {
		_, _, o := g.edge(n, i)
		if o.why == "" { // it can be installed, and what it makes is not what is wanted
			o = obstacle{12, OtherVariant, g.astray(g.rels[i]), firmward.Need{}}
		}
		if o.rank > no.rank {
			no = o
		}
	}
	if no.code != MissingHop {
		return &Refusal{Code: no.code, Why: no.why}, no.rank
	}
	need := no.need
	r = &Refusal{
		Code: MissingHop, Missing: need.AtLeast, Part: need.Part,
		Why: fmt.Sprintf("no release in the depot leads from %s to %s; get %[2]s", g.from(need.Part), named(need.Part, need.AtLeast)),
	}
	if r.Part == part(g.rels[i]) && g.rels[i].MaxFrom != "" {
		r.Why += fmt.Sprintf(" (%s or older)", g.rels[i].MaxFrom)
	}
	// A release that would do may be there and not be reached itself: what is missing lies before it.
	var before []*Refusal
	for k, c := range g.rels {
		sameWay := need.Part != part(g.rels[i]) || g.rels[i].MaxFrom == "" || g.least(g.rels[i].MaxFrom, c.Version)
		if seen[k] || part(c) != need.Part || !g.least(c.Version, need.AtLeast) || !sameWay {
			continue
		}
		if g.bars[k] != "" {
			r.Why += fmt.Sprintf("; the one that is there, %s, %s", c.ID, g.bars[k])
			continue
		}
		if b, _ := g.why(k, seen); b != nil {
			before = append(before, b)
		}
	}
	if len(before) > 0 {
		slices.SortStableFunc(before, func(a, b *Refusal) int { return g.nearer(a, b) })
		r = before[0]
	}
	return r, no.rank
}

// nearest is how far a way leads that does not reach what is wanted: without it, the search has seen all that can be reached.
func (g *graph) nearest() string {
	best := ""
	for _, n := range g.reached {
		if n.variant == g.variant && g.compare(g.start.version, n.version) == version.Less && g.compare(n.version, g.q.Want) == version.Less &&
			(best == "" || g.compare(best, n.version) == version.Less) {
			best = n.version
		}
	}
	return best
}

// nearer puts what a file would mend first, and of that the lowest version.
func (g *graph) nearer(a, b *Refusal) int {
	if a.Missing == "" || b.Missing == "" {
		return cmp.Compare(min(len(b.Missing), 1), min(len(a.Missing), 1))
	}
	switch o := g.compare(a.Missing, b.Missing); o {
	case version.Less, version.Greater:
		return int(o)
	}
	return 0
}

// from is what a way begins with.
func (g *graph) from(part string) string {
	if v := g.at(g.start, part); part != firmward.MainPart {
		return part + " " + cmp.Or(v, "unknown")
	}
	return g.start.version
}

// astray says why a release that can be installed is not what is wanted: its version is, its variant is not.
func (g *graph) astray(r *firmward.Release) string {
	name := named(part(r), r.Version)
	if r.Variant == "" {
		return name + " does not say which variant it is of"
	}
	return fmt.Sprintf("%s can be installed, but it would change the variant to %s, and nothing leads back to %s", name, r.Variant, cmp.Or(g.variant, "what it has now"))
}
