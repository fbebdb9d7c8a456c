package rollout_test

import (
	"strings"
	"testing"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/rollout"
)

var at = time.Date(2026, 3, 2, 20, 0, 0, 0, time.UTC)

// approved is a rollout that runs by ben's approval.
func approved(state firmward.RolloutState) firmward.Rollout {
	return firmward.Rollout{
		ID: "ro-1", State: state, Author: "anna", Waves: 2, WaveOpen: at,
		Policy:    firmward.RolloutPolicy{Name: "p", Approvals: 1, CanarySoak: 24 * time.Hour, WaveSoak: 6 * time.Hour, EmergencySoak: time.Hour},
		Approvals: []firmward.Approval{{Actor: "ben", At: at}},
	}
}

// TestDrift: what was approved is what happens. A device that changed meanwhile voids the approvals; another model leaves the plan.
func TestDrift(t *testing.T) {
	planned := firmward.Target{DeviceID: "d", State: firmward.TargetPending, Model: "M1", From: "1.0", Want: "2.0"}
	for name, tc := range map[string]struct {
		state        firmward.RolloutState
		model, now   string
		target       firmward.TargetState // before
		want         bool
		rolloutState firmward.RolloutState
		targetState  firmward.TargetState
	}{
		"as planned":          {firmward.RolloutRunning, "M1", "1.0", firmward.TargetPending, false, firmward.RolloutRunning, firmward.TargetPending},
		"another version":     {firmward.RolloutRunning, "M1", "1.1", firmward.TargetPending, true, firmward.RolloutPaused, firmward.TargetPending},
		"before the start":    {firmward.RolloutAwaiting, "M1", "1.1", firmward.TargetPending, true, firmward.RolloutAwaiting, firmward.TargetPending},
		"another model":       {firmward.RolloutRunning, "M2", "1.0", firmward.TargetPending, true, firmward.RolloutPaused, firmward.TargetRefused},
		"our own update":      {firmward.RolloutRunning, "M1", "2.0", firmward.TargetVerifying, false, firmward.RolloutRunning, firmward.TargetVerifying},
		"the rollout is over": {firmward.RolloutStopped, "M1", "1.1", firmward.TargetPending, false, firmward.RolloutStopped, firmward.TargetPending},
	} {
		r, g := approved(tc.state), planned
		g.State = tc.target
		got := rollout.Drift(&r, &g, firmward.Device{Name: "cam", Model: tc.model, Firmware: tc.now}, at)
		if got != tc.want || r.State != tc.rolloutState || g.State != tc.targetState || (r.Void != "") != got || (len(r.Approvals) == 0) != got {
			t.Errorf("%s: %v, rollout %s (%s), target %s (%s), void %q", name, got, r.State, r.Why, g.State, g.Why, r.Void)
		}
		if got && g.State == firmward.TargetPending && g.From != tc.now {
			t.Errorf("%s: the plan still says from %s", name, g.From)
		}
	}
	r, g := approved(firmward.RolloutRunning), planned
	r.Policy.Approvals, r.Approvals = 0, nil
	if !rollout.Drift(&r, &g, firmward.Device{Model: "M1", Firmware: "1.1"}, at) || r.State != firmward.RolloutRunning || g.From != "1.1" {
		t.Errorf("nobody approved it, so nothing is void: %s, from %s", r.State, g.From)
	}
}

// TestReapproved: a rollout whose approvals are void goes on once somebody other than its author approved anew.
func TestReapproved(t *testing.T) {
	r := approved(firmward.RolloutRunning)
	g := firmward.Target{State: firmward.TargetPending, Model: "M1", From: "1.0"}
	rollout.Drift(&r, &g, firmward.Device{Name: "cam", Model: "M1", Firmware: "1.1"}, at)
	if err := rollout.Steer(&r, "resume", "", at); firmward.CodeOf(err) != firmward.Refused || !strings.Contains(err.Error(), "rollout approve ro-1 --wave 0") {
		t.Errorf("%v", err)
	}
	r.Approvals = []firmward.Approval{{Actor: "anna", At: at}}
	if err := rollout.Steer(&r, "resume", "", at); firmward.CodeOf(err) != firmward.Refused {
		t.Errorf("by its author: %v", err)
	}
	r.Approvals = append(r.Approvals, firmward.Approval{Actor: "ben", At: at})
	if err := rollout.Steer(&r, "resume", "", at); err != nil || r.State != firmward.RolloutRunning || r.Void != "" {
		t.Errorf("%v, %s, void %q", err, r.State, r.Void)
	}
}

func TestHasten(t *testing.T) {
	hurry := rollout.Hurry{Exploited: []string{"CVE-2026-0001"}}
	for name, tc := range map[string]struct {
		change func(*firmward.Rollout, *rollout.Hurry)
		why    string
		want   firmward.Code
		words  string
	}{
		"no reason":         {nil, "", firmward.Invalid, "--why"},
		"no path":           {func(r *firmward.Rollout, _ *rollout.Hurry) { r.Policy.EmergencySoak = 0 }, "x", firmward.Refused, "no emergency path"},
		"nothing exploited": {func(_ *firmward.Rollout, h *rollout.Hurry) { h.Exploited = nil }, "x", firmward.Refused, "nothing that is being exploited"},
		"a ward":            {func(_ *firmward.Rollout, h *rollout.Hurry) { h.Careful = 1 }, "x", firmward.Refused, "never their update"},
		"over":              {func(r *firmward.Rollout, _ *rollout.Hurry) { r.State = firmward.RolloutFinished }, "x", firmward.Conflict, "finished"},
		"twice":             {func(r *firmward.Rollout, _ *rollout.Hurry) { r.Emergency = "y" }, "x", firmward.Conflict, "already"},
	} {
		r, h := approved(firmward.RolloutRunning), hurry
		if tc.change != nil {
			tc.change(&r, &h)
		}
		before := r.Emergency
		if err := rollout.Hasten(&r, tc.why, h, at); firmward.CodeOf(err) != tc.want || !strings.Contains(err.Error(), tc.words) || r.Emergency != before || len(r.Approvals) == 0 {
			t.Errorf("%s: %v, %+v", name, err, r)
		}
	}
	r := approved(firmward.RolloutRunning)
	r.SoakFrom = at
	count := rollout.WaveCount{Ended: 1, Good: 1}
	if _, due := rollout.Gate(&r, count, at.Add(2*time.Hour)); due != at.Add(24*time.Hour) {
		t.Errorf("the usual soak ends %s", due)
	}
	if err := rollout.Hasten(&r, "attacks", hurry, at); err != nil || r.State != firmward.RolloutPaused || len(r.Approvals) != 0 || !strings.Contains(r.Emergency, "CVE-2026-0001") {
		t.Fatalf("%v, %+v", err, r)
	}
	r.Approvals = []firmward.Approval{{Actor: "ben", At: at}}
	if err := rollout.Steer(&r, "resume", "", at); err != nil {
		t.Fatal(err)
	}
	if _, due := rollout.Gate(&r, count, at.Add(time.Minute)); due != at.Add(time.Hour) {
		t.Errorf("hastened, the soak ends %s", due)
	}
}

func TestChannels(t *testing.T) {
	c := rollout.Candidate{Device: firmward.Device{Model: "M1", Firmware: "1.0", Network: "n", Owner: "a"}, HasDriver: true}
	for channel, refused := range map[string]bool{"lts": false, "stable": true, "": true} {
		code, why := rollout.Refuse(firmward.Release{Models: []string{"M1"}, Hardware: []string{"*"}, Version: "2.0", Channel: channel}, firmward.RolloutPolicy{Name: "ot", Channels: []string{"lts"}}, c)
		if (code == rollout.RefuseChannel) != refused {
			t.Errorf("channel %q: %s %s", channel, code, why)
		}
	}
}
