package sim

import (
	"math"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/rollout"
)

// budgeted checks after a failure that a rollout over one of its budgets does not go on.
func (w *World) budgeted(r *Run) {
	p := r.Policy
	if r.State != firmward.RolloutRunning {
		return
	}
	failed, silent := 0, 0
	for _, wave := range r.waves {
		for _, s := range wave {
			if s.State == firmward.TargetFailed || s.State == firmward.TargetRolledBack {
				failed++
				if s.Code == "silent" || s.Code == "not-reachable" {
					silent++
				}
			}
		}
	}
	switch {
	case p.FailureCount != nil && failed > *p.FailureCount:
		w.fail("%d failed, the budget is %d, and the rollout goes on", failed, *p.FailureCount)
	case p.SilenceCount != nil && silent > *p.SilenceCount:
		w.fail("%d are silent, the budget is %d, and the rollout goes on", silent, *p.SilenceCount)
	case failed <= p.FailureFloor:
	case p.Confidence == 0 && failed*100 > p.FailureBudget*r.Started:
		w.fail("%d of %d failed, the budget is %d %%, and the rollout goes on", failed, r.Started, p.FailureBudget)
	case p.Confidence > 0 && 1-chance(failed-1, r.Started, p.FailureBudget) < limit(p)-slack:
		w.fail("%d of %d failed, surely more than %d %%, and the rollout goes on", failed, r.Started, p.FailureBudget)
	}
}

// known checks after a device that could not be tried that not too many are. One that left the plan says nothing.
func (w *World) known(r *Run, s *slot) {
	if limit := r.Policy.Inconclusive; limit != nil && r.Inconclusive > *limit && r.State == firmward.RolloutRunning && s.Code != rollout.RefuseDrifted {
		w.fail("%d could not be tried, the limit is %d, and the rollout goes on", r.Inconclusive, *limit)
	}
}

// soaked checks that a wave with a success was watched as long as the policy says.
func (w *World) soaked(r *Run, wave int) {
	soak := r.Policy.WaveSoak
	if wave == 0 {
		soak = r.Policy.CanarySoak
	}
	if r.Emergency != "" { // somebody hastened it
		soak = min(soak, r.Policy.EmergencySoak)
	}
	var last time.Time
	for _, s := range r.waves[wave] {
		if s.State == firmward.TargetSucceeded && s.EndedAt.After(last) {
			last = s.EndedAt
		}
	}
	if !last.IsZero() && w.Now.Before(last.Add(soak)) {
		w.fail("wave %d was left %s after its last success, it soaks for %s", wave, w.Now.Sub(last), soak)
	}
}

// shown checks that a wave that was left without a person's word showed what the policy wants to see.
func (w *World) shown(r *Run, wave int) {
	p := r.Policy
	if r.resumed {
		return
	}
	healthy := 0
	for _, s := range r.waves[wave] {
		if s.unremedied() {
			w.fail("wave %d was left, %v is open on %s, and nobody has said that it goes on", wave, s.closes, s.DeviceID)
		}
		if s.State == firmward.TargetSucceeded && !s.SoakedAt.IsZero() {
			healthy++
		}
	}
	if want := min(p.SoakMin, len(r.waves[wave])); healthy < want {
		w.fail("wave %d was left with %d healthy devices, the policy wants %d", wave, healthy, want)
	}
	if p.Confidence == 0 {
		return
	}
	x, n := r.Failed, r.Started
	within := x*100 <= p.FailureBudget*n || x <= p.FailureFloor
	few := n == 0 || chance(0, n, p.FailureBudget) > limit(p)-slack
	if !(few && within) && (n == 0 || chance(x, n, p.FailureBudget) > limit(p)+slack) {
		w.fail("wave %d was left with %d of %d failed: that does not show a ratio under %d %% with %d %% confidence", wave, x, n, p.FailureBudget, p.Confidence)
	}
}

// slack is more than what rounding takes from a probability here.
const slack = 1e-9

func limit(p firmward.RolloutPolicy) float64 { return float64(100-p.Confidence) / 100 }

// chance is the probability that at most x of n fail when percent do: all terms summed, where the engine sums as few as it can.
func chance(x, n, percent int) float64 {
	p, sum := float64(percent)/100, 0.0
	for k := 0; k <= x && k <= n; k++ {
		log := float64(k)*math.Log(p) + float64(n-k)*math.Log(1-p)
		for i := range k {
			log += math.Log(float64(n-i)) - math.Log(float64(i+1))
		}
		sum += math.Exp(log)
	}
	return sum
}
