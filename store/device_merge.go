package store

import (
	"context"
	"time"

	"github.com/firmward/firmward"
)

// MergeDevices makes two devices one: what hangs on from goes to into, the row of from is deleted, and its id goes on
// finding into. Observations, history, exceptions, relations, work orders, containments, claims and rollout targets
// move. Findings, next step and identity of from are dropped: they are to be worked out anew from the observations.
// The fields of into stay as they are, apart from addresses and MACs, which both keep. Conflict when both take part in
// the same unfinished rollout.
func (t *Tx) MergeDevices(ctx context.Context, into, from string, c Change) error {
	if into == from {
		return firmward.Errorf(firmward.Invalid, "a device cannot be merged into itself")
	}
	a, err := t.Device(ctx, into)
	if err != nil {
		return err
	}
	b, err := t.Device(ctx, from)
	if err != nil {
		return err
	}
	if a.ID == b.ID {
		return firmward.Errorf(firmward.Conflict, into+" and "+from+" are one device already")
	}
	if err := t.mergeTargets(ctx, a.ID, b.ID); err != nil {
		return err
	}
	if err := t.dropOf(ctx, b.ID); err != nil {
		return err
	}
	for _, move := range []string{
		"UPDATE observation SET device = $1 WHERE device = $2",
		"UPDATE exception SET device = $1 WHERE device = $2",
		"UPDATE workorder SET device = $1 WHERE device = $2",
		"UPDATE containment SET device = $1 WHERE device = $2",
		"UPDATE claim SET device = $1 WHERE device = $2",
		"UPDATE device_alias SET device = $1 WHERE device = $2",
		"INSERT INTO device_alias (device, id) VALUES ($1, $2)",
	} {
		if err := t.put(ctx, move, a.ID, b.ID); err != nil {
			return err
		}
	}
	if err := t.rewrite(ctx, a.ID, b.ID); err != nil {
		return err
	}
	if err := t.countDevice(ctx, b, -1); err != nil {
		return err
	}
	if err := t.Touch(ctx, []Seen{{Device: a.ID, At: b.LastSeen}}); err != nil {
		return err
	}
	a.Addrs, a.MACs = union(a.Addrs, b.Addrs), union(a.MACs, b.MACs)
	if !b.FirstSeen.IsZero() && (a.FirstSeen.IsZero() || b.FirstSeen.Before(a.FirstSeen)) {
		a.FirstSeen = b.FirstSeen
	}
	a.LastSeen = time.Time{}
	return t.PutDevice(ctx, a, c)
}

// dropOf removes what belongs to a device alone.
func (t *Tx) dropOf(ctx context.Context, id string) error {
	if err := t.dropFindings(ctx, id); err != nil {
		return err
	}
	if err := t.DeleteNextStep(ctx, id); err != nil {
		return err
	}
	for _, table := range []string{"identity", "device_key", "device_addr", "device_seen"} {
		if err := t.put(ctx, "DELETE FROM "+table+" WHERE device = $1", id); err != nil {
			return err
		}
	}
	return t.put(ctx, "DELETE FROM device WHERE id = $1", id)
}

// rewrite replaces the device id inside the bodies that carry it.
func (t *Tx) rewrite(ctx context.Context, into, from string) error {
	exceptions, err := list(ctx, t.Reader, bodies[firmward.Exception], "SELECT body FROM exception WHERE device = $1", into)
	if err != nil {
		return err
	}
	for _, e := range exceptions {
		e.DeviceID = into
		if err := t.PutException(ctx, e); err != nil {
			return err
		}
	}
	orders, err := list(ctx, t.Reader, bodies[firmward.WorkOrder], "SELECT body FROM workorder WHERE device = $1", into)
	if err != nil {
		return err
	}
	for _, w := range orders {
		w.DeviceID = into
		if err := t.PutWorkOrder(ctx, w); err != nil {
			return err
		}
	}
	containments, err := list(ctx, t.Reader, bodies[firmward.Containment], "SELECT body FROM containment WHERE device = $1", into)
	if err != nil {
		return err
	}
	for _, c := range containments {
		c.DeviceID = into
		if err := t.PutContainment(ctx, c); err != nil {
			return err
		}
	}
	return t.mergeRelations(ctx, into, from)
}

func union[T comparable](a, b []T) []T {
	out := append([]T(nil), a...)
	have := make(map[T]bool, len(a))
	for _, v := range a {
		have[v] = true
	}
	for _, v := range b {
		if !have[v] {
			out = append(out, v)
		}
	}
	return out
}
