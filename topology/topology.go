// Package topology answers what hangs on what: who is dark when a device restarts, who must never be
// down together, and in which order a site is updated (leaves first, gateways last).
package topology

import (
	"slices"

	"github.com/firmward/firmward"
)

// Map is an index over relations. The zero value knows nothing.
type Map struct {
	up    map[string][]string // device → what it hangs on
	down  map[string][]string // device → what hangs on it
	twins map[string][]string
}

// New indexes relations.
func New(relations []firmward.Relation) Map {
	m := Map{up: map[string][]string{}, down: map[string][]string{}, twins: map[string][]string{}}
	for _, r := range relations {
		switch r.Kind {
		case firmward.Behind, firmward.PoweredBy:
			m.up[r.From] = append(m.up[r.From], r.To)
			m.down[r.To] = append(m.down[r.To], r.From)
		case firmward.RedundantWith:
			m.twins[r.From] = append(m.twins[r.From], r.To)
			m.twins[r.To] = append(m.twins[r.To], r.From)
		}
	}
	return m
}

// Dark lists every device that is out of sight while device restarts, sorted; device itself is not in it.
func (m Map) Dark(device string) []string { return reach(m.down, device) }

// Depth is the number of devices between this one and the farthest that hangs on it: 0 for a leaf.
// A circle counts each member once.
func (m Map) Depth(device string) int { return len(reach(m.down, device)) }

// Twins lists the devices that must never be down together with device, sorted.
func (m Map) Twins(device string) []string { return reach(m.twins, device) }

// Group names the redundancy group of a device: the smallest id among it and its twins, or "" when
// it has none.
func (m Map) Group(device string) string {
	t := m.Twins(device)
	if len(t) == 0 {
		return ""
	}
	return min(device, t[0])
}

func reach(edges map[string][]string, from string) []string {
	if len(edges[from]) == 0 {
		return nil // as most
	}
	seen := map[string]bool{from: true}
	todo := []string{from}
	var out []string
	for len(todo) > 0 {
		next := todo[0]
		todo = todo[1:]
		for _, d := range edges[next] {
			if !seen[d] {
				seen[d] = true
				out = append(out, d)
				todo = append(todo, d)
			}
		}
	}
	slices.Sort(out)
	return out
}
