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

var daily = firmward.WindowRule{RRule: "FREQ=DAILY", Start: 2 * 60, Duration: time.Hour}

// TestPickHours: what holds a device back for its time, and by when the image of one that starts must be on its way.
func TestPickHours(t *testing.T) {
	model := firmward.Model{Outage: firmward.Fact{Value: "20"}}
	for _, tc := range []struct {
		at      string
		change  func(r *firmward.Rollout, s *rollout.Slot)
		code    string
		why     string // or the time by which the image must be on its way
		startBy string
	}{
		{at: "02:00", startBy: "02:25"}, // an hour, less 20 minutes dark and 15 to be committed
		{at: "02:20", startBy: "02:25"},
		{at: "02:21", code: "window", why: "the window closes at 2026-03-02 03:00 UTC and it needs 40m (5m to be asked, 20m dark, 15m to be verified and committed): 1m are missing"},
		{at: "02:10", change: func(_ *firmward.Rollout, s *rollout.Slot) {
			s.Candidate.Device.Zone, s.Candidate.Device.Released = firmward.ZonePlant, firmward.Span{From: monday, To: monday.Add(2*time.Hour + 45*time.Minute)}
		}, code: "not-released", why: "its owner's release ends at 2026-03-02 02:45 UTC and it needs 40m (5m to be asked, 20m dark, 15m to be verified and committed): 5m are missing"},
		{at: "02:00", change: func(r *firmward.Rollout, s *rollout.Slot) {
			r.Policy.Windows = nil
			s.Candidate.Device.Zone, s.Candidate.Device.Released = firmward.ZonePlant, firmward.Span{From: monday, To: monday.Add(2*time.Hour + 45*time.Minute)}
		}, startBy: "02:10"},
		{at: "03:00", code: "window", why: "waits for the maintenance window at 2026-03-03 02:00 UTC"},
		{at: "02:00", change: func(r *firmward.Rollout, _ *rollout.Slot) { r.Policy.Windows[0].RRule += ";UNTIL=20260301" }, code: "window", why: "never opens any more"},
		{at: "02:00", change: func(r *firmward.Rollout, _ *rollout.Slot) { r.Policy.Windows[0].RRule = "FREQ=NEVER" }, code: "window", why: "cannot be read"},
		{at: "02:00", change: func(r *firmward.Rollout, _ *rollout.Slot) { r.Policy.Windows = nil }, startBy: ""},
		{at: "02:00", change: func(_ *firmward.Rollout, s *rollout.Slot) {
			s.Freezes = []firmward.Freeze{{Name: "f", From: "2026-03-02T02:30", To: "2026-03-02"}}
		}, code: "freeze", why: "freeze f begins at 2026-03-02 02:30 UTC and it needs 40m (5m to be asked, 20m dark, 15m to be verified and committed): 10m are missing"},
		{at: "02:00", change: func(_ *firmward.Rollout, s *rollout.Slot) { s.Freezes = []firmward.Freeze{{Name: "f", From: "soon"}} }, code: "freeze", why: "freeze f of the site"},
		{at: "12:00", change: func(r *firmward.Rollout, _ *rollout.Slot) { // a freeze goes before a closed window
			r.Policy.Freezes = []firmward.Freeze{{Name: "f", From: "2026-03-01", To: "2026-03-05", Why: "books"}}
		}, code: "freeze", why: "frozen until 2026-03-06 00:00 UTC by f of policy p: books"},
		{at: "02:00", change: func(r *firmward.Rollout, s *rollout.Slot) {
			r.Emergency = "exploited"
			s.Freezes = []firmward.Freeze{{Name: "f", From: "2026-03-01", To: "2026-03-05", By: "carl"}}
		}, code: "freeze", why: "frozen until 2026-03-06 00:00 UTC by f, which carl set for the site; the rollout is hastened, and that lifts no freeze: a person has to (firmward sites unfreeze)"},
	} {
		at, err := time.Parse("2006-01-02 15:04", "2026-03-02 "+tc.at)
		if err != nil {
			t.Fatal(err)
		}
		r := firmward.Rollout{State: firmward.RolloutRunning, Policy: usual}
		r.Policy.Name, r.Policy.Windows = "p", []firmward.WindowRule{daily}
		s := rollout.Slot{Target: firmward.Target{DeviceID: "d"}, Candidate: rollout.Candidate{Device: firmward.Device{ID: "d"}, Model: model}, Local: at}
		if tc.change != nil {
			tc.change(&r, &s)
		}
		picks, not := rollout.Pick(&r, []rollout.Slot{s}, rollout.Claims{}, topology.Map{}, false)
		switch {
		case tc.code != "" && (len(not) != 1 || not[0].Code != tc.code || !strings.Contains(not[0].Why, tc.why)):
			t.Errorf("%s: %+v, want %s: %s", tc.at, not, tc.code, tc.why)
		case tc.code != "":
		case len(picks) != 1:
			t.Errorf("%s: %+v, want a start", tc.at, not)
		case tc.startBy == "" && !picks[0].StartBy.IsZero() || tc.startBy != "" && picks[0].StartBy.Format("15:04") != tc.startBy:
			t.Errorf("%s: image by %s, want %s", tc.at, picks[0].StartBy, tc.startBy)
		}
	}
}

// TestLateImage: the answer before the start comes when the rest of the window is too short, or the shell finds it so just
// before it sends. The device goes back to its place in the queue; nothing counts as started.
func TestLateImage(t *testing.T) {
	startBy := monday.Add(10 * time.Minute)
	begin := func() (*rollout.Input, *firmward.Target, *firmward.Rollout) {
		r := &firmward.Rollout{ID: "r", State: firmward.RolloutRunning, Policy: usual}
		target := &firmward.Target{RolloutID: "r", DeviceID: "d", State: firmward.TargetPending, From: "1.0", Want: "2.0"}
		in := &rollout.Input{Now: monday, Rollout: r, Target: target, Event: rollout.Event{Kind: rollout.Start, StartBy: startBy}}
		rollout.Advance(in, nil)
		return in, target, r
	}
	in, target, r := begin()
	in.Now, in.Event = startBy.Add(time.Second), rollout.Event{Kind: rollout.PreflightOK, Command: target.Command, Seen: rollout.Seen{Version: "1.0"}}
	if out := rollout.Advance(in, nil); len(out) != 0 || target.State != firmward.TargetPending || target.Code != rollout.RefuseWindow || r.Started != 0 || r.InFlight != 0 {
		t.Errorf("%v: %+v", out, target)
	}
	for _, code := range []string{rollout.RefuseWindow, rollout.RefuseFreeze} {
		in, target, r = begin()
		in.Event = rollout.Event{Kind: rollout.PreflightOK, Command: target.Command, Seen: rollout.Seen{Version: "1.0"}}
		if out := rollout.Advance(in, nil); len(out) != 1 || out[0].Verb != rollout.DoInstall || rollout.TooLate(*target, startBy) || !rollout.TooLate(*target, startBy.Add(1)) {
			t.Fatalf("%v: %+v", out, target)
		}
		in.Event = rollout.Event{Kind: rollout.NotSent, Command: target.Command, Code: code, Why: "held back"}
		rollout.Advance(in, nil)
		if target.State != firmward.TargetPending || target.Code != code || target.Attempt != 0 || r.Started != 0 {
			t.Errorf("%s: %+v", code, target)
		}
	}
}

// TestPlanTooShort: a device that no window could hold is refused in the plan and does not wait for ever.
func TestPlanTooShort(t *testing.T) {
	rel := firmward.Release{Family: "f", Models: []string{"M1"}, Hardware: []string{"*"}, Version: "2.0"}
	p := usual
	p.Windows = []firmward.WindowRule{daily}
	for outage, want := range map[string]string{"40": "", "41": rollout.RefuseShort} {
		c := rollout.Candidate{
			Device: firmward.Device{ID: "a", Name: "a", Model: "M1", Firmware: "1.0", Network: "n"}, HasDriver: true,
			Model: firmward.Model{Outage: firmward.Fact{Value: outage}},
		}
		targets, refused := rollout.Plan(rel, p, []rollout.Candidate{c})
		if want == "" && len(targets) != 1 || want != "" && (len(refused) != 1 || refused[0].Code != want || !strings.Contains(refused[0].Why, "lengthen the window by 1m")) {
			t.Errorf("outage %s: %v %v", outage, targets, refused)
		}
	}
	p.Windows[0].RRule += ";UNTIL=20260301"
	if err := rollout.Ahead(p, monday.AddDate(0, 0, 1)); firmward.CodeOf(err) != firmward.Refused || !strings.Contains(err.Error(), "opens after 2026-03-03") {
		t.Errorf("planned with a window that is past: %v", err)
	}
	if err := rollout.Ahead(usual, monday); err != nil {
		t.Error(err)
	}
}

// BenchmarkPickHours weighs a page of 1,000 devices of ten sites by a rule and a freeze.
func BenchmarkPickHours(b *testing.B) {
	r := firmward.Rollout{State: firmward.RolloutRunning, Policy: usual}
	r.Policy.Windows = []firmward.WindowRule{{RRule: "FREQ=MONTHLY;BYDAY=2TU", Start: 2 * 60, Duration: time.Hour}}
	r.Policy.Freezes = []firmward.Freeze{{Name: "f", From: "2025-12-20", To: "2026-01-06", Yearly: true}}
	slots := make([]rollout.Slot, 1000)
	for i := range slots {
		id, site := fmt.Sprint("d", i), fmt.Sprint("s", i%10)
		slots[i] = rollout.Slot{Target: firmward.Target{DeviceID: id}, Candidate: rollout.Candidate{Device: firmward.Device{ID: id, Site: site}}, Local: monday}
	}
	for b.Loop() {
		if picks, _ := rollout.Pick(&r, slots, rollout.Claims{}, topology.Map{}, false); len(picks) != 0 {
			b.Fatal("a device starts outside its window")
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(slots)), "ns/device")
}
