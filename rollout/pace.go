package rollout

import (
	"slices"
	"time"

	"github.com/firmward/firmward"
)

// What is learned of how long updates take.
const (
	Remembered    = 50 // newest updates of a model that count
	enoughUpdates = 5  // with fewer the card alone counts
	mostOfCard    = 4  // times the settle time of the card; one that takes longer still is a device in trouble, no rule
)

// Took gives how long an update took as soon as that is known: when a look has seen the new version for the first time. One whose
// installation was in doubt tells nothing: nobody knows when the device had its image.
func Took(before, now firmward.Target, d firmward.Device) (firmward.UpdateTime, bool) {
	if !before.BackAt.IsZero() || now.BackAt.IsZero() || before.State == firmward.TargetInDoubt || now.Attempt != 1 {
		return firmward.UpdateTime{}, false
	}
	return firmward.UpdateTime{
		Model: d.Model, Hardware: d.Hardware, RolloutID: now.RolloutID, DeviceID: now.DeviceID,
		Sent: now.AcceptedAt.Sub(now.StartedAt), Back: now.BackAt.Sub(now.AcceptedAt), At: now.BackAt,
	}, true
}

// Learned is the settle time of a model as its updates showed it: nine of ten were back by then. It is never shorter than the card's,
// since nobody looks earlier, and at most four times as long.
func Learned(m firmward.Model, took []firmward.UpdateTime) time.Duration {
	card := Settle(m)
	if len(took) < enoughUpdates {
		return card
	}
	back := make([]time.Duration, len(took))
	for i, u := range took {
		back[i] = u.Back
	}
	slices.Sort(back)
	return min(mostOfCard*card, max(card, back[(9*len(back)+9)/10-1]))
}
