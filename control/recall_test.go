package control_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/firmward/firmward"
)

// TestRecall: a release that is taken back halts every rollout that carries it at once, one that nobody has started too. It can be
// stopped, and not resumed.
func TestRecall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := plugHouse(t, 2, approvedPolicy)
		s.release([]string{"release", "p1", "1.4.4"})
		ctx, ids := s.house.ctx, []string{}
		for range 3 {
			p, err := s.house.PlanRollout(ctx, anna, s.rel.ID, "", firmward.Filter{})
			s.must(err)
			ids = append(ids, p.Rollout.ID)
		}
		for _, order := range [][2]string{{ids[0], "start"}, {ids[1], "start"}, {ids[1], "stop"}} {
			_, err := s.house.SteerRollout(ctx, anna, order[0], order[1], "")
			s.must(err)
		}
		_, err := s.house.WithdrawRelease(ctx, anna, s.rel.ID, "it bricks plugs")
		s.must(err)
		for i, want := range []firmward.RolloutState{firmward.RolloutHalted, firmward.RolloutStopped, firmward.RolloutHalted} {
			r, err := s.house.Store.Rollout(ctx, ids[i])
			s.must(err)
			if r.State != want || want == firmward.RolloutHalted && !strings.Contains(r.Why, "it bricks plugs") {
				t.Errorf("rollout %d is %s (%s), want %s", i, r.State, r.Why, want)
			}
			if want != firmward.RolloutHalted {
				continue
			}
			if _, err := s.house.SteerRollout(ctx, anna, r.ID, "resume", "ours are fine"); firmward.CodeOf(err) != firmward.Refused {
				t.Errorf("resume: %v", err)
			}
			if _, err := s.house.SteerRollout(ctx, anna, r.ID, "stop", ""); err != nil {
				t.Errorf("stop: %v", err)
			}
		}
		synctest.Wait()
		if n := len(s.house.leaves("rollout-halted")); n != 2 {
			t.Errorf("%d leaves, want 2", n)
		}
	})
}
