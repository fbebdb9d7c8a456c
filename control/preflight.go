package control

import (
	"context"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/driver"
	"github.com/firmward/firmward/rollout"
)

// preflight looks at the device as it is, then lets rules and driver say no before a byte of the image
// is sent.
func (c *Control) preflight(ctx context.Context, j job) (rollout.Event, error) {
	seen, err := c.eyes(ctx, j.device)
	if err != nil {
		return rollout.Event{}, err
	}
	if !seen.Reachable {
		return rollout.Event{Kind: rollout.PreflightFailed, Why: seen.Note}, nil
	}
	if !seen.SameDevice {
		return rollout.Event{Kind: rollout.PreflightRefused, Code: "other-device", Why: "another device answers at its address"}, nil
	}
	if j.device, err = c.Store.Device(ctx, j.device.ID); err != nil { // the look may have taught us
		return rollout.Event{}, err
	}
	cand, err := c.candidate(ctx, j.release, j.device)
	if err != nil {
		return rollout.Event{}, err
	}
	rels, err := c.familyReleases(ctx, j.release.Family)
	if err != nil {
		return rollout.Event{}, err
	}
	if cand, err = c.withWay(ctx, cand, rels); err != nil {
		return rollout.Event{}, err
	}
	cand.Allowed = j.rollout.Allowed
	if j.rollout.Rehearsal {
		cand.Device.Spare, cand.Staging = false, firmward.StagingVerdict{}
	}
	if code, why := rollout.Refuse(j.release, j.rollout.Policy, cand); code != "" && code != rollout.RefuseCurrent {
		return rollout.Event{Kind: rollout.PreflightRefused, Code: code, Why: why}, nil
	}
	var vitals firmward.Vitals
	var ev *rollout.Event
	if !j.target.ByHand {
		vitals, ev, err = c.lastWord(ctx, j)
	}
	switch {
	case err != nil:
		return rollout.Event{}, err
	case ev != nil:
		return *ev, nil
	}
	if err := c.askBehind(ctx, j, &seen); err != nil {
		return rollout.Event{}, err
	}
	if seen.Closes, err = c.toClose(ctx, j.release, j.device); err != nil {
		return rollout.Event{}, err
	}
	seen.Vitals = vitals
	return rollout.Event{Kind: rollout.PreflightOK, Seen: seen.Seen}, nil
}

// lastWord lets the driver say no, and saves the configuration if the release wipes it and the device has the power and the radio to go
// on. ev is nil when nothing stands in the way.
func (c *Control) lastWord(ctx context.Context, j job) (vitals firmward.Vitals, ev *rollout.Event, err error) {
	pf, asks := j.driver.(driver.Preflighter)
	_, saves := j.driver.(driver.Backuper)
	if !asks && !(saves && j.release.WipesConfig) {
		return vitals, nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	secret, err := c.secretFor(ctx, j.device)
	if err != nil {
		return vitals, nil, err
	}
	conn, tr := c.conn(j.network, j.device, j.driver, secret)
	defer func() {
		if kept := c.keepSent(context.WithoutCancel(ctx), j.device.ID, tr); kept != nil {
			ev, err = nil, kept
		}
	}()
	if asks {
		vitals, err = pf.Preflight(ctx, conn, driver.Image{Release: j.release})
		switch {
		case firmward.CodeOf(err) == firmward.Refused:
			return vitals, &rollout.Event{Kind: rollout.PreflightRefused, Code: "driver-refused", Why: err.Error()}, nil
		case err != nil:
			return vitals, &rollout.Event{Kind: rollout.PreflightFailed, Why: err.Error()}, nil
		}
	}
	if code, _ := rollout.Below(&j.rollout.Policy, vitals); code != "" {
		return vitals, nil, nil
	}
	ev, err = c.saveConfig(ctx, j, conn)
	return vitals, ev, err
}
