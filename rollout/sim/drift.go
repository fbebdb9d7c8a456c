package sim

import (
	"github.com/firmward/firmward"
)

// consent is one approval as its giver remembers it.
type consent struct {
	who  string
	wave int
}

// Drift changes a device beside firmward: somebody flashes or replaces it. A device that is just being changed is left alone. Unseen,
// firmward learns of it only when it asks the device before a start.
func (w *World) Drift(id string, unseen bool, change func(*firmward.Device)) {
	d := w.devices[id]
	if w.claims.Device[id] != "" {
		return
	}
	d.pass(w.Now)
	change(&d.Facts)
	w.tell(id, "drifts", d.Facts.Model+" "+d.Facts.Firmware)
	if !unseen {
		w.up(func() { w.learn(d) })
	}
}

// learn tells every rollout in which a device waits what it is now.
func (w *World) learn(d *Device) {
	for _, r := range w.runs {
		s, ok := r.byID[d.Facts.ID]
		if !ok || s.State != firmward.TargetPending && !s.State.Waits() {
			continue
		}
		before, was, void := s.Target, r.State, r.Void
		tally(&r.counts[s.Wave], &s.Target, -1)
		facts, now := d.Facts, w.Now
		w.logged(r, func(h *firmward.Rollout, targets map[string]*firmward.Target) {
			w.engine.drift(h, targets[facts.ID], facts, now)
		})
		w.engine.drift(&r.Rollout, &s.Target, facts, now)
		tally(&r.counts[s.Wave], &s.Target, 1)
		over := was == firmward.RolloutFinished || was == firmward.RolloutStopped
		if !over && (before.From != d.Facts.Firmware && before.State == firmward.TargetPending || before.Model != d.Facts.Model) {
			r.yes = nil
		}
		if s.State != before.State {
			w.tell(s.DeviceID, string(s.State), s.Why)
			w.changed(r, s, before)
		}
		if r.Void != void && r.State == was {
			w.tell(r.ID, "void", r.Void)
		}
		r.dirty = true
		w.steered(r, was)
	}
}

// agreed checks that enough persons want what happens now: approvals that were given to something else do not count.
func (w *World) agreed(r *Run, device, what string) {
	if have := r.persons(-1); have < r.Policy.Approvals {
		w.fail("%s "+what+" with %d of %d approvals of what it is now", device, have, r.Policy.Approvals)
	}
}

// consented checks the approvals of a wave that has opened.
func (w *World) consented(r *Run) {
	if want := max(1, r.Policy.Approvals); r.Policy.ApproveWaves && r.persons(r.Wave) < want {
		w.fail("wave %d opened with %d of %d approvals", r.Wave, r.persons(r.Wave), want)
	}
}

// persons counts who approved a wave, any if it is negative, other than the author.
func (r *Run) persons(wave int) int {
	seen := map[string]bool{}
	for _, c := range r.yes {
		if c.who != r.Author && (wave < 0 || c.wave == wave) {
			seen[c.who] = true
		}
	}
	return len(seen)
}
