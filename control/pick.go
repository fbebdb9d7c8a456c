package control

import (
	"context"
	"fmt"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/rollout"
	"github.com/firmward/firmward/store"
	"github.com/firmward/firmward/topology"
)

// startSome asks who of the open wave may start now and starts them. next is when a window opens.
func (c *Control) startSome(ctx context.Context, id string) (next time.Time, started int, err error) {
	r, err := c.Store.Rollout(ctx, id)
	if err != nil || r.State != firmward.RolloutRunning {
		return next, 0, err
	}
	rel, err := c.Store.Release(ctx, r.ReleaseID)
	if err != nil {
		return next, 0, err
	}
	if !rel.Withdrawn.IsZero() {
		return next, 0, c.steer(ctx, id, self, "halt", "the release was withdrawn: "+rel.WhyGone)
	}
	stop, err := c.stopped(ctx)
	if err != nil {
		return next, 0, err
	}
	wave := r.Wave
	pending, _, err := c.Store.Targets(ctx, id, store.TargetFilter{Wave: &wave, State: firmward.TargetPending}, store.Page{Limit: 1000})
	if err != nil || len(pending) == 0 {
		return next, 0, err
	}
	topo, err := c.topology(ctx)
	if err != nil {
		return next, 0, err
	}
	var slots []rollout.Slot
	now, places := c.Clock.Now(), map[string]placeTime{}
	for _, t := range pending {
		d, err := c.Store.Device(ctx, t.DeviceID)
		if err != nil {
			return next, 0, err
		}
		path := ""
		if drv, ok := c.installer(c.Catalog.Model(d)); ok {
			path = string(drv.Info().Path)
		}
		cand, err := c.candidate(ctx, rel, d, path)
		if err != nil {
			return next, 0, err
		}
		at, ok := places[d.Site]
		if !ok {
			if at, err = c.placeTime(ctx, d.Site, now); err != nil {
				return next, 0, err
			}
			places[d.Site] = at
			next = earlier(next, rollout.Due(r.Policy, at.local, at.freezes))
		}
		slots = append(slots, rollout.Slot{Target: t, Candidate: cand, Local: at.local, Freezes: at.freezes, Group: topo.Group(d.ID)})
		if from := d.Released.From; from.After(now) {
			next = earlier(next, from)
		}
	}
	claims, err := c.claims(ctx)
	if err != nil {
		return next, 0, err
	}
	picks, refusals := rollout.Pick(&r, slots, claims, topo, stop)
	for _, s := range picks {
		err := c.apply(ctx, id, s.Target.DeviceID, rollout.Event{Kind: rollout.Start, StartBy: s.StartBy}, nil)
		if err != nil && firmward.CodeOf(err) != firmward.Conflict {
			return next, started, err
		}
		if err == nil {
			started++
		}
	}
	return next, started, c.noteWaiting(ctx, refusals, pending)
}

// noteWaiting writes the reason why not now where it changed.
func (c *Control) noteWaiting(ctx context.Context, refusals []rollout.Refusal, pending []firmward.Target) error {
	byDevice := map[string]firmward.Target{}
	for _, t := range pending {
		byDevice[t.DeviceID] = t
	}
	var changed []string
	err := c.Store.Tx(ctx, func(tx *store.Tx) error {
		for _, ref := range refusals {
			t := byDevice[ref.DeviceID]
			if t.Why == ref.Why {
				continue
			}
			t, err := tx.Target(ctx, t.RolloutID, ref.DeviceID)
			if err != nil {
				return err
			}
			if t.State != firmward.TargetPending {
				continue
			}
			t.Why, t.Code = ref.Why, ref.Code
			if err := tx.PutTarget(ctx, t); err != nil {
				return err
			}
			changed = append(changed, ref.DeviceID)
		}
		return nil
	})
	c.touch(changed...)
	return err
}

func (c *Control) topology(ctx context.Context) (topology.Map, error) {
	all, err := store.Every(func(p store.Page) ([]firmward.Relation, string, error) { return c.Store.Relations(ctx, p) })
	return topology.New(all), err
}

// placeTime is a time on the clock of a site, with the freezes that people set there.
type placeTime struct {
	local   time.Time
	freezes []firmward.Freeze
}

func (c *Control) placeTime(ctx context.Context, site string, now time.Time) (placeTime, error) {
	at := placeTime{local: now}
	s, err := c.Store.Site(ctx, site)
	if firmward.CodeOf(err) == firmward.NotFound {
		return at, nil
	}
	if err != nil {
		return at, err
	}
	if s.TimeZone != "" {
		zone, err := time.LoadLocation(s.TimeZone)
		if err != nil {
			return at, fmt.Errorf("time zone of site %s: %w", site, err)
		}
		at.local = now.In(zone)
	}
	freezes, err := c.Store.Freezes(ctx, site)
	for _, f := range freezes {
		at.freezes = append(at.freezes, f.Freeze)
	}
	return at, err
}

// LocalTime is now on the clock of a site.
func (c *Control) LocalTime(ctx context.Context, site string) (time.Time, error) {
	at, err := c.placeTime(ctx, site, c.Clock.Now())
	return at.local, err
}

// abilities are the facts about driver and card that the engine needs.
func (c *Control) abilities(d firmward.Device) rollout.Abilities {
	m := c.Catalog.Model(d)
	a := rollout.Abilities{Scheme: m.Scheme, Settle: rollout.Settle(m), Exchange: c.Clock.Real(lookLimit)}
	if drv, ok := c.installer(m); ok {
		info := drv.Info()
		a.DeadMan = info.Rollback == firmward.RollbackDeadMan
		// One driver serves models with two slots and with one: the card says which this is.
		back := info.Rollback == firmward.RollbackSlot || info.Rollback == firmward.RollbackReflash
		a.CanRevert = back && m.Rollback.Value == string(info.Rollback)
	}
	return a
}

// candidate is a device as the engine sees it.
func (c *Control) candidate(ctx context.Context, rel firmward.Release, d firmward.Device, path string) (rollout.Candidate, error) {
	m := c.Catalog.Model(d)
	_, has := c.installer(m)
	cand := rollout.Candidate{Device: d, Model: m, HasDriver: has}
	var err error
	if cand.Staging, err = c.stagingFor(ctx, rel, d, path); err != nil {
		return cand, err
	}
	exceptions, err := c.Store.ExceptionsFor(ctx, d.ID, c.Clock.Now())
	if err != nil {
		return cand, err
	}
	for _, e := range exceptions {
		if e.Kind == firmward.Defer && e.Applies(d.ID, "", c.Clock.Now()) {
			cand.Deferred = fmt.Sprintf("%s, until %s (%s)", e.Reason, e.Expires.Format(time.DateOnly), e.Author)
		}
	}
	return cand, nil
}
