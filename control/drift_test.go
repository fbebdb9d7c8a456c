package control_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/store"
)

const approvedPolicy = `
rollout-policies:
  - name: approved
    waves: [50, 100]
    canary-soak: 24h
    wave-soak: 24h
    max-in-flight: 1
    canary-in-flight: 1
    failure-budget-percent: 10
    failure-floor: 0
    approvals: 1
    deadline: 1h
    window: always
    require-owner: false
    emergency-soak: 30m
risk-policies:
  - {name: r, exploited-and-exposed: 1d, exploited: 1d, critical: 1d, high: 1d, other: 1d, contain-within: 1d, replace-within: 1d, look-every: 7d}
`

// TestApprovalDrifts: a plug waits for its wave when somebody updates it by its maker's app. What ben approved is no longer what
// would happen: the rollout pauses until he approves again, and the record says why.
func TestApprovalDrifts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := plugHouse(t, 3, approvedPolicy)
		ben := firmward.Person{Name: "ben", Role: firmward.Approver}
		s.release([]string{"release", "p1", "1.4.4"})
		p, err := s.house.PlanRollout(s.house.ctx, anna, s.rel.ID, "", firmward.Filter{})
		s.must(err)
		s.ro = p.Rollout.ID
		_, err = s.house.SteerRollout(s.house.ctx, anna, s.ro, "start", "")
		s.must(err)
		_, err = s.house.ApproveRollout(s.house.ctx, ben, s.ro, 0, "seen")
		s.must(err)
		time.Sleep(time.Hour)
		s.check("rollout", "running the canary wave soaks")
		p3, _ := s.lab.Device("p3")
		image, err := p3.Image("1.2.0")
		s.must(err)
		p3.Offer("1.2.0", image)
		app := http.Client{Transport: &http.Transport{DialContext: s.lab.Attach("home").DialContext, DisableKeepAlives: true}}
		res, err := app.Get("http://" + p3.Facts().Addrs[0].String() + "/rpc/Shelly.Update?stage=stable")
		s.must(err)
		res.Body.Close()
		time.Sleep(10 * time.Minute)
		s.look()
		s.check("rollout", "paused approvals are void: p3 ran 1.0.3 when this was planned, now 1.2.0; approve the canary wave again, then resume")
		if _, err := s.house.SteerRollout(s.house.ctx, anna, s.ro, "resume", "go on"); firmward.CodeOf(err) != firmward.Refused {
			t.Errorf("resumed without a new approval: %v", err)
		}
		_, err = s.house.ApproveRollout(s.house.ctx, ben, s.ro, 0, "seen again")
		s.must(err)
		_, err = s.house.SteerRollout(s.house.ctx, anna, s.ro, "resume", "go on")
		s.must(err)
		s.until("ended")
		s.check("rollout", "finished")
		s.check("total", "runs 1.4.4 3")
		s.check("leaves", "rollout-drift 1")
	})
}

// TestHastenRollout: the shorter soak comes only where something exploited is open, and with a reason in the record.
func TestHastenRollout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := plugHouse(t, 2, approvedPolicy)
		s.release([]string{"release", "p1", "1.4.4"})
		p, err := s.house.PlanRollout(s.house.ctx, anna, s.rel.ID, "", firmward.Filter{})
		s.must(err)
		s.ro, s.began = p.Rollout.ID, time.Now()
		if _, err := s.house.HastenRollout(s.house.ctx, anna, s.ro, "attacks"); firmward.CodeOf(err) != firmward.Refused || !strings.Contains(err.Error(), "nothing that is being exploited") {
			t.Errorf("without a finding: %v", err)
		}
		synctest.Wait()
		s.must(s.house.Store.Tx(s.house.ctx, func(tx *store.Tx) error {
			_, err := tx.ReplaceFindings(s.house.ctx, store.Assessment{Device: s.ids["p2"], At: time.Now(), Findings: []firmward.Finding{{
				DeviceID: s.ids["p2"], AdvisoryID: "CVE-2026-0001", Verdict: firmward.Affected, Exploited: true, OpenedAt: time.Now(),
			}}})
			return err
		}))
		r, err := s.house.HastenRollout(s.house.ctx, anna, s.ro, "attacks")
		if err != nil || !strings.Contains(r.Emergency, "CVE-2026-0001") {
			t.Errorf("%+v, %v", r, err)
		}
		_, err = s.house.SteerRollout(s.house.ctx, anna, s.ro, "start", "")
		s.must(err)
		_, err = s.house.ApproveRollout(s.house.ctx, firmward.Person{Name: "ben", Role: firmward.Approver}, s.ro, 0, "seen")
		s.must(err)
		s.until("4h") // two soaks of half an hour instead of a day
		s.check("rollout", "finished")
		s.check("leaves", "rollout-hasten 1")
	})
}
