package rollout_test

import (
	"testing"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/rollout"
	"github.com/firmward/firmward/topology"
)

// TestPickAsksForTheVerdict: the verdict is asked for again when a device would start, since it may have failed or expired meanwhile.
func TestPickAsksForTheVerdict(t *testing.T) {
	for _, tc := range []struct {
		result, want         string
		required, rehearsing bool
	}{
		{"passed", "", true, false},
		{"not-staged", rollout.RefuseUnstaged, true, false},
		{"", rollout.RefuseUnstaged, true, false},
		{"not-staged", "", false, false},
		{"failed", rollout.RefuseStaging, false, false},
		{"failed", "", false, true},
	} {
		r := firmward.Rollout{State: firmward.RolloutRunning, Rehearsal: tc.rehearsing, Policy: firmward.RolloutPolicy{MaxInFlight: 1, CanaryInFlight: 1, RequireStaged: tc.required, Window: firmward.Window{}}}
		slot := rollout.Slot{Target: firmward.Target{DeviceID: "d"}, Candidate: rollout.Candidate{Device: firmward.Device{ID: "d"}, Staging: firmward.StagingVerdict{Result: tc.result, Why: "it says why"}}}
		picks, not := rollout.Pick(&r, []rollout.Slot{slot}, rollout.Claims{}, topology.Map{}, false)
		got := ""
		if len(not) == 1 {
			got = not[0].Code
		}
		if got != tc.want || (len(picks) == 1) != (tc.want == "") {
			t.Errorf("%+v: %q", tc, got)
		}
	}
}
