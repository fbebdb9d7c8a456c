package rollout_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/rollout"
	"github.com/firmward/firmward/topology"
)

var services = []firmward.ServiceState{{Probe: "video", OK: true}, {Probe: "web", OK: true}}

// flight is a target that was told to update and is looked at.
func flight() (firmward.Rollout, firmward.Target, rollout.Abilities) {
	p := usual
	p.Confidence, p.Ramp, p.PerSite, p.SilenceCount = 95, firmward.Ramp{Start: 1, DoubleEvery: 2, Max: 8}, 2, new(3)
	p.MinBattery, p.MinSignal, p.LowFor = 30, -85, time.Hour
	r := firmward.Rollout{ID: "ro-0123456789ab", State: firmward.RolloutRunning, Wave: 1, Waves: 3, Total: 1000, Started: 500, InFlight: 8, Succeeded: 490, Failed: 2, Policy: p}
	t := firmward.Target{
		RolloutID: r.ID, DeviceID: "d-0123456789ab", Wave: 1, State: firmward.TargetVerifying, Want: "2.0", From: "1.0", Seq: 3, Command: "ro-0123456789ab.d-0123456789ab.3",
		Baseline: services, AcceptedAt: monday, Deadline: monday.Add(time.Hour), NextDue: monday.Add(time.Hour),
	}
	return r, t, rollout.Abilities{Settle: 5 * time.Minute}
}

// BenchmarkAdvance measures one event in steady state: what happens most in a large rollout. Nothing may be allocated but what is new:
// the id of a command, or a sentence that was not said before.
func BenchmarkAdvance(b *testing.B) {
	for _, tc := range []struct {
		name  string
		event rollout.Event
		state firmward.TargetState
	}{
		{"tick-early", rollout.Event{Kind: rollout.Tick}, firmward.TargetVerifying},
		{"silent-so-far", rollout.Event{Kind: rollout.Looked}, firmward.TargetVerifying},
		{"late-answer", rollout.Event{Kind: rollout.Looked, Command: "ro-0123456789ab.d-0123456789ab.2"}, firmward.TargetVerifying},
		{"accepted", rollout.Event{Kind: rollout.Accepted}, firmward.TargetInstalling},
		{"soaked", rollout.Event{Kind: rollout.Looked, Seen: rollout.Seen{Reachable: true, SameDevice: true, Version: "2.0", Services: services}}, firmward.TargetSucceeded},
		{"look-is-due", rollout.Event{Kind: rollout.Tick}, firmward.TargetSettling},
		{"succeeded", rollout.Event{Kind: rollout.Looked, Seen: rollout.Seen{Reachable: true, SameDevice: true, Version: "2.0", Services: services}}, firmward.TargetVerifying},
		{"refused", rollout.Event{Kind: rollout.InstallRefused, Why: "no"}, firmward.TargetInstalling},
	} {
		b.Run(tc.name, func(b *testing.B) {
			header, target, abilities := flight()
			target.State = tc.state
			if tc.name == "look-is-due" {
				target.NextDue = monday
			}
			if tc.event.Kind != rollout.Tick && tc.event.Command == "" {
				tc.event.Command = target.Command
			}
			r, t, out := header, target, make([]rollout.Command, 0, 4)
			in := rollout.Input{Now: monday.Add(time.Minute), Rollout: &r, Target: &t, Abilities: abilities, Event: tc.event}
			b.ReportAllocs()
			for b.Loop() {
				r, t = header, target
				out = rollout.Advance(&in, out[:0])
			}
		})
	}
}

// TestAdvanceAllocatesNothing: events that wait, repeat or only confirm cost no memory.
func TestAdvanceAllocatesNothing(t *testing.T) {
	for _, tc := range []struct {
		event rollout.Event
		state firmward.TargetState
	}{
		{rollout.Event{Kind: rollout.Tick}, firmward.TargetVerifying},
		{rollout.Event{Kind: rollout.Looked}, firmward.TargetVerifying},
		{rollout.Event{Kind: rollout.Accepted}, firmward.TargetInstalling},
		{rollout.Event{Kind: rollout.Looked, Seen: rollout.Seen{Reachable: true, SameDevice: true, Version: "2.0", Services: services}}, firmward.TargetSucceeded},
	} {
		header, target, abilities := flight()
		target.State = tc.state
		if tc.event.Kind != rollout.Tick {
			tc.event.Command = target.Command
		}
		r, g, out := header, target, make([]rollout.Command, 0, 4)
		in := rollout.Input{Now: monday.Add(time.Minute), Rollout: &r, Target: &g, Abilities: abilities, Event: tc.event}
		if n := testing.AllocsPerRun(100, func() {
			r, g = header, target
			out = rollout.Advance(&in, out[:0])
		}); n > 0 {
			t.Errorf("%s in %s: %.0f allocations", tc.event.Kind, tc.state, n)
		}
	}
}

// BenchmarkPick chooses among a page of 1,000 that wait at gateways of 50, while 5,000 other devices are being changed.
func BenchmarkPick(b *testing.B) {
	var relations []firmward.Relation
	claims := rollout.Claims{Device: map[string]string{}, Site: map[string]int{}, Domain: map[string]int{}}
	id := func(i int) string { return fmt.Sprintf("device-%06d", i) }
	for i := range 100_000 {
		if i%50 > 0 {
			relations = append(relations, firmward.Relation{From: id(i), To: id(i - i%50), Kind: firmward.Behind})
		}
	}
	topo := topology.New(relations)
	slots := make([]rollout.Slot, 1000)
	for i := range slots {
		slots[i] = rollout.Slot{Target: firmward.Target{DeviceID: id(i * 10)}, Candidate: rollout.Candidate{Device: firmward.Device{ID: id(i * 10), Site: fmt.Sprint(i / 20)}}, Local: monday}
	}
	for i := range 5000 {
		claims.Device[id(50_000+i*10)] = "ro"
	}
	p := usual
	p.MaxInFlight, p.PerDomain, p.PerSite = 5100, 2, 5
	r := firmward.Rollout{State: firmward.RolloutRunning, Wave: 1, InFlight: 5000, Policy: p}
	b.ReportAllocs()
	for b.Loop() {
		picks, not := rollout.Pick(&r, slots, claims, topo, false)
		if len(picks) != 100 || len(not) != 900 {
			b.Fatal(len(picks), len(not))
		}
	}
}
