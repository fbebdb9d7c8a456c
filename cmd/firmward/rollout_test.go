package main

import (
	"testing"

	"github.com/firmward/firmward/httpapi"
)

// TestWaveSizes: the plan says how many devices each wave holds, and by which rule where the number alone does not say it.
func TestWaveSizes(t *testing.T) {
	r := httpapi.Rollout{WaveSizes: []int{2, 5, 3, 8, 24}, Policy: httpapi.RolloutPolicy{Waves: []httpapi.Wave{{Count: 5}, {Percent: 20}, {Select: `site == "lab"`}, {Percent: 100}}}}
	if got, want := waveSizes(r), `Devices: canary: 2, wave 1: 5, wave 2: 3 (20 %), wave 3: 8 (site == "lab"), wave 4: 24.`; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	r.WaveSizes = []int{1, 1, 1, 1, 1, 1, 1} // one of a model in a wave: more waves than the policy names
	if got, want := waveSizes(r), `Devices: canary: 1, wave 1: 1, wave 2: 1 (20 %), wave 3: 1 (site == "lab"), wave 4: 1, wave 5: 1, wave 6: 1.`; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	if got := waveSizes(httpapi.Rollout{WaveSizes: []int{3}}); got != "" {
		t.Error(got)
	}
}
