package rollout

import (
	"math/big"
	"testing"
)

// exact sums the tail in rational numbers.
func exact(x, n, percent, step int) *big.Rat {
	p, q := big.NewRat(int64(percent), 100), big.NewRat(int64(100-percent), 100)
	sum := new(big.Rat)
	for k := x; k >= 0 && k <= n; k += step {
		term := new(big.Rat).SetInt(new(big.Int).Binomial(int64(n), int64(k)))
		for range k {
			term.Mul(term, p)
		}
		for range n - k {
			term.Mul(term, q)
		}
		sum.Add(sum, term)
	}
	return sum
}

// TestBound compares the bounds with exact arithmetic.
func TestBound(t *testing.T) {
	for _, n := range []int{1, 2, 3, 7, 20, 29, 60} {
		for x := 0; x <= n; x += 1 + n/12 {
			for _, budget := range []int{1, 5, 10, 25, 50, 90} {
				over, under := exact(x, n, budget, 1), exact(x, n, budget, -1)
				for _, confidence := range []int{50, 80, 95, 99} {
					limit := big.NewRat(int64(100-confidence), 100)
					if got, want := surelyOver(x, n, budget, confidence), over.Cmp(limit) < 0; got != want {
						t.Errorf("%d of %d over %d %% with %d %%: %v, chance of so many %s", x, n, budget, confidence, got, over.FloatString(6))
					}
					if got, want := surelyUnder(x, n, budget, confidence), under.Cmp(limit) < 0; got != want {
						t.Errorf("%d of %d under %d %% with %d %%: %v, chance of so few %s", x, n, budget, confidence, got, under.FloatString(6))
					}
				}
			}
		}
	}
}

// TestFew: below this many devices not even a flawless wave shows that the ratio is under the budget (the rule of three:
// n > ln(1−c)/ln(1−p)).
func TestFew(t *testing.T) {
	for _, tc := range []struct{ budget, confidence, enough int }{{10, 95, 29}, {5, 95, 59}, {1, 95, 299}, {25, 95, 11}, {10, 80, 16}, {50, 50, 2}} {
		if !tooFew(tc.enough-1, tc.budget, tc.confidence) || tooFew(tc.enough, tc.budget, tc.confidence) {
			t.Errorf("budget %d %%, confidence %d %%: %d devices should just suffice", tc.budget, tc.confidence, tc.enough)
		}
	}
}

// TestBoundOfMany: a million devices neither overflow nor take long.
func TestBoundOfMany(t *testing.T) {
	const n = 1_000_000
	for x, want := range map[int][2]bool{0: {false, true}, 49_000: {false, true}, 49_950: {false, false}, 50_050: {false, false}, 51_000: {true, false}, n: {true, false}} {
		if got := [2]bool{surelyOver(x, n, 5, 95), surelyUnder(x, n, 5, 95)}; got != want {
			t.Errorf("%d of a million at 5 %%: over, under %v, want %v", x, got, want)
		}
	}
}
