package policy

import (
	"fmt"

	"github.com/firmward/firmward"
)

type rampYAML struct {
	Start       int  `yaml:"start"`
	DoubleEvery int  `yaml:"double-every"`
	Max         *int `yaml:"max"`
}

// ramp fills in that it grows up to the cap of the policy.
func (in *rampYAML) ramp(most int) firmward.Ramp {
	if in == nil {
		return firmward.Ramp{}
	}
	out := firmward.Ramp{Start: in.Start, DoubleEvery: in.DoubleEvery, Max: most}
	if in.Max != nil {
		out.Max = *in.Max
	}
	return out
}

// checkCaps says which of the caps on devices at one time contradict each other, or "".
func checkCaps(p firmward.RolloutPolicy) string {
	switch r := p.Ramp; {
	case p.PerModelInFlight < 0:
		return "per-model must not be negative: 0 stands for no cap of its own"
	case p.PerSite < 0 || p.PerDomain < 0:
		return "per-site and per-domain must not be negative: leave out what has no cap"
	case p.PerSite > p.MaxInFlight:
		return fmt.Sprintf("per-site %d is over max-in-flight %d and holds nothing back: lower it or leave it out", p.PerSite, p.MaxInFlight)
	case p.PerDomain > p.MaxInFlight:
		return fmt.Sprintf("per-domain %d is over max-in-flight %d and holds nothing back: lower it or leave it out", p.PerDomain, p.MaxInFlight)
	case r == (firmward.Ramp{}):
	case r.Start < 1 || r.DoubleEvery < 1:
		return "ramp wants start and double-every, each at least 1: with less it never grows"
	case r.Max > p.MaxInFlight:
		return fmt.Sprintf("ramp max %d is over max-in-flight %d and is never reached: lower it or raise max-in-flight", r.Max, p.MaxInFlight)
	case r.Start >= r.Max:
		return fmt.Sprintf("ramp start %d leaves nothing to grow to its max %d: lower it or leave the ramp out", r.Start, r.Max)
	}
	return ""
}

// checkBudgets says which budgets contradict each other, or "".
func checkBudgets(p firmward.RolloutPolicy) string {
	for key, limit := range map[string]*int{"failure-budget-count": p.FailureCount, "silence-budget-count": p.SilenceCount, "inconclusive-limit": p.Inconclusive} {
		if limit != nil && *limit < 0 {
			return key + " must not be negative: 0 stands for none, leave it out for no limit"
		}
	}
	switch {
	case p.SoakMin < 0:
		return "soak-min-devices must not be negative"
	case p.Confidence != 0 && (p.Confidence < 50 || p.Confidence > 99):
		return fmt.Sprintf("confidence %d: want a percentage from 50 to 99, for example 95", p.Confidence)
	case p.Confidence != 0 && (p.FailureBudget < 1 || p.FailureBudget > 99):
		return fmt.Sprintf("confidence with a failure-budget-percent of %d: no number of devices shows that a ratio is under 0 %% or over 100 %%; set a budget from 1 to 99 or leave confidence out", p.FailureBudget)
	case p.FailureCount != nil && p.FailureFloor > *p.FailureCount:
		return fmt.Sprintf("failure-floor %d is over failure-budget-count %d and is never reached: lower it", p.FailureFloor, *p.FailureCount)
	case p.FailureCount != nil && p.SilenceCount != nil && *p.SilenceCount > *p.FailureCount:
		return fmt.Sprintf("silence-budget-count %d is over failure-budget-count %d, and silent devices are failures: lower it or leave it out", *p.SilenceCount, *p.FailureCount)
	}
	return ""
}
