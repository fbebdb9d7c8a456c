package rollout_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/rollout"
)

// looked gives a target in flight what a look found, and what became of it.
func looked(change func(*firmward.Rollout, *firmward.Target), seen rollout.Seen) (firmward.Rollout, firmward.Target) {
	r, t, able := flight()
	change(&r, &t)
	seen.Reachable, seen.SameDevice, seen.Version = true, true, "2.0"
	in := rollout.Input{Now: monday.Add(time.Minute), Rollout: &r, Target: &t, Abilities: able, Event: rollout.Event{Kind: rollout.Looked, Command: t.Command, Seen: seen}}
	rollout.Advance(&in, nil)
	return r, t
}

// TestBehind: each device behind one is known by its id, in any order, whatever it is called by now, and a service of that name is not taken for it.
func TestBehind(t *testing.T) {
	lamp := func(n int, ok bool) firmward.ServiceState {
		return firmward.ServiceState{Probe: fmt.Sprintf("lamp %d behind it", n), OK: ok, Behind: fmt.Sprint("d", n)}
	}
	video := firmward.ServiceState{Probe: "video", OK: true}
	renamed := lamp(2, true)
	renamed.Probe = "hall behind it"
	for name, tc := range map[string]struct {
		before, after []firmward.ServiceState
		want          string
	}{
		"all answer":           {[]firmward.ServiceState{video, lamp(1, true), lamp(2, true)}, []firmward.ServiceState{video, lamp(1, true), lamp(2, true)}, "succeeded runs 2.0, the same device, services and 2 devices behind it answer as before"},
		"in another order":     {[]firmward.ServiceState{video, lamp(1, true), lamp(2, true), lamp(3, true)}, []firmward.ServiceState{lamp(3, true), lamp(1, true), lamp(2, true), video}, "succeeded runs 2.0, the same device, services and 3 devices behind it answer as before"},
		"one under a new name": {[]firmward.ServiceState{lamp(1, true), lamp(2, true)}, []firmward.ServiceState{renamed, lamp(1, true)}, "succeeded runs 2.0, the same device, services and 2 devices behind it answer as before"},
		"one slept before":     {[]firmward.ServiceState{lamp(1, true), lamp(2, false)}, []firmward.ServiceState{lamp(1, true)}, "succeeded runs 2.0, the same device, services and 1 device behind it answer as before"},
		"one is silent":        {[]firmward.ServiceState{video, lamp(1, true), lamp(2, true)}, []firmward.ServiceState{video, lamp(1, true), lamp(2, false)}, "verifying new version; lamp 2 behind it does not answer yet"},
		"one was not asked":    {[]firmward.ServiceState{video, lamp(1, true), lamp(2, true)}, []firmward.ServiceState{video, lamp(2, true)}, "verifying new version; lamp 1 behind it does not answer yet"},
		"nobody was asked":     {[]firmward.ServiceState{lamp(1, true)}, nil, "verifying new version; lamp 1 behind it does not answer yet"},
		"a service of its name": {
			[]firmward.ServiceState{lamp(1, true)},
			[]firmward.ServiceState{{Probe: "lamp 1 behind it", OK: true}},
			"verifying new version; lamp 1 behind it does not answer yet",
		},
	} {
		_, g := looked(func(_ *firmward.Rollout, g *firmward.Target) { g.Baseline = tc.before }, rollout.Seen{Services: tc.after})
		if got := string(g.State) + " " + g.Why; got != tc.want {
			t.Errorf("%s: %s\nwant %s", name, got, tc.want)
		}
	}
	_, g := looked(func(_ *firmward.Rollout, g *firmward.Target) { g.Baseline, g.Unasked = services, 44 }, rollout.Seen{Services: services})
	if want := "runs 2.0, the same device, services answer as before; 44 more behind it were not asked, there are too many"; g.Why != want {
		t.Errorf("%s\nwant %s", g.Why, want)
	}
}

// TestStillOpen: what is open after an update is named and counted, in both directions until the look after the soak.
func TestStillOpen(t *testing.T) {
	all := []string{"CVE-1", "CVE-2", "CVE-3", "CVE-4", "CVE-5", "CVE-6"}
	r, g := looked(func(_ *firmward.Rollout, g *firmward.Target) { g.Closes = all }, rollout.Seen{Services: services, StillOpen: all[5:]})
	if want := "; closed: CVE-1, CVE-2, CVE-3 and 2 more; still open: CVE-6"; g.Code != rollout.StillOpen || !strings.HasSuffix(g.Why, want) || r.StillOpen != 1 || r.Streak != 0 || !slices.Equal(g.Closed(), all[:5]) {
		t.Errorf("%s %d %d: %s", g.Code, r.StillOpen, r.Streak, g.Why)
	}
	soaks := func(code string, counted int, open []string) (firmward.Rollout, firmward.Target) {
		return looked(func(r *firmward.Rollout, g *firmward.Target) {
			g.State, g.Closes, g.Code, r.StillOpen = firmward.TargetSucceeded, all[:1], code, counted
		}, rollout.Seen{Services: services, StillOpen: open})
	}
	for _, tc := range []struct {
		code    string
		counted int
		open    []string
		want    string
		count   int
	}{
		{"", 0, nil, "healthy after its soak; closed: CVE-1", 0},
		{"", 0, all[:1], "still-open healthy after its soak; still open: CVE-1", 1},
		{rollout.StillOpen, 1, all[:1], "still-open healthy after its soak; still open: CVE-1", 1},
		{rollout.StillOpen, 1, nil, "healthy after its soak; closed: CVE-1", 0},
	} {
		r, g := soaks(tc.code, tc.counted, tc.open)
		if got := strings.TrimSpace(g.Code + " " + g.Why); got != tc.want || r.StillOpen != tc.count {
			t.Errorf("%q, %v: %s, %d; want %s, %d", tc.code, tc.open, got, r.StillOpen, tc.want, tc.count)
		}
	}
	if r, g := soaks("already-installed", 0, all[:1]); g.Code != "already-installed" || r.StillOpen != 0 {
		t.Errorf("nothing was sent, and it counts: %s, %d", g.Code, r.StillOpen)
	}
}

// TestUnremedied: the gate does not open the next wave by itself, also where every other number is good, and forgets the wave that a person let pass.
func TestUnremedied(t *testing.T) {
	r, _, _ := flight()
	r.Policy.Confidence, r.Policy.WaveSoak, r.StillOpen, r.WaveOpen = 0, 0, 2, monday
	c := rollout.WaveCount{Ended: 20, Good: 20}
	rollout.Gate(&r, c, monday)
	if r.State != firmward.RolloutPaused || !r.Unsure || !strings.HasPrefix(r.Why, "inconclusive: on 2 devices of wave 1 that run the release something is still open") {
		t.Fatalf("%s %v: %s", r.State, r.Unsure, r.Why)
	}
	if err := rollout.Steer(&r, "resume", "", monday); firmward.CodeOf(err) != firmward.Invalid {
		t.Error(err)
	}
	if err := rollout.Steer(&r, "resume", "the record is wrong", monday); err != nil {
		t.Fatal(err)
	}
	rollout.Gate(&r, c, monday)
	if r.Wave != 2 || r.StillOpen != 0 {
		t.Errorf("wave %d, %d still open: %s", r.Wave, r.StillOpen, r.Why)
	}
	r.StillOpen = 1
	rollout.Gate(&r, c, monday)
	if r.State != firmward.RolloutFinished || !strings.HasSuffix(r.Why, "on 1 device of wave 2 that runs the release something is still open that it should have closed") {
		t.Errorf("%s: %s", r.State, r.Why)
	}
}

// TestManyBehind: hundreds behind one device cost no memory, and no more time than it takes to go through them.
func TestManyBehind(t *testing.T) {
	r, g, able := flight()
	g.State, g.Baseline = firmward.TargetSucceeded, slices.Clone(services)
	for i := range 256 {
		g.Baseline = append(g.Baseline, firmward.ServiceState{Probe: fmt.Sprint("lamp ", i), OK: true, Behind: fmt.Sprint("d", i)})
	}
	header, target := r, g
	in := rollout.Input{
		Now: monday.Add(time.Minute), Rollout: &r, Target: &g, Abilities: able,
		Event: rollout.Event{Kind: rollout.Looked, Command: g.Command, Seen: rollout.Seen{Reachable: true, SameDevice: true, Version: "2.0", Services: g.Baseline}},
	}
	out := make([]rollout.Command, 0, 1)
	if n := testing.AllocsPerRun(100, func() { r, g = header, target; out = rollout.Advance(&in, out[:0]) }); n > 0 || g.SoakedAt.IsZero() {
		t.Errorf("%.0f allocations; %s", n, g.Why)
	}
}
