package sim_test

import (
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/firmward/firmward/rollout/sim"
)

// kept are years that once failed. In these three a device stood half way before a rollout sent it its first image, which an
// invariant took for the trace of that image.
var kept = []uint64{249, 461, 734}

func TestKeptYears(t *testing.T) {
	for _, seed := range kept {
		if _, err := sim.Year(seed, begin, sim.Machines); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
	}
}

// TestFleetYears lets random fleets live through a year each; a fleet-year is 365 days of one fleet of 2 to 15 devices on its
// own clock, in which twelve releases come. "make years" plays 1,000 without the race detector; a plain run fewer, and with
// it fewer still. FIRMWARD_SIM_YEARS=n plays that many, FIRMWARD_SIM_YEAR=n that of one seed.
func TestFleetYears(t *testing.T) {
	fleets, from := 100, uint64(0)
	if raceOn || testing.Short() {
		fleets = 10
	}
	if s := os.Getenv("FIRMWARD_SIM_YEARS"); s != "" {
		fleets, _ = strconv.Atoi(s)
	}
	if s := os.Getenv("FIRMWARD_SIM_YEAR"); s != "" {
		from, _ = strconv.ParseUint(s, 10, 64)
		fleets = 1
	}
	began := time.Now()
	var sum sim.Lived
	var lock sync.Mutex
	all(from, fleets, func(seed uint64) {
		lived, err := sim.Year(seed, begin, sim.Everyone)
		lock.Lock()
		defer lock.Unlock()
		sum.Add(lived)
		if err != nil {
			t.Errorf("seed %d: %v (FIRMWARD_SIM_YEAR=%d go test -run TestFleetYears ./rollout/sim)", seed, err, seed)
		}
	})
	years := float64(sum.Days) / 365
	if !t.Failed() && years < float64(fleets) {
		t.Errorf("%.1f fleet-years, want %d", years, fleets)
	}
	t.Logf("%.0f fleet-years (%d devices) in %.1f s: %d rollouts, %d images, %d steps; %d finished, %d stood halted at the end of a month, %d were stopped; %d devices succeeded, %d failed, %d were lost and replaced",
		years, sum.Devices, time.Since(began).Seconds(), sum.Rollouts, sum.Images, sum.Steps, sum.Finished, sum.Halted, sum.Stopped, sum.Succeeded, sum.Failed, sum.Lost)
}
