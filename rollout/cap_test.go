package rollout_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/rollout"
	"github.com/firmward/firmward/topology"
)

// page gives pending targets d0, d1, … of a wave.
func page(n, wave int) []rollout.Slot {
	out := make([]rollout.Slot, n)
	for i := range out {
		id := fmt.Sprintf("d%d", i)
		out[i] = rollout.Slot{Target: firmward.Target{DeviceID: id, Wave: wave}, Candidate: rollout.Candidate{Device: firmward.Device{ID: id, Lab: true}}, Local: monday}
	}
	return out
}

// TestCapOfItsWave: the canaries' cap holds in their wave and nowhere else, that of all waves holds everywhere, whichever is lower.
func TestCapOfItsWave(t *testing.T) {
	for _, tc := range []struct{ canary, all, wave, flying, want int }{
		{canary: 2, all: 5, wave: 0, want: 2},
		{canary: 2, all: 5, wave: 0, flying: 1, want: 1},
		{canary: 2, all: 5, wave: 0, flying: 2, want: 0},
		{canary: 2, all: 5, wave: 1, want: 5},
		{canary: 2, all: 5, wave: 1, flying: 3, want: 2},
		{canary: 2, all: 5, wave: 1, flying: 5, want: 0},
		{canary: 7, all: 3, wave: 0, want: 3},
		{canary: 7, all: 3, wave: 1, want: 3},
		{canary: 0, all: 4, wave: 0, want: 4},
	} {
		p := usual
		p.CanaryInFlight, p.MaxInFlight = tc.canary, tc.all
		r := firmward.Rollout{State: firmward.RolloutRunning, Wave: tc.wave, InFlight: tc.flying, Policy: p}
		picks, not := rollout.Pick(&r, page(9, tc.wave), rollout.Claims{}, topology.Map{}, false)
		if len(picks) != tc.want || len(not) != 9-tc.want {
			t.Errorf("%+v: %d start, %d wait", tc, len(picks), len(not))
		}
	}
}

// TestRamp: the room doubles with successes, begins anew after a failure, and is never over the cap of the wave.
func TestRamp(t *testing.T) {
	p := usual
	p.MaxInFlight, p.CanaryInFlight, p.Ramp = 30, 3, firmward.Ramp{Start: 2, DoubleEvery: 10, Max: 25}
	for streak, want := range map[int]int{0: 2, 9: 2, 10: 4, 20: 8, 30: 16, 40: 25, 1_000_000_000: 25} {
		r := firmward.Rollout{Wave: 1, Streak: streak, Policy: p}
		if got, _ := rollout.Most(&r); got != want {
			t.Errorf("after %d successes %d, want %d", streak, got, want)
		}
		r.Wave = 0
		if got, _ := rollout.Most(&r); got != min(want, 3) {
			t.Errorf("canaries after %d successes: %d", streak, got)
		}
		r.Wave, r.Policy.MaxInFlight = 1, 5
		if got, _ := rollout.Most(&r); got != min(want, 5) {
			t.Errorf("over the cap after %d successes: %d", streak, got)
		}
	}
}

// TestOtherRolloutsCount: what other rollouts change at a site or in a domain takes its room, as do the picks of the same page.
func TestOtherRolloutsCount(t *testing.T) {
	topo := topology.New([]firmward.Relation{{From: "d0", To: "ap", Kind: firmward.Behind}, {From: "d1", To: "ap", Kind: firmward.Behind}, {From: "d1", To: "d2", Kind: firmward.SameMedium}})
	for name, tc := range map[string]struct {
		perSite, perDomain int
		claims             rollout.Claims
		want               []string
	}{
		"no cap":             {0, 0, rollout.Claims{Site: map[string]int{"": 9}, Domain: map[string]int{"behind ap": 9}}, []string{"d0", "d1", "d2"}},
		"site":               {2, 0, rollout.Claims{}, []string{"d0", "d1"}},
		"site taken in part": {2, 0, rollout.Claims{Site: map[string]int{"": 1}}, []string{"d0"}},
		"site taken":         {2, 0, rollout.Claims{Site: map[string]int{"": 2}}, nil},
		"another site taken": {2, 0, rollout.Claims{Site: map[string]int{"north": 2}}, []string{"d0", "d1"}},
		"domain":             {0, 1, rollout.Claims{}, []string{"d0", "d2"}},
		"domain taken":       {0, 1, rollout.Claims{Domain: map[string]int{"behind ap": 1}}, []string{"d2"}},
		"medium taken":       {0, 1, rollout.Claims{Domain: map[string]int{"on one medium with d1": 1}}, []string{"d0"}},
	} {
		p := usual
		p.PerSite, p.PerDomain = tc.perSite, tc.perDomain
		r := firmward.Rollout{State: firmward.RolloutRunning, Wave: 1, Policy: p}
		picks, _ := rollout.Pick(&r, page(3, 1), tc.claims, topo, false)
		var got []string
		for _, s := range picks {
			got = append(got, s.Target.DeviceID)
		}
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s: %v start, want %v", name, got, tc.want)
		}
	}
}
