package rollout

import "math"

// The confidence bound is that of Clopper and Pearson, exact for any number of devices (C. J. Clopper, E. S. Pearson: The use of
// confidence or fiducial limits illustrated in the case of the binomial, Biometrika 26, 1934, 404–413). The one-sided lower bound
// of a ratio, of which x of n were seen, is over p just when x or more of n would be seen by chance with a probability below
// 1 − confidence if the ratio were p; the upper bound is under p just when the same holds for x or fewer. So no bound has to be
// worked out: one tail of the binomial distribution at the budget is enough.

// surelyOver reports whether the lower bound of the failure ratio is over the budget. Budget and confidence are in percent.
func surelyOver(failed, n, budget, confidence int) bool {
	return tail(failed, n, float64(budget)/100, +1, alpha(confidence))
}

// surelyUnder reports whether the upper bound of the failure ratio is under the budget.
func surelyUnder(failed, n, budget, confidence int) bool {
	return tail(failed, n, float64(budget)/100, -1, alpha(confidence))
}

// tooFew reports whether n devices could not show that the ratio is under the budget even if none of them failed.
func tooFew(n, budget, confidence int) bool { return !surelyUnder(0, n, budget, confidence) }

func alpha(confidence int) float64 { return float64(100-confidence) / 100 }

// tail reports whether the probability of x, x+step, x+2·step … out of n at ratio p is below limit, which is at most one half. It
// starts at the largest term, and stops as soon as the sum is decided.
func tail(x, n int, p float64, step int, limit float64) bool {
	mean := float64(n) * p
	switch {
	case n <= 0 || p <= 0 || p >= 1:
		return false
	case step > 0 && float64(x) <= mean || step < 0 && float64(x) >= mean:
		return false // the median lies within one of the mean: this tail holds at least about one half
	}
	term, sum := mass(x, n, p), 0.0
	for k := x; k >= 0 && k <= n; k += step {
		sum += term
		if sum > limit*(1-1e-9) { // just at the limit is not below it, whatever the last digits say
			return false
		}
		if term < sum*1e-17 {
			break
		}
		if step > 0 {
			term *= float64(n-k) / float64(k+1) * p / (1 - p)
		} else {
			term *= float64(k) / float64(n-k+1) * (1 - p) / p
		}
	}
	return true
}

// mass is the probability of exactly k out of n at ratio p.
func mass(k, n int, p float64) float64 {
	return math.Exp(logFactorial(n) - logFactorial(k) - logFactorial(n-k) + float64(k)*math.Log(p) + float64(n-k)*math.Log1p(-p))
}

func logFactorial(n int) float64 {
	v, _ := math.Lgamma(float64(n) + 1)
	return v
}
