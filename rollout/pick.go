package rollout

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/topology"
)

// Claims is what runs now, over all rollouts.
type Claims struct {
	Device map[string]string // device id → rollout that holds it
	Group  map[string]string // redundancy group → rollout that holds it
	Model  map[string]int    // model → devices in flight that are not of the lab
	Site   map[string]int    // site → devices in flight
	Domain map[string]int    // transport domain → devices in flight
}

// Slot is one pending target with what Pick must know of its device.
type Slot struct {
	Target    firmward.Target
	Candidate Candidate
	Local     time.Time         // now in the time zone of the device's site
	Group     string            // redundancy group, empty when it has none
	Freezes   []firmward.Freeze // of the device's site
	StartBy   time.Time         // Pick's answer: when the image must be on its way; zero: no such time
}

// Pick decides which of a bounded page of pending targets start now. Everyone else gets the reason
// why not now. stopAll is the red button. The StartBy of a pick goes into its Start event. The caller writes the claims in the same transaction.
func Pick(r *firmward.Rollout, slots []Slot, claims Claims, topo topology.Map, stopAll bool) ([]Slot, []Refusal) {
	var picks []Slot
	var not []Refusal
	most, whose := Most(r)
	here := newLocal(r.Policy, claims, topo)
	slices.SortStableFunc(slots, func(a, b Slot) int { // leaves first, gateways last
		return cmp.Or(cmp.Compare(topo.Depth(a.Target.DeviceID), topo.Depth(b.Target.DeviceID)),
			cmp.Compare(a.Candidate.Device.Criticality, b.Candidate.Device.Criticality))
	})
	groups, models, dark := map[string]bool{}, map[string]int{}, map[string]bool{}
	for busy := range claims.Device {
		for _, d := range topo.Dark(busy) {
			dark[d] = true
		}
	}
	times := newHours(r)
	for _, s := range slots {
		code, why := hold(r, s, claims, stopAll)
		if code == "" {
			s.StartBy, code, why = times.hold(s)
		}
		id := s.Target.DeviceID
		switch {
		case code != "":
		case groups[s.Group]:
			code, why = "redundant-peer", "its redundant peer starts now"
		case dark[id] || busyBelow(topo, id, claims, dark):
			code, why = "depends", "a device that it carries, or that carries it, is being changed"
		case !s.Candidate.Device.Lab && r.Policy.PerModelInFlight > 0 &&
			claims.Model[s.Candidate.Device.Model]+models[s.Candidate.Device.Model] >= r.Policy.PerModelInFlight:
			code, why = "model-cap", fmt.Sprintf("at most %d of a model at one time", r.Policy.PerModelInFlight)
		case r.InFlight+len(picks) >= most:
			code, why = CapInFlight, fmt.Sprintf("%d devices are being changed, that is the limit%s", r.InFlight+len(picks), whose)
		default:
			code, why = here.full(s.Candidate.Device)
		}
		if code != "" {
			not = append(not, Refusal{id, code, why})
			continue
		}
		picks = append(picks, s)
		here.add(s.Candidate.Device)
		if !s.Candidate.Device.Lab {
			models[s.Candidate.Device.Model]++
		}
		if s.Group != "" {
			groups[s.Group] = true
		}
		dark[id] = true
		for _, d := range topo.Dark(id) {
			dark[d] = true
		}
	}
	return picks, not
}

// hold gives reasons that concern one target alone.
func hold(r *firmward.Rollout, s Slot, claims Claims, stopAll bool) (code, why string) {
	d := s.Candidate.Device
	switch by := claims.Device[d.ID]; {
	case stopAll:
		return StopAll, "the red button is pressed: nothing starts anywhere"
	case r.State != firmward.RolloutRunning:
		return "not-running", "the rollout is " + string(r.State)
	case s.Candidate.Staging.Result == "failed" && !r.Rehearsal:
		return RefuseStaging, "staging failed: " + s.Candidate.Staging.Why
	case r.Policy.RequireStaged && s.Candidate.Staging.Result != "passed":
		return RefuseUnstaged, cmp.Or(s.Candidate.Staging.Why, "the policy wants a staging verdict, and there is none")
	case s.Target.Wave > r.Wave:
		return "wave", "waits for " + waveName(s.Target.Wave)
	case by != "":
		return "claimed", "another rollout changes it now: " + by
	case s.Group != "" && claims.Group[s.Group] != "":
		return "redundant-peer", "its redundant peer is being changed"
	case inUse(d) && !d.Released.Contains(s.Local):
		return RefuseUnreleased, "in clinical or process use: its owner has not released it for this time (devices set NAME --released-from TIME --released-to TIME)"
	}
	return "", ""
}

func busyBelow(topo topology.Map, id string, claims Claims, dark map[string]bool) bool {
	for _, d := range topo.Dark(id) {
		if claims.Device[d] != "" || dark[d] {
			return true
		}
	}
	return false
}
