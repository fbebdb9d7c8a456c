package control

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/rollout"
	"github.com/firmward/firmward/store"
)

// joinEvery is how often a rollout that takes late devices looks for some.
const joinEvery = time.Hour

// join takes devices into a rollout that became known, or came to fit, after it was planned, where its policy lets them.
func (c *Control) join(ctx context.Context, r firmward.Rollout) error {
	now := c.Clock.Now()
	if !r.Policy.LateJoin || r.Rehearsal || r.Staging == "running" || now.Sub(c.joined[r.ID]) < joinEvery {
		return nil
	}
	c.joined[r.ID] = now
	rel, pol, cands, err := c.candidates(ctx, r.ReleaseID, r.Policy.Name, r.Where, r.Allowed...)
	switch {
	case firmward.CodeOf(err) == firmward.NotFound || err == nil && pol.Name != r.Policy.Name:
		return nil // its policy is gone, or nobody is left whom it is about
	case err != nil:
		return err
	}
	targets, err := c.targets(ctx, r.ID)
	if err != nil {
		return err
	}
	known := map[string]bool{} // who takes part; whom the plan refused may fit by now
	canaries := map[rollout.Breed]bool{}
	byID := map[string]*rollout.Candidate{}
	for i := range cands {
		byID[cands[i].Device.ID] = &cands[i]
	}
	for _, t := range targets {
		known[t.DeviceID] = t.State != firmward.TargetRefused
		if cand, ok := byID[t.DeviceID]; ok && t.Wave == 0 {
			canaries[rollout.BreedOf(rel, r.Policy, cand)] = true
		}
	}
	var late []rollout.Candidate
	for _, cand := range cands {
		if !known[cand.Device.ID] {
			late = append(late, cand)
		}
	}
	var in []firmward.Target
	if err := c.change(ctx, r.ID, func(tx *store.Tx, r *firmward.Rollout) error {
		in, _ = rollout.Join(rel, r, late, canaries)
		if len(in) == 0 {
			return nil
		}
		if err := tx.PutTargets(ctx, in); err != nil {
			return err
		}
		names := make([]string, len(in))
		for i, t := range in {
			names[i] = t.DeviceID
		}
		if err := c.leaf(ctx, tx, self, "rollout-join", r.ID, map[string]string{"devices": strings.Join(names, ","), "state": string(r.State), "void": r.Void}); err != nil {
			return err
		}
		return c.emit(ctx, tx, "rollout", r.ID, fmt.Sprintf("%d joined the rollout later", len(in)))
	}); err != nil {
		return err
	}
	for _, t := range in {
		c.touch(t.DeviceID)
	}
	return nil
}
