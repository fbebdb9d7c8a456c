package control_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/policy"
	"github.com/firmward/firmward/store"
)

const maturePolicy = `
rollout-policies:
  - name: mature
    waves: [100]
    canary-soak: 10m
    max-in-flight: 1
    deadline: 1h
    window: always
    require-owner: false
    hold-back:
      - {select: 'criticality >= 3', wait: 14d, exploited: 2d, release: true}
      - {wait: 3d}
risk-policies:
  - {name: r, exploited-and-exposed: 1d, exploited: 1d, critical: 1d, high: 1d, other: 1d, contain-within: 1d, replace-within: 1d, look-every: 7d}
`

// TestReleasesMature: a release waits its days; for a device with a longer wait it comes sooner because what it closes is being exploited,
// and only once its owner has released the device. Why stands in the record. A forecast waits as long.
func TestReleasesMature(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := plugHouse(t, 2, maturePolicy)
		ctx := s.house.ctx
		_, err := s.house.SetDevice(ctx, anna, s.ids["p2"], control.DeviceFacts{Criticality: new(3)})
		s.must(err)
		s.release([]string{"release", "p1", "1.4.4"})
		f, _, err := s.house.ForecastRollout(ctx, control.Forecasting{Release: s.rel.ID, Runs: 1})
		s.must(err)
		if f.Runs[0].State != firmward.RolloutRunning || f.Runs[0].Waits["policy mature wants a person's word for it: its owner has not released it for this time (devices set NAME --released-from TIME --released-to TIME)"] != 1 {
			t.Errorf("forecast: %+v", f.Runs[0])
		}
		p, err := s.house.PlanRollout(ctx, anna, s.rel.ID, "", firmward.Filter{})
		s.must(err)
		s.ro, s.began = p.Rollout.ID, time.Now()
		_, err = s.house.SteerRollout(ctx, anna, s.ro, "start", "")
		s.must(err)
		s.until("70h")
		s.check("p1", "target pending held-back: held back until … policy mature lets releases for every device mature for 3 days; this one was imported")
		s.until("73h")
		s.check("p1", "target succeeded")
		s.check("p2", "target pending held-back: held back until … lets releases for criticality >= 3 mature for 14 days")
		s.must(s.house.Store.Tx(ctx, func(tx *store.Tx) error {
			_, err := tx.ReplaceFindings(ctx, store.Assessment{Device: s.ids["p2"], At: time.Now(), Findings: []firmward.Finding{{
				DeviceID: s.ids["p2"], AdvisoryID: "CVE-2026-0001", Verdict: firmward.Affected, Exploited: true, FixedIn: "1.4.0", OpenedAt: time.Now(),
			}}})
			return err
		}))
		s.until("76h")
		s.check("p2", "target pending not-released: policy mature wants a person's word for it")
		_, err = s.house.SetDevice(ctx, anna, s.ids["p2"], control.DeviceFacts{Released: &firmward.Span{From: time.Now(), To: time.Now().Add(6 * time.Hour)}})
		s.must(err)
		s.until("ended")
		s.check("p2", "target succeeded")
		s.check("rollout", "finished")
		found, _, err := s.house.Store.FindLeaves(ctx, store.LeafFilter{Subject: s.ids["p2"], Action: "target-claimed"}, store.Page{})
		s.must(err)
		if len(found) != 1 || found[0].Detail["why"] != "asking the device before anything is sent; it waited 2 days in place of 14 days, because attackers use CVE-2026-0001" {
			t.Errorf("record: %+v", found)
		}
	})
}

// TestPreviewPolicies: how many devices fall under which policy, and who fell under another one yesterday.
func TestPreviewPolicies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := plugHouse(t, 3, "")
		ctx := s.house.ctx
		time.Sleep(48 * time.Hour)
		_, err := s.house.SetDevice(ctx, anna, s.ids["p2"], control.DeviceFacts{Criticality: new(3)})
		s.must(err)
		_, err = s.house.SetDevice(ctx, anna, s.ids["p3"], control.DeviceFacts{Location: new("hall")})
		s.must(err)
		const rest = "waves: [100], canary-soak: 1h, max-in-flight: 1, deadline: 30m}\n"
		f, err := policy.Parse([]byte("rollout-policies:\n  - {name: careful, select: criticality >= 3, "+rest+"  - {name: plant, select: 'zone == \"plant\"', "+rest+"  - {name: rest, "+rest), "p.yaml")
		s.must(err)
		got, err := s.house.PreviewPolicies(ctx, f, time.Now().Add(-24*time.Hour))
		s.must(err)
		if got.Devices != 3 || got.None != 0 || got.Ruled[0].Rules != 1 || got.Ruled[1].Matches != 0 || got.Ruled[2].Matches != 3 || got.Ruled[2].Rules != 2 {
			t.Errorf("%+v", got)
		}
		for i, want := range []int{1, 0, 1} { // p2 came under the first and left the last
			if list := got.Ruled[i].Changed; len(list) != want || want > 0 && (list[0].Device.Name != "p2" || list[0].Before != "rest" || list[0].Now != "careful" || list[0].New) {
				t.Errorf("%s: %+v", got.Ruled[i].Policy.Name, list)
			}
		}
		all, err := s.house.PreviewPolicies(ctx, f, time.Now().Add(-72*time.Hour))
		s.must(err)
		if len(all.Ruled[2].Changed) != 2 || !all.Ruled[2].Changed[0].New || len(all.Ruled[0].Changed) != 1 {
			t.Errorf("before anything was known: %+v", all.Ruled)
		}
	})
}
