package rollout_test

import (
	"strings"
	"testing"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/rollout"
)

func TestBelow(t *testing.T) {
	p := firmward.RolloutPolicy{Name: "home", MinBattery: 30, MinSignal: -80}
	for name, tc := range map[string]struct {
		says      firmward.Vitals
		code, why string
	}{
		"nothing":              {firmward.Vitals{}, "", ""},
		"just enough":          {firmward.Vitals{Battery: new(30), Signal: new(-80)}, "", ""},
		"low":                  {firmward.Vitals{Battery: new(22)}, "battery", "battery at 22 %, policy home wants 30 %: charge it or wait"},
		"empty":                {firmward.Vitals{Battery: new(0), Signal: new(-90)}, "battery", "battery at 0 %, policy home wants 30 %: charge it or wait"},
		"low on a cable":       {firmward.Vitals{Battery: new(22), External: true}, "", ""},
		"weak":                 {firmward.Vitals{Battery: new(90), Signal: new(-81)}, "signal", "signal at -81 dBm, policy home wants -80 dBm: bring its access point nearer or wait"},
		"weak, power is there": {firmward.Vitals{External: true, Signal: new(-95)}, "signal", "signal at -95 dBm, policy home wants -80 dBm: bring its access point nearer or wait"},
	} {
		if code, why := rollout.Below(&p, tc.says); code != tc.code || why != tc.why {
			t.Errorf("%s: %q %q", name, code, why)
		}
	}
	if code, _ := rollout.Below(&firmward.RolloutPolicy{}, firmward.Vitals{Battery: new(1), Signal: new(-99)}); code != "" {
		t.Errorf("no limit, and %s", code)
	}
	good := firmward.Vitals{Battery: new(80), Signal: new(-60)}
	if n := testing.AllocsPerRun(100, func() { rollout.Below(&p, good) }); n > 0 {
		t.Errorf("a device that has enough costs %.0f allocations", n)
	}
}

// TestLowTarget: a target goes back to its place, rests longer and longer, and ends in time; one whose image was lost before ends as a failure.
func TestLowTarget(t *testing.T) {
	r := firmward.Rollout{ID: "ro", State: firmward.RolloutRunning, Waves: 1, Total: 1, Policy: usual}
	r.Policy.MinBattery, r.Policy.LowFor = 30, 20*time.Hour
	target := firmward.Target{RolloutID: "ro", DeviceID: "a", State: firmward.TargetPending, From: "1.0", Want: "2.0"}
	now := monday
	low := rollout.Event{Kind: rollout.PreflightOK, Seen: rollout.Seen{Reachable: true, SameDevice: true, Version: "1.0", Vitals: firmward.Vitals{Battery: new(22)}}}
	ask := func(ev rollout.Event) []rollout.Command {
		in := rollout.Input{Now: now, Rollout: &r, Target: &target, Event: rollout.Event{Kind: rollout.Start}}
		rollout.Advance(&in, nil)
		ev.Command = target.Command
		in.Event = ev
		return rollout.Advance(&in, nil)
	}
	var rests []time.Duration
	for range 20 {
		if out := ask(low); len(out) > 0 {
			t.Fatalf("%v", out)
		}
		if target.State != firmward.TargetPending {
			break
		}
		if r.Started != 0 || r.InFlight != 0 || target.Code != "battery" {
			t.Fatalf("%+v %+v", r, target)
		}
		rests = append(rests, target.NextDue.Sub(now))
		now = target.NextDue
	}
	want := []time.Duration{30 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 4 * time.Hour, 8 * time.Hour, 4 * time.Hour}
	if len(rests) != len(want) {
		t.Fatalf("%v, want %v", rests, want)
	}
	for i := range want {
		if rests[i] != want[i] {
			t.Errorf("rest %d: %s, want %s", i, rests[i], want[i])
		}
	}
	if target.State != firmward.TargetSkipped || !strings.Contains(target.Why, "battery at 22 %, policy usual wants 30 %") || !strings.Contains(target.Why, "20h") || r.Inconclusive != 1 || r.Failed != 0 {
		t.Errorf("%+v %+v", target, r)
	}

	target = firmward.Target{RolloutID: "ro", DeviceID: "a", State: firmward.TargetPending, From: "1.0", Want: "2.0", Attempt: 1, LowSince: now.Add(-21 * time.Hour), Wave: 1}
	r.Failed, r.Policy.FailureFloor = 0, 5
	if ask(low); target.State != firmward.TargetFailed || r.Failed != 1 {
		t.Errorf("after a lost installation: %+v", target)
	}

	target = firmward.Target{RolloutID: "ro", DeviceID: "a", State: firmward.TargetPending, From: "1.0", Want: "2.0", LowSince: now.Add(-time.Hour)}
	low.Seen.Vitals.External = true
	if out := ask(low); len(out) != 1 || out[0].Verb != rollout.DoInstall || !target.LowSince.IsZero() {
		t.Errorf("on external power: %v %+v", out, target)
	}
}
