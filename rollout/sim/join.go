package sim

import (
	"maps"
	"slices"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/rollout"
)

// breed is what each has a canary of its own, by the facts.
type breed struct{ model, hardware, path string }

func (d *Device) breed() breed { return breed{d.Facts.Model, d.Facts.Hardware, d.Path} }

// Restore is a person's word that a device goes back to what it ran before. It reports whether firmward agreed.
func (w *World) Restore(r *Run, who, device, why string) bool {
	s := r.byID[device]
	if w.deaf(who, "restore") {
		return false
	}
	sl := w.slot(s)
	if _, not := rollout.MayRestore(&r.Rollout, &sl, w.claims, w.Topo, w.StopAll); not != "" {
		w.tell(who, "restore", device+" not now: "+not)
		return false
	}
	w.tell(who, "restore", device)
	s.goBack = true
	w.apply(r, s, rollout.Event{Kind: rollout.Restore, Why: who + " lets it go back: " + why})
	return true
}

// mends lets somebody say, some hours after a device failed, that it goes back, if the dice say so.
func (w *World) mends(r *Run, s *slot) {
	if s.MayRestore && w.cast == Everyone && w.dice(s.Command+"mends", 3) > 0 {
		w.after(time.Duration(1+w.dice(s.Command+"mends at", 600))*time.Minute, func() { w.Restore(r, "carl", s.DeviceID, "as the dice say") })
	}
}

// Arrive lets devices become known that were not there when anything was planned. Firmward hears of them now, or when it is back.
func (w *World) Arrive(ids ...string) {
	w.up(func() {
		for _, r := range w.runs {
			w.join(r, ids)
		}
	})
}

// join offers late devices to a rollout.
func (w *World) join(r *Run, ids []string) {
	canaries := map[rollout.Breed]bool{}
	for _, s := range r.waves[0] {
		c := s.dev.candidate()
		canaries[rollout.BreedOf(r.Release, r.Policy, &c)] = true
	}
	var late []rollout.Candidate
	for _, id := range ids {
		if r.byID[id] == nil {
			late = append(late, w.devices[id].candidate())
		}
	}
	was := r.State
	rel := r.Release
	w.logged(r, func(h *firmward.Rollout, targets map[string]*firmward.Target) {
		in, _ := w.engine.join(rel, h, slices.Clone(late), maps.Clone(canaries))
		for i := range in {
			targets[in[i].DeviceID] = &in[i]
		}
	})
	in, _ := w.engine.join(rel, &r.Rollout, slices.Clone(late), maps.Clone(canaries))
	if len(in) == 0 {
		return
	}
	r.yes = nil // nobody has approved a plan with them
	for _, t := range in {
		for len(r.waves) <= t.Wave {
			r.waves, r.pending, r.counts = append(r.waves, nil), append(r.pending, nil), append(r.counts, rollout.WaveCount{})
		}
		s := &slot{Target: t, dev: w.devices[t.DeviceID]}
		r.waves[t.Wave], r.pending[t.Wave] = append(r.waves[t.Wave], s), append(r.pending[t.Wave], s)
		r.byID[t.DeviceID] = s
		tally(&r.counts[t.Wave], &s.Target, 1)
		w.tell(t.DeviceID, "joins", t.Why)
		w.joined(r, s, was)
	}
	w.steered(r, was)
}

// joined checks one that came late: its policy lets it in, the image fits, and a canary of its kind was planned.
func (w *World) joined(r *Run, s *slot, was firmward.RolloutState) {
	fits := r.Release.FitsModel(s.dev.Facts.Model) && r.Release.FitsHardware(s.dev.Facts.Hardware)
	canary := slices.ContainsFunc(r.waves[0], func(o *slot) bool { return o.dev.breed() == s.dev.breed() })
	switch {
	case !w.Check:
	case !r.Policy.LateJoin || was == firmward.RolloutFinished || was == firmward.RolloutStopped || was == firmward.RolloutHalted:
		w.fail("%s joins a rollout that is %s, and its policy says %v to late ones", s.DeviceID, was, r.Policy.LateJoin)
	case s.Wave == 0 || s.Wave != len(r.waves)-1:
		w.fail("%s joins wave %d of %d", s.DeviceID, s.Wave, len(r.waves))
	case !fits || !canary:
		w.fail("%s joins, the image fits: %v, a canary of its kind took part: %v", s.DeviceID, fits, canary)
	case r.Policy.Approvals > 0 && r.State == firmward.RolloutRunning:
		w.fail("%s joins, and the rollout runs on by approvals that were given without it", s.DeviceID)
	}
}
