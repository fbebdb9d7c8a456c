package control_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firmward/firmward"
)

// TestLateJoiners: a plug comes into the house while a rollout soaks. It enters the last wave where the policy says so, and stays out
// otherwise; who approved the plan without it must approve again.
func TestLateJoiners(t *testing.T) {
	for name, late := range map[string]bool{"enter": true, "stay out": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				text := approvedPolicy
				if late {
					text = strings.Replace(text, "    approvals: 1\n", "    approvals: 1\n    late-joiners: true\n", 1)
				}
				s := plugHouse(t, 2, text)
				ctx, ben := s.house.ctx, firmward.Person{Name: "ben", Role: firmward.Approver}
				s.release([]string{"release", "p1", "1.4.4"})
				p, err := s.house.PlanRollout(ctx, anna, s.rel.ID, "", firmward.Filter{})
				s.must(err)
				s.ro, s.began = p.Rollout.ID, time.Now()
				_, err = s.house.SteerRollout(ctx, anna, s.ro, "start", "")
				s.must(err)
				_, err = s.house.ApproveRollout(ctx, ben, s.ro, 0, "seen")
				s.must(err)
				s.until("30m")
				s.device([]string{"plug", "p3"})
				s.look()
				s.until("3h")
				if !late {
					s.until("ended")
					s.check("leaves", "rollout-join 0")
					s.check("total", "runs 1.4.4 2")
					return
				}
				s.check("leaves", "rollout-join 1")
				s.check("rollout", "paused approvals are void: 1 device joined after it was approved; approve the canary wave again, then resume")
				s.check("p3", "target pending -: joined later; waits for wave")
				_, err = s.house.ApproveRollout(ctx, ben, s.ro, 0, "seen with p3")
				s.must(err)
				_, err = s.house.SteerRollout(ctx, anna, s.ro, "resume", "p3 may come along")
				s.must(err)
				s.until("ended")
				s.check("rollout", "finished 3 succeeded, 0 failed")
				s.check("total", "runs 1.4.4 3")
				s.check("leaves", "rollout-join 1")
			})
		})
	}
}
