package sim_test

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/rollout/sim"
	"github.com/firmward/firmward/topology"
)

// millionPolicy takes a fleet in four waves after its canaries.
var millionPolicy = firmward.RolloutPolicy{
	Name: "million", Waves: firmward.Percents(1, 10, 50, 100), CanarySoak: 24 * time.Hour, WaveSoak: 12 * time.Hour, MaxInFlight: 5000, FailureBudget: 5, FailureFloor: 10,
	Deadline: 45 * time.Minute, CommitWithin: 15 * time.Minute, Approvals: 1,
}

// BenchmarkMillion plays a million devices through four waves, twice: the trace must be the same.
func BenchmarkMillion(b *testing.B) {
	p := millionPolicy
	for _, bench := range []struct {
		name    string
		devices int
		change  func(*firmward.RolloutPolicy, *sim.Case)
	}{
		{"devices", 1_000_000, func(_ *firmward.RolloutPolicy, c *sim.Case) { c.Topo = topology.Map{} }},
		{"topology", 1_000_000, func(p *firmward.RolloutPolicy, _ *sim.Case) { p.PerSite, p.PerDomain = 20, 5 }},
		{"window", 1_000_000, func(p *firmward.RolloutPolicy, c *sim.Case) {
			p.Window, c.Topo = firmward.Window{Start: 22 * 60, End: 6 * 60}, topology.Map{}
		}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			defer debug.SetMemoryLimit(debug.SetMemoryLimit(sim.LargeMemory))
			for b.Loop() {
				trace := ""
				for range 2 {
					runtime.GC()
					start, peak := time.Now(), peakHeap()
					p := p
					c := sim.Generated(bench.devices, 1, p, begin)
					bench.change(&p, &c)
					c.Policy, c.Faults = p, []sim.Fault{{Habit: sim.Slow, Share: .02}, {Habit: sim.Silent, Share: .002}, {Habit: sim.OldVersion, Share: .002}, {Habit: sim.DeadService, Share: .001}}
					o := c.Play(1)
					if o.Violation != "" || o.State != firmward.RolloutFinished || o.Devices != bench.devices || trace != "" && o.Trace != trace {
						b.Fatalf("%s: %s; %d devices, %v; %s; trace %s, before %s", o.State, o.Why, o.Devices, o.States, o.Violation, o.Trace, trace)
					}
					trace = o.Trace
					b.ReportMetric(float64(o.Devices)/time.Since(start).Seconds(), "devices/s")
					b.ReportMetric(time.Since(start).Seconds(), "s")
					b.ReportMetric(float64(peak())/(1<<20), "peak-heap-MB")
				}
			}
		})
	}
}

// peakHeap watches the heap every few milliseconds until it is asked for the most that it held.
func peakHeap() func() uint64 {
	stop, done := make(chan struct{}), make(chan uint64)
	go func() {
		sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		var most uint64
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				done <- most
				return
			case <-tick.C:
				metrics.Read(sample)
				most = max(most, sample[0].Value.Uint64())
			}
		}
	}()
	return func() uint64 { close(stop); return <-done }
}
