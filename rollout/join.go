package rollout

import (
	"fmt"
	"slices"

	"github.com/firmward/firmward"
)

// RefuseNoCanary is the code of a device that came too late for the canary of its kind.
const RefuseNoCanary = "no-canary-of-its-kind"

// Breed is what each has a canary of its own in a rollout.
type Breed struct{ Model, Hardware, Path string }

// BreedOf is the breed of a device in a rollout of a release under a policy.
func BreedOf(rel firmward.Release, p firmward.RolloutPolicy, c *Candidate) Breed {
	return Breed{c.Device.Model, c.Device.Hardware, delivery(rel, p, c)}
}

// Join takes devices that became known, or came to fit, after a rollout was planned into its last wave, where its policy lets them. Those of a
// kind that had no canary stay out, and so does whoever a plan would refuse. What people approved was a plan without them, so their
// approvals are void. It changes r in place.
func Join(rel firmward.Release, r *firmward.Rollout, late []Candidate, canaries map[Breed]bool) ([]firmward.Target, []Refusal) {
	open := []firmward.RolloutState{firmward.RolloutPlanned, firmward.RolloutAwaiting, firmward.RolloutRunning, firmward.RolloutPaused}
	if !r.Policy.LateJoin || r.Rehearsal || len(late) == 0 || !slices.Contains(open, r.State) {
		return nil, nil
	}
	of := map[string]*Candidate{}
	for i := range late {
		of[late[i].Device.ID] = &late[i]
	}
	planned, refused := Plan(rel, r.Policy, late)
	last := max(1, r.Waves-1)
	var in []firmward.Target
	for _, t := range planned {
		c := of[t.DeviceID]
		switch {
		case !canaries[BreedOf(rel, r.Policy, c)]:
			refused = append(refused, Refusal{t.DeviceID, RefuseNoCanary, "no canary of its model, revision and delivery path took part in this rollout: it waits for the next plan"})
		case unknownRollback(c.Model):
			refused = append(refused, Refusal{t.DeviceID, RefuseRollback, "nobody knows whether this model can go back: it never enters a later wave"})
		default:
			t.RolloutID, t.Wave, t.Why = r.ID, last, "joined later; waits for "+waveName(last)
			in = append(in, t)
		}
	}
	if len(in) == 0 {
		return nil, refused
	}
	r.Waves = last + 1
	for len(r.Sizes) < r.Waves {
		r.Sizes = append(r.Sizes, 0)
	}
	r.Sizes = slices.Clone(r.Sizes)
	r.Sizes[last] += len(in)
	r.Total += len(in)
	void(r, fmt.Sprintf("%s joined after it was approved", devices(len(in))))
	return in, refused
}
