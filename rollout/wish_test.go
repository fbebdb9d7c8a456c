package rollout_test

import (
	"testing"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/rollout"
	"github.com/firmward/firmward/topology"
)

// TestWishes: what owners want of updates binds every policy, in the plan and for those that wait; a critical device that cannot go back wants a
// second person.
func TestWishes(t *testing.T) {
	rel := firmward.Release{ID: "rel", Family: "f", Models: []string{"M"}, Hardware: []string{"*"}, Version: "2.0"}
	for _, tt := range []struct {
		name        string
		updates     firmward.Updates
		criticality int
		rollback    firmward.Rollback
		approvals   int
		want        string
	}{
		{"auto", firmward.UpdatesAuto, 4, firmward.RollbackSlot, 0, ""},
		{"ask is planned", firmward.UpdatesAsk, 1, firmward.RollbackSlot, 0, ""},
		{"never", firmward.UpdatesNever, 1, firmward.RollbackSlot, 2, rollout.RefuseNever},
		{"critical and no way back", firmward.UpdatesAuto, 4, firmward.RollbackNone, 0, rollout.RefuseNoWayBack},
		{"critical and no way back, approved", firmward.UpdatesAuto, 5, firmward.RollbackNone, 1, ""},
		{"no way back, little at stake", firmward.UpdatesAuto, 3, firmward.RollbackNone, 0, ""},
	} {
		c := rollout.Candidate{
			Device: firmward.Device{ID: "a", Family: "f", Model: "M", Firmware: "1.0", Network: "192.0.2.0/24", Criticality: tt.criticality, Updates: tt.updates}, HasDriver: true,
			Model: firmward.Model{Rollback: firmward.Fact{Value: string(tt.rollback)}},
		}
		if code, why := rollout.Refuse(rel, firmward.RolloutPolicy{Approvals: tt.approvals}, c); code != tt.want {
			t.Errorf("%s: %q %s", tt.name, code, why)
		}
	}
	now := time.Date(2026, 3, 2, 20, 0, 0, 0, time.UTC)
	r := &firmward.Rollout{State: firmward.RolloutRunning, Policy: firmward.RolloutPolicy{MaxInFlight: 1}}
	ask := func(d firmward.Device) string {
		_, no := rollout.Pick(r, []rollout.Slot{{Target: firmward.Target{DeviceID: "a", State: firmward.TargetPending}, Candidate: rollout.Candidate{Device: d}, Local: now}}, rollout.Claims{}, topology.Map{}, false)
		if len(no) == 0 {
			return ""
		}
		return no[0].Code
	}
	word := firmward.Span{From: now.Add(-time.Hour), To: now.Add(8 * time.Hour)}
	for want, d := range map[string]firmward.Device{
		rollout.RefuseNever:      {ID: "a", Updates: firmward.UpdatesNever, Released: word},
		rollout.RefuseUnreleased: {ID: "a", Updates: firmward.UpdatesAsk},
		"":                       {ID: "a", Updates: firmward.UpdatesAsk, Released: word},
	} {
		if got := ask(d); got != want {
			t.Errorf("%s: %q, want %q", d.Updates, got, want)
		}
	}
}
