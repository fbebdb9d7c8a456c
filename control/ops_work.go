package control

import (
	"context"
	"fmt"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/store"
	"github.com/firmward/firmward/workorder"
)

// ReportWork records a person's word that a work order was done; then a probe looks.
func (c *Control) ReportWork(ctx context.Context, who firmward.Person, id, note string) (firmward.WorkOrder, error) {
	var w firmward.WorkOrder
	err := c.Store.Tx(ctx, func(tx *store.Tx) error {
		var err error
		if w, err = tx.WorkOrder(ctx, id); err != nil {
			return err
		}
		if w, err = workorder.Report(w, who.Name, note, c.Clock.Now()); err != nil {
			return err
		}
		if err := tx.PutWorkOrder(ctx, w); err != nil {
			return err
		}
		if err := c.emit(ctx, tx, "workorder", w.ID, w.Why); err != nil {
			return err
		}
		return c.leaf(ctx, tx, who.Name, "workorder-report", w.ID, map[string]string{"device": w.DeviceID, "note": note})
	})
	if err != nil {
		return w, err
	}
	if w.RolloutID != "" {
		err = c.reported(ctx, w)
	} else {
		err = c.checkWork(ctx, w)
	}
	if err != nil {
		return w, err
	}
	return c.Store.WorkOrder(ctx, id)
}

// AssignWork gives a work order to somebody.
func (c *Control) AssignWork(ctx context.Context, who firmward.Person, id, assignee string) (firmward.WorkOrder, error) {
	var w firmward.WorkOrder
	err := c.Store.Tx(ctx, func(tx *store.Tx) error {
		var err error
		if w, err = tx.WorkOrder(ctx, id); err != nil {
			return err
		}
		w.Assignee = assignee
		if err := tx.PutWorkOrder(ctx, w); err != nil {
			return err
		}
		return c.leaf(ctx, tx, who.Name, "workorder-assign", w.ID, map[string]string{"assignee": assignee})
	})
	c.touch(w.DeviceID)
	return w, err
}

// lookAtWork looks at every device whose work was reported done and not yet looked at.
func (c *Control) lookAtWork(ctx context.Context) error {
	orders, err := store.Every(func(p store.Page) ([]firmward.WorkOrder, string, error) {
		return c.Store.WorkOrders(ctx, store.WorkOrderFilter{State: firmward.WorkReported}, p)
	})
	if err != nil {
		return err
	}
	for _, w := range orders {
		if w.RolloutID != "" {
			continue // its rollout looks
		}
		if err := c.checkWork(ctx, w); err != nil {
			c.Log.WarnContext(ctx, "reported work could not be looked at", "workorder", w.ID, "error", err)
		}
	}
	return nil
}

// checkWork looks at the device of a work order and judges. A device that cannot be asked leaves the
// order as reported, with the reason.
func (c *Control) checkWork(ctx context.Context, w firmward.WorkOrder) error {
	d, err := c.Store.Device(ctx, w.DeviceID)
	if err != nil {
		return err
	}
	if w.Kind == "replace" || w.Kind == "retire" {
		return c.saveWork(ctx, w, "it is not looked at by a probe: retire the device to close this (devices set --retired)")
	}
	seen, err := c.look(ctx, d)
	if err != nil {
		return c.saveWork(ctx, w, "nobody could look: "+err.Error())
	}
	if !seen.Reachable {
		return c.saveWork(ctx, w, "the device does not answer, so nothing is proven yet")
	}
	judged := workorder.Judge(w, c.Catalog.Model(d).Scheme, seen.Version, seen.Evidence, c.Clock.Now())
	if judged.State == w.State && judged.Why == w.Why {
		return c.saveWork(ctx, w, "the version could not be read, so nothing is proven yet")
	}
	return c.saveJudged(ctx, judged)
}

func (c *Control) saveWork(ctx context.Context, w firmward.WorkOrder, why string) error {
	w.Why = why
	return c.saveJudged(ctx, w)
}

func (c *Control) saveJudged(ctx context.Context, w firmward.WorkOrder) error {
	err := c.Store.Tx(ctx, func(tx *store.Tx) error {
		if err := tx.PutWorkOrder(ctx, w); err != nil {
			return err
		}
		if err := tx.PinObservation(ctx, w.Evidence); err != nil {
			return err
		}
		if err := c.emit(ctx, tx, "workorder", w.ID, fmt.Sprintf("work order %s: %s", w.State, w.Why)); err != nil {
			return err
		}
		return c.leaf(ctx, tx, self, "workorder-"+string(w.State), w.ID, map[string]string{"device": w.DeviceID, "why": w.Why, "evidence": w.Evidence})
	})
	c.touch(w.DeviceID)
	return err
}
