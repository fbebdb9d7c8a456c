package rollout_test

import (
	"testing"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/rollout"
)

func TestJoin(t *testing.T) {
	rel := firmward.Release{ID: "rel", Family: "f", Models: []string{"M", "N"}, Hardware: []string{"*"}, Version: "2.0"}
	late := func(id, model, rollback string) rollout.Candidate {
		return rollout.Candidate{
			Device: firmward.Device{ID: id, Name: id, Family: "f", Model: model, Hardware: "h", Firmware: "1.0", Network: "192.0.2.0/24"}, HasDriver: true, Path: "push",
			Model: firmward.Model{Rollback: firmward.Fact{Value: rollback}},
		}
	}
	canaries := map[rollout.Breed]bool{{Model: "M", Hardware: "h", Path: "push"}: true}
	ro := func(change func(*firmward.Rollout)) *firmward.Rollout {
		r := &firmward.Rollout{
			ID: "ro", State: firmward.RolloutRunning, Waves: 3, Sizes: []int{1, 2, 3}, Total: 6,
			Policy: firmward.RolloutPolicy{Name: "p", LateJoin: true, Waves: firmward.Percents(50, 100), MaxInFlight: 9},
		}
		change(r)
		return r
	}
	r := ro(func(*firmward.Rollout) {})
	in, no := rollout.Join(rel, r, []rollout.Candidate{late("a", "M", "slot"), late("b", "N", "slot"), late("c", "M", "unknown"), late("d", "M", "slot")}, canaries)
	if len(in) != 2 || in[0].DeviceID != "a" || in[1].DeviceID != "d" || in[0].Wave != 2 || in[0].RolloutID != "ro" || in[0].State != firmward.TargetPending || in[0].Why != "joined later; waits for wave 2" {
		t.Errorf("joined: %+v", in)
	}
	if len(no) != 2 || no[0].Code != rollout.RefuseRollback || no[1].Code != rollout.RefuseNoCanary {
		t.Errorf("stayed out: %+v", no)
	}
	if r.Total != 8 || r.Sizes[2] != 5 || r.Waves != 3 {
		t.Errorf("header: %+v", r)
	}
	alone := ro(func(r *firmward.Rollout) { r.Waves, r.Sizes, r.Total = 1, []int{1}, 1 })
	if in, _ := rollout.Join(rel, alone, []rollout.Candidate{late("a", "M", "slot")}, canaries); len(in) != 1 || in[0].Wave != 1 || alone.Waves != 2 || len(alone.Sizes) != 2 || alone.Total != 2 {
		t.Errorf("after a canary alone: %+v, %+v", in, alone)
	}
	approved := ro(func(r *firmward.Rollout) {
		r.Policy.Approvals, r.Approvals = 1, []firmward.Approval{{Actor: "ben"}}
	})
	if rollout.Join(rel, approved, []rollout.Candidate{late("a", "M", "slot")}, canaries); approved.State != firmward.RolloutPaused || len(approved.Approvals) != 0 || approved.Void != "1 device joined after it was approved" {
		t.Errorf("approvals: %+v", approved)
	}
	for name, change := range map[string]func(*firmward.Rollout){
		"by policy":   func(r *firmward.Rollout) { r.Policy.LateJoin = false },
		"halted":      func(r *firmward.Rollout) { r.State = firmward.RolloutHalted },
		"finished":    func(r *firmward.Rollout) { r.State = firmward.RolloutFinished },
		"a rehearsal": func(r *firmward.Rollout) { r.Rehearsal = true },
	} {
		r := ro(change)
		if in, _ := rollout.Join(rel, r, []rollout.Candidate{late("a", "M", "slot")}, canaries); len(in) != 0 || r.Total != 6 {
			t.Errorf("%s: %+v", name, in)
		}
	}
}
