package sim

import (
	"github.com/firmward/firmward"
	"github.com/firmward/firmward/rollout"
)

// Behind is how firmward calls a device that stands behind one that is changed.
func Behind(name string) string { return name + " behind it" }

// cut reports whether a device directly before this one does not reach it any more.
func (w *World) cut(id string) bool {
	for _, up := range w.Topo.Above(id) {
		d := w.devices[up]
		if d == nil {
			continue
		}
		if d.pass(w.Now); d.cuts && w.Topo.Below(up)[0] == id {
			return true
		}
	}
	return false
}

// answers reports whether a device answers. One of which nothing is known but that it is there does.
func (w *World) answers(id string) bool {
	cut, d := w.cut(id), w.devices[id]
	if d == nil {
		return !cut
	}
	d.pass(w.Now)
	d.cut = cut
	return d.reachable(w.Now)
}

// itself reports whether a device was changed itself since another one was asked before its start: then its own target tells what became of it.
func (w *World) itself(id string, r *Run, s *slot) bool {
	asked := rollout.Asked(&r.Rollout, &s.Target)
	for _, other := range w.runs {
		if own := other.byID[id]; own != nil && own.StartedAt.After(asked) {
			return true
		}
	}
	return false
}

// askBehind adds to what a look finds how those directly behind the device answer: before the start all but those that are being changed, later those
// that answered then, unless they were changed themselves since. What really was so is kept beside it, for the invariants.
func (w *World) askBehind(r *Run, s *slot, ev *rollout.Event) {
	seen := &ev.Seen
	switch {
	case ev.Kind == rollout.PreflightOK:
		s.carried, s.missing = nil, nil
		for _, id := range w.Topo.Below(s.DeviceID) {
			if w.claims.Device[id] != "" {
				continue
			}
			ok := w.answers(id)
			if ok {
				s.carried = append(s.carried, id)
			}
			seen.Services = append(seen.Services[:len(seen.Services):len(seen.Services)], firmward.ServiceState{Probe: Behind(w.name(id)), OK: ok, Behind: id})
		}
	case ev.Kind == rollout.Looked && seen.Reachable:
		s.missing = nil
		for _, id := range s.carried {
			if !w.answers(id) && !w.itself(id, r, s) {
				s.missing = append(s.missing, id)
			}
		}
		for _, was := range s.Baseline {
			if was.Behind != "" && was.OK {
				ok := w.answers(was.Behind) || w.itself(was.Behind, r, s)
				seen.Services = append(seen.Services[:len(seen.Services):len(seen.Services)], firmward.ServiceState{Probe: was.Probe, OK: ok, Behind: was.Behind})
			}
		}
	}
}

// name is what people call a device.
func (w *World) name(id string) string {
	if d := w.devices[id]; d != nil && d.Facts.Name != "" {
		return d.Facts.Name
	}
	return id
}
