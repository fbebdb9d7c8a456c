package rollout

import (
	"github.com/firmward/firmward"
)

// judge weighs one look at a device that should run the wanted version.
func (in *Input) judge(out []Command) []Command {
	t, seen := in.Target, in.Event.Seen
	late := in.late()
	switch {
	case !seen.Reachable:
		return in.again(late, firmward.TargetFailed, "silent", "silent since the update; its deadline has passed", "silent so far", out)
	case !seen.SameDevice:
		in.end(firmward.TargetFailed, "other-device", "another device answers at its address")
		return out
	case seen.Version == "":
		return in.again(late, firmward.TargetFailed, "no-version", "answers, but its version could not be read until the deadline", "version not readable yet", out)
	case !in.reached(seen.Version):
		return in.oldVersion(late, out)
	}
	if !t.SawNew {
		t.SawNew, t.BackAt = true, in.Now
	}
	if t.State == firmward.TargetInDoubt {
		t.State = firmward.TargetVerifying
	}
	if gone := worse(t.Baseline, seen.Services); gone.what != "" {
		return in.worsened(gone, out)
	}
	if seen.Uncommitted {
		t.State, t.Why = firmward.TargetCommitting, "healthy on trial; committing"
		return in.send(DoCommit, out)
	}
	in.verified("runs " + seen.Version + ", the same device, " + in.works())
	return out
}

func (in *Input) oldVersion(late bool, out []Command) []Command {
	t, seen := in.Target, in.Event.Seen
	switch {
	case t.SawNew:
		in.end(firmward.TargetRolledBack, "fell-back", "went back to "+seen.Version+" by itself")
	case t.ByHand && late:
		in.undone("runs " + seen.Version + " after the work at it")
	case !in.before(seen.Version):
		return in.again(late, firmward.TargetFailed, "other-version", "runs "+seen.Version+", neither the version before nor the wanted one", "runs "+seen.Version+" in between", out)
	case t.State == firmward.TargetInDoubt && late && !seen.Busy && t.Attempt < maxAttempts:
		in.unstart(firmward.TargetPending, "", "a look proved that the lost command left no trace; it is tried once more when its turn comes")
	default:
		return in.again(late, firmward.TargetFailed, "old-version", "is back with the old version "+seen.Version, "still "+seen.Version, out)
	}
	return out
}

// worsened decides about a device that runs the new version but does not serve, or does not reach what is behind it, as before.
func (in *Input) worsened(gone loss, out []Command) []Command {
	t, seen := in.Target, in.Event.Seen
	grace := t.AcceptedAt.Add(3 * in.Abilities.Settle)
	if seen.Uncommitted {
		grace = minTime(grace, in.Now.Add(seen.FallsBackIn-in.Abilities.Settle/2))
	}
	if in.Now.Before(grace) {
		t.State, t.Why = firmward.TargetVerifying, "new version; "+gone.what+" does not answer yet"
		t.NextDue = in.Now.Add(in.pause())
		return out
	}
	switch {
	case seen.Uncommitted:
		t.State, t.Code, t.Why = firmward.TargetFalling, gone.code, gone.what+" is "+gone.how+" after the update; not committed, the device will fall back by itself"
		wait := seen.FallsBackIn + in.Abilities.Settle
		t.NextDue, t.Deadline = in.Now.Add(wait), in.Now.Add(wait+in.patience())
		in.brake(gone.what + " was " + gone.how + " after the update")
	case in.Abilities.CanRevert && (in.Abilities.Careful || in.Rollout.Policy.AskRestore) && !in.Rollout.Rehearsal:
		in.end(firmward.TargetFailed, gone.code, "runs "+seen.Version+", but "+gone.what+" is "+gone.how+"; that it goes back waits for a person's word (rollout restore)")
		t.MayRestore = true
	case in.Abilities.CanRevert:
		t.State, t.Code, t.Why = firmward.TargetFalling, gone.code, gone.what+" is "+gone.how+" after the update; going back"
		t.Deadline = in.Now.Add(in.patience())
		in.brake(gone.what + " was " + gone.how + " after the update")
		return in.send(DoRevert, out)
	default:
		in.end(firmward.TargetFailed, gone.code, "runs "+seen.Version+", but "+gone.what+" is "+gone.how+"; the device cannot go back")
	}
	return out
}
