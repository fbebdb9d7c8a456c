package store

import (
	"context"
	"time"

	"github.com/firmward/firmward"
)

// PutWorkOrder writes a work order by its id. The observation that proved it done is pinned.
func (t *Tx) PutWorkOrder(ctx context.Context, w firmward.WorkOrder) error {
	open := w.State != firmward.WorkDone && w.State != firmward.WorkVoid
	err := t.put(ctx, `INSERT INTO workorder (id, device, state, is_open, due, body) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (id) DO UPDATE SET device = excluded.device, state = excluded.state, is_open = excluded.is_open,
		due = excluded.due, body = excluded.body`, w.ID, w.DeviceID, w.State, open, w.Due, js{w})
	if err != nil || w.Evidence == "" {
		return err
	}
	return t.PinObservation(ctx, w.Evidence)
}

// WorkOrder gives one work order.
func (r Reader) WorkOrder(ctx context.Context, id string) (firmward.WorkOrder, error) {
	return one[firmward.WorkOrder](ctx, r, "work order", id, "SELECT body FROM workorder WHERE id = $1", id)
}

// WorkOrderFilter chooses work orders. Zero fields choose nothing out.
type WorkOrderFilter struct {
	Device string
	State  firmward.WorkState
	Open   *bool     // neither done nor void
	DueBy  time.Time // due at this time or before
}

// WorkOrders lists work orders by id.
func (r Reader) WorkOrders(ctx context.Context, want WorkOrderFilter, p Page) ([]firmward.WorkOrder, string, error) {
	var f filter
	f.is("device", want.Device)
	f.is("state", want.State)
	f.truth("is_open", want.Open)
	if !want.DueBy.IsZero() {
		f.add("due BETWEEN 1 AND ?", want.DueBy)
	}
	return page(ctx, r, ordered("id"), p, f, "workorder", "body", bodies[firmward.WorkOrder])
}

// PutContainment writes a containment by its id.
func (t *Tx) PutContainment(ctx context.Context, c firmward.Containment) error {
	err := t.put(ctx, `INSERT INTO containment (id, device, state, is_open, next_due, body) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (id) DO UPDATE SET device = excluded.device, state = excluded.state, is_open = excluded.is_open,
		next_due = excluded.next_due, body = excluded.body`, c.ID, c.DeviceID, c.State, c.EndedAt.IsZero(), c.NextDue, js{c})
	if err != nil || c.ReleaseOn == "" {
		return err
	}
	return t.PinObservation(ctx, c.ReleaseOn)
}

// Containment gives one containment.
func (r Reader) Containment(ctx context.Context, id string) (firmward.Containment, error) {
	return one[firmward.Containment](ctx, r, "containment", id, "SELECT body FROM containment WHERE id = $1", id)
}

// ContainmentFilter chooses containments. Zero fields choose nothing out.
type ContainmentFilter struct {
	Device    string
	State     firmward.ContainState
	Open      *bool     // EndedAt is zero
	DueBefore time.Time // due at this time or before
}

// Containments lists containments by id.
func (r Reader) Containments(ctx context.Context, want ContainmentFilter, p Page) ([]firmward.Containment, string, error) {
	var f filter
	f.is("device", want.Device)
	f.is("state", want.State)
	f.truth("is_open", want.Open)
	if !want.DueBefore.IsZero() {
		f.add("next_due BETWEEN 1 AND ?", want.DueBefore)
	}
	return page(ctx, r, ordered("id"), p, f, "containment", "body", bodies[firmward.Containment])
}
