package sim

import (
	"fmt"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/firmward/firmward"
)

// TestLarge: what is decided for a fleet is the same whether it is played device by device with every invariant, or as a large one.
func TestLarge(t *testing.T) {
	began := time.Date(2026, 3, 2, 18, 0, 0, 0, time.UTC)
	base := firmward.RolloutPolicy{
		Name: "p", Waves: firmward.Percents(10, 50, 100), CanarySoak: 24 * time.Hour, WaveSoak: 12 * time.Hour, MaxInFlight: 20, FailureBudget: 30, FailureFloor: 3,
		Deadline: 45 * time.Minute, CommitWithin: 15 * time.Minute,
	}
	for name, change := range map[string]func(*firmward.RolloutPolicy, *Case){
		"open":      func(*firmward.RolloutPolicy, *Case) {},
		"one":       func(p *firmward.RolloutPolicy, _ *Case) { p.MaxInFlight, p.CanaryInFlight = 1, 1 },
		"approvals": func(p *firmward.RolloutPolicy, _ *Case) { p.Approvals, p.ApproveWaves = 2, true },
		"sure":      func(p *firmward.RolloutPolicy, _ *Case) { p.Confidence, p.SoakMin = 90, 3 },
		"bad image": func(_ *firmward.RolloutPolicy, c *Case) { c.Faults = []Fault{{DeadService, 1}} },
		"half bad":  func(_ *firmward.RolloutPolicy, c *Case) { c.Faults = []Fault{{Silent, .2}, {Dies, .2}, {Minimal, .2}} },
		"dies late": func(p *firmward.RolloutPolicy, c *Case) {
			p.FailureBudget = 90
			c.Faults = []Fault{{Dies, .3}, {DiesLate, .5}}
		},
		"children lost": func(p *firmward.RolloutPolicy, c *Case) {
			p.FailureBudget, p.FailureFloor = 90, 90
			c.Faults = []Fault{{LosesChild, .5}, {Unreachable, .1}, {Dies, .1}, {Minimal | LosesChild, .2}}
		},
		"stays open": func(p *firmward.RolloutPolicy, c *Case) {
			p.FailureBudget, p.FailureFloor = 90, 90
			c.Faults = []Fault{{StaysOpen, .05}, {Minimal | StaysOpen, .05}, {DeadService | StaysOpen, .05}, {Dies, .1}}
		},
		"odd": func(p *firmward.RolloutPolicy, c *Case) {
			p.FailureBudget, p.FailureFloor = 90, 90
			for i := range habits {
				c.Faults = append(c.Faults, Fault{1 << i, .02})
			}
		},
		"ramp":   func(p *firmward.RolloutPolicy, _ *Case) { p.Ramp = firmward.Ramp{Start: 2, DoubleEvery: 3, Max: 20} },
		"window": func(p *firmward.RolloutPolicy, _ *Case) { p.Window = firmward.Window{Start: 120, End: 300} },
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(6) {
				p := base
				c := Generated(60+int(seed)*70, seed, p, began)
				c.Faults = Usual()
				change(&p, &c)
				c.Policy = p
				small, large := c.playSmall(seed), c.playLarge(seed)
				small.Steps, large.Steps = 0, 0
				small.Waits, large.Waits = nil, nil // large tells a reason once
				if d := gocmp.Diff(small, large); d != "" {
					t.Errorf("seed %d (-small +large):\n%s", seed, d)
				}
			}
		})
	}
}

// TestLargeCaps: where caps, groups, gateways and owners hold devices back, large asks only whom there is room for. Who goes first may
// differ; who is changed and how the rollout ends does not.
func TestLargeCaps(t *testing.T) {
	began := time.Date(2026, 3, 2, 18, 0, 0, 0, time.UTC)
	tokyo := time.FixedZone("JST", 9*60*60)
	for name, change := range map[string]func(*firmward.RolloutPolicy, *Case){
		"sites":   func(p *firmward.RolloutPolicy, _ *Case) { p.PerSite = 2 },
		"domains": func(p *firmward.RolloutPolicy, _ *Case) { p.PerDomain = 1 },
		"low": func(p *firmward.RolloutPolicy, c *Case) {
			p.MinBattery, p.MinSignal, p.LowFor, p.Window = 30, -85, 50*time.Hour, firmward.Window{Start: 22 * 60, End: 600}
			c.Faults = []Fault{{BatteryLow, .2}, {BatteryFlat, .05}, {WeakSignal, .1}, {OutOfRange, .05}, {Silent, .02}}
		},
		"models": func(p *firmward.RolloutPolicy, _ *Case) { p.PerModelInFlight = 3 },
		"all": func(p *firmward.RolloutPolicy, _ *Case) {
			p.PerSite, p.PerDomain, p.PerModelInFlight, p.Window = 3, 2, 4, firmward.Window{Start: 22 * 60, End: 300}
			p.Freezes = []firmward.Freeze{{Name: "fair", From: "2026-03-04", To: "2026-03-05"}}
		},
		"zones and owners": func(p *firmward.RolloutPolicy, c *Case) {
			p.Window, p.PerSite = firmward.Window{Start: 120, End: 300}, 5
			var fleet listed
			for i := range int32(c.Size()) {
				k := *c.crowd().known(i)
				d := &k.Candidate.Device
				if i >= perSite { // zone and freezes are those of a site
					k.Zone, k.Freezes = tokyo, []firmward.Freeze{{Name: "stock", From: "2026-03-03", To: "2026-03-09"}}
				}
				switch i % 20 {
				case 7: // never released
					d.Zone = firmward.ZoneClinical
				case 8:
					d.Zone, d.Released = firmward.ZoneClinical, firmward.Span{From: began.AddDate(0, 0, 20), To: began.AddDate(0, 0, 30)}
				}
				fleet = append(fleet, k)
			}
			c.Fleet, c.made = fleet, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(2) {
				p := firmward.RolloutPolicy{
					Name: "p", Waves: firmward.Percents(50, 100), CanarySoak: time.Hour, WaveSoak: time.Hour, MaxInFlight: 20, FailureBudget: 30, FailureFloor: 3,
					Deadline: 45 * time.Minute, CommitWithin: 15 * time.Minute,
				}
				c := Generated(80+int(seed)*140, seed, p, began)
				change(&p, &c)
				c.Policy = p
				small, large := c.playSmall(seed), c.playLarge(seed)
				if large.Violation != "" || large.State != small.State || !gocmp.Equal(large.States, small.States) || large.States[firmward.TargetSucceeded] == 0 {
					t.Errorf("seed %d: large %s %v %s, small %s %v %s", seed, large.State, large.States, large.Violation, small.State, small.States, small.Violation)
				}
				if again := c.playLarge(seed); again.Trace != large.Trace {
					t.Errorf("seed %d: %s, the second time %s", seed, large.Trace, again.Trace)
				}
				if large.Took > 2*small.Took || small.Took > 2*large.Took {
					t.Errorf("seed %d: large takes %s, small %s", seed, large.Took, small.Took)
				}
			}
		})
	}
}

func ExampleCase_Play() {
	c := Generated(3000, 1, firmward.RolloutPolicy{
		Waves: firmward.Percents(100), MaxInFlight: 500, CanarySoak: time.Hour, FailureBudget: 5, FailureFloor: 5, Deadline: 45 * time.Minute, CommitWithin: 15 * time.Minute, Approvals: 1,
	}, time.Date(2026, 3, 2, 18, 0, 0, 0, time.UTC))
	o := c.Play(1)
	fmt.Println(o.State, o.States[firmward.TargetSucceeded], o.Violation)
	// Output: finished 3000
}
