package control

import (
	"context"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/rollout"
	"github.com/firmward/firmward/store"
)

// RestoreTarget is a person's word that a device which a rollout left worse goes back to the version before.
func (c *Control) RestoreTarget(ctx context.Context, who firmward.Person, id, ref, why string) (firmward.Target, error) {
	var t firmward.Target
	if why == "" {
		return t, firmward.Errorf(firmward.Invalid, "say why (--why)")
	}
	r, err := c.Store.Rollout(ctx, id)
	if err != nil {
		return t, err
	}
	targets, err := c.toStop(ctx, r, Stopping{Devices: []string{ref}})
	if err != nil {
		return t, err
	}
	t = targets[0]
	if err := c.startOne(ctx, r, t, func(p *picking, s rollout.Slot) (rollout.Event, string) {
		_, not := rollout.MayRestore(&p.rollout, &s, p.claims, p.topo, p.stop)
		return rollout.Event{Kind: rollout.Restore, Why: who.Name + " lets it go back: " + why}, not
	}); err != nil {
		return t, err
	}
	err = c.Store.Tx(ctx, func(tx *store.Tx) error {
		return c.leaf(ctx, tx, who.Name, "rollout-restore", id, map[string]string{"device": t.DeviceID, "why": why})
	})
	if err != nil {
		return t, err
	}
	c.wake(loopDeploy)
	return c.Store.Target(ctx, id, t.DeviceID)
}
