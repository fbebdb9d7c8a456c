package rollout

import (
	"fmt"
	"time"

	"github.com/firmward/firmward"
)

// The codes of a device that has too little of what an update needs: it is asked again later, and passed over in the end.
const (
	LowBattery = "battery"
	LowSignal  = "signal"
)

// A device below a limit is asked again after half an hour, then each time after as long as it has been low, half a day at most: a question
// costs a device on its battery something too.
const (
	firstAgain = 30 * time.Minute
	lastAgain  = 12 * time.Hour
)

// Below says which limit of a policy a device is below, or "". What a device does not say is not held against it: what has no battery
// tells of none, and what hangs on a cable hears no network.
func Below(p *firmward.RolloutPolicy, v firmward.Vitals) (code, why string) {
	switch {
	case p.MinBattery > 0 && v.Battery != nil && *v.Battery < p.MinBattery && !v.External:
		return LowBattery, fmt.Sprintf("battery at %d %%, policy %s wants %d %%: charge it or wait", *v.Battery, p.Name, p.MinBattery)
	case p.MinSignal < 0 && v.Signal != nil && *v.Signal < p.MinSignal:
		return LowSignal, fmt.Sprintf("signal at %d dBm, policy %s wants %d dBm: bring its access point nearer or wait", *v.Signal, p.Name, p.MinSignal)
	}
	return "", ""
}

// low sends a device back to its place in the queue, not to be asked before a time; one that has been low for as long as the policy waits
// ends. A wave must not wait for ever for a battery that nobody charges.
func (in *Input) low(code, why string) {
	t, p := in.Target, &in.Rollout.Policy
	if t.LowSince.IsZero() {
		t.LowSince = in.Now
	}
	since := in.Now.Sub(t.LowSince)
	if since >= p.LowFor {
		if since > 0 {
			why += fmt.Sprintf(" (it was too low for %s, and nothing was sent)", short(since))
		}
		in.untried(firmward.TargetSkipped, code, why)
		return
	}
	in.unstart(firmward.TargetPending, code, why)
	if t.State == firmward.TargetPending {
		t.NextDue = in.Now.Add(min(max(since, firstAgain), lastAgain, max(p.LowFor-since, firstAgain)))
	}
}

// resting reports whether a device that was too low is not to be asked yet.
func (s *Slot) resting() bool {
	return s.Target.State == firmward.TargetPending && s.Local.Before(s.Target.NextDue)
}
