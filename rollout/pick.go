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
// why not now. A target that a person updates is picked twice: while it is pending, to open its work order, which holds nothing and needs no
// window; and once more when that person begins. stopAll is the red button. The StartBy of a pick goes into its Start event. The caller writes the claims in the same transaction.
func Pick(r *firmward.Rollout, slots []Slot, claims Claims, topo topology.Map, stopAll bool) ([]Slot, []Refusal) {
	var picks []Slot
	var not []Refusal
	most, whose := Most(r)
	here := newLocal(r.Policy, claims, topo)
	groups, models, chosen := map[string]bool{}, map[string]int{}, map[string]bool{}
	busy := func(id string) bool { return claims.Device[id] != "" || chosen[id] }
	times := newHours(r)
	for _, i := range inTurn(slots, topo) {
		s := &slots[i]
		startBy := time.Time{}
		code, why := hold(r, s, claims, stopAll)
		asks := s.Target.ByHand && s.Target.State == firmward.TargetPending
		if code == "" && !asks {
			if code, why = unreleased(r, s, claims); code == "" {
				startBy, code, why = times.hold(s)
			}
		}
		id := s.Target.DeviceID
		switch {
		case code != "":
		case asks:
			picks = append(picks, *s)
			continue
		case groups[s.Group]:
			code, why = RefusePeer, "its redundant peer starts now"
		case len(claims.Device)+len(chosen) > 0 && topo.Tangled(id, busy):
			code, why = RefuseDepends, "a device that it carries, or that carries it, is being changed"
		case !s.Candidate.Device.Lab && r.Policy.PerModelInFlight > 0 &&
			claims.Model[s.Candidate.Device.Model]+models[s.Candidate.Device.Model] >= r.Policy.PerModelInFlight:
			code, why = CapModel, fmt.Sprintf("at most %d of a model at one time", r.Policy.PerModelInFlight)
		case r.InFlight+len(chosen) >= most:
			code, why = CapInFlight, full(r.InFlight+len(chosen), whose)
		default:
			code, why = here.full(&s.Candidate.Device)
		}
		if code != "" {
			not = append(not, Refusal{id, code, why})
			continue
		}
		picks = append(picks, *s)
		picks[len(picks)-1].StartBy = startBy
		here.add(&s.Candidate.Device)
		if !s.Candidate.Device.Lab {
			models[s.Candidate.Device.Model]++
		}
		if s.Group != "" {
			groups[s.Group] = true
		}
		chosen[id] = true
	}
	return picks, not
}

// Begin is the event that starts whom Pick has chosen.
func Begin(s Slot) Event {
	if s.Target.ByHand && s.Target.State == firmward.TargetPending {
		return Event{Kind: Ask}
	}
	return Event{Kind: Start, StartBy: s.StartBy, Why: s.Candidate.Held.Hurried}
}

// inTurn gives the order in which slots are asked: leaves first, gateways last, and the less critical before the more critical.
func inTurn(slots []Slot, topo topology.Map) []int {
	type turn struct{ depth, criticality, slot int }
	all := make([]turn, len(slots))
	for i := range slots {
		all[i] = turn{topo.Depth(slots[i].Target.DeviceID), slots[i].Candidate.Device.Criticality, i}
	}
	slices.SortFunc(all, func(a, b turn) int {
		return cmp.Or(cmp.Compare(a.depth, b.depth), cmp.Compare(a.criticality, b.criticality), cmp.Compare(a.slot, b.slot))
	})
	out := make([]int, len(all))
	for i, t := range all {
		out[i] = t.slot
	}
	return out
}

// The codes of what Pick holds back for another device that is being changed.
const (
	RefuseClaimed = "claimed"
	RefusePeer    = "redundant-peer"
	RefuseDepends = "depends"
	CapModel      = "model-cap"
)

// wishNever is why a device whose owner wants no updates gets none.
const wishNever = "its owner wants no updates on it (devices set NAME --updates auto)"

const askOwner = "its owner has not released it for this time (devices set NAME --released-from TIME --released-to TIME)"

// hold gives reasons that concern one target alone.
func hold(r *firmward.Rollout, s *Slot, claims Claims, stopAll bool) (code, why string) {
	d := &s.Candidate.Device
	switch by := claims.Device[d.ID]; {
	case s.resting(): // first: it says why, and what comes below would write over it
		return s.Target.Code, s.Target.Why
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
		return RefuseClaimed, "another rollout changes it now: " + by
	case d.Updates == firmward.UpdatesNever:
		return RefuseNever, wishNever
	case s.Candidate.Forbidden.Code != "":
		return s.Candidate.Forbidden.Code, s.Candidate.Forbidden.Why
	case s.Local.Before(s.Candidate.Held.Until):
		return RefuseHeld, fmt.Sprintf("held back until %s: %s", stamp(s.Candidate.Held.Until.In(s.Local.Location())), s.Candidate.Held.Why)
	}
	return "", ""
}

// unreleased gives reasons why one target must not be touched now, although it could be asked for.
func unreleased(r *firmward.Rollout, s *Slot, claims Claims) (code, why string) {
	d := &s.Candidate.Device
	switch {
	case s.Group != "" && claims.Group[s.Group] != "":
		return RefusePeer, "its redundant peer is being changed"
	case d.Zone.InUse() && !d.Released.Contains(s.Local):
		return RefuseUnreleased, "in clinical or process use: " + askOwner
	case d.Updates == firmward.UpdatesAsk && !d.Released.Contains(s.Local):
		return RefuseUnreleased, "its owner wants to be asked each time: " + askOwner
	case s.Candidate.Held.Release && !d.Released.Contains(s.Local):
		return RefuseUnreleased, "policy " + r.Policy.Name + " wants a person's word for it: " + askOwner
	}
	return "", ""
}
