package sim_test

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/rollout/sim"
)

var begin = time.Date(2026, 3, 2, 18, 0, 0, 0, time.UTC)

// play runs one random fleet through four troubled days and then to its end.
func play(seed uint64, cast sim.Cast, trace func(at time.Time, who, what, why string)) error {
	w := sim.Random(seed, begin, cast)
	if trace != nil {
		w.Trace = func(who, what, why string) { trace(w.Now, who, what, why) }
	}
	if err := w.Run(begin.AddDate(0, 0, 4)); err != nil {
		return err
	}
	return w.Calm()
}

// TestFleets plays random fleets. FIRMWARD_SIM_SEED=n plays one and prints its trace;
// FIRMWARD_SIM_FLEETS=n plays more.
func TestFleets(t *testing.T) {
	if s := os.Getenv("FIRMWARD_SIM_SEED"); s != "" {
		seed, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		if err := play(seed, sim.Everyone, func(at time.Time, who, what, why string) {
			fmt.Printf("%s  %-5s %-12s %s\n", at.Format("02 15:04:05"), who, what, why)
		}); err != nil {
			t.Error(err)
		}
		return
	}
	fleets := 3000
	if raceOn || testing.Short() {
		fleets = 500
	}
	if s := os.Getenv("FIRMWARD_SIM_FLEETS"); s != "" {
		fleets, _ = strconv.Atoi(s)
	}
	began := time.Now()
	var bad atomic.Int32
	all(0, fleets, func(seed uint64) {
		if bad.Load() >= 5 {
			return
		}
		if err := play(seed, sim.Everyone, nil); err != nil {
			t.Errorf("seed %d: %v (FIRMWARD_SIM_SEED=%d go test -run TestFleets ./rollout/sim)", seed, err, seed)
			bad.Add(1)
		}
	})
	t.Logf("%d fleets, %.0f a second", fleets, float64(fleets)/time.Since(began).Seconds())
}

// all plays seeds on all cores.
func all(from uint64, n int, play func(seed uint64)) {
	var next atomic.Uint64
	var done sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		done.Go(func() {
			for k := next.Add(1) - 1; k < uint64(n); k = next.Add(1) - 1 {
				play(from + k)
			}
		})
	}
	done.Wait()
}

// keptFleets are fleets that once failed. In 19004 a second rollout sent an image to a device that was still on the second half of its way, until
// a device that says that it is busy was left alone. In 62973 firmward was killed again and again, and an invariant did not see
// that nobody can call a device silent while firmward does not run.
var keptFleets = []uint64{19004, 62973}

// keptPeople are fleets with people that once failed. In 41368 and 75949 somebody began in vain, and what the release was to close was forgotten when
// the work was done without a word later; in 48808 nobody remembered who answered behind a device that ran the version already.
var keptPeople = []uint64{41368, 48808, 75949}

func TestKeptFleets(t *testing.T) {
	for _, seed := range keptFleets {
		if err := play(seed, sim.Machines, nil); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
	}
	for _, seed := range keptPeople {
		if err := play(seed, sim.Everyone, nil); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
	}
}

// BenchmarkFleet plays a rollout over 100,000 devices, one in a hundred of which is troubled.
func BenchmarkFleet(b *testing.B) {
	for b.Loop() {
		start := time.Now()
		w := sim.New(begin, 1)
		order := make([]string, 100_000)
		for i := range order {
			id := fmt.Sprintf("d%06d", i)
			d := &sim.Device{Facts: firmward.Device{ID: id, Name: id, Model: "M0", Hardware: "h0", Firmware: "1.0.0", Network: "192.0.2.0/24", Family: "f", Lab: true}}
			if i%100 == 99 {
				d.Habit = sim.Silent
			}
			w.Put(d)
			order[i] = id
		}
		rel := firmward.Release{ID: "rel-2", Family: "f", Models: []string{"M0"}, Hardware: []string{"*"}, Version: "2.0.0"}
		r := w.Plan("ro1", "anna", rel, firmward.RolloutPolicy{
			Waves: firmward.Percents(1, 10, 100), CanarySoak: time.Hour, WaveSoak: time.Hour, MaxInFlight: 500, FailureBudget: 10, FailureFloor: 5,
			Deadline: 30 * time.Minute, CommitWithin: 15 * time.Minute,
		}, order)
		w.Steer(r, "anna", "start", "")
		w.At(begin, func() {})
		if err := w.Run(begin.AddDate(1, 0, 0)); err != nil {
			b.Fatal(err)
		}
		if r.State != firmward.RolloutFinished || r.Succeeded != 99_000 || r.Failed != 1000 {
			b.Fatalf("%s: %s, %d succeeded, %d failed", r.State, r.Why, r.Succeeded, r.Failed)
		}
		b.ReportMetric(float64(len(order))/time.Since(start).Seconds(), "devices/s")
	}
}
