package control

import (
	"context"
	"fmt"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/rollout/sim"
)

// Forecasting asks what a rollout would do.
type Forecasting struct {
	Release, Policy string // as in PlanRollout
	Filter          firmward.Filter
	Allowed         []firmward.Allowance
	Runs            int // 1 … MaxRuns
	Seed            uint64
	Faults          []sim.Fault
	Begin           time.Time // zero: now
}

// The bounds of a forecast: who asks waits for it.
const (
	MaxRuns     = 1000
	maxForecast = 2_000_000 // devices times runs
)

// ForecastRollout plays a rollout on the inventory as it is, many times, and sends nothing. What it cannot know it assumes: people approve at
// once, devices have the faults that are asked for, each is dark for a part of the outage on its card.
func (c *Control) ForecastRollout(ctx context.Context, in Forecasting) (sim.Forecast, sim.Case, error) {
	var k sim.Case
	if err := checkAllowed(in.Allowed); err != nil {
		return sim.Forecast{}, k, err
	}
	rel, pol, cands, err := c.candidates(ctx, in.Release, in.Policy, in.Filter, in.Allowed...)
	if err != nil {
		return sim.Forecast{}, k, err
	}
	switch {
	case in.Runs < 1 || in.Runs > MaxRuns:
		return sim.Forecast{}, k, firmward.Errorf(firmward.Invalid, fmt.Sprintf("%d runs: want 1 to %d", in.Runs, MaxRuns))
	case in.Runs*len(cands) > maxForecast:
		return sim.Forecast{}, k, firmward.Errorf(firmward.TooLarge, fmt.Sprintf("%d devices in %d runs are too many to wait for: ask for at most %d runs", len(cands), in.Runs, max(1, maxForecast/len(cands))))
	}
	k = sim.Case{Release: rel, Policy: pol.RolloutPolicy, Faults: in.Faults, Begin: in.Begin}
	if k.Begin.IsZero() {
		k.Begin = c.Clock.Now()
	}
	if k.Topo, err = c.topology(ctx); err != nil {
		return sim.Forecast{}, k, err
	}
	if err := c.hold(ctx, rel, k.Policy, cands); err != nil {
		return sim.Forecast{}, k, err
	}
	places := map[string]placeTime{}
	for _, cand := range cands {
		site := cand.Device.Site
		at, known := places[site]
		if !known {
			if at, err = c.placeTime(ctx, site, c.Clock.Now()); err != nil {
				return sim.Forecast{}, k, err
			}
			places[site] = at
		}
		took, err := c.pace(ctx, cand.Device.Model)
		if err != nil {
			return sim.Forecast{}, k, err
		}
		able := c.able(cand.Model, took)
		able.Careful = cand.Device.Careful()
		k.Fleet = append(k.Fleet, sim.Known{Candidate: cand, Abilities: able, Took: took, Zone: at.local.Location(), Freezes: at.freezes})
	}
	f, err := k.Forecast(ctx.Err, in.Seed, in.Runs)
	return f, k, err
}
