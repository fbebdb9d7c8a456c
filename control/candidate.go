package control

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/rollout"
	"github.com/firmward/firmward/store"
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
	verdicts := map[kind][]firmward.StagingVerdict{}
	out, regions := make([]rollout.Candidate, len(devices)), map[string]string{}
	for i, d := range devices {
		m := c.Catalog.Model(d)
		of := kind{model: d.Model, hardware: d.Hardware}
		drv, has := c.installer(m)
		if has {
			of.path = string(drv.Info().Path)
		}
		all, known := verdicts[of]
		if !known && !rel.NoFile { // what has no file cannot be staged
			if all, err = c.Store.Stagings(ctx, rel.SHA256, of.path, of.model, of.hardware); err != nil {
				return nil, err
			}
			verdicts[of] = all
		}
		v, err := c.stands(ctx, all, d)
		if err != nil {
			return nil, err
		}
		out[i] = rollout.Candidate{Device: d, Model: m, HasDriver: has, Staging: v, Deferred: deferred(d.ID), Path: of.path}
		if out[i].Region, err = c.region(ctx, regions, d.Site); err != nil {
			return nil, err
		}
		out[i].Forbidden.Code, out[i].Forbidden.Why = rollout.Forbidden(rel, &out[i])
	}
	return out, nil
}

// region gives the regulatory region of a site, and remembers it.
func (c *Control) region(ctx context.Context, known map[string]string, site string) (string, error) {
	if region, ok := known[site]; ok || site == "" {
		return region, nil
	}
	s, err := c.Store.Site(ctx, site)
	if err != nil && firmward.CodeOf(err) != firmward.NotFound {
		return "", err
	}
	known[site] = s.Region
	return s.Region, nil
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

// devicesOf gives the devices of targets that are not refused, in their order.
func devicesOf(ctx context.Context, r store.Reader, targets []firmward.Target) ([]firmward.Device, error) {
	var out []firmward.Device
	for some := range slices.Chunk(targets, 1000) {
		ids := make([]string, len(some))
		for i, t := range some {
			ids[i] = t.DeviceID
		}
		known, err := devicesByID(ctx, r, ids)
		if err != nil {
			return nil, err
		}
		for _, t := range some {
			if t.State == firmward.TargetRefused {
				continue
			}
			d, ok := known[t.DeviceID]
			if !ok {
				return nil, firmward.Errorf(firmward.NotFound, "there is no device "+t.DeviceID)
			}
			out = append(out, d)
		}
	}
	return out, nil
}

// devicesByID gives devices by the ids that they are asked for. Those that nobody knows are left out.
func devicesByID(ctx context.Context, r store.Reader, ids []string) (map[string]firmward.Device, error) {
	out := make(map[string]firmward.Device, len(ids))
	found, err := r.DevicesIn(ctx, ids)
	if err != nil {
		return nil, err
	}
	for _, d := range found {
		out[d.ID] = d
	}
	for _, id := range ids {
		if _, ok := out[id]; ok {
			continue
		}
		switch d, err := r.Device(ctx, id); { // it may have been merged into another
		case err == nil:
			out[id] = d
		case firmward.CodeOf(err) != firmward.NotFound:
			return nil, err
		}
	}
	return out, nil
}
