package control

import (
	"context"
	"fmt"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/rollout"
	"github.com/firmward/firmward/staging"
	"github.com/firmward/firmward/store"
)

// StagingPlan says how a release would be rehearsed: the clusters of the devices that would get it under a policy, each with its
// representative and the verdict that stands for it by now. Devices that are refused for want of a verdict are among them. Nothing
// starts and nothing is written.
func (c *Control) StagingPlan(ctx context.Context, releaseID, policyName string, filter firmward.Filter) ([]Covered, error) {
	rel, _, devices, err := c.toStage(ctx, releaseID, policyName, filter)
	if err != nil {
		return nil, err
	}
	clusters, err := c.clusters(ctx, c.Store.Reader, rel, devices)
	if err != nil {
		return nil, err
	}
	return c.standing(ctx, c.Store.Reader, rel, clusters)
}

// Rehearse rehearses a release on every representative that has no verdict of its own, or on all of them, without a rollout that waits
// for it. It gives how many rehearsals are under way.
func (c *Control) Rehearse(ctx context.Context, who firmward.Person, releaseID, policyName string, again bool) (int, error) {
	rel, pol, devices, err := c.toStage(ctx, releaseID, policyName, firmward.Filter{})
	if err != nil {
		return 0, err
	}
	running := 0
	err = c.Store.Tx(ctx, func(tx *store.Tx) error {
		clusters, err := c.clusters(ctx, tx.Reader, rel, devices)
		if err != nil {
			return err
		}
		running, err = c.rehearseAll(ctx, tx, firmward.Rollout{Policy: pol, Author: who.Name}, rel, clusters, again)
		if err != nil {
			return err
		}
		return c.leaf(ctx, tx, who.Name, "staging-run", rel.ID, map[string]string{"policy": pol.Name, "rehearsals": fmt.Sprint(running)})
	})
	c.wake(loopStage, loopDeploy)
	return running, err
}

// toStage are the devices that a rehearsal of a release is about.
func (c *Control) toStage(ctx context.Context, releaseID, policyName string, filter firmward.Filter) (rel firmward.Release, pol firmward.RolloutPolicy, out []firmward.Device, err error) {
	rel, p, cands, err := c.candidates(ctx, releaseID, policyName, filter)
	if err != nil {
		return rel, pol, nil, err
	}
	pol = p.RolloutPolicy
	for i := range cands {
		cands[i].Staging = firmward.StagingVerdict{Result: staging.Passed} // what is refused for its verdict alone is to be rehearsed
	}
	targets, _ := rollout.Plan(rel, pol, cands)
	devices := map[string]firmward.Device{}
	for _, cand := range cands {
		devices[cand.Device.ID] = cand.Device
	}
	for _, t := range targets {
		out = append(out, devices[t.DeviceID])
	}
	return rel, pol, out, nil
}

// StagingByID finds a verdict by its id.
func (c *Control) StagingByID(ctx context.Context, id string) (firmward.StagingVerdict, error) {
	for v, err := range store.All(func(p store.Page) ([]firmward.StagingVerdict, string, error) { return c.Store.AllStagings(ctx, p) }) {
		if err != nil || staging.ID(v) == id {
			return v, err
		}
	}
	return firmward.StagingVerdict{}, firmward.Errorf(firmward.NotFound, "no staging verdict "+id+" (firmward staging list)")
}
