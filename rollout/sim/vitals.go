package sim

import (
	"fmt"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/rollout"
)

// What simulated devices say of battery and radio while it is too little, and afterwards.
const (
	lowCharge, goodCharge = 12, 90   // percent
	weakHeard, wellHeard  = -92, -60 // dBm

	healTime = 20 * time.Hour // from the first question until somebody has charged it or moved its access point
)

// vitals is what the device says of its battery and its radio at a time.
func (d *Device) vitals(now time.Time) firmward.Vitals {
	v, healed := d.Says, !d.healsAt.IsZero() && !now.Before(d.healsAt)
	if d.Habit.has(BatteryLow | BatteryFlat) {
		v.Battery = new(lowCharge)
		if healed && !d.Habit.has(BatteryFlat) {
			v.Battery = new(goodCharge)
		}
	}
	if d.Habit.has(WeakSignal | OutOfRange) {
		v.Signal = new(weakHeard)
		if healed && !d.Habit.has(OutOfRange) {
			v.Signal = new(wellHeard)
		}
	}
	return v
}

// lacks says what a device has too little of under a policy, or "".
func lacks(p firmward.RolloutPolicy, v firmward.Vitals) string {
	if b := v.Battery; b != nil && !v.External && *b < p.MinBattery {
		return fmt.Sprintf("its battery is at %d %%, the policy wants %d %%", *b, p.MinBattery)
	}
	if s := v.Signal; s != nil && p.MinSignal != 0 && *s < p.MinSignal {
		return fmt.Sprintf("its signal is at %d dBm, the policy wants %d dBm", *s, p.MinSignal)
	}
	return ""
}

// rested checks that a device that was found too low is not asked again at once.
func (w *World) rested(r *Run, s *slot) {
	if !s.ByHand && w.Now.Before(s.lowAt.Add(30*time.Minute)) { // a person may ask as often as that person likes
		w.fail("%s is asked again %s after it was found too low", s.DeviceID, w.Now.Sub(s.lowAt))
	}
}

// found notes what an answer before the start said.
func (w *World) found(r *Run, s *slot, before firmward.Target, ev rollout.Event) {
	if ev.Kind != rollout.PreflightOK || before.State != firmward.TargetClaimed || s.State == before.State {
		return
	}
	s.lowAt = time.Time{}
	if lacks(r.Policy, ev.Seen.Vitals) != "" && before.From == s.From {
		s.lowAt = w.Now
	}
}

// lows gives some devices too little of something, as the dice fall. They are dealt beside the other habits, so that older seeds play
// what they always did.
func (w *World) lows(name string, order []string) {
	if w.dice(name+"lows", 3) > 0 {
		return
	}
	for _, id := range order {
		if d := w.devices[id]; w.dice(name+id+"low", 4) == 0 {
			d.Habit |= []Habit{BatteryLow, BatteryFlat, WeakSignal, OutOfRange}[w.dice(name+id+"which low", 4)]
			d.healsAt = time.Time{}
		}
	}
}
