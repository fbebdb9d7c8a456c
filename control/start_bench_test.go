package control_test

import (
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/store/pgtest"
)

// fleetSize is the size of the benches' fleet: 100,000 unless FIRMWARD_PLUGS says otherwise.
func fleetSize(b *testing.B) int {
	b.Helper()
	if n, err := strconv.Atoi(os.Getenv("FIRMWARD_PLUGS")); err == nil && n > 0 {
		return n
	}
	return 100_000
}

// BenchmarkStart plans and starts a rollout of a fleet of one model while the loops run, and measures until its first device is asked.
func BenchmarkStart(b *testing.B) { benchStart(b, func() string { return fleetFile(b) }) }

// BenchmarkStartPostgres does the same in PostgreSQL with fsync on.
func BenchmarkStartPostgres(b *testing.B) {
	server := pgtest.Start(b, "fsync=on")
	benchStart(b, func() string { return server.Database(b) })
}

func benchStart(b *testing.B, url func() string) {
	n := fleetSize(b)
	for b.Loop() {
		b.StopTimer()
		p := newPlugs(b)
		c := openFleet(b, url(), n, p)
		c.Weighed() // the fleet was weighed long ago
		stop := running(b, c)
		rel := onlyRelease(b, c)
		b.StartTimer()
		begun := time.Now()
		plan, err := c.PlanRollout(b.Context(), anna, rel.ID, "fast", firmward.Filter{})
		if err != nil {
			b.Fatal(err)
		}
		planned := time.Since(begun)
		if len(plan.Targets) != n {
			b.Fatalf("%d targets, refused %d, first %+v", len(plan.Targets), len(plan.Refusals), plan.Refusals[:1])
		}
		if _, err := c.SteerRollout(b.Context(), anna, plan.Rollout.ID, "start", ""); err != nil {
			b.Fatal(err)
		}
		wait(b, func() bool {
			p.mu.Lock()
			defer p.mu.Unlock()
			return !p.first.IsZero()
		})
		b.ReportMetric(planned.Seconds(), "s-planned")
		b.ReportMetric(p.first.Sub(begun).Seconds(), "s-first-asked")
		b.StopTimer()
		stop()
		b.StartTimer()
	}
}
