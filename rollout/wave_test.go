package rollout_test

import (
	"fmt"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/rollout"
)

var known = firmward.Model{Rollback: firmward.Fact{Value: string(firmward.RollbackSlot)}}

// fleet gives n devices of one model; every fourth stands in the lab's building.
func fleet(n int, lab bool) []rollout.Candidate {
	out := make([]rollout.Candidate, n)
	for i := range out {
		id := fmt.Sprintf("d%03d", i)
		out[i] = rollout.Candidate{Device: firmward.Device{ID: id, Name: id, Model: "M1", Family: "f", Firmware: "1.0", Network: "n", Lab: lab}, Model: known, HasDriver: true}
		if i%4 == 3 {
			out[i].Device.Site = "lab"
		}
	}
	return out
}

func TestWaves(t *testing.T) {
	rel := firmward.Release{Family: "f", Models: []string{"M1"}, Hardware: []string{"*"}, Version: "2.0"}
	for text, want := range map[string][]int{ // of 41 devices, one of which is the canary
		"100":                                    {1, 40},
		"10, 50, 100":                            {1, 4, 16, 20},
		"count 5, 20, 100":                       {1, 5, 3, 32},
		"count 5, 10, 100":                       {1, 5, 0, 35}, // ten per cent have gone already
		`count 5, 20, select site == "lab", 100`: {1, 5, 3, 8, 24},
		`select site == "lab", 50, 100`:          {1, 10, 10, 20},
		"count 99, 100":                          {1, 40},
		`100, select site == "lab"`:              {1, 40},
	} {
		p := usual
		p.Waves = nil
		for w := range splitWaves(text) {
			p.Waves = append(p.Waves, w)
		}
		targets, refused := rollout.Plan(rel, p, fleet(41, true))
		if got := rollout.Sizes(targets); !gocmp.Equal(got, want) || len(refused) > 0 {
			t.Errorf("%s: %v, want %v (%d refused)", text, got, want, len(refused))
		}
		seen := map[string]bool{}
		for _, g := range targets {
			if seen[g.DeviceID] {
				t.Errorf("%s: %s is in two waves", text, g.DeviceID)
			}
			seen[g.DeviceID] = true
		}
	}
}

// TestWavesPerModel: outside the lab a wave holds one device of a model, also where the policy's waves come late.
func TestWavesPerModel(t *testing.T) {
	rel := firmward.Release{Family: "f", Models: []string{"M1", "M2"}, Hardware: []string{"*"}, Version: "2.0"}
	p := usual
	p.Waves, p.PerModelInFlight = firmward.Percents(30, 60, 100), 1
	all := fleet(10, false)
	for i := range all {
		if i >= 6 { // sorted behind the others: the policy's last wave comes first for them
			all[i].Device.Model = "M2"
		}
	}
	targets, _ := rollout.Plan(rel, p, all)
	in := map[string]map[int]int{"M1": {}, "M2": {}}
	for _, g := range targets {
		in[g.Model][g.Wave]++
	}
	want := map[string]map[int]int{"M1": {0: 1, 1: 1, 2: 1, 3: 1, 4: 1, 5: 1}, "M2": {0: 1, 3: 1, 4: 1, 5: 1}}
	if d := gocmp.Diff(want, in); d != "" {
		t.Errorf("devices of a model by wave (-want +got):\n%s", d)
	}
}

func splitWaves(text string) func(func(firmward.Wave) bool) {
	return func(yield func(firmward.Wave) bool) {
		var s scenario
		if err := setPolicy(&s.policy, "waves", text); err != nil {
			panic(err)
		}
		for _, w := range s.policy.Waves {
			if !yield(w) {
				return
			}
		}
	}
}
