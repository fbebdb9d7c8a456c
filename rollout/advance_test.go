package rollout_test

import (
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/rollout"
	"github.com/firmward/firmward/topology"
)

// FuzzAdvance feeds one target with any events in any order: two bytes each, kind and details. No
// order may panic, lose count, reuse a command id or send more than two images.
func FuzzAdvance(f *testing.F) {
	f.Add([]byte{1, 0, 2, 0x0f, 5, 0, 0, 9, 9, 0x07, 10, 0, 9, 0x07, 15, 3, 9, 0x07})
	f.Add([]byte{1, 0, 2, 0x0f, 14, 0, 9, 0x13, 9, 0x13, 0, 60, 1, 0, 2, 0x13, 14, 0})
	f.Add([]byte{1, 0, 2, 0x0f, 5, 0, 0, 9, 9, 0x57, 0, 9, 9, 0x57, 12, 0, 16, 0})
	f.Add([]byte{137, 0, 2, 0x03, 5, 0, 0, 90, 9, 0, 0, 90, 9, 0})
	f.Add([]byte{137, 0, 4, 0, 1, 0, 2, 0x0b, 1, 0, 2, 0x03})
	kinds := []rollout.Kind{
		rollout.Tick, rollout.Start, rollout.PreflightOK, rollout.PreflightRefused, rollout.PreflightFailed, rollout.Accepted,
		rollout.InstallRefused, rollout.NotSent, rollout.InstallUnknown, rollout.Looked, rollout.Committed, rollout.CommitFailed,
		rollout.Reverted, rollout.RevertFailed, rollout.Lost, rollout.SoakDue, rollout.Abandon,
	}
	f.Fuzz(func(t *testing.T, events []byte) {
		r := firmward.Rollout{ID: "ro", State: firmward.RolloutRunning, Waves: 2, Total: 1, Policy: usual}
		target := firmward.Target{RolloutID: "ro", DeviceID: "d", State: firmward.TargetPending, Want: "2.0", From: "1.0"}
		if len(events) > 0 && events[0] >= 128 { // with every limit that counts on events
			p := &r.Policy
			p.Confidence, p.SilenceCount, p.Inconclusive, p.FailureCount, p.Ramp = 95, new(0), new(0), new(1), firmward.Ramp{Start: 1, DoubleEvery: 1, Max: 4}
			p.Approvals, r.Wave, target.Wave = 1, 1, 1
		}
		now, seen, installs := monday, map[string]bool{}, 0
		for i := 0; i+1 < len(events) && i < 400; i += 2 {
			kind, bits := kinds[int(events[i])%len(kinds)], events[i+1]
			if kind == rollout.Tick || kind == rollout.SoakDue {
				now = now.Add(time.Duration(bits) * time.Minute)
			}
			ev := rollout.Event{Kind: kind, Why: "fuzz"}
			if kind != rollout.Tick && kind != rollout.Start && kind != rollout.SoakDue && kind != rollout.Abandon {
				ev.Command = target.Command
			}
			version := "1.0"
			if bits&4 != 0 {
				version = "2.0"
			}
			if bits&8 != 0 {
				version = "0.9"
			}
			ev.Seen = rollout.Seen{
				Reachable: bits&1 != 0, SameDevice: bits&2 != 0, Version: version, Busy: bits&16 != 0, Uncommitted: bits&32 != 0,
				FallsBackIn: time.Duration(bits) * time.Second, Services: []firmward.ServiceState{{Probe: "video", OK: bits&64 == 0}},
			}
			more := int(events[i]) / len(kinds) // what the look finds behind the device, and of what the release was to close
			ev.Seen.Services = append(ev.Seen.Services, firmward.ServiceState{Probe: "a lamp behind it", OK: more&1 == 0, Behind: "lamp"})
			ev.Seen.Closes = []string{"CVE-1"}[:more>>1&1]
			ev.Seen.StillOpen = target.Closes[:len(target.Closes)*(more>>2&1)]
			was := target
			commands := rollout.Advance(&rollout.Input{
				Now: now, Rollout: &r, Target: &target, Event: ev,
				Abilities: rollout.Abilities{Settle: 5 * time.Minute, CanRevert: bits&128 != 0},
			}, nil)
			for _, c := range commands {
				if seen[c.ID] || c.ID != target.Command {
					t.Fatalf("command %q was issued before or is not the target's %q", c.ID, target.Command)
				}
				seen[c.ID] = true
				if c.Verb == rollout.DoInstall {
					installs++
				}
			}
			flying, ended := 0, 0
			if target.State.InFlight() {
				flying = 1
			}
			switch target.State {
			case firmward.TargetSucceeded, firmward.TargetFailed, firmward.TargetRolledBack:
				ended = 1
			}
			if r.InFlight != flying || r.Started != flying+ended || r.Succeeded+r.Failed != ended || len(commands) > 1 || r.Silent > r.Failed || r.Streak < 0 || r.Failed > 0 && r.Streak > 0 {
				t.Fatalf("%s by %s: started %d succeeded %d failed %d in flight %d, %d commands", target.State, kind, r.Started, r.Succeeded, r.Failed, r.InFlight, len(commands))
			}
			if open := len(target.StillOpen); target.State == firmward.TargetSucceeded && r.StillOpen != open || target.State != firmward.TargetSucceeded && r.StillOpen != 0 || (target.Code == rollout.StillOpen) != (r.StillOpen > 0) {
				t.Fatalf("%s (%s) by %s: %v still open, the header counts %d", target.State, target.Code, kind, target.StillOpen, r.StillOpen)
			}
			if was.State.Final() && was.State != firmward.TargetSucceeded && !gocmp.Equal(was, target) {
				t.Fatalf("a final target changed: %s", gocmp.Diff(was, target))
			}
			if target.State.InFlight() && target.NextDue.IsZero() {
				t.Fatalf("%s waits for ever", target.State)
			}
			// Answered twice: nothing changes.
			if ev.Command != "" {
				before, header := target, r
				if again := rollout.Advance(&rollout.Input{Now: now, Rollout: &r, Target: &target, Event: ev}, nil); len(again) > 0 || !gocmp.Equal(before, target) || !gocmp.Equal(header, r) {
					t.Fatalf("the same answer %s changed %s", kind, gocmp.Diff(before, target))
				}
			}
		}
		if installs > 2 && r.State != firmward.RolloutPaused {
			t.Fatalf("%d images were sent", installs)
		}
	})
}

// TestAsleep shows that firmward does not blame a device for its own sleep: whoever wakes after the
// deadline looks once before it judges.
func TestAsleep(t *testing.T) {
	r := firmward.Rollout{ID: "ro", State: firmward.RolloutRunning, Waves: 1, Policy: usual, Started: 1, InFlight: 1}
	target := firmward.Target{
		RolloutID: "ro", DeviceID: "d", State: firmward.TargetSettling, Want: "2.0", Seq: 2, Command: "ro.d.2", Answered: true,
		Deadline: monday.Add(30 * time.Minute), NextDue: monday.Add(5 * time.Minute),
	}
	in := rollout.Input{Now: monday.AddDate(0, 0, 3), Rollout: &r, Target: &target, Event: rollout.Event{Kind: rollout.Tick}}
	if cmds := rollout.Advance(&in, nil); len(cmds) != 1 || cmds[0].Verb != rollout.DoLook {
		t.Fatalf("%v, %s %s; want a look", cmds, target.State, target.Why)
	}
	in.Event = rollout.Event{Kind: rollout.Looked, Command: target.Command, Seen: rollout.Seen{Reachable: true, SameDevice: true, Version: "2.0"}}
	rollout.Advance(&in, nil)
	if target.State != firmward.TargetSucceeded {
		t.Errorf("%s: %s", target.State, target.Why)
	}
}

func TestSteerAroundStaging(t *testing.T) {
	for staging, want := range map[string]firmward.RolloutState{"running": firmward.RolloutAwaiting, "passed": firmward.RolloutRunning, "failed": firmward.RolloutPaused} {
		r := firmward.Rollout{ID: "ro", Author: "anna", State: firmward.RolloutPaused, Staging: staging, Policy: usual}
		err := rollout.Steer(&r, "resume", "go on", monday)
		if r.State != want || (err != nil) != (staging == "failed") {
			t.Errorf("staging %s: %s, %v; want %s", staging, r.State, err, want)
		}
	}
	r := firmward.Rollout{State: firmward.RolloutFinished}
	for _, order := range []string{"start", "pause", "resume", "stop"} {
		if err := rollout.Steer(&r, order, "why", monday); firmward.CodeOf(err) != firmward.Conflict {
			t.Errorf("%s a finished rollout: %v", order, err)
		}
	}
	if err := rollout.Steer(&r, "dance", "", monday); firmward.CodeOf(err) != firmward.Invalid {
		t.Errorf("dance: %v", err)
	}
}

func TestPickBehindBusyGateway(t *testing.T) {
	topo := topology.New([]firmward.Relation{{From: "leaf", To: "gw", Kind: firmward.Behind}})
	r := firmward.Rollout{State: firmward.RolloutRunning, Policy: usual}
	slot := func(id string) rollout.Slot {
		return rollout.Slot{Target: firmward.Target{DeviceID: id}, Candidate: rollout.Candidate{Device: firmward.Device{ID: id}}, Local: monday}
	}
	for _, tc := range []struct{ pick, busy string }{{"leaf", "gw"}, {"gw", "leaf"}} {
		picks, not := rollout.Pick(&r, []rollout.Slot{slot(tc.pick)}, rollout.Claims{Device: map[string]string{tc.busy: "other"}}, topo, false)
		if len(picks) != 0 || len(not) != 1 || not[0].Code != "depends" {
			t.Errorf("%s while %s is busy: %v %v", tc.pick, tc.busy, picks, not)
		}
	}
}

func TestRefuse(t *testing.T) {
	rel := firmward.Release{Family: "f", Models: []string{"M1"}, Hardware: []string{"h1"}, Version: "2.0", MinFrom: "1.0"}
	p := firmward.RolloutPolicy{HoldCore: true, RequireOwner: true, RequireStaged: true}
	good := rollout.Candidate{
		Device:    firmward.Device{ID: "d", Model: "M1", Hardware: "h1", Firmware: "1.5", Network: "n", Owner: "anna"},
		HasDriver: true, Staging: firmward.StagingVerdict{Result: "passed"},
	}
	if code, why := rollout.Refuse(rel, p, good); code != "" {
		t.Fatalf("%s: %s", code, why)
	}
	for want, change := range map[string]func(c *rollout.Candidate, r *firmward.Release){
		rollout.RefuseRetired:   func(c *rollout.Candidate, _ *firmward.Release) { c.Device.Retired = true },
		rollout.RefuseWithdrawn: func(_ *rollout.Candidate, r *firmward.Release) { r.Withdrawn = monday },
		rollout.RefuseModel:     func(c *rollout.Candidate, _ *firmward.Release) { c.Device.Model = "M2" },
		rollout.RefuseHardware:  func(c *rollout.Candidate, _ *firmward.Release) { c.Device.Hardware = "" },
		rollout.RefuseCore:      func(c *rollout.Candidate, _ *firmward.Release) { c.Device.Class = firmward.ClassSwitch },
		rollout.RefuseVendor:    func(c *rollout.Candidate, _ *firmward.Release) { c.Model.MayPatch.Value = firmward.VendorMayPatch },
		rollout.RefuseSpare:     func(c *rollout.Candidate, _ *firmward.Release) { c.Device.Spare = true },
		rollout.RefuseDriver:    func(c *rollout.Candidate, _ *firmward.Release) { c.HasDriver = false },
		rollout.RefuseUnseen:    func(c *rollout.Candidate, _ *firmward.Release) { c.Device.Network = "" },
		rollout.RefuseOwner:     func(c *rollout.Candidate, _ *firmward.Release) { c.Device.Owner = "" },
		rollout.RefuseDeferred:  func(c *rollout.Candidate, _ *firmward.Release) { c.Deferred = "exam week" },
		rollout.RefuseStaging:   func(c *rollout.Candidate, _ *firmward.Release) { c.Staging.Result = "failed" },
		rollout.RefuseUnstaged:  func(c *rollout.Candidate, _ *firmward.Release) { c.Staging.Result = "not-staged" },
		rollout.RefuseVersion:   func(c *rollout.Candidate, _ *firmward.Release) { c.Device.Firmware = "" },
		rollout.RefuseCurrent:   func(c *rollout.Candidate, _ *firmward.Release) { c.Device.Firmware = "2.0" },
		rollout.RefusePath:      func(c *rollout.Candidate, _ *firmward.Release) { c.Device.Firmware = "0.9" },
	} {
		c, r := good, rel
		change(&c, &r)
		if code, why := rollout.Refuse(r, p, c); code != want || why == "" {
			t.Errorf("got %q (%s), want %s", code, why, want)
		}
	}
}

// TestOtherPolicy: the limits that somebody wrote for a device hold whatever the plan says.
func TestOtherPolicy(t *testing.T) {
	rel := firmward.Release{Family: "f", Models: []string{"M1"}, Hardware: []string{"*"}, Version: "2.0"}
	home := rollout.Candidate{Device: firmward.Device{ID: "a", Name: "a", Model: "M1", Firmware: "1.0", Network: "n"}, HasDriver: true}
	ward := home
	ward.Device.ID, ward.Policy = "b", "clinical"
	targets, refused := rollout.Plan(rel, usual, []rollout.Candidate{ward, home})
	if len(targets) != 1 || targets[0].DeviceID != "a" || len(refused) != 1 || refused[0].Code != rollout.RefusePolicy || !strings.Contains(refused[0].Why, "--policy clinical") {
		t.Errorf("%v %v", targets, refused)
	}
}

func TestUnknownRollbackNeverEntersWaveTwo(t *testing.T) {
	rel := firmward.Release{Family: "f", Models: []string{"M1"}, Hardware: []string{"*"}, Version: "2.0"}
	var cands []rollout.Candidate
	for _, id := range []string{"a", "b"} {
		cands = append(cands, rollout.Candidate{Device: firmward.Device{ID: id, Name: id, Model: "M1", Firmware: "1.0", Network: "n"}, HasDriver: true})
	}
	targets, refused := rollout.Plan(rel, usual, cands)
	if len(targets) != 1 || targets[0].Wave != 0 || len(refused) != 1 || refused[0].Code != rollout.RefuseRollback {
		t.Errorf("%v %v", targets, refused)
	}
}
