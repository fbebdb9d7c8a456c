package store

import (
	"context"
	"time"

	"github.com/firmward/firmward"
)

// PutTarget writes one target by rollout and device.
func (t *Tx) PutTarget(ctx context.Context, g firmward.Target) error {
	return t.put(ctx, `INSERT INTO target (rollout, device, wave, state, in_flight, next_due, body) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (rollout, device) DO UPDATE SET wave = excluded.wave, state = excluded.state, in_flight = excluded.in_flight,
		next_due = excluded.next_due, body = excluded.body`,
		g.RolloutID, g.DeviceID, g.Wave, g.State, g.State.InFlight(), g.NextDue, js{g})
}

// PutTargets writes many targets.
func (t *Tx) PutTargets(ctx context.Context, targets []firmward.Target) error {
	for _, g := range targets {
		if err := t.PutTarget(ctx, g); err != nil {
			return err
		}
	}
	return nil
}

// Target gives one target.
func (r Reader) Target(ctx context.Context, rollout, device string) (firmward.Target, error) {
	return one[firmward.Target](ctx, r, "target", device+" in rollout "+rollout,
		"SELECT body FROM target WHERE rollout = $1 AND device = $2", rollout, device)
}

// TargetFilter chooses targets. Zero fields choose nothing out.
type TargetFilter struct {
	Wave      *int
	State     firmward.TargetState
	InFlight  *bool
	DueBefore time.Time // due at this time or before
}

// Targets lists targets of a rollout by device.
func (r Reader) Targets(ctx context.Context, rollout string, want TargetFilter, p Page) ([]firmward.Target, string, error) {
	var f filter
	f.add("rollout = ?", rollout)
	f.is("state", want.State)
	f.truth("in_flight", want.InFlight)
	if want.Wave != nil {
		f.add("wave = ?", *want.Wave)
	}
	if !want.DueBefore.IsZero() {
		f.add("next_due BETWEEN 1 AND ?", want.DueBefore)
	}
	return page(ctx, r, ordered("device"), p, f, "target", "body", bodies[firmward.Target])
}

// TargetsOf gives the targets of a device in all rollouts, sorted by rollout.
func (r Reader) TargetsOf(ctx context.Context, device string) ([]firmward.Target, error) {
	return list(ctx, r, bodies[firmward.Target], "SELECT body FROM target WHERE device = $1 ORDER BY rollout", device)
}

// CountTargets gives the number of targets of a rollout in each state. Rollout counters are kept by the engine; this is
// for checking them.
func (r Reader) CountTargets(ctx context.Context, rollout string) (map[firmward.TargetState]int, error) {
	type count struct {
		state firmward.TargetState
		n     int
	}
	rows, err := list(ctx, r, func(s scan) (c count, err error) {
		err = s(&c.state, &c.n)
		return c, err
	}, "SELECT state, COUNT(*) FROM target WHERE rollout = $1 GROUP BY state", rollout)
	out := make(map[firmward.TargetState]int, len(rows))
	for _, c := range rows {
		out[c.state] = c.n
	}
	return out, err
}

// mergeTargets moves the targets of a device that becomes part of another and gives their rollouts.
func (t *Tx) mergeTargets(ctx context.Context, into, from string) (moved []string, err error) {
	mine, err := t.TargetsOf(ctx, into)
	if err != nil {
		return nil, err
	}
	theirs, err := t.TargetsOf(ctx, from)
	if err != nil {
		return nil, err
	}
	have := make(map[string]firmward.Target, len(mine))
	for _, g := range mine {
		have[g.RolloutID] = g
	}
	for _, g := range theirs {
		if other, both := have[g.RolloutID]; both && (!other.State.Final() || !g.State.Final()) {
			return nil, firmward.Errorf(firmward.Conflict, into+" and "+from+" both take part in rollout "+g.RolloutID+": merge them when it has ended")
		}
	}
	for _, g := range theirs {
		if _, both := have[g.RolloutID]; both {
			continue // the row of from stays as history of that rollout
		}
		if err := t.moveTarget(ctx, g, into); err != nil {
			return nil, err
		}
		moved = append(moved, g.RolloutID)
	}
	return moved, nil
}

// moveTarget gives a target to another device.
func (t *Tx) moveTarget(ctx context.Context, g firmward.Target, to string) error {
	if err := t.put(ctx, "DELETE FROM target WHERE rollout = $1 AND device = $2", g.RolloutID, g.DeviceID); err != nil {
		return err
	}
	g.DeviceID = to
	return t.PutTarget(ctx, g)
}
