package control

import (
	"context"
	"slices"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/rollout"
	"github.com/firmward/firmward/store"
)

// HastenRollout shortens the soaks of a rollout because something that is open on its devices is being exploited. The reason and
// the advisories are kept on a leaf; approvals that were given before must be given anew.
func (c *Control) HastenRollout(ctx context.Context, who firmward.Person, id, why string) (firmward.Rollout, error) {
	hurry, err := c.hurry(ctx, id)
	if err != nil {
		return firmward.Rollout{}, err
	}
	err = c.change(ctx, id, func(tx *store.Tx, r *firmward.Rollout) error {
		if r.Rehearsal {
			return firmward.Errorf(firmward.Invalid, "this is a rehearsal on a spare: hasten the rollout that waits for it")
		}
		if err := rollout.Hasten(r, why, hurry, c.Clock.Now()); err != nil {
			return err
		}
		if err := c.leaf(ctx, tx, who.Name, "rollout-hasten", r.ID, map[string]string{"why": r.Emergency, "soak": r.Policy.EmergencySoak.String(), "state": string(r.State)}); err != nil {
			return err
		}
		return c.emit(ctx, tx, "rollout", r.ID, who.Name+" hastened the rollout: "+r.Emergency)
	})
	if err != nil {
		return firmward.Rollout{}, err
	}
	c.wake(loopDeploy)
	return c.Store.Rollout(ctx, id)
}

// hurry looks what is exploited on the devices of a rollout, and how many of them are in careful hands.
func (c *Control) hurry(ctx context.Context, id string) (rollout.Hurry, error) {
	var h rollout.Hurry
	for t, err := range store.All(func(p store.Page) ([]firmward.Target, string, error) {
		return c.Store.Targets(ctx, id, store.TargetFilter{}, p)
	}) {
		if err != nil {
			return h, err
		}
		if t.State == firmward.TargetRefused {
			continue
		}
		d, err := c.Store.Device(ctx, t.DeviceID)
		if err != nil {
			return h, err
		}
		if d.Careful() {
			h.Careful++
		}
		findings, err := c.Store.FindingsOf(ctx, d.ID)
		if err != nil {
			return h, err
		}
		for _, f := range findings {
			if f.Open() && f.Exploited && !slices.Contains(h.Exploited, f.AdvisoryID) {
				h.Exploited = append(h.Exploited, f.AdvisoryID)
			}
		}
	}
	slices.Sort(h.Exploited)
	return h, nil
}

// drift tells the rollouts in which a device waits that it is no longer as it was when they were planned.
func (c *Control) drift(ctx context.Context, tx *store.Tx, d firmward.Device) error {
	targets, err := tx.TargetsOf(ctx, d.ID)
	if err != nil {
		return err
	}
	for _, t := range targets {
		if t.State != firmward.TargetPending {
			continue
		}
		r, err := tx.Rollout(ctx, t.RolloutID)
		if err != nil {
			return err
		}
		before := t.From
		if r.Rehearsal || !rollout.Drift(&r, &t, d, c.Clock.Now()) {
			continue
		}
		if err := tx.PutTarget(ctx, t); err != nil {
			return err
		}
		if _, err := tx.PutRollout(ctx, r); err != nil {
			return err
		}
		if err := c.leaf(ctx, tx, self, "rollout-drift", r.ID, map[string]string{"device": d.ID, "before": before, "now": d.Firmware, "model": d.Model, "state": string(r.State), "void": r.Void}); err != nil {
			return err
		}
		if err := c.emit(ctx, tx, "rollout", r.ID, d.Name+" has changed since the rollout was planned: "+r.Why); err != nil {
			return err
		}
		c.wake(loopDeploy)
	}
	return nil
}
