package sim

import (
	"slices"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/rollout"
)

// planned checks a plan: every device of the family stands in it once, the image fits each, each model and hardware revision of a later wave has
// one canary, and outside the lab no wave holds more of a model than the policy takes.
func (w *World) planned(r *Run, order []string) {
	if !w.Check {
		return
	}
	canaries, seen := map[breed]int{}, map[string]bool{}
	for i, wave := range r.waves {
		models := map[string]int{}
		for _, s := range wave {
			f := s.dev.Facts
			if seen[f.ID] || s.Wave != i {
				w.fail("%s stands in the plan twice, or as wave %d in wave %d", f.ID, s.Wave, i)
			}
			seen[f.ID] = true
			if !r.Release.FitsModel(f.Model) || !r.Release.FitsHardware(f.Hardware) {
				w.fail("%s is planned for an image that is not for it", f.ID)
			}
			switch k := s.dev.breed(); {
			case i == 0:
				canaries[k]++
			case canaries[k] != 1:
				w.fail("%s is in wave %d, and its model, revision and delivery path have %d canaries", f.ID, i, canaries[k])
			}
			if models[f.Model]++; i > 0 && !f.Lab && r.Policy.PerModelInFlight > 0 {
				lab := 0
				for _, o := range wave {
					if o.dev.Facts.Lab && o.dev.Facts.Model == f.Model {
						lab++
					}
				}
				if n := len(slices.DeleteFunc(slices.Clone(wave), func(o *slot) bool { return o.dev.Facts.Model != f.Model })) - lab; n > r.Policy.PerModelInFlight {
					w.fail("wave %d holds %d of %s, the cap is %d", i, n, f.Model, r.Policy.PerModelInFlight)
				}
			}
		}
	}
	for _, ref := range r.Refusals {
		if seen[ref.DeviceID] {
			w.fail("%s is refused twice, or planned and refused", ref.DeviceID)
		}
		seen[ref.DeviceID] = true
	}
	for _, id := range order {
		if f := w.devices[id].Facts; !seen[id] && (f.Family == r.Release.Family || r.Release.FitsModel(f.Model)) {
			w.fail("%s is neither planned nor refused", id)
		}
	}
}

// capped checks every cap at the moment of a start, counting who really is in flight.
func (w *World) capped(r *Run, p rollout.Slot) {
	pol, id := r.Policy, p.Target.DeviceID
	if own := pol.CanaryInFlight; p.Target.Wave == 0 && own > 0 && r.InFlight >= own {
		w.fail("canary %s starts over the canaries' cap of %d", id, own)
	}
	if grown := pol.Ramp; grown != (firmward.Ramp{}) {
		most := grown.Start
		for done := grown.DoubleEvery; done <= r.streak && most < grown.Max; done += grown.DoubleEvery {
			most *= 2
		}
		if most = min(most, grown.Max); r.InFlight >= most {
			w.fail("%s starts as number %d, after %d successes the ramp allows %d", id, r.InFlight+1, r.streak, most)
		}
	}
	if pol.PerSite == 0 && pol.PerDomain == 0 {
		return
	}
	site, domains := 0, map[string]int{}
	for busy := range w.flying() {
		if busy.dev.Facts.Site == p.Candidate.Device.Site {
			site++
		}
		for _, name := range w.Topo.Domains(busy.DeviceID) {
			domains[name]++
		}
	}
	if pol.PerSite > 0 && site >= pol.PerSite {
		w.fail("%s starts while %d of site %q are being changed, the cap is %d", id, site, p.Candidate.Device.Site, pol.PerSite)
	}
	for _, name := range w.Topo.Domains(id) {
		if pol.PerDomain > 0 && domains[name] >= pol.PerDomain {
			w.fail("%s starts while %d %s are being changed, the cap is %d", id, domains[name], name, pol.PerDomain)
		}
	}
}

// flying gives the targets in flight of all rollouts.
func (w *World) flying() func(func(*slot) bool) {
	return func(yield func(*slot) bool) {
		for _, r := range w.runs {
			for _, wave := range r.waves {
				for _, s := range wave {
					if s.State.InFlight() && !yield(s) {
						return
					}
				}
			}
		}
	}
}
