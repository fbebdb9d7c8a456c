package rollout

import (
	"fmt"
	"strings"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/version"
)

// RefuseDrifted is the code of a target that became another model after it was planned.
const RefuseDrifted = "drifted"

// Drift handles that a device which waits for its turn is no longer as it was when the rollout was planned. Another version is
// taken into the plan, another model leaves it; either way what people approved is not what would happen now, so their approvals
// are void. It changes r and t in place and reports whether anything was to do.
func Drift(r *firmward.Rollout, t *firmward.Target, d firmward.Device, now time.Time) bool {
	over := r.State == firmward.RolloutFinished || r.State == firmward.RolloutStopped
	if t.State != firmward.TargetPending && !t.State.Waits() || over || d.Model == t.Model && (d.Firmware == t.From || t.State.Waits()) {
		return false // the version of one that waits is looked at before it starts: what it waits for may be its new version
	}
	if d.Model != t.Model {
		t.State, t.Code, t.EndedAt, t.NextDue = firmward.TargetRefused, RefuseDrifted, now, time.Time{}
		t.Why = fmt.Sprintf("it was %s when this was planned, now it is %s: plan it anew", t.Model, d.Model)
		void(r, d.Name+" is another model now: "+d.Model)
		return true
	}
	before := t.From
	t.From = d.Firmware
	void(r, fmt.Sprintf("%s ran %s when this was planned, now %s", d.Name, known(before), known(d.Firmware)))
	return true
}

// drifted reports whether a device that is about to start runs another version than those who approved it have seen in the plan.
func (in *Input) drifted(planned string) bool {
	now, p := in.Target.From, &in.Rollout.Policy
	if now == planned || p.Approvals == 0 && !p.ApproveWaves {
		return false
	}
	order, _ := version.Compare(in.Abilities.Scheme, now, planned)
	return order != version.Equal
}

// void takes all approvals back. A rollout that runs by them pauses; what is under way is watched to its end.
func void(r *firmward.Rollout, why string) {
	if r.Policy.Approvals == 0 && !r.Policy.ApproveWaves {
		return
	}
	if len(r.Approvals) > 0 {
		r.Void, r.Approvals = why, nil
	}
	if r.State == firmward.RolloutRunning && r.Policy.Approvals > 0 {
		r.State = firmward.RolloutPaused
		r.Why = fmt.Sprintf("approvals are void: %s; approve %s again, then resume", why, waveName(r.Wave))
	}
}

// reapproved refuses to go on by approvals that are void.
func reapproved(r *firmward.Rollout, now time.Time) error {
	if r.Void == "" {
		return nil
	}
	if have := approvals(r, r.Wave, now); have < r.Policy.Approvals {
		return firmward.Errorf(firmward.Refused, fmt.Sprintf("approvals are void (%s): %d of %d given anew (rollout approve %s --wave %d)", r.Void, have, r.Policy.Approvals, r.ID, r.Wave))
	}
	r.Void = ""
	return nil
}

// Hurry is what shortening the soaks of a rollout rests on.
type Hurry struct {
	Exploited []string // advisories that are being exploited and open on its devices
	Careful   int      // of its devices: in clinical or process use, or keeping people alive
}

// Hasten shortens the soaks of a rollout to those of the policy's emergency path, because what it mends is being exploited. It
// shortens nothing else: canary, budget, approvals and windows stay, and approvals given before are void, since they were given to
// longer soaks. Devices in clinical or process use are never hastened: exploitation hastens their containment.
func Hasten(r *firmward.Rollout, why string, h Hurry, now time.Time) error {
	switch r.State {
	case firmward.RolloutPlanned, firmward.RolloutAwaiting, firmward.RolloutRunning, firmward.RolloutPaused:
	default:
		return firmward.Errorf(firmward.Conflict, "cannot hasten a rollout that is "+string(r.State))
	}
	switch {
	case why == "":
		return firmward.Errorf(firmward.Invalid, "say why it cannot wait (--why)")
	case r.Policy.EmergencySoak == 0:
		return firmward.Errorf(firmward.Refused, "policy "+r.Policy.Name+" has no emergency path (emergency-soak)")
	case r.Emergency != "":
		return firmward.Errorf(firmward.Conflict, "it is hastened already: "+r.Emergency)
	case h.Careful > 0:
		return firmward.Errorf(firmward.Refused, fmt.Sprintf("%d of its devices are in clinical or process use: that a hole is exploited hastens their containment, never their update", h.Careful))
	case len(h.Exploited) == 0:
		return firmward.Errorf(firmward.Refused, "nothing that is being exploited is open on its devices: the soaks stay as they are")
	}
	r.Emergency = fmt.Sprintf("%s (exploited: %s)", why, strings.Join(h.Exploited, ", "))
	void(r, "soaks are shortened: "+r.Emergency)
	if r.State == firmward.RolloutAwaiting {
		Approve(r, now)
	}
	return nil
}

func known(version string) string {
	if version == "" {
		return "an unknown version"
	}
	return version
}
