package sim_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/rollout"
	"github.com/firmward/firmward/rollout/sim"
	"github.com/firmward/firmward/topology"
)

// block is a fleet of n devices of one model behind a gateway that does not take part.
func block(n int, change func(*sim.Known)) sim.Case {
	c := sim.Case{
		Release: firmward.Release{ID: "rel-2", Family: "f", Models: []string{"M"}, Hardware: []string{"*"}, Version: "2.0"},
		Policy: firmward.RolloutPolicy{
			Name: "p", Waves: firmward.Percents(50, 100), CanarySoak: 24 * time.Hour, WaveSoak: 12 * time.Hour, MaxInFlight: 4, CanaryInFlight: 1,
			FailureBudget: 20, FailureFloor: 1, Approvals: 1, ApproveWaves: true, ApprovalValid: 7 * 24 * time.Hour,
			Deadline: 45 * time.Minute, CommitWithin: 15 * time.Minute, Window: firmward.Window{Start: 2 * 60, End: 5 * 60},
		},
		Begin: begin,
	}
	for i := range n {
		id := fmt.Sprintf("d%02d", i)
		k := sim.Known{
			Candidate: rollout.Candidate{
				Device:    firmward.Device{ID: id, Name: id, Model: "M", Hardware: "h", Firmware: "1.0", Network: "192.0.2.0/24", Family: "f", Zone: firmward.ZoneOffice, Lab: true},
				Model:     firmward.Model{Rollback: firmward.Fact{Value: "slot"}, Outage: firmward.Fact{Value: "12"}, Settle: firmward.Fact{Value: "5"}},
				HasDriver: true,
			},
			Abilities: rollout.Abilities{Settle: 5 * time.Minute, CanRevert: true},
		}
		if change != nil {
			change(&k)
		}
		c.Fleet = append(c.Fleet, k)
	}
	return c
}

// TestForecast: what a policy means for a fleet, with and without faults. The same seed gives the same decisions.
func TestForecast(t *testing.T) {
	o := block(21, nil).Play(7)
	// The canary on the first night, the first ten on the third at the earliest, the other ten on the fourth, and the last soak.
	if o.State != firmward.RolloutFinished || o.States[firmward.TargetSucceeded] != 21 || o.Nights != 3 || o.PeakDown > 4 || o.Bad != 0 || o.Violation != "" {
		t.Errorf("%+v", o)
	}
	if o.Took < 60*time.Hour || o.Took > 100*time.Hour {
		t.Errorf("it takes %s", o.Took)
	}
	if again := block(21, nil).Play(7); again.Trace != o.Trace || again.Steps != o.Steps {
		t.Errorf("the second time %+v, the first time %+v", again, o)
	}
	if other := block(21, nil).Play(8); other.Trace == o.Trace {
		t.Error("another seed, the same decisions")
	}

	bad := block(21, nil)
	bad.Faults = []sim.Fault{{Habit: sim.Silent, Share: 1}}
	if o := bad.Play(7); o.State != firmward.RolloutHalted || o.Bad != 1 || !strings.Contains(o.Why, "canary") || o.Nights != 1 {
		t.Errorf("an image that kills every device: %+v", o)
	}
	some := block(41, nil)
	some.Faults = sim.Usual()
	f, err := some.Forecast(nil, 1, 40)
	if err != nil {
		t.Fatal(err)
	}
	if low, mid, high := f.Took(.1), f.Took(.5), f.Took(.9); f.Finished < 10 || low > mid || mid > high || low < 60*time.Hour {
		t.Errorf("%d finished, %s to %s to %s", f.Finished, low, mid, high)
	}
	if n := f.Finished; n < 40 && len(f.Stops()) == 0 {
		t.Error("some stop, and nobody says why")
	}
	if worst := f.Quantile(1, func(o sim.Outcome) int { return o.Bad }); worst > 41*20/100+4 {
		t.Errorf("%d devices lost with a budget of 20 %%", worst)
	}
}

// TestForecastWaits: what waits for a person or another time zone.
func TestForecastWaits(t *testing.T) {
	auckland, err := time.LoadLocation("Pacific/Auckland")
	if err != nil {
		t.Fatal(err)
	}
	c := block(4, func(k *sim.Known) {
		switch k.Candidate.Device.ID {
		case "d03":
			k.Candidate.Device.Zone = firmward.ZoneClinical
		case "d02":
			k.Candidate.Device.Zone, k.Candidate.Device.Released = firmward.ZoneClinical, firmward.Span{From: begin.AddDate(0, 0, 9), To: begin.AddDate(0, 0, 12)}
		case "d01":
			k.Zone = auckland
		}
	})
	o := c.Play(1)
	if o.State != firmward.RolloutRunning || o.States[firmward.TargetSucceeded] != 3 || len(o.Waits) != 1 {
		t.Errorf("%+v", o)
	}
	for why := range o.Waits {
		if !strings.Contains(why, "has not released it") {
			t.Error(why)
		}
	}
	gate := block(3, nil)
	gate.Topo = topology.New([]firmward.Relation{{From: "d01", To: "d00", Kind: firmward.Behind}, {From: "d02", To: "d00", Kind: firmward.Behind}})
	if o := gate.Play(1); o.PeakDown != 3 || o.State != firmward.RolloutFinished {
		t.Errorf("a gateway takes those behind it along: %+v", o)
	}
}

func TestParseFaults(t *testing.T) {
	if f, err := sim.ParseFaults(" silent=0.5%, dead-service=2% "); err != nil || len(f) != 2 || f[0] != (sim.Fault{Habit: sim.Silent, Share: .005}) || f[1].String() != "dead-service 2 %" {
		t.Errorf("%v, %v", f, err)
	}
	if f, err := sim.ParseFaults("none"); err != nil || len(f) != 0 {
		t.Errorf("%v, %v", f, err)
	}
	for _, text := range []string{"", "silent", "silent=", "silent=2", "gone=1%", "silent=-1%", "silent=NaN%", "silent=60%,dies=60%"} {
		if f, err := sim.ParseFaults(text); err == nil {
			t.Errorf("%q was read as %v", text, f)
		}
	}
}
