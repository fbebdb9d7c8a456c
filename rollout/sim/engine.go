package sim

import (
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/rollout"
	"github.com/firmward/firmward/topology"
)

// engine is what a world obeys: the decisions of package rollout, and what a crash leaves of what was saved. Only tests put another
// in its place: one with a deliberate bug, which an invariant must catch (bug_test.go).
type engine struct {
	plan    func(firmward.Release, firmward.RolloutPolicy, []rollout.Candidate) ([]firmward.Target, []rollout.Refusal)
	pick    func(*firmward.Rollout, []rollout.Slot, rollout.Claims, topology.Map, bool) ([]rollout.Slot, []rollout.Refusal)
	gate    func(*firmward.Rollout, rollout.WaveCount, time.Time) (bool, time.Time)
	advance func(*rollout.Input, []rollout.Command) []rollout.Command
	drift   func(*firmward.Rollout, *firmward.Target, firmward.Device, time.Time) bool
	crashed func(*World, *slot)
	events  func([]rollout.Fallen, map[string]int, rollout.Claims, topology.Map, time.Time) []rollout.VendorEvent
	halt    func(rollout.VendorEvent, *firmward.Rollout) bool
	recall  func(*firmward.Rollout, string) bool
	join    func(firmward.Release, *firmward.Rollout, []rollout.Candidate, map[rollout.Breed]bool) ([]firmward.Target, []rollout.Refusal)
}

var sound = engine{
	plan: rollout.Plan, pick: rollout.Pick, gate: rollout.Gate, advance: rollout.Advance, drift: rollout.Drift,
	crashed: func(*World, *slot) {}, // the store keeps everything
	events:  rollout.VendorEvents, halt: rollout.VendorEvent.Halt, recall: rollout.Withdraw, join: rollout.Join,
}
