package upgrade

import (
	"container/heap"
	"slices"

	"github.com/firmward/firmward/version"
)

// place is a node that the search has met, with all cheapest ways to it.
type place struct {
	node
	cost
	id     string
	order  int // in which it was met
	before []step
	onWay  bool
	next   []step // towards the goal; to, not from
}

// step joins two places by a release.
type step struct {
	other *place
	rel   int
}

type queue []*place

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	if d := q[i].compare(q[j].cost); d != 0 {
		return d < 0
	}
	return q[i].order < q[j].order
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(*place)) }
func (q *queue) Pop() any {
	old := *q
	p := old[len(old)-1]
	*q = old[:len(old)-1]
	return p
}

// direct gives the way of one step where that is free of every risk: nothing is cheaper.
func (g *graph) direct() Path {
	var fit []step
	for i := range g.rels {
		to, c, no := g.edge(g.start, i)
		if no.why == "" && c == (cost{4: 1}) && g.done(to) {
			fit = append(fit, step{rel: i})
		}
	}
	if len(fit) == 0 {
		return nil
	}
	return Path{g.hop(g.start, g.newest(fit).rel, -1)}
}

// search looks from the start until the cheapest goals are found, all of the same cost. It gives them
// with every cheapest way behind them; all is false when it gave up before it knew.
func (g *graph) search() (goals []*place, all bool) {
	first := &place{node: g.start, id: g.start.key()}
	met := map[string]*place{first.id: first}
	open := queue{first}
	for len(open) > 0 {
		p := heap.Pop(&open).(*place)
		if met[p.id] != p { // a cheaper way was found meanwhile
			continue
		}
		if len(goals) > 0 && p.compare(goals[0].cost) > 0 {
			break
		}
		g.reached = append(g.reached, p.node)
		if g.done(p.node) {
			goals = append(goals, p)
			continue
		}
		if len(met) > Most {
			return goals, len(goals) > 0
		}
		for i := range g.rels {
			to, c, no := g.edge(p.node, i)
			if no.why != "" {
				continue
			}
			c = c.plus(p.cost)
			id := to.key()
			t, ok := met[id]
			if ok && c.compare(t.cost) > 0 {
				continue
			}
			if !ok || c.compare(t.cost) < 0 { // what lies in the queue must not change, so a cheaper place is a new one
				t = &place{node: to, cost: c, id: id, order: len(met)}
				met[id] = t
				heap.Push(&open, t)
			}
			t.before = append(t.before, step{p, i})
		}
	}
	return goals, true
}

// path follows the cheapest ways forward and takes the newest version at each fork.
func (g *graph) path(goals []*place) Path {
	var mark func(p *place)
	mark = func(p *place) {
		if p.onWay {
			return
		}
		p.onWay = true
		for _, s := range p.before {
			s.other.next = append(s.other.next, step{p, s.rel})
			mark(s.other)
		}
	}
	start := goals[0]
	for len(start.before) > 0 {
		start = start.before[0].other
	}
	for _, p := range goals {
		mark(p)
	}
	var at []*place
	var rels []int
	for p := start; len(p.next) > 0; {
		s := g.newest(p.next)
		at, rels = append(at, p), append(rels, s.rel)
		p = s.other
	}
	out := make(Path, len(rels))
	for i, r := range rels {
		next := -1
		if i+1 < len(rels) {
			next = rels[i+1]
		}
		out[i] = g.hop(at[i].node, r, next)
	}
	return out
}

// newest is the step with the lowest id among those whose version no other one certainly exceeds.
func (g *graph) newest(steps []step) step {
	var top []step
	for _, s := range steps {
		r := g.rels[s.rel]
		if !slices.ContainsFunc(steps, func(o step) bool {
			x := g.rels[o.rel]
			return part(x) == part(r) && g.compare(x.Version, r.Version) == version.Greater
		}) {
			top = append(top, s)
		}
	}
	if len(top) == 0 { // an order that runs in a circle
		top = steps
	}
	return slices.MinFunc(top, func(a, b step) int { return a.rel - b.rel })
}
