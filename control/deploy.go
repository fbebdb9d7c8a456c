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
	rollouts, err := c.rollouts(ctx, store.RolloutFilter{States: unfinished})
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

// rollouts gives all rollouts that match: one that was cut off at a page would stand still for ever.
func (c *Control) rollouts(ctx context.Context, want store.RolloutFilter) ([]firmward.Rollout, error) {
	return store.Every(func(p store.Page) ([]firmward.Rollout, string, error) { return c.Store.Rollouts(ctx, want, p) })
}

// unfinished are the states in which something may be under way.
var unfinished = []firmward.RolloutState{
	firmward.RolloutPlanned, firmward.RolloutAwaiting, firmward.RolloutRunning, firmward.RolloutPaused, firmward.RolloutHalted, firmward.RolloutStopped,
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
	return store.Every(func(p store.Page) ([]firmward.Target, string, error) {
		return c.Store.Targets(ctx, id, store.TargetFilter{}, p)
	})
}

// apply gives one event to the engine and saves what it decides: header, target, commands, leaf and
// the end of the command that the event answers, in one transaction. A header that changed meanwhile is
// read again. finished is the command that the event answers, nil for events without one.
func (c *Control) apply(ctx context.Context, rolloutID, deviceID string, ev rollout.Event, finished *store.Command) error {
	for range 20 {
		err := c.applyOnce(ctx, rolloutID, deviceID, ev, finished)
		if firmward.CodeOf(err) != firmward.Conflict {
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
	var topo topology.Map
	if ev.Kind == rollout.Start {
		if topo, err = c.topology(ctx); err != nil {
			return err
		}
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
			if err := claim(ctx, tx, topo, d, r); err != nil {
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
		if r.Rehearsal && t.State == firmward.TargetFalling {
			if err := noteFall(ctx, tx, r.ID, t.Why); err != nil {
				return err
			}
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
	if firmward.CodeOf(err) == firmward.Conflict {
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
	all, err := store.Every(func(p store.Page) ([]firmward.Target, string, error) {
		return tx.Targets(ctx, r.ID, store.TargetFilter{Wave: &r.Wave}, p)
	})
	return rollout.Count(all), err
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
	if r.Rehearsal {
		c.wake(loopStage)
	}
	return c.touchTargets(ctx, id)
}
