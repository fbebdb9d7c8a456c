package rollout

import (
	"strconv"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/version"
)

// send issues a command for the target. Its id is made of the rollout, the device and a counter, so
// the same decision always gives the same id and no id is used twice.
func (in *Input) send(v Verb, out []Command) []Command {
	t := in.Target
	t.Seq++
	t.Answered = false
	t.Command = t.RolloutID + "." + t.DeviceID + "." + strconv.Itoa(t.Seq)
	t.NextDue = in.Now.Add(max(2*in.pause(), in.Abilities.Exchange)) // when to wonder about an answer that does not come
	if t.Deadline.After(t.NextDue) {
		t.NextDue = t.Deadline
	}
	return append(out, Command{ID: t.Command, Verb: v, RolloutID: t.RolloutID, DeviceID: t.DeviceID})
}

// lost handles a command whose outcome a crash took. Before the install the target goes back to its
// place in the queue; an install, a commit and a revert are resolved by looking, a look is repeated.
func (in *Input) lost(out []Command) []Command {
	t := in.Target
	switch t.State {
	case firmward.TargetClaimed:
		in.unstart(firmward.TargetPending, "", "firmward stopped before anything was sent; its turn comes again")
	case firmward.TargetInstalling:
		t.State, t.Why = firmward.TargetInDoubt, "firmward stopped in the middle of the installation; looking what became of it"
		t.AcceptedAt = in.Now
		t.Deadline = in.Now.Add(in.patience())
		return in.send(DoLook, out)
	case firmward.TargetSettling, firmward.TargetVerifying, firmward.TargetInDoubt, firmward.TargetSucceeded:
		return in.send(DoLook, out)
	case firmward.TargetCommitting:
		t.State = firmward.TargetVerifying
		return in.send(DoLook, out)
	case firmward.TargetFalling:
		return in.send(DoLook, out)
	case firmward.TargetAsked:
		return in.see(out)
	}
	return out
}

// abandon ends a target that nothing was sent to. One in flight is watched to its end.
func (in *Input) abandon() {
	t := in.Target
	switch t.State {
	case firmward.TargetPending, firmward.TargetAsked, firmward.TargetAsleep:
		t.State, t.Code, t.Why, t.EndedAt, t.NextDue = firmward.TargetSkipped, "stopped", "the rollout ended before its turn", in.Now, time.Time{}
	case firmward.TargetClaimed:
		in.unstart(firmward.TargetSkipped, "stopped", "the rollout ended before anything was sent")
	}
}

// unstart takes a target back of which nothing was touched: it does not count as started. Nothing
// goes back to a queue that nobody serves any more, and what a person was asked to do waits for that person again.
func (in *Input) unstart(to firmward.TargetState, code, why string) {
	t, r := in.Target, in.Rollout
	r.Started--
	r.InFlight--
	if to == firmward.TargetPending && t.ByHand {
		to = firmward.TargetAsked
	}
	if !to.Final() && (r.State == firmward.RolloutStopped || r.State == firmward.RolloutFinished) {
		to, code = firmward.TargetSkipped, "stopped"
	}
	t.State, t.Code, t.Why, t.NextDue = to, code, why, time.Time{}
	if to.Waits() {
		t.NextDue, t.Deadline = in.lookIn(), time.Time{}
	}
	if to.Final() {
		t.EndedAt = in.Now
	}
}

// untried ends a target that could not be tried. When an earlier installation was lost, something may
// be wrong with the device, so that counts as a failure.
func (in *Input) untried(to firmward.TargetState, code, why string) {
	if in.Target.Attempt > 0 {
		in.end(firmward.TargetFailed, code, "after a lost installation: "+why)
		return
	}
	in.unstart(to, code, why)
	untold(in.Rollout)
}

// end brings a started target to a final state, counts it and applies the failure budget.
func (in *Input) end(to firmward.TargetState, code, why string) {
	t, r := in.Target, in.Rollout
	t.State, t.Code, t.Why, t.EndedAt, t.NextDue = to, code, why, in.Now, time.Time{}
	t.Deadline = time.Time{} // a soak sets its own
	r.InFlight--
	if to == firmward.TargetSucceeded {
		r.Succeeded++
		if code == "" { // nothing was sent to one that ran the version already
			r.Streak++
		}
		return
	}
	count(r, code)
	if r.State == firmward.RolloutRunning || r.State == firmward.RolloutPaused {
		if halt := budget(r, t); halt != "" {
			r.State, r.Why, r.Unsure = firmward.RolloutHalted, halt, false
		}
	}
}

// brake pauses new starts as soon as a device is known to be bad, before its fall-back is over.
func (in *Input) brake(why string) {
	t, r := in.Target, in.Rollout
	if r.State != firmward.RolloutRunning {
		return
	}
	probe := *r
	count(&probe, t.Code)
	if halt := budget(&probe, t); halt != "" {
		r.State, r.Why = firmward.RolloutHalted, halt+": "+why
	}
}

// again waits for the next look, or ends the target when its deadline has passed.
func (in *Input) again(late bool, to firmward.TargetState, code, final, meanwhile string, out []Command) []Command {
	if late {
		in.end(to, code, final)
		return out
	}
	t := in.Target
	if t.State == firmward.TargetSettling {
		t.State = firmward.TargetVerifying
	}
	t.Why = meanwhile
	t.NextDue = minTime(in.Now.Add(in.pause()), t.Deadline)
	return out
}

// late reports whether the target's deadline has passed.
func (in *Input) late() bool { return !in.Now.Before(in.Target.Deadline) }

// unlooked reports whether the looks since the deadline were never answered. A look is always sent
// first, even when firmward itself slept through the deadline.
func (in *Input) unlooked() bool {
	t := in.Target
	return !t.Answered && t.NextDue.After(t.Deadline) && in.Now.After(t.Deadline.Add(4*in.pause()+2*in.Abilities.Exchange))
}

// patience is the time in which a device must have come back.
func (in *Input) patience() time.Duration {
	return max(in.silence(), 2*in.Abilities.Settle)
}

// silence is how long a device may be silent before that is failure: one that sleeps may sleep again.
func (in *Input) silence() time.Duration {
	if in.sleeper() {
		return max(in.Rollout.Policy.Deadline, in.Rollout.Policy.WakeWithin)
	}
	return in.Rollout.Policy.Deadline
}

// pause is the time between two looks: a quarter of the settle time, at least half a minute. One that sleeps is looked at when it is seen.
func (in *Input) pause() time.Duration {
	if in.sleeper() && in.Now.After(in.Target.AcceptedAt.Add(in.Rollout.Policy.Deadline)) {
		return time.Hour
	}
	return max(in.Abilities.Settle/4, 30*time.Second)
}

// reached reports whether got is the wanted version or, by the scheme, newer. An incomparable
// version is never success.
func (in *Input) reached(got string) bool {
	if got == "" {
		return false
	}
	if got == in.Target.Want {
		return true
	}
	order, _ := version.Compare(in.Abilities.Scheme, got, in.Target.Want)
	return order == version.Equal || order == version.Greater
}

// before reports whether got is the version that the device ran before.
func (in *Input) before(got string) bool {
	if from := in.Target.From; got == from || from == "" {
		return true
	}
	order, _ := version.Compare(in.Abilities.Scheme, got, in.Target.From)
	return order == version.Equal
}

func soak(r *firmward.Rollout) time.Duration {
	usual := r.Policy.WaveSoak
	if r.Wave == 0 {
		usual = r.Policy.CanarySoak
	}
	if r.Emergency != "" {
		return min(usual, r.Policy.EmergencySoak)
	}
	return usual
}

func minTime(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
