package rollout

import (
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/topology"
	"github.com/firmward/firmward/version"
)

// MayRestore says why a failed target may not go back now, or "". A restore is a change, so what hangs on the device, what stands in for it and
// the owner's release count as for a start; a window does not: who gives the word knows the hour.
func MayRestore(r *firmward.Rollout, s *Slot, claims Claims, topo topology.Map, stopAll bool) (code, why string) {
	d := &s.Candidate.Device
	by := claims.Device[d.ID]
	switch {
	case !s.Target.MayRestore:
		return "no-restore", "it is " + string(s.Target.State) + ", and its driver has nothing to bring back"
	case !same(s.Candidate.Model.Scheme, d.Firmware, s.Target.Want): // the version before is another one by now
		return "no-restore", "it runs " + known(d.Firmware) + " now, not the " + s.Target.Want + " that this rollout brought"
	case stopAll:
		return StopAll, "the red button is pressed: nothing starts anywhere"
	case by != "":
		return RefuseClaimed, "another rollout changes it now: " + by
	case len(claims.Device) > 0 && topo.Tangled(d.ID, func(id string) bool { return claims.Device[id] != "" }):
		return RefuseDepends, "a device that it carries, or that carries it, is being changed"
	}
	return unreleased(r, s, claims)
}

func same(scheme, a, b string) bool {
	order, _ := version.Compare(scheme, a, b)
	return a == b || order == version.Equal
}

// restore lets a failed target go back: it is in flight again, and counts as failed anew when that has ended, however it ends.
func (in *Input) restore(out []Command) []Command {
	t, r := in.Target, in.Rollout
	if t.State != firmward.TargetFailed || !t.MayRestore || !in.Abilities.CanRevert {
		return out
	}
	r.Failed--
	r.InFlight++
	if r.State == firmward.RolloutFinished { // nobody serves those
		r.State, r.Why = firmward.RolloutStopped, "finished; since then a device goes back"
	}
	t.State, t.Why, t.MayRestore, t.EndedAt = firmward.TargetFalling, in.Event.Why, false, time.Time{}
	t.Deadline = in.Now.Add(in.patience())
	return in.send(DoRevert, out)
}
