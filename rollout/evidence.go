package rollout

import (
	"fmt"

	"github.com/firmward/firmward"
)

// The codes of a device that does not answer any more.
const (
	silent       = "silent"
	notReachable = "not-reachable" // after an installation whose outcome was lost
)

// count adds a failure to the header.
func count(r *firmward.Rollout, code string) {
	r.Failed++
	r.Streak = 0
	if code == silent || code == notReachable {
		r.Silent++
	}
}

// untold counts a device that could not be tried, and pauses when that are more than the policy takes.
func untold(r *firmward.Rollout) {
	r.Inconclusive++
	if limit := r.Policy.Inconclusive; over(limit, r.Inconclusive) && r.State == firmward.RolloutRunning {
		r.State = firmward.RolloutPaused
		r.Why = fmt.Sprintf("inconclusive: %s could not be tried, the limit is %d", devices(r.Inconclusive), *limit)
	}
}

func over(limit *int, n int) bool { return limit != nil && n > *limit }

// budget says why the rollout must halt, or "". A canary failure always halts; so does a device that
// changed its identity. Then come the absolute budgets. Otherwise failures are a share of started targets, above a
// floor; with a confidence the share must surely be too large.
func budget(r *firmward.Rollout, t *firmward.Target) string {
	p := &r.Policy
	switch {
	case t.Wave == 0:
		return "a canary failed"
	case t.Code == "other-device":
		return "another device answered at a target's address"
	case over(p.FailureCount, r.Failed):
		return fmt.Sprintf("%s failed, the budget is %d", devices(r.Failed), *p.FailureCount)
	case over(p.SilenceCount, r.Silent):
		return fmt.Sprintf("%s %s silent, the budget is %d", devices(r.Silent), plural(r.Silent, "is", "are"), *p.SilenceCount)
	case r.Failed <= p.FailureFloor:
	case p.Confidence > 0 && surelyOver(r.Failed, r.Started, p.FailureBudget, p.Confidence):
		return fmt.Sprintf("%d of %d started devices failed: with %d %% confidence more than the budget of %d %%", r.Failed, r.Started, p.Confidence, p.FailureBudget)
	case p.Confidence == 0 && beyond(r):
		return fmt.Sprintf("%d of %d started devices failed, the budget is %d %%", r.Failed, r.Started, p.FailureBudget)
	}
	return ""
}

// beyond reports whether the ratio as it is lies over the budget.
func beyond(r *firmward.Rollout) bool { return r.Failed*100 > r.Policy.FailureBudget*r.Started }

// unsure says why a wave that has ended and was looked at after its soak does not show enough to open the next, or "". What the release was to close
// must be closed. With a
// confidence the rollout so far must show that the failure ratio is under the budget. So few devices that even a flawless
// rollout would not show it (tooFew) are not held to that: there the ratio as it is decides, and the floor, as without a confidence. So
// small waves go on, and the first wave that is large enough to tell must tell.
func unsure(r *firmward.Rollout, c WaveCount) string {
	p := &r.Policy
	if why := unremedied(r); why != "" {
		return why
	}
	if want := min(p.SoakMin, c.Ended); c.Good-c.Unsoaked < want {
		return fmt.Sprintf("%s of %s %s healthy after the soak, the policy wants %d", devices(c.Good-c.Unsoaked), waveName(r.Wave), plural(c.Good-c.Unsoaked, "was", "were"), want)
	}
	switch few := tooFew(r.Started, p.FailureBudget, p.Confidence); {
	case p.Confidence == 0:
	case few && (!beyond(r) || r.Failed <= p.FailureFloor):
	case few:
		return fmt.Sprintf("%d of %d started devices failed, the budget is %d %%, and so few prove nothing", r.Failed, r.Started, p.FailureBudget)
	case !surelyUnder(r.Failed, r.Started, p.FailureBudget, p.Confidence):
		return fmt.Sprintf("%d of %d started devices failed: that does not show with %d %% confidence that fewer than %d %% do", r.Failed, r.Started, p.Confidence, p.FailureBudget)
	}
	return ""
}
