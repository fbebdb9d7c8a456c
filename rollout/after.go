package rollout

import (
	"cmp"
	"time"

	"github.com/firmward/firmward"
)

// committing waits until the device has released its dead-man switch and a look has seen it.
func (in *Input) committing(out []Command) []Command {
	t := in.Target
	switch in.Event.Kind {
	case Committed:
		t.Why = "committed; looking once more"
		return in.send(DoLook, out)
	case CommitFailed:
		in.uncommitted("the commit failed: " + in.Event.Why)
	case Looked:
		t.State = firmward.TargetVerifying
		if s := in.Event.Seen; s.Reachable && s.SameDevice && s.Uncommitted && in.reached(s.Version) {
			in.uncommitted("the commit was accepted but did not hold")
			return out
		}
		return in.judge(out)
	case Tick:
		switch {
		case in.Now.Before(t.NextDue):
		case in.late():
			in.uncommitted("the commit was not answered")
		default:
			t.State, t.Why = firmward.TargetVerifying, "the commit was not answered; looking"
			return in.send(DoLook, out)
		}
	}
	return out
}

// uncommitted tries again after a pause. After the deadline it leaves the device to fall back.
func (in *Input) uncommitted(why string) {
	t := in.Target
	if !in.late() {
		t.State, t.Why, t.NextDue = firmward.TargetVerifying, why, in.Now.Add(in.pause())
		return
	}
	wait := in.Rollout.Policy.CommitWithin + in.Abilities.Settle
	t.State, t.Code, t.Why = firmward.TargetFalling, notCommitted, why+"; the device will fall back by itself"
	t.NextDue, t.Deadline = in.Now.Add(wait), in.Now.Add(wait+in.patience())
	in.brake(why)
}

const notCommitted = "not-committed"

// falling watches a device on its way back to the version before.
func (in *Input) falling(out []Command) []Command {
	t := in.Target
	switch in.Event.Kind {
	case Reverted, RevertFailed:
		t.NextDue = in.Now.Add(in.Abilities.Settle)
	case Woke:
		return in.woke(out)
	case Tick:
		switch {
		case in.Now.Before(t.NextDue):
		case in.unlooked():
			in.end(firmward.TargetFailed, "silent", "silent after its fall-back; its deadline has passed")
		default:
			return in.send(DoLook, out)
		}
	case Looked:
		return in.fallen(out)
	}
	return out
}

func (in *Input) fallen(out []Command) []Command {
	t, seen, late := in.Target, in.Event.Seen, in.late()
	gone := worse(t.Baseline, seen.Services)
	code := cmp.Or(t.Code, serviceDead)
	switch {
	case !seen.Reachable || !seen.SameDevice:
		return in.again(late, firmward.TargetFailed, "silent", "silent after its fall-back; its deadline has passed", "silent while it falls back", out)
	case code == notCommitted && in.reached(seen.Version) && !seen.Uncommitted && gone.what == "":
		in.verified("runs " + seen.Version + " after all, committed, " + in.works())
	case in.reached(seen.Version) || seen.Version == "":
		return in.again(late, firmward.TargetFailed, code, "did not fall back until its deadline", "has not fallen back yet", out)
	case gone.what != "":
		return in.again(late, firmward.TargetFailed, gone.code, "back on "+seen.Version+", but "+gone.what+" is still "+gone.how, "back on "+seen.Version+"; services not yet", out)
	default:
		how := "went back to " + seen.Version
		if in.Abilities.DeadMan {
			how = "fell back to " + seen.Version + " by itself"
		}
		in.end(firmward.TargetRolledBack, code, how+" and works as before")
	}
	return out
}

// soaking looks once more at a device that had succeeded: soak ends on evidence. From the first such
// look the device has the policy's deadline to answer well.
func (in *Input) soaking(out []Command) []Command {
	t, r := in.Target, in.Rollout
	switch in.Event.Kind {
	case SoakDue:
		if !t.SoakedAt.IsZero() || in.Now.Before(t.NextDue) {
			return out
		}
		if t.Deadline.IsZero() {
			t.Deadline = in.Now.Add(in.silence())
		}
		return in.send(DoLook, out)
	case Woke:
		if t.SoakedAt.IsZero() && !t.Deadline.IsZero() { // its soak is over, and it was not seen since
			return in.woke(out)
		}
	case Looked:
		seen := in.Event.Seen
		gone := worse(t.Baseline, seen.Services)
		switch {
		case seen.Reachable && seen.SameDevice && in.reached(seen.Version) && gone.what == "":
			t.SoakedAt, t.NextDue = in.Now, time.Time{}
			in.reassessed()
			t.Why = "healthy after its soak" + in.unasked() + in.remedied()
		case !in.late() && (!seen.Reachable || seen.SameDevice):
			t.NextDue = minTime(in.Now.Add(in.pause()), t.Deadline)
		default:
			in.forget()
			r.Succeeded--
			r.InFlight++ // end takes it off again
			code, why := "soak", "did not stay healthy: "
			switch {
			case !seen.Reachable:
				code, why = silent, why+"silent"
			case !seen.SameDevice:
				code, why = "other-device", why+"another device answers at its address"
			case gone.what != "":
				why += gone.what + " is " + gone.how
			default:
				why += "runs " + cmp.Or(seen.Version, "a version that cannot be read")
			}
			in.end(firmward.TargetFailed, code, why)
		}
	}
	return out
}
