package control

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/rollout"
	"github.com/firmward/firmward/store"
)

// deployStep turns every rollout one step: what is due in its targets, then its gate, then who starts. Those that have ended are
// cleared up.
func (c *Control) deployStep(ctx context.Context) (time.Time, error) {
	if err := c.resolveDoubt(ctx, c.Clock.Now()); err != nil {
		return time.Time{}, err
	}
	rollouts, err := c.rollouts(ctx, store.RolloutFilter{States: unfinished})
	if err != nil {
		return time.Time{}, err
	}
	var due time.Time
	waits := false
	defer func() { c.sleepers.Store(waits) }()
	for _, r := range rollouts {
		switch quiet, err := c.quiet(ctx, r); {
		case err != nil:
			return time.Time{}, err
		case quiet:
			delete(c.rounds, r.ID)
			delete(c.joined, r.ID)
			maps.DeleteFunc(c.wokenAt, func(at targetKey, _ time.Time) bool { return at.rollout == r.ID })
			continue
		}
		if r.Staging == "running" {
			if err := c.checkStaging(ctx, r); err != nil {
				return time.Time{}, fmt.Errorf("staging of rollout %s: %w", r.ID, err)
			}
		}
		if err := c.join(ctx, r); err != nil {
			return time.Time{}, fmt.Errorf("late devices of rollout %s: %w", r.ID, err)
		}
		sleepers, err := c.awaken(ctx, r)
		if err != nil {
			return time.Time{}, fmt.Errorf("sleeping devices of rollout %s: %w", r.ID, err)
		}
		if waits = waits || sleepers; sleepers {
			due = earlier(due, c.Clock.Now().Add(wakeEvery)) // another server may have seen them
		}
		next, err := c.turn(ctx, r.ID)
		if err != nil {
			return time.Time{}, fmt.Errorf("rollout %s: %w", r.ID, err)
		}
		due = earlier(due, next)
	}
	over, err := c.Store.RolloutsToEnd(ctx)
	if err != nil {
		return time.Time{}, err
	}
	for _, id := range over {
		if err := c.abandon(ctx, id); err != nil {
			return time.Time{}, fmt.Errorf("end of rollout %s: %w", id, err)
		}
		due = c.Clock.Now()
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

// quiet reports whether nothing can happen in a rollout until a person steers it.
func (c *Control) quiet(ctx context.Context, r firmward.Rollout) (bool, error) {
	switch r.State {
	case firmward.RolloutFinished, firmward.RolloutStopped, firmward.RolloutHalted, firmward.RolloutPaused:
		if r.InFlight > 0 {
			return false, nil
		}
	default:
		return false, nil
	}
	if r.Policy.WorkOrders == 0 && r.Policy.WakeWithin == 0 {
		return true, nil
	}
	waits, err := c.Store.NextTarget(ctx, r.ID) // work may be done without a word, and the time for it runs out
	return waits.IsZero(), err
}

// turn takes one rollout as far as it goes now and says when it is due again.
func (c *Control) turn(ctx context.Context, id string) (time.Time, error) {
	for range 100 { // each pass may open a wave; bounded against a rule that never settles
		if err := c.tick(ctx, id); err != nil {
			return time.Time{}, err
		}
		again, due, err := c.gate(ctx, id)
		if err != nil {
			return time.Time{}, err
		}
		next, more, err := c.startSome(ctx, id)
		if err != nil {
			return time.Time{}, err
		}
		if again || more {
			continue
		}
		flying, err := c.Store.NextTarget(ctx, id)
		return earlier(earlier(due, next), flying), err
	}
	return c.Clock.Now().Add(time.Minute), nil
}

// tick lets time pass for the targets in flight that are due. One that is due again at once is left to the next turn.
func (c *Control) tick(ctx context.Context, id string) error {
	now := c.Clock.Now()
	ticked := map[string]bool{}
	for {
		due, err := c.Store.DueTargets(ctx, id, now, foldAtOnce+len(ticked))
		if err != nil {
			return err
		}
		var some []happening
		for _, t := range due {
			if !ticked[t.DeviceID] && len(some) < foldAtOnce {
				ticked[t.DeviceID] = true
				some = append(some, happening{device: t.DeviceID, event: rollout.Event{Kind: rollout.Tick}})
			}
		}
		if len(some) == 0 {
			return nil
		}
		if err := errors.Join(c.fold(ctx, id, 0, some...)...); err != nil {
			return err
		}
	}
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

// touchTargets marks every device of a rollout: its header changed, so their steps may have.
func (c *Control) touchTargets(id string) {
	c.mu.Lock()
	c.turned[id] = true
	c.mu.Unlock()
	c.wake(loopDecide)
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
		count, err := countWave(ctx, tx.Reader, r)
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
	return again, due, c.soak(ctx, id, wave)
}

// soak has the devices of a wave looked at that have succeeded and were not looked at since.
func (c *Control) soak(ctx context.Context, id string, wave int) error {
	for now := c.Clock.Now(); ; {
		targets, err := c.Store.SoakTargets(ctx, id, wave, now, foldAtOnce)
		if err != nil || len(targets) == 0 {
			return err
		}
		some := make([]happening, len(targets))
		for i, t := range targets {
			some[i] = happening{device: t.DeviceID, event: rollout.Event{Kind: rollout.SoakDue}}
		}
		if err := errors.Join(c.fold(ctx, id, 0, some...)...); err != nil {
			return err
		}
	}
}

// countWave tells how the open wave of a running rollout stands. While something is to do in it, it says no more than that.
func countWave(ctx context.Context, from store.Reader, r firmward.Rollout) (rollout.WaveCount, error) {
	var c rollout.WaveCount
	if r.State != firmward.RolloutRunning {
		return c, nil
	}
	switch waits, flies, err := from.Unended(ctx, r.ID, r.Wave); {
	case err != nil:
		return c, err
	case waits:
		c.Pending++
		return c, nil
	case flies:
		c.InFlight++
		return c, nil
	}
	if r.Wave == 0 { // few, and their models count
		all, err := store.Every(func(p store.Page) ([]firmward.Target, string, error) {
			return from.Targets(ctx, r.ID, store.TargetFilter{Wave: &r.Wave}, p)
		})
		return rollout.Count(all), err
	}
	counts, err := from.CountWave(ctx, r.ID, r.Wave)
	for _, n := range counts {
		c.Ended += n.N
		if n.State == firmward.TargetSucceeded {
			c.Good += n.N
			if !n.Soaked {
				c.Unsoaked += n.N
			}
		}
	}
	return c, err
}

// endIfOver ends the targets that nothing was sent to once a rollout has stopped for good, the first of many now, the others by the
// loop, and has a rehearsal's end turned into its verdict.
func (c *Control) endIfOver(ctx context.Context, id string) error {
	r, err := c.Store.Rollout(ctx, id)
	if err != nil {
		return err
	}
	if r.Rehearsal {
		c.wake(loopStage)
	}
	c.touchTargets(id)
	if r.State != firmward.RolloutStopped && r.State != firmward.RolloutFinished {
		return nil
	}
	claimed, err := store.Every(func(p store.Page) ([]firmward.Target, string, error) {
		return c.Store.Targets(ctx, id, store.TargetFilter{State: firmward.TargetClaimed}, p)
	})
	if err != nil {
		return err
	}
	for some := range slices.Chunk(claimed, foldAtOnce) {
		if err := c.end(ctx, id, some); err != nil {
			return err
		}
	}
	return c.abandon(ctx, id)
}

// abandonAtOnce bounds the targets of a rollout that are ended before other work gets its turn.
const abandonAtOnce = 4 * foldAtOnce

// abandon ends targets of a rollout that wait for their turn.
func (c *Control) abandon(ctx context.Context, id string) error {
	waits, err := c.Store.Waiting(ctx, id, abandonAtOnce)
	if err != nil {
		return err
	}
	for some := range slices.Chunk(waits, foldAtOnce) {
		if err := c.end(ctx, id, some); err != nil {
			return err
		}
	}
	if len(waits) == abandonAtOnce {
		c.wake(loopDeploy)
	}
	return nil
}

func (c *Control) end(ctx context.Context, id string, targets []firmward.Target) error {
	some := make([]happening, len(targets))
	for i, t := range targets {
		some[i] = happening{device: t.DeviceID, event: rollout.Event{Kind: rollout.Abandon}}
	}
	return errors.Join(c.fold(ctx, id, 0, some...)...)
}
