// Package topology answers what hangs on what: who is dark when a device restarts, who must never be
// down together, who shares a way that images take, and in which order a site is updated (leaves first, gateways last).
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
	way   map[string][]string // device → what it is reached through
	air   map[string][]string // device → who shares its medium
}

// New indexes relations.
func New(relations []firmward.Relation) Map {
	m := Map{up: map[string][]string{}, down: map[string][]string{}, twins: map[string][]string{}, way: map[string][]string{}, air: map[string][]string{}}
	for _, r := range relations {
		switch r.Kind {
		case firmward.Behind, firmward.PoweredBy:
			m.up[r.From] = append(m.up[r.From], r.To)
			m.down[r.To] = append(m.down[r.To], r.From)
			if r.Kind == firmward.Behind {
				m.way[r.From] = append(m.way[r.From], r.To)
			}
		case firmward.RedundantWith:
			m.twins[r.From] = append(m.twins[r.From], r.To)
			m.twins[r.To] = append(m.twins[r.To], r.From)
		case firmward.SameMedium:
			m.air[r.From] = append(m.air[r.From], r.To)
			m.air[r.To] = append(m.air[r.To], r.From)
		}
	}
	return m
}

// Dark lists every device that is out of sight while device restarts, sorted; device itself is not in it.
func (m Map) Dark(device string) []string { return reach(m.down, device) }

// Carriers lists every device that must run for device to be in sight, sorted; device itself is not in it.
func (m Map) Carriers(device string) []string { return reach(m.up, device) }

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

// Domains names the transport domains of a device, sorted: "behind X" for each device that it is reached through directly (an access
// point, a controller, an uplink), and "on one medium with X" for the medium that it shares (a mesh, a bus), where X is the smallest
// id on it. Two devices with a name in common take their images over one way.
func (m Map) Domains(device string) []string {
	var out []string
	for _, up := range m.way[device] {
		out = append(out, "behind "+up)
	}
	if others := reach(m.air, device); len(others) > 0 {
		out = append(out, "on one medium with "+min(device, others[0]))
	}
	slices.Sort(out)
	return slices.Compact(out)
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
