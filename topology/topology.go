// Package topology answers what hangs on what: who is dark when a device restarts, who must never be
// down together, who shares a way that images take, and in which order a site is updated (leaves first, gateways last).
package topology

import (
	"hash/maphash"
	"iter"
	"slices"

	"github.com/firmward/firmward"
)

// Map is an index over relations. It does not change; the zero value knows nothing. Devices are numbered, and an edge costs four
// bytes: that is what lets a simulation hold a million of them.
type Map struct {
	names  []string // by the number of a device
	number []int32  // where a name that hashes to this place has its number, counted from 1; 0: nowhere. Twice as many as names at least
	seed   maphash.Seed
	up     edges // device → what it hangs on
	down   edges // device → what hangs on it
	twins  edges
	way    edges // device → what it is reached through
	air    edges // device → who shares its medium
}

// edges are the neighbours of each device, one after the other.
type edges struct {
	end []int32 // where those of a device end; they begin where those of the one before end
	to  []int32
}

func (e edges) of(i int32) []int32 {
	if i < 0 || int(i) >= len(e.end) {
		return nil
	}
	begin := int32(0)
	if i > 0 {
		begin = e.end[i-1]
	}
	return e.to[begin:e.end[i]]
}

// New indexes relations.
func New(relations []firmward.Relation) Map { return Collect(slices.Values(relations)) }

// Collect indexes relations that need not be held: it goes through them three times.
func Collect(relations iter.Seq[firmward.Relation]) Map {
	m := Map{seed: maphash.MakeSeed()}
	for r := range relations {
		m.know(r.From)
		m.know(r.To)
	}
	all := []*edges{&m.up, &m.down, &m.twins, &m.way, &m.air}
	for _, e := range all {
		e.end = make([]int32, len(m.names))
	}
	each := func(do func(e *edges, from, to int32)) {
		for r := range relations {
			from, to := m.of(r.From), m.of(r.To)
			switch r.Kind {
			case firmward.Behind, firmward.PoweredBy:
				do(&m.up, from, to)
				do(&m.down, to, from)
				if r.Kind == firmward.Behind {
					do(&m.way, from, to)
				}
			case firmward.RedundantWith:
				do(&m.twins, from, to)
				do(&m.twins, to, from)
			case firmward.SameMedium:
				do(&m.air, from, to)
				do(&m.air, to, from)
			}
		}
	}
	each(func(e *edges, from, _ int32) { e.end[from]++ })
	for _, e := range all {
		sum := int32(0)
		for i, n := range e.end {
			e.end[i] = sum // where those of i begin, until they are filled in
			sum += n
		}
		e.to = make([]int32, sum)
		if sum == 0 {
			e.end = nil
		}
	}
	each(func(e *edges, from, to int32) {
		e.to[e.end[from]] = to
		e.end[from]++
	})
	return m
}

// Dark lists every device that is out of sight while device restarts, sorted; device itself is not in it.
func (m Map) Dark(device string) []string { return m.reach(m.down, device) }

// Carriers lists every device that must run for device to be in sight, sorted; device itself is not in it.
func (m Map) Carriers(device string) []string { return m.reach(m.up, device) }

// Below lists the devices that hang directly on device, sorted; device itself is not in it.
func (m Map) Below(device string) []string { return m.direct(m.down, device) }

// Above lists the devices that device hangs on directly, sorted; device itself is not in it.
func (m Map) Above(device string) []string { return m.direct(m.up, device) }

// Depth is the number of devices between this one and the farthest that hangs on it: 0 for a leaf.
// A circle counts each member once.
func (m Map) Depth(device string) int {
	var room [64]int32
	return len(m.spread(m.down, m.of(device), room[:0]))
}

// Tangled reports whether a device must wait for one that is busy: one that it carries, one that carries it, or one that carries what it
// carries. Device itself is not asked for.
func (m Map) Tangled(device string, busy func(id string) bool) bool {
	self := m.of(device)
	if self < 0 {
		return false
	}
	var room, more [64]int32
	for _, i := range m.spread(m.up, self, room[:0]) {
		if busy(m.names[i]) {
			return true
		}
	}
	below := m.spread(m.down, self, room[:0])
	for _, i := range below {
		if busy(m.names[i]) {
			return true
		}
	}
	for _, i := range below {
		if ups := m.up.of(i); len(ups) == 1 && (ups[0] == self || slices.Contains(below, ups[0])) {
			continue // it hangs on what was asked already
		}
		for _, j := range m.spread(m.up, i, more[:0]) {
			if j != self && busy(m.names[j]) {
				return true
			}
		}
	}
	return false
}

// Twins lists the devices that must never be down together with device, sorted.
func (m Map) Twins(device string) []string { return m.reach(m.twins, device) }

// Group names the redundancy group of a device: the smallest id among it and its twins, or "" when
// it has none.
func (m Map) Group(device string) string {
	var room [64]int32
	smallest := ""
	for _, i := range m.spread(m.twins, m.of(device), room[:0]) {
		if smallest == "" {
			smallest = device
		}
		smallest = min(smallest, m.names[i])
	}
	return smallest
}

// Domains names the transport domains of a device, sorted: "behind X" for each device that it is reached through directly (an access
// point, a controller, an uplink), and "on one medium with X" for the medium that it shares (a mesh, a bus), where X is the smallest
// id on it. Two devices with a name in common take their images over one way.
func (m Map) Domains(device string) []string {
	self := m.of(device)
	if self < 0 {
		return nil
	}
	var out []string
	for _, up := range m.way.of(self) {
		out = append(out, "behind "+m.names[up])
	}
	if others := m.reach(m.air, device); len(others) > 0 {
		out = append(out, "on one medium with "+min(device, others[0]))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// of is the number of a device, -1 for one that is in no relation.
func (m Map) of(device string) int32 {
	if len(m.number) == 0 {
		return -1
	}
	return m.number[m.place(device)] - 1
}

// place is where the number of a name stands, or would.
func (m *Map) place(name string) int {
	last := len(m.number) - 1
	at := int(maphash.String(m.seed, name)) & last
	for m.number[at] != 0 && m.names[m.number[at]-1] != name {
		at = (at + 1) & last
	}
	return at
}

// know gives a device a number.
func (m *Map) know(name string) {
	if 2*len(m.names) >= len(m.number) {
		m.number = make([]int32, max(8, 2*len(m.number)))
		for i, other := range m.names {
			m.number[m.place(other)] = int32(i + 1)
		}
	}
	if at := m.place(name); m.number[at] == 0 {
		m.names = append(m.names, name)
		m.number[at] = int32(len(m.names))
	}
}

func (m Map) reach(e edges, device string) []string {
	var room [64]int32
	return m.named(m.spread(e, m.of(device), room[:0]))
}

func (m Map) direct(e edges, device string) []string {
	return slices.DeleteFunc(m.named(e.of(m.of(device))), func(other string) bool { return other == device })
}

// named gives the names of some devices, each once, sorted.
func (m Map) named(all []int32) []string {
	if len(all) == 0 {
		return nil // as most
	}
	out := make([]string, len(all))
	for k, i := range all {
		out[k] = m.names[i]
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// spread appends every device that edges lead to from one, that one left out.
func (m Map) spread(e edges, from int32, out []int32) []int32 {
	if len(e.of(from)) == 0 {
		return out
	}
	var seen map[int32]bool // of many; few are looked through
	has := func(i int32) bool {
		if seen == nil && len(out) > 64 {
			seen = make(map[int32]bool, 4*len(out))
			for _, o := range out {
				seen[o] = true
			}
		}
		if seen != nil {
			return seen[i]
		}
		return slices.Contains(out, i)
	}
	for next, k := from, 0; ; k++ {
		for _, i := range e.of(next) {
			if i == from || has(i) {
				continue
			}
			if out = append(out, i); seen != nil {
				seen[i] = true
			}
		}
		if k == len(out) {
			return out
		}
		next = out[k]
	}
}
