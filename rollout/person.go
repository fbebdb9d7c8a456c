package rollout

import (
	"cmp"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/version"
)

// lookAgain is the time between two looks at a device that waits for a person: the work may be done without a word.
const lookAgain = 6 * time.Hour

// byHand reports whether a person updates a device in a rollout: no driver may or can, or firmward has no file to give it.
func byHand(rel firmward.Release, p firmward.RolloutPolicy, c *Candidate) bool {
	return p.WorkOrders > 0 && (!c.HasDriver || rel.NoFile || c.Model.MayPatch.Value == firmward.VendorMayPatch)
}

// byHandPath is the delivery path of what a person brings.
const byHandPath = "by hand"

// delivery is the path by which a device gets the image: each has a canary of its own.
func delivery(rel firmward.Release, p firmward.RolloutPolicy, c *Candidate) string {
	if byHand(rel, p, c) {
		return byHandPath
	}
	return c.Path
}

// ask opens the work order of a target and asks the device as before any start.
func (in *Input) ask(out []Command) []Command {
	t := in.Target
	t.State, t.Code, t.Why = firmward.TargetAsked, "", "a person is asked to update it"
	t.WaitsTo = in.Now.Add(in.Rollout.Policy.WorkOrders)
	out = in.send(DoAsk, out)
	return in.see(out)
}

// see looks at a device that waits for a person; until that succeeded once, as before a start, so that it is known how it was before.
func (in *Input) see(out []Command) []Command {
	if in.Target.Before {
		return in.send(DoLook, out)
	}
	return in.send(DoPreflight, out)
}

// asked waits for a person who has not begun. Nothing is held for the device: other rollouts go on.
func (in *Input) asked(out []Command) []Command {
	t := in.Target
	switch in.Event.Kind {
	case Start:
		return in.start(out)
	case Reported:
		t.Code, t.Why, t.Deadline = "", in.Event.Why+"; looking", in.Now.Add(in.patience())
		return in.see(out)
	case PreflightOK:
		seen := in.Event.Seen
		t.Before, t.Baseline, t.Unasked = true, seen.Services, seen.Unasked
		if in.reached(seen.Version) {
			in.already()
			return out
		}
		t.Closes = seen.Closes
		in.lookedAtAsked()
	case PreflightRefused:
		in.expire(in.Event.Code, in.Event.Why)
		t.State = firmward.TargetRefused
	case PreflightFailed:
		in.lookedAtAsked()
	case Looked:
		in.lookedAtAsked()
	case Tick:
		switch {
		case in.Now.Before(t.NextDue):
		case !in.Now.Before(t.WaitsTo):
			in.expire(firmward.CodeNotDone, "nobody has updated it in the time that its work order had")
		default:
			return in.see(out)
		}
	}
	return out
}

// lookedAtAsked weighs a look at a device that waits for a person: the work may have been done without a word before it.
func (in *Input) lookedAtAsked() {
	t, seen := in.Target, in.Event.Seen
	t.NextDue = in.lookIn()
	switch {
	case !seen.Reachable:
		t.Why = "it does not answer: " + cmp.Or(seen.Note, in.Event.Why)
	case !seen.SameDevice:
		t.Why = "another device answers at its address"
	case seen.Version == "":
		t.Why = "its version could not be read"
	case in.reached(seen.Version):
		in.doneUnasked()
		return
	default:
		t.SawNew = false // it went back since
		t.Why = "still " + seen.Version
	}
	switch {
	case t.Deadline.IsZero(): // nobody has reported anything
		t.Why = "waits for a person; " + t.Why
	case in.late():
		t.Code, t.Why, t.Deadline = firmward.CodeNotDone, "reported as done, but "+t.Why+": not done yet", time.Time{}
	default:
		t.Why, t.NextDue = "reported as done; "+t.Why, minTime(in.Now.Add(in.pause()), t.Deadline)
	}
}

// doneUnasked judges a device that runs the wanted version although nobody said "I begin": it is what people find when they come back to
// their list in the evening.
func (in *Input) doneUnasked() {
	t, r, seen := in.Target, in.Rollout, in.Event.Seen
	if order, _ := version.Compare(in.Abilities.Scheme, seen.Version, t.Want); order == version.Greater {
		in.already()
		return
	}
	if !t.SawNew {
		t.SawNew, t.AcceptedAt, t.BackAt = true, in.Now, in.Now
	}
	gone := worse(t.Baseline, seen.Services)
	if gone.what != "" && in.Now.Before(t.AcceptedAt.Add(3*in.Abilities.Settle)) {
		t.Why, t.NextDue = "runs "+seen.Version+"; "+gone.what+" does not answer yet", minTime(in.Now.Add(in.pause()), t.WaitsTo)
		return
	}
	r.Started++ // so late: before, nobody knew
	r.InFlight++
	if t.StartedAt.IsZero() {
		t.StartedAt = in.Now
	}
	if gone.what != "" {
		in.end(firmward.TargetFailed, gone.code, "runs "+seen.Version+", but "+gone.what+" is "+gone.how)
		return
	}
	in.verified("runs " + seen.Version + ", the same device, " + in.works() + "; nobody had said that the work began")
}

// already ends a target that runs what is wanted, or newer, without this rollout.
func (in *Input) already() {
	in.Rollout.Started++
	in.Rollout.InFlight++
	in.end(firmward.TargetSucceeded, "already-installed", "the device runs "+in.Event.Seen.Version+" already")
}

// begun lets a person go to work. What the device may cost is claimed.
func (in *Input) begun() {
	t := in.Target
	t.State, t.Why, t.Answered = firmward.TargetInstalling, "a person is at work on it", true
	t.Deadline = in.Now.Add(max(in.Abilities.ByHand, in.Rollout.Policy.Deadline))
	t.NextDue = t.Deadline
}

// atWork waits until the person says that it is done, or should long have been back.
func (in *Input) atWork(out []Command) []Command {
	t := in.Target
	switch in.Event.Kind {
	case Reported:
		t.Why = in.Event.Why + "; looking"
	case Tick:
		if in.Now.Before(t.NextDue) {
			return out
		}
		t.Why = "the time for the work is over and nobody has reported; looking"
	default:
		return out
	}
	t.State, t.AcceptedAt = firmward.TargetVerifying, in.Now
	t.Deadline = in.Now.Add(in.patience())
	return in.send(DoLook, out)
}

// undone gives a target back to the person who is to update it, until its time is over.
func (in *Input) undone(why string) {
	if in.Now.Before(in.Target.WaitsTo) {
		in.unstart(firmward.TargetAsked, firmward.CodeNotDone, why+": not done yet")
		return
	}
	in.unstart(firmward.TargetSkipped, firmward.CodeNotDone, why+", and the time of its work order is over")
	untold(in.Rollout)
}

// unreached handles a device that does not answer before the start. Where its policy waits for it, its turn comes when it is seen.
func (in *Input) unreached(why string) {
	t, p := in.Target, &in.Rollout.Policy
	switch {
	case t.ByHand:
		in.unstart(firmward.TargetAsked, "not-reachable", why)
		return
	case t.Attempt > 0 || p.WakeWithin == 0:
	default:
		if t.WaitsTo.IsZero() {
			t.WaitsTo = in.Now.Add(p.WakeWithin)
		}
		if in.Now.Before(t.WaitsTo) {
			in.unstart(firmward.TargetAsleep, "asleep", why+"; its turn comes when it is seen, until "+stamp(t.WaitsTo))
			return
		}
	}
	in.untried(firmward.TargetSkipped, "not-reachable", why)
}

// asleep waits until a device is seen.
func (in *Input) asleep() {
	t := in.Target
	switch in.Event.Kind {
	case Woke:
		t.State, t.Code, t.Why, t.NextDue = firmward.TargetPending, "", "it was seen; its turn comes", time.Time{}
	case Tick:
		if !in.Now.Before(t.WaitsTo) {
			in.expire("not-reachable", "was not seen again in the time that it was waited for; nothing was sent")
		}
	}
}

// sleeper reports whether a device was waited for before: it may be asleep again.
func (in *Input) sleeper() bool { return !in.Target.ByHand && !in.Target.WaitsTo.IsZero() }

// woke looks at a device at once that was seen, unless a look is under way.
func (in *Input) woke(out []Command) []Command {
	if !in.Target.Answered {
		return out
	}
	return in.send(DoLook, out)
}

// expire ends a target that was waited for in vain: nothing was sent.
func (in *Input) expire(code, why string) {
	t := in.Target
	t.State, t.Code, t.Why, t.EndedAt, t.NextDue = firmward.TargetSkipped, code, why, in.Now, time.Time{}
	untold(in.Rollout)
}

// lookIn is when a target that waits is looked at next, or given up.
func (in *Input) lookIn() time.Time {
	t := in.Target
	if t.State == firmward.TargetAsleep {
		return t.WaitsTo
	}
	return minTime(in.Now.Add(max(lookAgain, in.pause())), t.WaitsTo)
}
