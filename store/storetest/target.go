package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/store"
)

func devicesOf(targets []firmward.Target) (out []string) {
	for _, g := range targets {
		out = append(out, g.DeviceID)
	}
	return out
}

// counted: what is counted and found by index is what a walk over all targets gives.
func counted(t *testing.T, s *store.Store) {
	ctx := t.Context()
	states := []firmward.TargetState{firmward.TargetPending, firmward.TargetVerifying, firmward.TargetSucceeded, firmward.TargetSucceeded, firmward.TargetFailed, firmward.TargetInstalling, firmward.TargetPending, firmward.TargetAsked, firmward.TargetAsleep}
	runs := func(s firmward.TargetState) bool { return s.InFlight() || s.Waits() } // a clock runs for it
	var all []firmward.Target
	for i := range 60 {
		g := firmward.Target{RolloutID: "r1", DeviceID: fmt.Sprintf("d%02d", i), Wave: i % 3, State: states[i%len(states)]}
		if g.State == firmward.TargetSucceeded && i%2 == 0 {
			g.NextDue = t0.Add(time.Hour) // it is being looked at
		}
		if runs(g.State) && i%4 != 0 {
			g.NextDue = t0.Add(time.Duration(60-i) * time.Minute)
		}
		if i%len(states) == 2 {
			g.SoakedAt = t0
		}
		all = append(all, g)
	}
	other := firmward.Target{RolloutID: "r2", DeviceID: "d00", Wave: 9, State: firmward.TargetVerifying, NextDue: t0.Add(-time.Hour)}
	write(t, s, func(tx *store.Tx) error {
		return errors.Join(tx.PutTargets(ctx, []firmward.Target{other, {RolloutID: "r1", DeviceID: "d07", Wave: 8}}), tx.PutTargets(ctx, append(all, all[3])))
	})
	for wave := range 4 {
		want, waits, flies := map[store.WaveCount]int{}, false, false
		var soaks, pending []string
		for _, g := range all {
			if g.Wave != wave {
				continue
			}
			want[store.WaveCount{State: g.State, Soaked: !g.SoakedAt.IsZero()}]++
			waits, flies = waits || g.State == firmward.TargetPending, flies || runs(g.State)
			switch {
			case g.State == firmward.TargetPending:
				pending = append(pending, g.DeviceID)
			case g.State == firmward.TargetSucceeded && g.SoakedAt.IsZero() && !g.NextDue.After(t0):
				soaks = append(soaks, g.DeviceID)
			}
		}
		got := map[store.WaveCount]int{}
		for _, c := range must[[]store.WaveCount](t)(s.CountWave(ctx, "r1", wave)) {
			got[store.WaveCount{State: c.State, Soaked: c.Soaked}] = c.N
		}
		diff(t, "wave", want, got)
		if w, f, err := s.Unended(ctx, "r1", wave); err != nil || w != waits || f != flies {
			t.Errorf("wave %d: waits %v, flies %v, %v", wave, w, f, err)
		}
		var waiting []string
		for after := ""; ; after = waiting[len(waiting)-1] {
			some := devicesOf(must[[]firmward.Target](t)(s.WaitingTargets(ctx, "r1", wave, after, 4)))
			if waiting = append(waiting, some...); len(some) < 4 {
				break
			}
		}
		diff(t, "waiting", pending, waiting)
		list := must[[]firmward.Target](t)(s.SoakTargets(ctx, "r1", wave, t0, 100))
		diff(t, "to be looked at", soaks, slices.Sorted(slices.Values(devicesOf(list))))
	}
	var first time.Time
	late := 0
	for _, g := range all {
		if !runs(g.State) {
			continue
		}
		if !g.NextDue.IsZero() && (first.IsZero() || g.NextDue.Before(first)) {
			first = g.NextDue
		}
		if !g.NextDue.IsZero() && !g.NextDue.After(t0.Add(20*time.Minute)) {
			late++
		}
	}
	if due := must[time.Time](t)(s.NextTarget(ctx, "r1")); !due.Equal(first) || first.IsZero() {
		t.Errorf("due %v, want %v", due, first)
	}
	if due := must[time.Time](t)(s.NextTarget(ctx, "r3")); !due.IsZero() {
		t.Errorf("due in an empty rollout: %v", due)
	}
	due := must[[]firmward.Target](t)(s.DueTargets(ctx, "r1", t0.Add(20*time.Minute), 100))
	if len(due) != late || late == 0 || !due[0].NextDue.Equal(first) {
		t.Errorf("%d due, want %d", len(due), late)
	}
	if some := must[[]firmward.Target](t)(s.DueTargets(ctx, "r1", t0.Add(20*time.Minute), 2)); len(some) != 2 {
		t.Errorf("%d due of at most 2", len(some))
	}
	some := must[[]firmward.Target](t)(s.TargetsIn(ctx, "r1", []string{"d41", "nobody", "d07", "it's \"odd\""}))
	diff(t, "some", []firmward.Target{all[7], all[41]}, some)
	if ids := each(t, 7, func(p store.Page) ([]string, string, error) { return s.TargetDevices(ctx, "r1", p) }); len(ids) != 60 || ids[59] != "d59" {
		t.Errorf("devices %v", ids)
	}
}

// ending: a rollout that has ended while targets wait in it is found until they have ended too.
func ending(t *testing.T, s *store.Store) {
	ctx := t.Context()
	write(t, s, func(tx *store.Tx) error {
		var errs []error
		for id, state := range map[string]firmward.RolloutState{"a": firmward.RolloutStopped, "b": firmward.RolloutFinished, "c": firmward.RolloutRunning, "d": firmward.RolloutStopped, "e": firmward.RolloutStopped, "f": firmward.RolloutStopped} {
			_, err := tx.PutRollout(ctx, firmward.Rollout{ID: id, State: state})
			errs = append(errs, err, tx.PutTarget(ctx, firmward.Target{RolloutID: id, DeviceID: "1", State: firmward.TargetPending}))
		}
		for id, state := range map[string]firmward.TargetState{"d": firmward.TargetSkipped, "e": firmward.TargetAsked, "f": firmward.TargetAsleep} {
			errs = append(errs, tx.PutTarget(ctx, firmward.Target{RolloutID: id, DeviceID: "1", State: state}))
		}
		return errors.Join(errs...)
	})
	diff(t, "to end", []string{"a", "b", "e", "f"}, must[[]string](t)(s.RolloutsToEnd(ctx)))
}

// hold claims for one device.
func hold(t *testing.T, s *store.Store, rollout string, c store.Claimant) error {
	return s.Tx(t.Context(), func(tx *store.Tx) error {
		refused, err := tx.Claim(t.Context(), rollout, c)
		return errors.Join(append(refused, err)...)
	})
}

// holdMany: many claim in one statement; who is refused holds nothing, and each sees what those before it took.
func holdMany(t *testing.T, s *store.Store) {
	ctx := t.Context()
	site := func(name string, most int) []store.Share {
		return []store.Share{{Kind: store.ClaimSite, Name: name, Most: most}}
	}
	before := must[int64](t)(s.Edition(ctx, store.EditionClaims))
	var refused []error
	write(t, s, func(tx *store.Tx) (err error) {
		refused, err = tx.Claim(ctx, "r1",
			store.Claimant{Device: "a", Group: "core", Shares: site("north", 2)}, store.Claimant{Device: "b", Group: "core", Shares: site("north", 2)},
			store.Claimant{Device: "c", Shares: site("north", 2)}, store.Claimant{Device: "d", Shares: site("north", 2)},
			store.Claimant{Device: "a", Group: "core", Shares: site("north", 2)}, store.Claimant{Device: "e", Shares: site("south", 0)})
		return err
	})
	for i, want := range []bool{false, true, false, true, false, false} {
		if got := firmward.CodeOf(refused[i]) == firmward.Conflict; got != want || !want && refused[i] != nil {
			t.Errorf("claimant %d: %v", i, refused[i])
		}
	}
	if held := must[[]store.Claim](t)(s.ClaimsOf(ctx, "r1")); len(held) != 7 { // a, c, e, their places, one group
		t.Errorf("held: %v", held)
	}
	if after := must[int64](t)(s.Edition(ctx, store.EditionClaims)); after == before {
		t.Error("the edition of claims did not grow")
	}
	write(t, s, func(tx *store.Tx) error { return tx.Unclaim(ctx, "r1", "a", "c", "nobody") })
	if held := must[[]store.Claim](t)(s.ClaimsOf(ctx, "")); len(held) != 2 {
		t.Errorf("held: %v", held)
	}
}
