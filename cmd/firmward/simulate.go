package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/httpapi"
	"github.com/firmward/firmward/policy"
	"github.com/firmward/firmward/rollout/sim"
)

// SimulateCmd forecasts a rollout.
type SimulateCmd struct {
	File    string    `arg:"" optional:"" help:"Policy file; the policies that firmward ships unless given." type:"existingfile"`
	Release string    `help:"Forecast this release on the inventory as it is, by the server's policies, in place of a generated fleet." placeholder:"RELEASE"`
	Policy  string    `help:"Rollout policy; the first of the file, or that of the first device that fits, unless given." placeholder:"NAME"`
	Select  string    `help:"With --release: only devices for which this is true." placeholder:"EXPR"`
	Devices int       `help:"Size of the generated fleet." default:"1000"`
	Runs    int       `help:"How often it is played, each time with another seed; 20 times unless given, fewer with more than 10,000 devices." default:"0"`
	Seed    uint64    `help:"Seed of the first run: the same seed gives the same decisions." default:"1"`
	Faults  string    `help:"What goes wrong, and with how many devices: 'silent=0.5%,dead-service=2%', or 'none'. What is usual unless given." placeholder:"FAULTS"`
	At      time.Time `help:"When it starts, RFC 3339; now unless given." placeholder:"TIME"`
	Trace   bool      `help:"Print every decision of the first run."`
}

// Help gives examples.
func (SimulateCmd) Help() string {
	return "Plays a rollout with the engine that carries it out, on simulated devices and a simulated clock, and tells how long it takes, how many devices are dark " +
		"at one time, and how many a bad image reaches before it is stopped. Nothing is sent. With --release it takes the devices, sites, policies and dependencies " +
		"of the inventory. Faults: " + sim.Habits() + ".\n\n" +
		examples("firmward simulate policies.yaml --devices 5000", "firmward simulate policies.yaml --policy plant --faults 'dead-service=100%'",
			"firmward simulate --release rel-0123456789ab --runs 200", "firmward simulate policies.yaml --seed 7 --runs 1 --trace")
}

// Run carries it out.
func (c *SimulateCmd) Run(ctx context.Context, a *app) error {
	began := time.Now()
	f, err := c.forecast(ctx, a)
	if err != nil {
		return err
	}
	out := struct {
		httpapi.Forecast
		Wall   float64 `json:"wall_seconds"`
		Memory uint64  `json:"peak_memory"` // bytes
	}{f, time.Since(began).Seconds(), memory()}
	if done, err := a.asJSON(out); done {
		return err
	}
	printForecast(a, f)
	for _, r := range f.Runs {
		if r.Violation != "" {
			return firmward.Errorf(firmward.Internal, fmt.Sprintf("seed %d breaks an invariant, which is a defect of firmward: %s", r.Seed, r.Violation))
		}
	}
	return nil
}

// usualRuns is how often a rollout is played unless somebody asks for another number.
const usualRuns = 20

// memory is the most that this process had in memory, as Linux counts it; elsewhere what it took from the system.
func memory() uint64 {
	status, err := os.ReadFile("/proc/self/status")
	if _, text, ok := strings.Cut(string(status), "VmHWM:"); ok && err == nil {
		var kilobytes uint64
		if _, err := fmt.Sscan(text, &kilobytes); err == nil {
			return kilobytes << 10
		}
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Sys
}

func (c *SimulateCmd) forecast(ctx context.Context, a *app) (out httpapi.Forecast, err error) {
	if c.Release != "" {
		if c.Runs == 0 {
			c.Runs = usualRuns
		}
		if c.File != "" || c.Trace {
			return out, usageError("--release takes policies and devices of the server: leave FILE and --trace out")
		}
		ask := httpapi.NewForecast{NewRollout: httpapi.NewRollout{Release: c.Release, Policy: c.Policy, Select: c.Select}, Runs: c.Runs, Seed: c.Seed, Faults: c.Faults, Begin: c.At}
		return out, a.client.post(ctx, "/rollouts/forecast", ask, &out)
	}
	switch {
	case c.Select != "":
		return out, usageError("--select is for --release")
	case c.Devices < 1 || c.Devices > 1_000_000:
		return out, usageError("--devices: want 1 to 1000000")
	case c.Runs < 0:
		return out, usageError("--runs: want at least 1")
	}
	if c.Runs == 0 {
		c.Runs = max(1, min(usualRuns, usualRuns*10_000/c.Devices))
	}
	p, err := c.policy()
	if err != nil {
		return out, err
	}
	if c.At.IsZero() {
		c.At = time.Now().UTC().Truncate(time.Second)
	}
	if c.Devices > many {
		defer debug.SetMemoryLimit(debug.SetMemoryLimit(sim.LargeMemory))
	}
	k := sim.Generated(c.Devices, c.Seed, p, c.At)
	if k.Faults = sim.Usual(); c.Faults != "" {
		if k.Faults, err = sim.ParseFaults(c.Faults); err != nil {
			return out, usageError("--faults: " + err.Error())
		}
	}
	if c.Trace {
		k.Trace = func(at time.Time, who, what, why string) {
			fmt.Fprintln(a.err, strings.TrimRight(fmt.Sprintf("%s  %-14s %-14s %s", at.Format("2006-01-02 15:04:05"), who, what, why), " "))
		}
		k.Play(c.Seed)
		k.Trace = nil
	}
	if c.Devices > many {
		k.Watch = progress(a.err)
	}
	f, err := k.Forecast(ctx.Err, c.Seed, c.Runs)
	return httpapi.ForecastOf(k, f), err
}

// many devices take so long that somebody wants to see how far it is.
const many = 100_000

// progress prints how far a run is, at most twice a second.
func progress(to io.Writer) func(ended, devices int, at time.Time) {
	var last time.Time
	return func(ended, devices int, at time.Time) {
		if now := time.Now(); now.Sub(last) > time.Second/2 {
			last = now
			fmt.Fprintf(to, "%s: %d of %d devices have ended\n", at.Format("2006-01-02 15:04"), ended, devices)
		}
	}
}

// policy reads the policy that is asked for.
func (c *SimulateCmd) policy() (firmward.RolloutPolicy, error) {
	file, err := policy.Builtin()
	if c.File != "" {
		b, readErr := os.ReadFile(c.File)
		if readErr != nil {
			return firmward.RolloutPolicy{}, readErr
		}
		file, err = policy.Parse(b, filepath.Base(c.File))
	}
	if err != nil {
		return firmward.RolloutPolicy{}, err
	}
	var names []string
	for _, p := range file.Rollout {
		if c.Policy == "" || p.Name == c.Policy {
			return p.RolloutPolicy, nil
		}
		names = append(names, p.Name)
	}
	if c.Policy == "" {
		return firmward.RolloutPolicy{}, usageError("the file has no rollout policy")
	}
	return firmward.RolloutPolicy{}, usageError(fmt.Sprintf("no rollout policy is called %s: there are %s", c.Policy, strings.Join(names, ", ")))
}

// printForecast tells a forecast to people.
func printForecast(a *app, f httpapi.Forecast) {
	a.para(0, fmt.Sprintf("%s to %s by policy %s, from %s; %s.", f.Version, plural(f.Devices, "device", "devices"), f.Policy, f.Begin.Format("Mon 2006-01-02 15:04 MST"), plural(len(f.Runs), "run", "runs")))
	fmt.Fprintln(a.out)
	line := func(name, text string) {
		for i, l := range wrap(clean(text), a.width-labelled) {
			if i > 0 {
				name = ""
			}
			fmt.Fprintf(a.out, "  %-*s%s\n", labelled-2, name, l)
		}
	}
	if f.Devices > 0 {
		forecastLines(f, line)
	}
	tallies := func(name string, all []httpapi.Tally, text func(httpapi.Tally) string) {
		for _, v := range all[:min(len(all), 5)] {
			line(name, text(v))
			name = ""
		}
		if more := len(all) - 5; more > 0 {
			line("", fmt.Sprintf("and %d more reasons (--json)", more))
		}
	}
	devices := func(v httpapi.Tally) string { return plural(v.N, "device", "devices") + ": " + v.Text }
	tallies("stands still", f.Stops, func(v httpapi.Tally) string { return plural(v.N, "run", "runs") + ": " + v.Text })
	tallies("waits", f.Waits, devices)
	tallies("left out", f.Refusals, devices)
	fmt.Fprintln(a.out)
	a.para(0, "Assumed: "+strings.Join(f.Assumed, "; ")+".")
}

// labelled is the width of the labels in front of a forecast's lines.
const labelled = 16

func forecastLines(f httpapi.Forecast, line func(name, text string)) {
	line("ends", fmt.Sprintf("in %d of %s by itself", f.Finished, plural(len(f.Runs), "run", "runs")))
	if f.Finished > 0 {
		end := func(s int) string {
			return f.Begin.Add(time.Duration(s) * time.Second).Format("Mon 2006-01-02 15:04 MST")
		}
		line("takes", fmt.Sprintf("%s where it ends; 8 of 10 of these runs %s to %s", lasting(f.Seconds.P50), lasting(f.Seconds.P10), lasting(f.Seconds.P90)))
		line("until", fmt.Sprintf("%s; 9 of 10 of these runs by %s", end(f.Seconds.P50), end(f.Seconds.P90)))
	}
	line("windows", strings.TrimSuffix(spread(f.Nights), ":"))
	line("dark", spread(f.PeakDown)+" devices at one time, what stands behind them included")
	line("not well", spread(f.Blast)+" got the image and did not end well")
}

func spread(s httpapi.Spread) string {
	if s.P50 == s.Max {
		return fmt.Sprint(s.P50)
	}
	return fmt.Sprintf("%d in the middle run, up to %d in 9 of 10, %d in the worst:", s.P50, s.P90, s.Max)
}

// lasting tells seconds in the two largest units.
func lasting(s int) string {
	d := time.Duration(s) * time.Second
	days, hours, minutes := int(d.Hours())/24, int(d.Hours())%24, int(d.Minutes())%60
	switch {
	case days > 0:
		return fmt.Sprintf("%d d %d h", days, hours)
	case hours > 0:
		return fmt.Sprintf("%d h %d min", hours, minutes)
	}
	return fmt.Sprintf("%d min", minutes)
}
