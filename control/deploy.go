package control

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/rollout"
	"github.com/firmward/firmward/store"
	"github.com/firmward/firmward/topology"
)

// deployStep turns every rollout one step: what is due in its targets, then its gate, then who starts.
func (c *Control) deployStep(ctx context.Context) (time.Time, error) {
	if err := c.resolveDoubt(ctx, c.Clock.Now()); err != nil {
		return time.Time{}, err
	}
	rollouts, _, err := c.Store.Rollouts(ctx, store.RolloutFilter{}, store.Page{Limit: 1000})
	if err != nil {
		return time.Time{}, err
	}
	var due time.Time
	for _, r := range rollouts {
		if quiet(r) {
			continue
		}
		if r.Staging == "running" {
			if err := c.checkStaging(ctx, r); err != nil {
				return time.Time{}, fmt.Errorf("staging of rollout %s: %w", r.ID, err)
			}
		}
		next, err := c.turn(ctx, r.ID)
		if err != nil {
			return time.Time{}, fmt.Errorf("rollout %s: %w", r.ID, err)
		}
		if !next.IsZero() && (due.IsZero() || next.Before(due)) {
			due = next
		}
	}
	return due, nil
}

// quiet reports whether nothing can happen in a rollout any more.
func quiet(r firmward.Rollout) bool {
	switch r.State {
	case firmward.RolloutFinished, firmward.RolloutStopped, firmward.RolloutHalted, firmward.RolloutPaused:
		return r.InFlight == 0
	}
	return false
}

// turn takes one rollout as far as it goes now and says when it is due again.
func (c *Control) turn(ctx context.Context, id string) (time.Time, error) {
	for range 100 { // each pass may open a wave; bounded against a rule that never settles
		now := c.Clock.Now()
		targets, err := c.targets(ctx, id)
		if err != nil {
			return time.Time{}, err
		}
		for _, t := range targets {
			if t.State.InFlight() && !t.NextDue.IsZero() && !t.NextDue.After(now) {
				if err := c.apply(ctx, id, t.DeviceID, rollout.Event{Kind: rollout.Tick}, nil); err != nil {
					return time.Time{}, err
				}
			}
		}
		again, due, err := c.gate(ctx, id)
		if err != nil {
			return time.Time{}, err
		}
		next, started, err := c.startSome(ctx, id)
		if err != nil {
			return time.Time{}, err
		}
		if again || started > 0 {
			continue
		}
		due = earlier(due, next)
		targets, err = c.targets(ctx, id)
		if err != nil {
			return time.Time{}, err
		}
		for _, t := range targets {
			if t.State.InFlight() {
				due = earlier(due, t.NextDue)
			}
		}
		return due, nil
	}
	return c.Clock.Now().Add(time.Minute), nil
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// targets gives all targets of a rollout.
func (c *Control) targets(ctx context.Context, id string) ([]firmward.Target, error) {
	var all []firmward.Target
	page := store.Page{Limit: 1000}
	for {
		ts, next, err := c.Store.Targets(ctx, id, store.TargetFilter{}, page)
		if err != nil {
			return nil, err
		}
		all = append(all, ts...)
		if next == "" {
			return all, nil
		}
		page.After = next
	}
}

// apply gives one event to the engine and saves what it decides: header, target, commands, leaf and
// the end of the command that the event answers, in one transaction. A header that changed meanwhile is
// read again. finished is the command that the event answers, nil for events without one.
func (c *Control) apply(ctx context.Context, rolloutID, deviceID string, ev rollout.Event, finished *store.Command) error {
	for range 20 {
		err := c.applyOnce(ctx, rolloutID, deviceID, ev, finished)
		if firmward.CodeOf(err) != firmward.Conflict || err == nil {
			return err
		}
	}
	return firmward.Errorf(firmward.Conflict, "the rollout changes too fast to be saved")
}

func (c *Control) applyOnce(ctx context.Context, rolloutID, deviceID string, ev rollout.Event, finished *store.Command) error {
	d, err := c.Store.Device(ctx, deviceID)
	if err != nil {
		return err
	}
	var commands []rollout.Command
	var ended, steered bool
	err = c.Store.Tx(ctx, func(tx *store.Tx) error {
		commands = commands[:0]
		r, err := tx.Rollout(ctx, rolloutID)
		if err != nil {
			return err
		}
		t, err := tx.Target(ctx, rolloutID, deviceID)
		if err != nil {
			return err
		}
		before, stateBefore := t, r.State
		if ev.Kind == rollout.Start {
			if err := tx.Claim(ctx, deviceID, c.groupOf(ctx, deviceID), rolloutID); err != nil {
				return err
			}
		}
		in := rollout.Input{Now: c.Clock.Now(), Rollout: &r, Target: &t, Abilities: c.abilities(d), Event: ev}
		commands = rollout.Advance(&in, commands)
		if finished != nil {
			if err := tx.FinishCommand(ctx, finished.ID, string(ev.Kind), in.Now); err != nil {
				return err
			}
		}
		if before.State.InFlight() && !t.State.InFlight() {
			if err := tx.Unclaim(ctx, deviceID, rolloutID); err != nil {
				return err
			}
			ended = true
		}
		if err := tx.PutTarget(ctx, t); err != nil {
			return err
		}
		if _, err := tx.PutRollout(ctx, r); err != nil {
			return err
		}
		for _, cmd := range commands {
			payload, err := json.Marshal(cmd)
			if err != nil {
				return err
			}
			if err := tx.Enqueue(ctx, store.Command{ID: cmd.ID, Kind: string(cmd.Verb), Subject: rolloutID, Payload: payload, Created: in.Now}); err != nil {
				return err
			}
		}
		steered = r.State != stateBefore
		return c.tell(ctx, tx, d, r, stateBefore, t, before)
	})
	if err != nil {
		return err
	}
	if len(commands) > 0 {
		c.wake(loopDispatch)
	}
	if ended || steered || ev.Kind == rollout.Start {
		c.touch(deviceID)
	}
	if steered {
		return c.touchTargets(ctx, rolloutID)
	}
	return nil
}

// tell writes leaf and event of a change in a target, and of one in the header.
func (c *Control) tell(ctx context.Context, tx *store.Tx, d firmward.Device, r firmward.Rollout, was firmward.RolloutState, t, before firmward.Target) error {
	if t.State != before.State {
		if err := c.leaf(ctx, tx, self, "target-"+string(t.State), d.ID, map[string]string{
			"rollout": r.ID, "command": t.Command, "why": t.Why, "code": t.Code, "from": t.From, "want": t.Want,
		}); err != nil {
			return err
		}
		if err := c.emit(ctx, tx, "target", r.ID, fmt.Sprintf("%s: %s (%s)", d.Name, t.State, t.Why)); err != nil {
			return err
		}
	}
	if r.State != was {
		if err := c.leaf(ctx, tx, self, "rollout-"+string(r.State), r.ID, map[string]string{"why": r.Why}); err != nil {
			return err
		}
		return c.emit(ctx, tx, "rollout", r.ID, fmt.Sprintf("rollout %s: %s", r.State, r.Why))
	}
	return nil
}

// touchTargets marks every device of a rollout: its header changed, so their steps may have.
func (c *Control) touchTargets(ctx context.Context, id string) error {
	targets, err := c.targets(ctx, id)
	if err != nil {
		return err
	}
	ids := make([]string, len(targets))
	for i, t := range targets {
		ids[i] = t.DeviceID
	}
	c.touch(ids...)
	return nil
}

// gate asks whether the next wave opens, and lets the open wave's good devices be looked at when
// their soak is over. again says that something changed.
func (c *Control) gate(ctx context.Context, id string) (again bool, due time.Time, err error) {
	var look bool
	var wave int
	var steered bool
	err = c.Store.Tx(ctx, func(tx *store.Tx) error {
		r, err := tx.Rollout(ctx, id)
		if err != nil {
			return err
		}
		before := r
		count, err := c.countWave(ctx, tx, r)
		if err != nil {
			return err
		}
		look, due = rollout.Gate(&r, count, c.Clock.Now())
		wave = r.Wave
		again = r.Wave != before.Wave
		steered = r.State != before.State
		if r.State == before.State && r.Wave == before.Wave && r.Why == before.Why && r.SoakFrom.Equal(before.SoakFrom) {
			return nil
		}
		if _, err := tx.PutRollout(ctx, r); err != nil {
			return err
		}
		if steered {
			if err := c.leaf(ctx, tx, self, "rollout-"+string(r.State), r.ID, map[string]string{"why": r.Why}); err != nil {
				return err
			}
		} else if again {
			if err := c.leaf(ctx, tx, self, "rollout-wave", r.ID, map[string]string{"wave": fmt.Sprint(r.Wave)}); err != nil {
				return err
			}
		}
		if steered || again || r.Why != before.Why {
			return c.emit(ctx, tx, "rollout", r.ID, fmt.Sprintf("rollout %s: %s", r.State, r.Why))
		}
		return nil
	})
	if firmward.CodeOf(err) == firmward.Conflict && err != nil {
		return true, due, nil
	}
	if err != nil {
		return false, due, err
	}
	if steered {
		if err := c.endIfOver(ctx, id); err != nil {
			return false, due, err
		}
	}
	if !look {
		return again || steered, due, nil
	}
	targets, err := c.targets(ctx, id)
	if err != nil {
		return false, due, err
	}
	for _, t := range targets {
		if t.Wave == wave && t.State == firmward.TargetSucceeded && t.SoakedAt.IsZero() {
			if err := c.apply(ctx, id, t.DeviceID, rollout.Event{Kind: rollout.SoakDue}, nil); err != nil {
				return false, due, err
			}
		}
	}
	return again, due, nil
}

func (c *Control) countWave(ctx context.Context, tx *store.Tx, r firmward.Rollout) (rollout.WaveCount, error) {
	wave := r.Wave
	targets, _, err := tx.Targets(ctx, r.ID, store.TargetFilter{Wave: &wave}, store.Page{Limit: 1000})
	if err != nil {
		return rollout.WaveCount{}, err
	}
	return rollout.Count(targets), nil
}

// endIfOver ends the targets that nothing was sent to once a rollout has stopped for good, and turns
// a rehearsal's end into its verdict.
func (c *Control) endIfOver(ctx context.Context, id string) error {
	r, err := c.Store.Rollout(ctx, id)
	if err != nil {
		return err
	}
	if r.State == firmward.RolloutStopped || r.State == firmward.RolloutFinished {
		targets, err := c.targets(ctx, id)
		if err != nil {
			return err
		}
		for _, t := range targets {
			if t.State == firmward.TargetPending || t.State == firmward.TargetClaimed {
				if err := c.apply(ctx, id, t.DeviceID, rollout.Event{Kind: rollout.Abandon}, nil); err != nil {
					return err
				}
			}
		}
	}
	return c.touchTargets(ctx, id)
}

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
	stop, err := c.Store.StopAll(ctx)
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
	for _, t := range pending {
		d, err := c.Store.Device(ctx, t.DeviceID)
		if err != nil {
			return next, 0, err
		}
		path := ""
		if drv, ok := c.byDriver[c.Catalog.Model(d).Driver]; ok {
			path = string(drv.Info().Path)
		}
		cand, err := c.candidate(ctx, rel, d, path)
		if err != nil {
			return next, 0, err
		}
		local, err := c.localTime(ctx, d.Site)
		if err != nil {
			return next, 0, err
		}
		slots = append(slots, rollout.Slot{Target: t, Candidate: cand, Local: local, Group: topo.Group(d.ID)})
		if _, change := r.Policy.Window.Open(local); !change.IsZero() {
			next = earlier(next, change)
		}
		if from := d.Released.From; from.After(local) {
			next = earlier(next, from)
		}
	}
	claims, err := c.claims(ctx)
	if err != nil {
		return next, 0, err
	}
	picks, refusals := rollout.Pick(&r, slots, claims, topo, stop.On)
	for _, s := range picks {
		err := c.apply(ctx, id, s.Target.DeviceID, rollout.Event{Kind: rollout.Start}, nil)
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

func (c *Control) claims(ctx context.Context) (rollout.Claims, error) {
	held, err := c.Store.ClaimsOf(ctx, "")
	out := rollout.Claims{Device: map[string]string{}, Group: map[string]string{}, Model: map[string]int{}}
	if err != nil {
		return out, err
	}
	for _, cl := range held {
		if cl.Kind != "device" {
			out.Group[cl.Name] = cl.Rollout
			continue
		}
		out.Device[cl.Device] = cl.Rollout
		d, err := c.Store.Device(ctx, cl.Device)
		if err != nil {
			return out, err
		}
		if !d.Lab {
			out.Model[d.Model]++
		}
	}
	return out, nil
}

func (c *Control) topology(ctx context.Context) (topology.Map, error) {
	var all []firmward.Relation
	page := store.Page{Limit: 1000}
	for {
		rs, next, err := c.Store.Relations(ctx, page)
		if err != nil {
			return topology.Map{}, err
		}
		all = append(all, rs...)
		if next == "" {
			return topology.New(all), nil
		}
		page.After = next
	}
}

func (c *Control) groupOf(ctx context.Context, device string) string {
	topo, err := c.topology(ctx)
	if err != nil {
		return ""
	}
	return topo.Group(device)
}

// localTime is now in the time zone of a site.
func (c *Control) localTime(ctx context.Context, site string) (time.Time, error) {
	now := c.Clock.Now()
	s, err := c.Store.Site(ctx, site)
	if err != nil || s.TimeZone == "" {
		if firmward.CodeOf(err) == firmward.NotFound {
			err = nil
		}
		return now, err
	}
	zone, err := time.LoadLocation(s.TimeZone)
	if err != nil {
		return now, fmt.Errorf("time zone of site %s: %w", site, err)
	}
	return now.In(zone), nil
}

// abilities are the facts about driver and card that the engine needs.
func (c *Control) abilities(d firmward.Device) rollout.Abilities {
	m := c.Catalog.Model(d)
	a := rollout.Abilities{Scheme: m.Scheme, Settle: rollout.Settle(m), Exchange: c.Clock.Real(lookLimit)}
	if drv, ok := c.byDriver[m.Driver]; ok {
		info := drv.Info()
		a.DeadMan = info.Rollback == firmward.RollbackDeadMan
		a.CanRevert = info.Rollback == firmward.RollbackSlot || info.Rollback == firmward.RollbackReflash
	}
	return a
}

// candidate is a device as the engine sees it.
func (c *Control) candidate(ctx context.Context, rel firmward.Release, d firmward.Device, path string) (rollout.Candidate, error) {
	m := c.Catalog.Model(d)
	_, has := c.byDriver[m.Driver]
	cand := rollout.Candidate{Device: d, Model: m, HasDriver: has}
	v, err := c.Store.Staging(ctx, rel.SHA256, path, d.Model, d.Hardware)
	if err != nil && firmward.CodeOf(err) != firmward.NotFound {
		return cand, err
	}
	if err == nil {
		cand.Staging = v
	}
	exceptions, err := c.Store.ExceptionsFor(ctx, d.ID, c.Clock.Now())
	if err != nil {
		return cand, err
	}
	for _, e := range exceptions {
		if e.Kind == firmward.Defer && e.Advisory == "" {
			cand.Deferred = fmt.Sprintf("%s, until %s (%s)", e.Reason, e.Expires.Format(time.DateOnly), e.Author)
		}
	}
	return cand, nil
}
