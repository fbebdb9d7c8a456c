package control

import (
	"context"
	"fmt"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/rollout"
	"github.com/firmward/firmward/store"
)

// recall halts every rollout that carries a release, in the transaction that withdraws it: whoever sends an image asks the rollout once more
// before it does. It gives the ids of those that it halted.
func (c *Control) recall(ctx context.Context, tx *store.Tx, who firmward.Person, rel firmward.Release) ([]string, error) {
	all, err := store.Every(func(p store.Page) ([]firmward.Rollout, string, error) {
		return tx.Rollouts(ctx, store.RolloutFilter{ReleaseID: rel.ID}, p)
	})
	if err != nil {
		return nil, err
	}
	var halted []string
	for _, r := range all {
		was := r.State
		if !rollout.Withdraw(&r, rel.WhyGone) {
			continue
		}
		if err := c.putHalted(ctx, tx, who.Name, r, was); err != nil {
			return nil, err
		}
		halted = append(halted, r.ID)
	}
	return halted, nil
}

// putHalted writes a rollout that was halted from outside, with leaf and event.
func (c *Control) putHalted(ctx context.Context, tx *store.Tx, actor string, r firmward.Rollout, was firmward.RolloutState) error {
	if _, err := tx.PutRollout(ctx, r); err != nil {
		return err
	}
	if r.State != was {
		if err := c.leaf(ctx, tx, actor, "rollout-"+string(r.State), r.ID, map[string]string{"why": r.Why}); err != nil {
			return err
		}
	}
	return c.emit(ctx, tx, "rollout", r.ID, fmt.Sprintf("rollout %s: %s", r.State, r.Why))
}
