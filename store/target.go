package store

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/firmward/firmward"
)

// PutTarget writes one target by rollout and device.
func (t *Tx) PutTarget(ctx context.Context, g firmward.Target) error {
	return t.PutTargets(ctx, []firmward.Target{g})
}

// targetsAtOnce bounds the rows of one statement.
const targetsAtOnce = 1000

// PutTargets writes many targets by rollout and device. Of two for one device the last wins.
func (t *Tx) PutTargets(ctx context.Context, targets []firmward.Target) error {
	for some := range slices.Chunk(targets, targetsAtOnce) {
		l := load{table: "target", columns: []string{"rollout", "device", "wave", "state", "in_flight", "next_due", "soaked", "body"}, keys: 2}
		for i := range some {
			g := &some[i]
			l.rows = append(l.rows, []any{g.RolloutID, g.DeviceID, g.Wave, string(g.State), g.State.InFlight() || g.State.Waits(), dueAt(g.NextDue), !g.SoakedAt.IsZero(), js{g}})
		}
		if err := t.fold(ctx, l); err != nil {
			return err
		}
	}
	return nil
}

// dueAt rounds up to what the column holds: a target that the database gives as due is due.
func dueAt(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.Add(time.Microsecond - time.Nanosecond)
}

// Target gives one target.
func (r Reader) Target(ctx context.Context, rollout, device string) (firmward.Target, error) {
	return one[firmward.Target](ctx, r, "target", device+" in rollout "+rollout,
		"SELECT body FROM target WHERE rollout = $1 AND device = $2", rollout, device)
}

// TargetsIn gives the targets of some devices in a rollout, sorted by device. Devices that have none there are left out.
func (r Reader) TargetsIn(ctx context.Context, rollout string, devices []string) ([]firmward.Target, error) {
	return list(ctx, r, bodies[firmward.Target], r.targetsIn(), rollout, js{devices})
}

func (r Reader) targetsIn() string {
	return "SELECT body FROM target WHERE rollout = $1 AND device IN (" + r.d.elements("$2") + ") ORDER BY device"
}

// TargetFilter chooses targets. Zero fields choose nothing out.
type TargetFilter struct {
	Wave  *int
	State firmward.TargetState
}

// Targets lists targets of a rollout by device.
func (r Reader) Targets(ctx context.Context, rollout string, want TargetFilter, p Page) ([]firmward.Target, string, error) {
	var f filter
	f.add("rollout = ?", rollout)
	f.is("state", want.State)
	if want.Wave != nil {
		f.add("wave = ?", *want.Wave)
	}
	return page(ctx, r, ordered("device"), p, f, "target", "body", bodies[firmward.Target])
}

// Waiting gives up to n targets of a rollout that wait: for their turn, of any wave, for a person, or to wake.
func (r Reader) Waiting(ctx context.Context, rollout string, n int) ([]firmward.Target, error) {
	return list(ctx, r, bodies[firmward.Target], "SELECT body FROM target WHERE rollout = $1 AND state IN "+unstarted+" ORDER BY state, device LIMIT $2", rollout, n)
}

// unstarted are the states in which nothing was sent to a device and nothing is under way.
const unstarted = "('pending', 'waiting-for-person', 'waiting-for-wake')"

// WaitingTargets gives up to n targets of a wave that wait for their turn, by device, from after a device on.
func (r Reader) WaitingTargets(ctx context.Context, rollout string, wave int, after string, n int) ([]firmward.Target, error) {
	return list(ctx, r, bodies[firmward.Target],
		"SELECT body FROM target WHERE rollout = $1 AND wave = $2 AND state = 'pending' AND device > $3 ORDER BY device LIMIT $4", rollout, wave, after, n)
}

// DueTargets gives up to n targets of a rollout, in flight or waiting for a person or to wake, that are due at now, the longest due first.
func (r Reader) DueTargets(ctx context.Context, rollout string, now time.Time, n int) ([]firmward.Target, error) {
	return list(ctx, r, bodies[firmward.Target],
		"SELECT body FROM target WHERE rollout = $1 AND in_flight = 1 AND next_due BETWEEN 1 AND $2 ORDER BY next_due LIMIT $3", rollout, now, n)
}

// SoakTargets gives up to n targets of a wave that have succeeded, are to be looked at after their soak, and of which no look is under
// way at now.
func (r Reader) SoakTargets(ctx context.Context, rollout string, wave int, now time.Time, n int) ([]firmward.Target, error) {
	return list(ctx, r, bodies[firmward.Target], `SELECT body FROM target
		WHERE rollout = $1 AND wave = $2 AND state = 'succeeded' AND soaked = 0 AND next_due <= $3 ORDER BY next_due LIMIT $4`, rollout, wave, now, n)
}

// NextTarget is when the first target of a rollout is due, in flight or waiting for a person or to wake; zero: none is.
func (r Reader) NextTarget(ctx context.Context, rollout string) (time.Time, error) {
	var due time.Time
	_, err := r.row(ctx, "SELECT COALESCE(MIN(next_due), 0) FROM target WHERE rollout = $1 AND in_flight = 1 AND next_due > 0", args(rollout), timeInto{&due})
	return due, err
}

// Unended reports whether a wave has a target that waits for its turn, and one that is in flight or waits for a person or to wake.
func (r Reader) Unended(ctx context.Context, rollout string, wave int) (waits, flies bool, err error) {
	err1 := firstOf(ctx, r, &waits, "SELECT 1 FROM target WHERE rollout = $1 AND wave = $2 AND state = 'pending' LIMIT 1", rollout, wave)
	err2 := firstOf(ctx, r, &flies, "SELECT 1 FROM target WHERE rollout = $1 AND wave = $2 AND in_flight = 1 LIMIT 1", rollout, wave)
	return waits, flies, errors.Join(err1, err2)
}

func firstOf(ctx context.Context, r Reader, found *bool, query string, arg ...any) (err error) {
	var one int
	*found, err = r.row(ctx, query, arg, &one)
	return err
}

// WaveCount is the number of targets of a wave in one state.
type WaveCount struct {
	State  firmward.TargetState
	Soaked bool // they were looked at after their soak
	N      int
}

// CountWave counts the targets of a wave, sorted by state.
func (r Reader) CountWave(ctx context.Context, rollout string, wave int) ([]WaveCount, error) {
	return list(ctx, r, func(s scan) (c WaveCount, err error) {
		err = s((*string)(&c.State), &c.Soaked, &c.N)
		return c, err
	}, "SELECT state, soaked, COUNT(*) FROM target WHERE rollout = $1 AND wave = $2 GROUP BY state, soaked ORDER BY state, soaked", rollout, wave)
}

// TargetDevices lists the devices of the targets of a rollout by id, those that were refused too.
func (r Reader) TargetDevices(ctx context.Context, rollout string, p Page) ([]string, string, error) {
	var f filter
	f.add("rollout = ?", rollout)
	return page(ctx, r, ordered("device"), p, f, "target", "device", texts)
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
