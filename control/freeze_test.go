package control_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/store"
)

// TestFreeze: a person freezes the site while a rollout runs. Nothing more starts there, each device says why and until
// when, and it goes on within the moment in which an approver lifts the freeze; the record has both.
func TestFreeze(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := plugHouse(t, 2, strings.Replace(approvedPolicy, "approvals: 1", "approvals: 0", 1))
		s.release([]string{"release", "p1", "1.4.4"})
		p, err := s.house.PlanRollout(s.house.ctx, anna, s.rel.ID, "", firmward.Filter{})
		s.must(err)
		s.ro, s.began = p.Rollout.ID, time.Now()
		ctx, site := s.house.ctx, "home"
		today, later := time.Now().UTC().Format(time.DateOnly), time.Now().UTC().AddDate(0, 0, 9).Format(time.DateOnly)
		_, err = s.house.AddFreeze(ctx, anna, site, firmward.Freeze{Name: "fair", From: today, To: later, Why: "the stand must run"})
		s.must(err)
		_, err = s.house.SteerRollout(ctx, anna, s.ro, "start", "")
		s.must(err)
		time.Sleep(3 * 24 * time.Hour)
		synctest.Wait()
		waits := func(state firmward.TargetState) (n int, why string) {
			targets, _, err := s.house.Store.Targets(ctx, s.ro, store.TargetFilter{State: state}, store.Page{})
			s.must(err)
			for _, t := range targets {
				if t.Code == "freeze" {
					why = t.Why
				}
			}
			return len(targets), why
		}
		if n, why := waits(firmward.TargetPending); n != 2 || !strings.Contains(why, "by fair, which anna set for the site: the stand must run") {
			t.Errorf("%d wait: %s", n, why)
		}
		ben := firmward.Person{Name: "ben", Role: firmward.Approver}
		if err := s.house.LiftFreeze(ctx, ben, site, "fare"); firmward.CodeOf(err) != firmward.NotFound || !strings.Contains(err.Error(), "there are fair") {
			t.Errorf("a mistyped name: %v", err)
		}
		s.must(s.house.LiftFreeze(ctx, ben, site, "fair"))
		time.Sleep(time.Minute)
		synctest.Wait()
		if n, _ := waits(firmward.TargetPending); n != 1 {
			t.Errorf("%d still wait after the freeze was lifted", n)
		}
		// One that begins while the other device soaks holds the next wave, until it ends by itself.
		from, to := time.Now().UTC().AddDate(0, 0, 1).Format(time.DateOnly), time.Now().UTC().AddDate(0, 0, 3).Format(time.DateOnly)
		_, err = s.house.AddFreeze(ctx, anna, site, firmward.Freeze{From: from, To: to, Why: "audit"})
		s.must(err)
		time.Sleep(2 * 24 * time.Hour)
		synctest.Wait()
		if n, why := waits(firmward.TargetPending); n != 1 || !strings.Contains(why, "by "+from) {
			t.Errorf("%d wait in the second freeze: %s", n, why)
		}
		s.until("ended")
		s.check("rollout", "finished")
		s.check("total", "runs 1.4.4 2")
		s.check("leaves", "site-freeze 2")
		s.check("leaves", "site-unfreeze 1")
	})
}
