package remedy

import (
	"time"

	"github.com/firmward/firmward"
)

// selfUpdate is how long a device that updates itself is trusted to do so: its maker's waves and a week of nights.
const selfUpdate = 14 * 24 * time.Hour

// bySelf takes the step of a device whose maker brings it its updates over his cloud, where that can be left to the two of
// them or only has to be switched on. want may be empty.
func bySelf(f Facts, open []firmward.Finding, want string, s *firmward.NextStep, now time.Time) bool {
	if f.Model.Mechanism.Value != string(firmward.ByVendorCloud) || personal(f) != "update" || f.Device.Network == "" {
		return false
	}
	due, rule := clock(f, open)
	to := "what its maker offers"
	if want != "" {
		to = want
	}
	switch f.Auto {
	case "off":
		s.Now = firmward.Phase{Kind: firmward.StepAsk, Action: "switch on its automatic updates, so that it gets " + to + " (devices auto-updates " + f.Device.Name + " on)", By: due, Rule: rule}
		s.Order = &firmward.Wanted{Kind: "update", Want: want}
		withWork(f, s)
	case "on":
		until := opened(open, now).Add(selfUpdate)
		if !due.IsZero() && due.Before(until) {
			until = due
		}
		if !now.Before(until) {
			return false // it had its time: now a person is asked
		}
		s.Now = firmward.Phase{Kind: firmward.StepWait, Action: "wait: it installs " + to + " by itself", By: until, Rule: "automatic-updates"}
	default:
		return false
	}
	s.Then = &firmward.Phase{Kind: firmward.StepLook, Action: "look whether it did", Rule: "automatic-updates"}
	return true
}

// opened is when the first of some findings was opened, now when there is none.
func opened(open []firmward.Finding, now time.Time) time.Time {
	first := now
	for _, fd := range open {
		if !fd.OpenedAt.IsZero() && fd.OpenedAt.Before(first) {
			first = fd.OpenedAt
		}
	}
	return first
}
