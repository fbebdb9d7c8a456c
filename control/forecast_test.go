package control_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/rollout/sim"
)

// TestForecast asks before a rollout how long it will take, and then carries it out on devices that answer by their real protocols: it takes that long. Asking
// sends nothing and leaves nothing behind.
func TestForecast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := plugHouse(t, 6, approvedPolicy)
		s.release([]string{"release", "p1", "1.4.4"})
		ask := control.Forecasting{Release: s.rel.ID, Runs: 40, Seed: 1}
		f, c, err := s.house.ForecastRollout(s.house.ctx, ask)
		s.must(err)
		again, _, err := s.house.ForecastRollout(s.house.ctx, ask)
		s.must(err)
		for i, o := range f.Runs {
			if o.Violation != "" || o.State != firmward.RolloutFinished || o.Devices != 6 || again.Runs[i].Trace != o.Trace {
				t.Fatalf("%+v, again %+v", o, again.Runs[i])
			}
		}
		if len(c.Fleet) != 6 || c.Policy.Name != "approved" {
			t.Errorf("%d devices by policy %s", len(c.Fleet), c.Policy.Name)
		}
		for _, left := range []string{"rollout-plan", "rollout-start"} {
			s.check("leaves", left+" 0")
		}
		for _, bad := range []control.Forecasting{{Release: s.rel.ID}, {Release: s.rel.ID, Runs: 1_000_000}, {Release: "rel-none", Runs: 1}, {Release: s.rel.ID, Runs: 1, Policy: "nobody"}} {
			if _, _, err := s.house.ForecastRollout(s.house.ctx, bad); err == nil {
				t.Errorf("%+v was forecast", bad)
			}
		}
		worse := ask
		worse.Faults = []sim.Fault{{Habit: sim.Silent, Share: 1}}
		if w, _, err := s.house.ForecastRollout(s.house.ctx, worse); err != nil || w.Finished > 0 || w.Quantile(1, func(o sim.Outcome) int { return o.Bad }) != 1 {
			t.Errorf("an image that kills: %+v, %v", w.Runs[0], err)
		}

		p, err := s.house.PlanRollout(s.house.ctx, anna, s.rel.ID, "", firmward.Filter{})
		s.must(err)
		s.ro, s.began = p.Rollout.ID, time.Now()
		_, err = s.house.SteerRollout(s.house.ctx, anna, s.ro, "start", "")
		s.must(err)
		_, err = s.house.ApproveRollout(s.house.ctx, firmward.Person{Name: "ben", Role: firmward.Approver}, s.ro, 0, "seen")
		s.must(err)
		s.until("ended")
		s.check("rollout", "finished")
		took := time.Since(s.began)
		t.Logf("forecast %s, %s to %s; it took %s", f.Took(.5), f.Took(.1), f.Took(.9), took)
		if took < f.Took(.1)-10*time.Minute || took > f.Took(.9)+10*time.Minute { // until looks every five minutes
			t.Errorf("it took %s, 8 of 10 runs of the forecast %s to %s", took, f.Took(.1), f.Took(.9))
		}
	})
}
