package control

import (
	"context"
	"fmt"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/staging"
	"github.com/firmward/firmward/store"
)

// rehearsalSoak is how long a spare is watched after its update before the verdict.
const rehearsalSoak = 10 * time.Minute

// stage gives a rollout its staging verdicts: those that stand already for exactly this image, path,
// model and revision, and a rehearsal on a spare for each of the others. Where no spare is at hand the
// verdict is "not-staged". It returns the sum: passed, failed, not-staged or running.
func (c *Control) stage(ctx context.Context, tx *store.Tx, r firmward.Rollout, rel firmward.Release, targets []firmward.Target) (string, error) {
	yes := true
	spares, err := store.Every(func(p store.Page) ([]firmward.Device, string, error) {
		return tx.Devices(ctx, store.DeviceFilter{Spare: &yes, Family: rel.Family}, p)
	})
	if err != nil {
		return "", err
	}
	seen := map[string]bool{}
	var verdicts []firmward.StagingVerdict
	running := false
	devices, err := devicesOf(ctx, tx.Reader, targets)
	if err != nil {
		return "", err
	}
	for _, d := range devices {
		drv, ok := c.installer(c.Catalog.Model(d))
		if !ok || seen[d.Model+"\x00"+d.Hardware] {
			continue
		}
		seen[d.Model+"\x00"+d.Hardware] = true
		path := string(drv.Info().Path)
		v, err := tx.Staging(ctx, rel.SHA256, path, d.Model, d.Hardware)
		if err == nil && v.Result != staging.NotStaged {
			verdicts = append(verdicts, v)
			continue
		}
		if err != nil && firmward.CodeOf(err) != firmward.NotFound {
			return "", err
		}
		spare, ok, why := staging.Pick(rel, d.Model, d.Hardware, d.Site, spares)
		if !ok {
			v := staging.Missing(rel, path, d.Model, d.Hardware, why, c.Clock.Now())
			if err := c.keepVerdict(ctx, tx, r.ID, v); err != nil {
				return "", err
			}
			verdicts = append(verdicts, v)
			continue
		}
		if err := c.rehearse(ctx, tx, r, rel, spare); err != nil {
			return "", err
		}
		running = true
	}
	if running {
		return "running", nil
	}
	return staging.Sum(verdicts), nil
}

// rehearse opens a rollout of one target, the spare: the same engine, the same driver, the same probes.
func (c *Control) rehearse(ctx context.Context, tx *store.Tx, parent firmward.Rollout, rel firmward.Release, spare firmward.Device) error {
	now := c.Clock.Now()
	p := parent.Policy
	p.Name, p.Waves, p.CanarySoak, p.Approvals = "rehearsal", firmward.Percents(100), rehearsalSoak, 0
	p.Window, p.Windows, p.RequireOwner, p.RequireStaged, p.MaxInFlight = firmward.Window{}, nil, false, false, 1 // its freezes hold there too
	reh := firmward.Rollout{
		ID: store.NewID("stage"), ReleaseID: rel.ID, Policy: p, State: firmward.RolloutRunning, Author: parent.Author, Created: now,
		Why: "rehearsal on " + spare.Name + " for " + parent.ID, Waves: 1, Total: 1, WaveOpen: now, Rehearsal: true,
		Allowed: parent.Allowed,
	}
	if _, err := tx.PutRollout(ctx, reh); err != nil {
		return err
	}
	if err := tx.PutTargets(ctx, []firmward.Target{{
		RolloutID: reh.ID, DeviceID: spare.ID, State: firmward.TargetPending, Model: spare.Model, From: spare.Firmware, Want: rel.Version, Why: "rehearsal",
	}}); err != nil {
		return err
	}
	if err := c.leaf(ctx, tx, self, "staging-begin", reh.ID, map[string]string{"rollout": parent.ID, "spare": spare.ID, "release": rel.ID}); err != nil {
		return err
	}
	return c.emit(ctx, tx, "rollout", parent.ID, "staging: "+rel.Version+" is rehearsed on "+spare.Name)
}

// judgeRehearsal turns the end of a rehearsal into its verdict and lets the rollouts that wait for it go on.
func (c *Control) judgeRehearsal(ctx context.Context, reh firmward.Rollout) error {
	targets, err := c.targets(ctx, reh.ID)
	if err != nil || len(targets) != 1 || !targets[0].State.Final() {
		return err
	}
	rel, err := c.Store.Release(ctx, reh.ReleaseID)
	if err != nil {
		return err
	}
	spare, err := c.Store.Device(ctx, targets[0].DeviceID)
	if err != nil {
		return err
	}
	drv, ok := c.installer(c.Catalog.Model(spare))
	if !ok {
		return firmward.Errorf(firmward.Internal, "the spare has lost its driver")
	}
	v := staging.Judge(rel, string(drv.Info().Path), spare, targets[0], c.Clock.Now())
	err = c.Store.Tx(ctx, func(tx *store.Tx) error {
		if old, err := tx.Staging(ctx, v.SHA256, v.Path, v.Model, v.Hardware); err == nil && old.At.After(reh.Created) {
			return nil // judged already
		}
		return c.keepVerdict(ctx, tx, reh.ID, v)
	})
	if err != nil {
		return err
	}
	return c.settleStaging(ctx, rel)
}

// checkStaging looks for rehearsals that have ended for a rollout that waits for them.
func (c *Control) checkStaging(ctx context.Context, r firmward.Rollout) error {
	all, err := c.rollouts(ctx, store.RolloutFilter{ReleaseID: r.ReleaseID})
	if err != nil {
		return err
	}
	for _, reh := range all {
		if reh.Rehearsal && reh.State != firmward.RolloutRunning {
			if err := c.judgeRehearsal(ctx, reh); err != nil {
				return err
			}
		}
	}
	return nil
}

// settleStaging ends the waiting of rollouts of a release once all their verdicts stand.
func (c *Control) settleStaging(ctx context.Context, rel firmward.Release) error {
	rollouts, err := c.rollouts(ctx, store.RolloutFilter{ReleaseID: rel.ID})
	if err != nil {
		return err
	}
	for _, r := range rollouts {
		if r.Rehearsal || r.Staging != "running" || r.State == firmward.RolloutStopped {
			continue
		}
		targets, err := c.targets(ctx, r.ID)
		if err != nil {
			return err
		}
		verdicts, open, err := c.verdicts(ctx, rel, targets)
		if err != nil || open {
			return err
		}
		sum := staging.Sum(verdicts)
		if err := c.change(ctx, r.ID, func(tx *store.Tx, r *firmward.Rollout) error {
			r.Staging = sum
			return c.emit(ctx, tx, "rollout", r.ID, "staging verdict: "+sum)
		}); err != nil {
			return err
		}
	}
	c.wake(loopDeploy)
	return nil
}

// verdicts collects the verdicts for the models of targets; open says that one is still missing.
func (c *Control) verdicts(ctx context.Context, rel firmward.Release, targets []firmward.Target) (out []firmward.StagingVerdict, open bool, err error) {
	seen := map[string]bool{}
	for _, t := range targets {
		if t.State == firmward.TargetRefused {
			continue
		}
		d, err := c.Store.Device(ctx, t.DeviceID)
		if err != nil {
			return nil, false, err
		}
		drv, ok := c.installer(c.Catalog.Model(d))
		if !ok || seen[d.Model+"\x00"+d.Hardware] {
			continue
		}
		seen[d.Model+"\x00"+d.Hardware] = true
		v, err := c.Store.Staging(ctx, rel.SHA256, string(drv.Info().Path), d.Model, d.Hardware)
		switch {
		case firmward.CodeOf(err) == firmward.NotFound:
			return nil, true, nil
		case err != nil:
			return nil, false, err
		}
		out = append(out, v)
	}
	return out, false, nil
}

func (c *Control) keepVerdict(ctx context.Context, tx *store.Tx, subject string, v firmward.StagingVerdict) error {
	if err := tx.PutStaging(ctx, v); err != nil {
		return err
	}
	if err := c.leaf(ctx, tx, self, "staging-verdict", v.ReleaseID, map[string]string{
		"result": v.Result, "why": v.Why, "sha256": v.SHA256, "path": v.Path, "model": v.Model, "hardware": v.Hardware, "spare": v.SpareID,
	}); err != nil {
		return err
	}
	return c.emit(ctx, tx, "rollout", subject, fmt.Sprintf("staging of %s on %s: %s (%s)", v.ReleaseID, v.Model, v.Result, v.Why))
}
