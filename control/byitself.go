package control

import (
	"context"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/store"
)

// aftermath is how long after the end of an update or of somebody's work a new version is still taken for its effect.
const aftermath = 24 * time.Hour

// byItself reports whether a version came that neither a rollout nor a work order of firmward accounts for: the device, its
// maker or somebody unknown changed it.
func byItself(ctx context.Context, tx *store.Tx, device, version string, now time.Time) (bool, error) {
	targets, err := tx.TargetsOf(ctx, device)
	if err != nil {
		return false, err
	}
	for _, t := range targets {
		recent := t.State.InFlight() || now.Sub(t.EndedAt) < aftermath
		if recent && (t.Want == version || t.From == version) {
			return false, nil
		}
	}
	orders, err := store.Every(func(p store.Page) ([]firmward.WorkOrder, string, error) {
		return tx.WorkOrders(ctx, store.WorkOrderFilter{Device: device}, p)
	})
	for _, w := range orders {
		if (w.ClosedAt.IsZero() || now.Sub(w.ClosedAt) < aftermath) && (w.Want == version || w.Want == "") {
			return false, err
		}
	}
	return true, err
}
