package rollout_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/rollout"
	"github.com/firmward/firmward/topology"
)

func TestVendorEvents(t *testing.T) {
	fell := func(family string, n int, change func(*rollout.Fallen)) (out []rollout.Fallen) {
		for i := range n {
			f := rollout.Fallen{DeviceID: fmt.Sprint(family, i), Family: family, Site: fmt.Sprint("s", i%2), At: monday.Add(-time.Duration(i) * time.Minute)}
			if change != nil {
				change(&f)
			}
			out = append(out, f)
		}
		return out
	}
	behind := topology.New([]firmward.Relation{{From: "a0", To: "gw", Kind: firmward.Behind}, {From: "a1", To: "gw", Kind: firmward.PoweredBy}})
	for _, tc := range []struct {
		name    string
		fallen  []rollout.Fallen
		watched map[string]int
		claims  map[string]string
		topo    topology.Map
		want    string
	}{
		{"three of four", fell("a", 3, nil), map[string]int{"a": 4, "b": 50}, nil, topology.Map{}, "a 3/4 at 2"},
		{"two are faults", fell("a", 2, nil), map[string]int{"a": 2, "b": 50}, nil, topology.Map{}, ""},
		{"few of many are faults", fell("a", 9, nil), map[string]int{"a": 91}, nil, topology.Map{}, ""},
		{"one in ten", fell("a", 9, nil), map[string]int{"a": 90}, nil, topology.Map{}, "a 9/90 at 2"},
		{"over a day", fell("a", 3, func(f *rollout.Fallen) { f.At = f.At.Add(-24 * time.Hour) }), map[string]int{"a": 4}, nil, topology.Map{}, ""},
		{"told before", fell("a", 4, func(f *rollout.Fallen) { f.Told = f.DeviceID > "a0" }), map[string]int{"a": 4}, nil, topology.Map{}, ""},
		{"the power of the site", append(fell("a", 4, nil), fell("b", 8, nil)...), map[string]int{"a": 4, "b": 8}, nil, topology.Map{}, ""},
		{"others too, but less", append(fell("a", 4, nil), fell("b", 2, nil)...), map[string]int{"a": 4, "b": 8}, nil, topology.Map{}, "a 4/4 at 2"},
		{"a rollout changes one", fell("a", 3, nil), map[string]int{"a": 4}, map[string]string{"a1": "ro"}, topology.Map{}, ""},
		{"a rollout changes what carries one", fell("a", 3, nil), map[string]int{"a": 4}, map[string]string{"gw": "ro"}, behind, ""},
		{"what carries two fell", append(fell("a", 4, nil), rollout.Fallen{DeviceID: "gw", Family: "r", At: monday}), map[string]int{"a": 4, "r": 9}, nil, behind, ""},
		{"nobody knows the family", fell("", 5, nil), map[string]int{"": 5}, nil, topology.Map{}, ""},
		{"two families", append(fell("b", 3, nil), fell("a", 3, nil)...), map[string]int{"a": 3, "b": 3, "c": 60}, nil, topology.Map{}, "a 3/3 at 2; b 3/3 at 2"},
	} {
		var got []string
		for _, e := range rollout.VendorEvents(tc.fallen, tc.watched, rollout.Claims{Device: tc.claims}, tc.topo, monday) {
			got = append(got, fmt.Sprintf("%s %d/%d at %d", e.Family, len(e.Devices), e.Watched, e.Sites))
		}
		if s := strings.Join(got, "; "); s != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, s, tc.want)
		}
	}
}

// TestHalts: what an event and a withdrawal do to a rollout in each state, and who may go on.
func TestHalts(t *testing.T) {
	for state, want := range map[firmward.RolloutState][2]bool{ // halted by an event, by a withdrawal
		firmward.RolloutPlanned: {false, true}, firmward.RolloutAwaiting: {true, true}, firmward.RolloutRunning: {true, true}, firmward.RolloutPaused: {true, true},
		firmward.RolloutHalted: {false, true}, firmward.RolloutStopped: {}, firmward.RolloutFinished: {},
	} {
		struck := firmward.Rollout{State: state, WaveOpen: monday}
		if got := (rollout.VendorEvent{Family: "a"}).Halt(&struck); got != want[0] || got && struck.State != firmward.RolloutHalted || !got && struck.State != state {
			t.Errorf("an event on one that is %s: %v, %s", state, got, struck.State)
		}
		gone := firmward.Rollout{State: state, WaveOpen: monday}
		got := rollout.Withdraw(&gone, "it bricks")
		if got != want[1] || got && gone.State != firmward.RolloutHalted || !got && gone.State != state {
			t.Errorf("a withdrawal of one that is %s: %v, %s", state, got, gone.State)
		}
		if rollout.Withdraw(&gone, "again") {
			t.Errorf("withdrawn twice: %s", gone.Why)
		}
		if got {
			for order, code := range map[string]firmward.Code{"start": firmward.Refused, "resume": firmward.Refused, "stop": ""} {
				r := gone
				if err := rollout.Steer(&r, order, "why", monday); firmward.CodeOf(err) != code {
					t.Errorf("%s what was withdrawn: %v", order, err)
				}
			}
		}
		if err := rollout.Steer(&struck, "resume", "looked at it", monday); want[0] && err != nil {
			t.Errorf("resume after an event: %v", err)
		}
	}
}
