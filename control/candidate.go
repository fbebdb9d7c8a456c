package control

import (
	"context"
	"fmt"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/rollout"
)

// candidate is a device as the engine sees it.
func (c *Control) candidate(ctx context.Context, rel firmward.Release, d firmward.Device) (rollout.Candidate, error) {
	all, err := c.candidatesOf(ctx, rel, []firmward.Device{d})
	if err != nil {
		return rollout.Candidate{}, err
	}
	return all[0], nil
}

// candidatesOf are devices as the engine sees them, in their order.
func (c *Control) candidatesOf(ctx context.Context, rel firmward.Release, devices []firmward.Device) ([]rollout.Candidate, error) {
	now := c.Clock.Now()
	deferred, err := c.deferred(ctx, devices, now)
	if err != nil {
		return nil, err
	}
	type kind struct{ path, model, hardware string }
	verdicts := map[kind]firmward.StagingVerdict{}
	out := make([]rollout.Candidate, len(devices))
	for i, d := range devices {
		m := c.Catalog.Model(d)
		of := kind{model: d.Model, hardware: d.Hardware}
		drv, has := c.installer(m)
		if has {
			of.path = string(drv.Info().Path)
		}
		v, known := verdicts[of]
		if !known {
			if v, err = c.Store.Staging(ctx, rel.SHA256, of.path, of.model, of.hardware); err != nil && firmward.CodeOf(err) != firmward.NotFound {
				return nil, err
			}
			verdicts[of] = v
		}
		out[i] = rollout.Candidate{Device: d, Model: m, HasDriver: has, Staging: v, Deferred: deferred(d.ID)}
	}
	return out, nil
}

// deferred gives for each device why somebody put its updates off, or "".
func (c *Control) deferred(ctx context.Context, devices []firmward.Device, now time.Time) (func(string) string, error) {
	ids := make([]string, len(devices))
	for i, d := range devices {
		ids[i] = d.ID
	}
	exceptions, err := c.Store.ExceptionsIn(ctx, ids, now)
	if err != nil {
		return nil, err
	}
	of := map[string][]firmward.Exception{} // by device; those for every one under ""
	for _, e := range exceptions {
		if e.Kind == firmward.Defer {
			of[e.DeviceID] = append(of[e.DeviceID], e)
		}
	}
	return func(id string) string {
		why := ""
		for _, e := range append(of[""][:len(of[""]):len(of[""])], of[id]...) {
			if e.Applies(id, "", now) {
				why = fmt.Sprintf("%s, until %s (%s)", e.Reason, e.Expires.Format(time.DateOnly), e.Author)
			}
		}
		return why
	}, nil
}
