package rollout_test

import (
	"strings"
	"testing"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/rollout"
	"github.com/firmward/firmward/topology"
)

func TestHoldBack(t *testing.T) {
	const day = 24 * time.Hour
	published := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	in := func(field, value string) firmward.Filter {
		return firmward.Filter{Op: firmward.FilterIn, Field: field, Values: []string{value}}
	}
	p := firmward.RolloutPolicy{Name: "house", HoldBacks: []firmward.HoldBack{
		{Select: in("class", "router"), Source: `class == "router"`, Wait: 14 * day, Exploited: new(2 * day), Release: true},
		{Select: in("zone", "clinical"), Source: `zone == "clinical"`, Wait: 30 * day, Exploited: new(day)},
		{Select: in("class", "infusion-pump"), Source: `class == "infusion-pump"`, Wait: 30 * day, Exploited: new(day)},
		{Select: in("class", "camera"), Source: `class == "camera"`, Wait: 7 * day},
	}}
	rel := firmward.Release{Published: published}
	for _, tt := range []struct {
		name      string
		d         firmward.Device
		rel       firmward.Release
		exploited []string
		wait      int // days
		release   bool
		hurried   string
	}{
		{"nothing is held back", firmward.Device{Class: firmward.ClassPlug}, rel, nil, 0, false, ""},
		{"a router", firmward.Device{Class: firmward.ClassRouter}, rel, nil, 14, true, ""},
		{"exploited", firmward.Device{Class: firmward.ClassRouter}, rel, []string{"CVE-2026-1", "CVE-2026-2"}, 2, true, "it waited 2 days in place of 14 days, because attackers use CVE-2026-1, CVE-2026-2"},
		{"exploited, in clinical use", firmward.Device{Zone: firmward.ZoneClinical}, rel, []string{"CVE-2026-1"}, 30, false, ""},
		{"exploited, keeps people alive", firmward.Device{Class: firmward.ClassInfusionPump}, rel, []string{"CVE-2026-1"}, 30, false, ""},
		{"exploited, and no rule for that", firmward.Device{Class: firmward.ClassCamera}, rel, []string{"CVE-2026-1"}, 7, false, ""},
		{"nobody knows when it was published", firmward.Device{Class: firmward.ClassCamera}, firmward.Release{At: published}, nil, 7, false, ""},
	} {
		got := rollout.HoldBack(tt.rel, p, tt.d, tt.exploited)
		want := published.Add(time.Duration(tt.wait) * day)
		if tt.wait == 0 {
			want = time.Time{}
		}
		if !got.Until.Equal(want) || got.Release != tt.release || got.Hurried != tt.hurried {
			t.Errorf("%s: %+v, want until %s", tt.name, got, want)
		}
	}
}

// TestHeldBackIsPicked: one that is held back waits, and starts when its time and its owner's word have come; the reason why it waited less is kept.
func TestHeldBackIsPicked(t *testing.T) {
	until := time.Date(2026, 3, 16, 9, 0, 0, 0, time.UTC)
	r := &firmward.Rollout{State: firmward.RolloutRunning, Policy: firmward.RolloutPolicy{Name: "house", MaxInFlight: 1, Window: firmward.Window{}}}
	held := rollout.Held{Until: until, Why: "policy house lets releases mature", Release: true, Hurried: "because it is being exploited"}
	ask := func(at time.Time, word firmward.Span) ([]rollout.Slot, []rollout.Refusal) {
		d := firmward.Device{ID: "r", Released: word}
		return rollout.Pick(r, []rollout.Slot{{Target: firmward.Target{DeviceID: "r", State: firmward.TargetPending}, Candidate: rollout.Candidate{Device: d, Held: held}, Local: at}}, rollout.Claims{}, topology.Map{}, false)
	}
	word := firmward.Span{From: until.Add(-time.Hour), To: until.Add(8 * time.Hour)}
	if _, no := ask(until.Add(-time.Minute), word); len(no) != 1 || no[0].Code != rollout.RefuseHeld || no[0].Why != "held back until 2026-03-16 09:00 UTC: policy house lets releases mature" {
		t.Errorf("before its time: %+v", no)
	}
	if _, no := ask(until, firmward.Span{}); len(no) != 1 || no[0].Code != rollout.RefuseUnreleased || !strings.HasPrefix(no[0].Why, "policy house wants a person's word") {
		t.Errorf("without a word: %+v", no)
	}
	if _, no := ask(word.To.Add(-time.Minute), word); len(no) != 1 || no[0].Code != rollout.RefuseUnreleased {
		t.Errorf("so late that the word ends before it is back: %+v", no)
	}
	picks, no := ask(until, word)
	if len(picks) != 1 {
		t.Fatalf("not picked: %+v", no)
	}
	target := picks[0].Target
	in := rollout.Input{Now: until, Rollout: r, Target: &target, Event: rollout.Begin(picks[0])}
	if rollout.Advance(&in, nil); target.State != firmward.TargetClaimed || target.Why != "asking the device before anything is sent; because it is being exploited" {
		t.Errorf("%s: %s", target.State, target.Why)
	}
}

// TestHoldBackTakesThePlaceOfHoldCore: core network gear that a policy says how to hold back is planned, other core gear is not.
func TestHoldBackTakesThePlaceOfHoldCore(t *testing.T) {
	rel := firmward.Release{ID: "rel", Family: "f", Models: []string{"M"}, Hardware: []string{"*"}, Version: "2.0"}
	p := firmward.RolloutPolicy{Name: "net", Waves: firmward.Percents(100), MaxInFlight: 1, HoldCore: true, HoldBacks: []firmward.HoldBack{
		{Select: firmward.Filter{Op: firmward.FilterIn, Field: "class", Values: []string{"router"}}, Wait: time.Hour},
	}}
	device := func(id string, class firmward.Class) rollout.Candidate {
		return rollout.Candidate{
			Device: firmward.Device{ID: id, Name: id, Family: "f", Model: "M", Hardware: id, Firmware: "1.0", Network: "192.0.2.0/24", Class: class}, HasDriver: true,
			Model: firmward.Model{Rollback: firmward.Fact{Value: "slot"}},
		}
	}
	targets, no := rollout.Plan(rel, p, []rollout.Candidate{device("r", firmward.ClassRouter), device("s", firmward.ClassSwitch)})
	if len(targets) != 1 || targets[0].DeviceID != "r" || len(no) != 1 || no[0].Code != rollout.RefuseCore {
		t.Errorf("%+v, %+v", targets, no)
	}
}
