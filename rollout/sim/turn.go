package sim

import (
	"fmt"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/rollout"
)

// turn asks the gate, lets devices be looked at after their soak, and starts whoever may start.
func (w *World) turn(r *Run) {
	if w.Willing {
		now := w.Now
		w.logged(r, func(h *firmward.Rollout, _ map[string]*firmward.Target) { agree(h, now) })
		r.yes = append(r.yes, agree(&r.Rollout, now)...)
	}
	was, wave, why := r.State, r.Wave, r.Why
	count := rollout.WaveCount{}
	if r.Wave < len(r.counts) {
		count = r.counts[r.Wave]
		if r.Wave == 0 && count.Pending+count.InFlight == 0 {
			count.Bare = rollout.Count(targets(r.waves[r.Wave])).Bare
		}
	}
	now := w.Now
	w.logged(r, func(h *firmward.Rollout, _ map[string]*firmward.Target) { w.engine.gate(h, count, now) })
	look, due := w.engine.gate(&r.Rollout, count, now)
	switch {
	case r.State != was:
		w.gated(r, wave, was)
		w.steered(r, was)
	case r.Wave != wave:
		w.gated(r, wave, was)
		w.tell(r.ID, "wave", r.Why)
		r.dirty = true
	case r.Why != why:
		w.tell(r.ID, string(r.State), r.Why)
	}
	if (r.State != was || r.Wave != wave) && w.killed(fmt.Sprint(r.ID, r.State, r.Wave, w.Now.Unix())) {
		r.dirty = true
		return
	}
	if look {
		for _, s := range r.waves[r.Wave] {
			if s.State == firmward.TargetSucceeded && s.SoakedAt.IsZero() && !w.off() {
				w.apply(r, s, rollout.Event{Kind: rollout.SoakDue})
			}
		}
	}
	if due.After(w.Now) && !due.Equal(r.gateDue) {
		r.gateDue = due
		w.At(due, func() { r.dirty = true })
	}
	if r.State == firmward.RolloutRunning && !w.off() {
		w.start(r)
	}
}

func targets(slots []*slot) []firmward.Target {
	out := make([]firmward.Target, len(slots))
	for i, s := range slots {
		out[i] = s.Target
	}
	return out
}

// start lets Pick choose among the pending targets of the open wave, page by page, until nobody more
// has room.
func (w *World) start(r *Run) {
	if r.Wave >= len(r.pending) {
		return
	}
	list, at := r.pending[r.Wave], 0
	for at < len(list) && r.InFlight < r.Policy.MaxInFlight && r.State == firmward.RolloutRunning && !w.off() {
		room := r.Policy.MaxInFlight - r.InFlight
		end := min(len(list), at+min(pageSize, 2*room+8))
		left, full := w.startPage(r, list[at:end])
		gone := end - at - len(left) // close the gap from the left: the rest of the list is long
		copy(list[end-len(left):end], left)
		copy(list[gone:], list[:at])
		list, at = list[gone:], end-gone
		if full {
			break
		}
	}
	r.pending[r.Wave] = list
}

// startPage starts whom Pick chooses of one page. full tells that the rollout's own cap is reached.
func (w *World) startPage(r *Run, page []*slot) (left []*slot, full bool) {
	var slots []rollout.Slot
	for _, s := range page {
		if s.State == firmward.TargetPending {
			slots = append(slots, w.slot(s))
		}
	}
	picks, not := w.engine.pick(&r.Rollout, slots, w.claims, w.Topo, w.StopAll)
	for _, n := range not {
		s := r.byID[n.DeviceID]
		if s.Why != n.Why {
			w.logged(r, func(_ *firmward.Rollout, targets map[string]*firmward.Target) {
				targets[n.DeviceID].Why, targets[n.DeviceID].Code = n.Why, n.Code
			})
			s.Why, s.Code = n.Why, n.Code
			w.tell(n.DeviceID, "waits", n.Why)
		}
		left = append(left, s)
		full = full || n.Code == rollout.CapInFlight
	}
	if change := w.opens(r, left); !change.IsZero() && !change.Equal(r.openDue) {
		w.At(change, func() { r.dirty = true })
		r.openDue = change
	}
	for _, p := range picks {
		if w.off() { // it was killed after the one before
			left = append(left, r.byID[p.Target.DeviceID])
			continue
		}
		ev := rollout.Begin(p)
		if ev.Kind == rollout.Start {
			w.started(r, p)
		}
		w.apply(r, r.byID[p.Target.DeviceID], ev)
	}
	return left, full
}

// slot is a target as Pick sees it.
func (w *World) slot(s *slot) rollout.Slot {
	return rollout.Slot{Target: s.Target, Candidate: s.dev.candidate(), Local: w.local(s.dev), Freezes: w.freezes(s.dev), Group: w.Topo.Group(s.DeviceID)}
}

func (w *World) tell(who, what, why string) {
	if w.Trace != nil {
		w.Trace(who, what, why)
	}
}
