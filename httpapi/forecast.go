package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/rollout/sim"
)

// NewForecast asks what a rollout would do.
type NewForecast struct {
	NewRollout
	Runs   int       `json:"runs,omitempty" minimum:"1" maximum:"1000" default:"50" doc:"how often it is played, each time with another seed"`
	Seed   uint64    `json:"seed,omitempty" default:"1" doc:"of the first run: the same seed gives the same decisions"`
	Faults string    `json:"faults,omitempty" doc:"habits and the share of devices that have them; 'none' for none; what is usual when absent" example:"silent=0.5%,old-version=1%"`
	Begin  time.Time `json:"begin,omitzero" doc:"when it starts; now when absent"`
}

// Spread is a number over many runs.
type Spread struct {
	P10 int `json:"p10"`
	P50 int `json:"p50"`
	P90 int `json:"p90"`
	Max int `json:"max"`
}

// Tally is a text and how often it holds.
type Tally struct {
	Text string `json:"text"`
	N    int    `json:"n"`
}

// Forecast is what a rollout would do, over many runs.
type Forecast struct {
	Devices  int           `json:"devices" doc:"that would take part"`
	Refused  int           `json:"refused" doc:"that would not"`
	Begin    time.Time     `json:"begin"`
	Policy   string        `json:"policy"`
	Version  string        `json:"version" doc:"of the release"`
	Runs     []ForecastRun `json:"runs"`
	Finished int           `json:"finished" doc:"runs that came to their end by themselves"`
	Seconds  Spread        `json:"seconds" doc:"that the finished ones took, the last soak included"`
	PeakDown Spread        `json:"peakDown" doc:"most devices dark at one time, those behind them included"`
	Blast    Spread        `json:"blastRadius" doc:"devices that got the image and did not end well"`
	Nights   Spread        `json:"windows" doc:"nights in which something was started"`
	Stops    []Tally       `json:"stops" doc:"why runs stood still, with how many"`
	Waits    []Tally       `json:"waits" doc:"why devices wait for ever in runs that never end, with how many on average"`
	Refusals []Tally       `json:"refusals" doc:"why devices would not take part"`
	Assumed  []string      `json:"assumed" doc:"what nobody can know beforehand"`
}

// ForecastRun is what one run came to.
type ForecastRun struct {
	Seed      uint64                       `json:"seed"`
	Devices   int                          `json:"devices"`
	Steps     int                          `json:"steps"`
	Seconds   int                          `json:"simulated_seconds"`
	State     firmward.RolloutState        `json:"state"`
	Why       string                       `json:"why,omitempty"`
	Outcome   map[firmward.TargetState]int `json:"outcome" doc:"devices by state"`
	PeakDown  int                          `json:"peak_down"`
	Blast     int                          `json:"blast_radius"`
	Nights    int                          `json:"windows"`
	Trace     string                       `json:"trace" doc:"sum over every decision"`
	Violation string                       `json:"violation,omitempty" doc:"an invariant that did not hold: a defect of firmward"`
}

// ForecastOf gives a forecast as the API does.
func ForecastOf(c sim.Case, f sim.Forecast) Forecast {
	spread := func(of func(sim.Outcome) int) Spread {
		return Spread{f.Quantile(.1, of), f.Quantile(.5, of), f.Quantile(.9, of), f.Quantile(1, of)}
	}
	took := func(q float64) int { return int(f.Took(q).Seconds()) }
	tally := func(v sim.Count) Tally { return Tally(v) }
	out := Forecast{
		Begin: c.Begin, Policy: c.Policy.Name, Version: c.Release.Version, Finished: f.Finished, Seconds: Spread{took(.1), took(.5), took(.9), took(1)},
		PeakDown: spread(func(o sim.Outcome) int { return o.PeakDown }), Blast: spread(func(o sim.Outcome) int { return o.Bad }),
		Nights: spread(func(o sim.Outcome) int { return o.Nights }), Stops: each(f.Stops(), tally), Waits: each(f.Waits(), tally), Refusals: each(f.Refusals(), tally), Assumed: assumed(c),
	}
	for _, o := range f.Runs {
		out.Devices, out.Refused = o.Devices, 0
		for _, n := range o.Refused {
			out.Refused += n
		}
		out.Runs = append(out.Runs, ForecastRun{
			o.Seed, o.Devices, o.Steps, int(o.Took.Seconds()), o.State, o.Why, o.States, o.PeakDown, o.Bad, o.Nights, o.Trace, o.Violation,
		})
	}
	return out
}

func assumed(c sim.Case) []string {
	known := 0
	for _, k := range c.Fleet {
		if len(k.Took) > 0 {
			known++
		}
	}
	out := []string{"whoever has to approve does so at once"}
	if known < len(c.Fleet) {
		out = append(out, "a device is dark for a third of the outage on its card up to all of it, all of a model alike")
	}
	if known > 0 {
		out = append(out, fmt.Sprintf("%d of %d devices take as long as the last updates of their models did", known, len(c.Fleet)))
	}
	var faults []string
	for _, f := range c.Faults {
		faults = append(faults, f.String())
	}
	if len(faults) == 0 {
		return append(out, "nothing goes wrong")
	}
	return append(out, "of all devices: "+strings.Join(faults, ", "))
}

func (a *API) forecastRoutes() {
	serve(a, spec{
		method: http.MethodPost, path: "/rollouts/forecast", id: "forecast-rollout", role: firmward.Operator, tag: "Rollouts", summary: "Forecast a rollout on the inventory as it is",
		doc: "Plays it with the engine that would carry it out, on simulated devices, and sends nothing. The same question with the same seed gives the same answer while the inventory stays.",
	}, func(ctx context.Context, in *struct{ Body NewForecast }) (Forecast, error) {
		b := in.Body
		ask := control.Forecasting{Release: b.Release, Policy: b.Policy, Runs: b.Runs, Seed: b.Seed, Faults: sim.Usual(), Begin: b.Begin, Allowed: b.allowed()}
		var err error
		if ask.Filter, err = b.filter(); err != nil {
			return Forecast{}, err
		}
		if b.Faults != "" {
			if ask.Faults, err = sim.ParseFaults(b.Faults); err != nil {
				return Forecast{}, &firmward.Error{Code: firmward.Invalid, Message: "the faults are wrong", Err: err}
			}
		}
		f, c, err := a.Control.ForecastRollout(ctx, ask)
		if err != nil {
			return Forecast{}, err
		}
		return ForecastOf(c, f), nil
	})
}
