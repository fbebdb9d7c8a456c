package control

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/driver"
	"github.com/firmward/firmward/rollout"
	"github.com/firmward/firmward/staging"
	"github.com/firmward/firmward/store"
	"github.com/firmward/firmward/twin"
)

const (
	packAgain   = time.Minute     // house time until a pack that found nobody runs again
	packTries   = 3               // how often
	forwardSoak = time.Minute     // how long a spare is watched after it went forward once more
	wordTaken   = 2 * time.Second // of real time, until a spare that was told to go back no longer runs what it ran
	backLooks   = 3               // settle times within which a spare that was told to go back must be back
)

// stageStep takes every open rehearsal one step on.
func (c *Control) stageStep(ctx context.Context) (time.Time, error) {
	open, err := c.Store.OpenRehearsals(ctx, "")
	if err != nil {
		return time.Time{}, err
	}
	var due time.Time
	var failed []error
	for _, h := range open {
		next, err := c.rehearseOn(ctx, h)
		if err != nil {
			failed = append(failed, fmt.Errorf("rehearsal %s: %w", h.RolloutID, err)) // the others go on
		}
		due = earlier(due, next)
	}
	return due, errors.Join(failed...)
}

// rehearseOn takes one rehearsal as far as it goes now. next is when to look again; zero: when its rollout has news.
func (c *Control) rehearseOn(ctx context.Context, h firmward.Rehearsal) (next time.Time, err error) {
	rel, err := c.Store.Release(ctx, h.ReleaseID)
	if err != nil {
		return next, err
	}
	spare, err := c.Store.Device(ctx, h.DeviceID)
	if err != nil {
		return next, err
	}
	if h.Place == firmward.PlaceVM && c.twinOf(spare).Info().Place != h.Place { // it ended with the process that made it
		return next, c.giveUp(ctx, h.RolloutID, "its place is gone")
	}
	switch h.Phase {
	case firmward.RehearseMirror:
		return c.mirror(ctx, h, spare)
	case firmward.RehearseBefore:
		return c.packBefore(ctx, h, rel, spare)
	case firmward.RehearseUpdate:
		t, over, err := c.rehearsed(ctx, h.RolloutID)
		if err == nil && !over && t.State == firmward.TargetPending && !rel.Withdrawn.IsZero() {
			t.State, t.Why = firmward.TargetSkipped, "the release was withdrawn: "+rel.WhyGone
			if err = c.verdict(ctx, h, rel, spare, t, nil); err == nil {
				err = c.abandonRehearsal(ctx, h.RolloutID, t.Why)
			}
			return next, err
		}
		if err != nil || !over {
			return next, err
		}
		if t.State != firmward.TargetSucceeded || t.Code == "already-installed" {
			return next, c.verdict(ctx, h, rel, spare, t, h.Checks)
		}
		return c.to(ctx, h, firmward.RehearseAfter)
	case firmward.RehearseAfter:
		return c.packAfter(ctx, h, rel, spare)
	case firmward.RehearsePower:
		return c.cutPower(ctx, h, rel, spare)
	case firmward.RehearseBack:
		return c.goBack(ctx, h, rel, spare)
	case firmward.RehearseFlash:
		return c.cutFlash(ctx, h, rel, spare)
	case firmward.RehearseForward:
		t, over, err := c.rehearsed(ctx, again(h))
		if err != nil || !over {
			return next, err
		}
		check := firmward.StagingCheck{Name: "rollback", Before: h.From, After: rel.Version, Verdict: firmward.CheckPassed, Why: fmt.Sprintf("it went back to %s when it was told, and forward to %s once more", h.From, rel.Version)}
		if t.State != firmward.TargetSucceeded {
			check.Verdict, check.Why = firmward.CheckFailed, fmt.Sprintf("it went back to %s and not forward again: %s", h.From, t.Why)
		}
		h.Checks = append(h.Checks, check)
		return next, c.conclude(ctx, h, rel, spare)
	}
	return next, nil
}

// noteFall keeps why the engine lets a spare fall back: what follows says only how that ended.
func noteFall(ctx context.Context, tx *store.Tx, id, why string) error {
	h, err := tx.Rehearsal(ctx, id)
	if firmward.CodeOf(err) == firmward.NotFound {
		return nil // it goes forward again, or was opened by an earlier release
	}
	if err != nil {
		return err
	}
	h.Checks = append(h.Checks, firmward.StagingCheck{Name: "engine", Verdict: firmward.CheckFailed, Why: why})
	return tx.PutRehearsal(ctx, h)
}

// again is the rollout with which a rehearsal goes forward after it went back.
func again(h firmward.Rehearsal) string { return h.RolloutID + "-again" }

// rehearsed gives the one target of a rehearsal's rollout, and whether it has ended.
func (c *Control) rehearsed(ctx context.Context, id string) (t firmward.Target, over bool, err error) {
	r, err := c.Store.Rollout(ctx, id)
	if err != nil {
		return t, false, err
	}
	targets, err := c.targets(ctx, id)
	if err != nil || len(targets) != 1 {
		return t, false, err
	}
	t = targets[0]
	return t, t.State.Final() && r.State != firmward.RolloutRunning && r.State != firmward.RolloutPlanned, nil
}

// to saves a rehearsal in its next phase and lets the loop come back at once.
func (c *Control) to(ctx context.Context, h firmward.Rehearsal, phase firmward.RehearsalPhase) (time.Time, error) {
	h.Phase, h.Since, h.Tries = phase, c.Clock.Now(), 0
	return h.Since, c.keepRehearsal(ctx, h)
}

func (c *Control) keepRehearsal(ctx context.Context, h firmward.Rehearsal) error {
	return c.Store.Tx(ctx, func(tx *store.Tx) error { return tx.PutRehearsal(ctx, h) })
}

// packBefore sees the spare as it is and lets the engine begin.
func (c *Control) packBefore(ctx context.Context, h firmward.Rehearsal, rel firmward.Release, spare firmward.Device) (time.Time, error) {
	pack, err := c.testPack(ctx, h, spare, firmward.TestPack{})
	if err != nil {
		if why, gone := silent(err); gone {
			t := firmward.Target{State: firmward.TargetSkipped, Why: why + ", so it could not be compared"}
			return c.tryAgain(ctx, h, func() error { return c.verdict(ctx, h, rel, spare, t, nil) })
		}
		return time.Time{}, err
	}
	h.Before, h.Phase, h.Since, h.Tries = pack, firmward.RehearseUpdate, c.Clock.Now(), 0
	err = c.change(ctx, h.RolloutID, func(tx *store.Tx, r *firmward.Rollout) error {
		if r.State == firmward.RolloutPlanned {
			r.State, r.WaveOpen = firmward.RolloutRunning, h.Since
		}
		return tx.PutRehearsal(ctx, h)
	})
	c.wake(loopDeploy)
	return time.Time{}, err
}

// tryAgain lets a phase be tried again a little later, and gives up after the last try.
func (c *Control) tryAgain(ctx context.Context, h firmward.Rehearsal, giveUp func() error) (time.Time, error) {
	if h.Tries++; h.Tries >= packTries {
		return time.Time{}, giveUp()
	}
	return c.Clock.Now().Add(packAgain), c.keepRehearsal(ctx, h)
}

// packAfter sees the spare as it is now, and rehearses the way back where nothing speaks against it.
func (c *Control) packAfter(ctx context.Context, h firmward.Rehearsal, rel firmward.Release, spare firmward.Device) (time.Time, error) {
	pack, err := c.testPack(ctx, h, spare, h.Before)
	if err != nil {
		why, gone := silent(err)
		if !gone {
			return time.Time{}, err
		}
		return c.tryAgain(ctx, h, func() error {
			h.Checks = append(h.Checks, firmward.StagingCheck{Name: "services", Before: "answers", After: "silent", Verdict: firmward.CheckFailed, Why: "after the update " + why})
			return c.conclude(ctx, h, rel, spare)
		})
	}
	h.After = pack
	for _, check := range c.compare(h, rel) {
		if check.Verdict == firmward.CheckFailed {
			return time.Time{}, c.conclude(ctx, h, rel, spare)
		}
	}
	if _, cuts := c.twinOf(spare).(twin.PowerCutter); cuts {
		return c.to(ctx, h, firmward.RehearsePower)
	}
	return c.tryBack(ctx, h, rel, spare)
}

// tryBack rehearses the way back, or says why not and ends.
func (c *Control) tryBack(ctx context.Context, h firmward.Rehearsal, rel firmward.Release, spare firmward.Device) (time.Time, error) {
	if why := c.noWayBack(rel, spare); why != "" {
		h.Checks = append(h.Checks, firmward.StagingCheck{Name: "rollback", Verdict: firmward.CheckNotTried, Why: why})
		if _, cuts := c.twinOf(spare).(twin.FlashCutter); cuts {
			return c.to(ctx, h, firmward.RehearseFlash)
		}
		return time.Time{}, c.conclude(ctx, h, rel, spare)
	}
	return c.to(ctx, h, firmward.RehearseBack)
}

// backWithin is how long a spare that restarts may be away: a restart is a real exchange too, whatever the house clock does.
func (c *Control) backWithin(settle time.Duration) time.Duration {
	return max(backLooks*settle, c.Clock.Real(time.Minute))
}

// cutPower takes the spare's power away while it runs the new version, once, and looks until it runs that again.
func (c *Control) cutPower(ctx context.Context, h firmward.Rehearsal, rel firmward.Release, spare firmward.Device) (time.Time, error) {
	now, settle := c.Clock.Now(), c.able(c.Catalog.Model(spare), nil).Settle
	if h.Tries == 0 { // a crash before it is saved cuts twice, which says no less
		cutter, ok := c.twinOf(spare).(twin.PowerCutter)
		if !ok {
			return time.Time{}, firmward.Errorf(firmward.Internal, "the power of "+spare.Name+" cannot be cut any more")
		}
		if err := cutter.CutPower(ctx); err != nil {
			return time.Time{}, err
		}
		h.Tries, h.Since = 1, c.Clock.Now()
		return h.Since.Add(c.Clock.Real(time.Second)), c.keepRehearsal(ctx, h)
	}
	seen, err := c.look(ctx, spare)
	if err != nil {
		return time.Time{}, err
	}
	check := firmward.StagingCheck{Name: "power-cut", Before: rel.Version, After: seen.Version, Verdict: firmward.CheckPassed, Why: "after a power cut it came back with " + rel.Version}
	switch late := now.After(h.Since.Add(c.backWithin(settle))); {
	case seen.Reachable && seen.Version == rel.Version:
		h.Checks = append(h.Checks, check)
		return c.tryBack(ctx, h, rel, spare)
	case !late && !seen.Reachable:
		return now.Add(c.Clock.Real(time.Second)), nil
	}
	check.Verdict, check.Why = firmward.CheckFailed, "after a power cut it does not come back"
	if seen.Reachable {
		check.Why = "after a power cut it runs " + seen.Version
	}
	h.Checks = append(h.Checks, check)
	return time.Time{}, c.conclude(ctx, h, rel, spare)
}

// noWayBack says why going back cannot be rehearsed, or nothing.
func (c *Control) noWayBack(rel firmward.Release, spare firmward.Device) string {
	m := c.Catalog.Model(spare)
	drv, ok := c.installer(m)
	if _, reverts := drv.(driver.Reverter); !ok || !reverts {
		return "its driver knows no way back"
	}
	switch a := c.able(c.Catalog.Model(spare), nil); {
	case rel.Floor != "":
		return "the release lets nothing below " + rel.Floor + " on it any more"
	case !a.CanRevert && !a.DeadMan:
		return "this model has no way back (" + m.Rollback.Value + ")"
	}
	return ""
}

// goBack tells the spare to go back and looks until it did. It is told again only when a look has shown that it still runs the new
// version after it had time to settle: to be told twice would bring it forward.
func (c *Control) goBack(ctx context.Context, h firmward.Rehearsal, rel firmward.Release, spare firmward.Device) (time.Time, error) {
	settle := max(c.able(c.Catalog.Model(spare), nil).Settle, c.Clock.Real(wordTaken))
	seen, err := c.look(ctx, spare)
	if err != nil {
		return time.Time{}, err
	}
	now := c.Clock.Now()
	switch {
	case seen.Reachable && seen.Version == h.From:
		if _, cuts := c.twinOf(spare).(twin.FlashCutter); cuts {
			return c.to(ctx, h, firmward.RehearseFlash)
		}
		return c.goForward(ctx, h, rel, spare)
	case h.Tries > 0 && now.Before(h.Since.Add(settle)):
		return h.Since.Add(settle), nil
	case h.Tries == 1 && seen.Reachable && seen.Version == rel.Version && now.Before(h.Since.Add(c.backWithin(settle))):
		return c.sendBack(ctx, h, spare) // a crash may have kept the first word from it
	case h.Tries > 0 && now.Before(h.Since.Add(c.backWithin(settle))):
		return now.Add(settle), nil
	case h.Tries > 0:
		what := "runs " + seen.Version
		if !seen.Reachable {
			what = "does not answer"
		}
		h.Checks = append(h.Checks, firmward.StagingCheck{
			Name: "rollback", Before: rel.Version, After: seen.Version, Verdict: firmward.CheckFailed,
			Why: strings.TrimSuffix(fmt.Sprintf("it was told to go back to %s and %s: %s", h.From, what, h.Said), ": "),
		})
		return time.Time{}, c.conclude(ctx, h, rel, spare)
	}
	return c.sendBack(ctx, h, spare)
}

// sendBack tells the spare to go back.
func (c *Control) sendBack(ctx context.Context, h firmward.Rehearsal, spare firmward.Device) (time.Time, error) {
	j, err := c.job(ctx, rollout.Command{RolloutID: h.RolloutID, DeviceID: spare.ID})
	if err != nil {
		return time.Time{}, err
	}
	h.Tries, h.Since = h.Tries+1, c.Clock.Now() // saved before it is sent
	if err := c.keepRehearsal(ctx, h); err != nil {
		return time.Time{}, err
	}
	ev, err := c.revert(ctx, j)
	if err != nil {
		return time.Time{}, err
	}
	if ev.Kind == rollout.RevertFailed { // its answer may have been lost: what it runs then decides
		h.Said = ev.Why
		if err := c.keepRehearsal(ctx, h); err != nil {
			return time.Time{}, err
		}
	}
	return h.Since.Add(max(c.able(c.Catalog.Model(spare), nil).Settle, c.Clock.Real(wordTaken))), nil
}

// compare asks what became of the spare.
func (c *Control) compare(h firmward.Rehearsal, rel firmward.Release) []firmward.StagingCheck {
	return staging.Compare(h.Before, h.After, staging.Compared{
		From: h.From, Want: rel.Version, WipesConfig: rel.WipesConfig, NameBefore: c.nameIn(h.Before), NameAfter: c.nameIn(h.After),
	})
}

// conclude gives the verdict of a rehearsal whose update succeeded.
func (c *Control) conclude(ctx context.Context, h firmward.Rehearsal, rel firmward.Release, spare firmward.Device) error {
	t, _, err := c.rehearsed(ctx, h.RolloutID)
	if err != nil {
		return err
	}
	var checks []firmward.StagingCheck
	if !h.After.At.IsZero() {
		checks = c.compare(h, rel)
	}
	return c.verdict(ctx, h, rel, spare, t, append(checks, h.Checks...))
}

// verdict writes the verdict, ends the rehearsal and lets the rollouts that wait for it go on.
func (c *Control) verdict(ctx context.Context, h firmward.Rehearsal, rel firmward.Release, spare firmward.Device, target firmward.Target, checks []firmward.StagingCheck) error {
	v := staging.Verdict(rel, h, spare, target, checks, c.Clock.Now())
	if v.Result != staging.NotStaged {
		t := c.twinOf(spare)
		v.NotMirrored = staging.NotMirrored(h, t.Info().Mirrors)
		if w, ok := t.(twin.Watcher); ok {
			whom, packets, err := w.Reached(ctx)
			if err != nil {
				return err
			}
			if v.Reached = whom; packets > 0 {
				v.Reached = append(v.Reached, fmt.Sprintf("%d packets in all to others than the stand-ins, none of which left", packets))
			}
		}
	}
	h.Phase, h.Since = firmward.RehearseDone, v.At
	err := c.Store.Tx(ctx, func(tx *store.Tx) error {
		if err := tx.PutRehearsal(ctx, h); err != nil {
			return err
		}
		return c.keepVerdict(ctx, tx, h.RolloutID, v)
	})
	if err != nil {
		return err
	}
	if r, err := c.Store.Rollout(ctx, h.RolloutID); err == nil && r.State == firmward.RolloutPlanned { // it never began
		if err := c.abandonRehearsal(ctx, h.RolloutID, v.Why); err != nil {
			return err
		}
	}
	return c.settleStaging(ctx, rel)
}

// giveUp ends a rehearsal without a verdict: nothing was learned of the release.
func (c *Control) giveUp(ctx context.Context, id, why string) error {
	h, err := c.Store.Rehearsal(ctx, id)
	if err != nil || h.Phase == firmward.RehearseDone {
		return err
	}
	h.Phase, h.Since = firmward.RehearseDone, c.Clock.Now()
	err = c.Store.Tx(ctx, func(tx *store.Tx) error {
		if err := tx.PutRehearsal(ctx, h); err != nil {
			return err
		}
		return c.leaf(ctx, tx, self, "staging-given-up", id, map[string]string{"release": h.ReleaseID, "why": why})
	})
	for _, run := range []string{id, again(h)} {
		if err == nil {
			if err = c.abandonRehearsal(ctx, run, why); firmward.CodeOf(err) == firmward.NotFound { // it never went forward again
				err = nil
			}
		}
	}
	if err != nil {
		return err
	}
	rel, err := c.Store.Release(ctx, h.ReleaseID)
	if err != nil {
		return err
	}
	return c.settleStaging(ctx, rel)
}

func (c *Control) abandonRehearsal(ctx context.Context, id, why string) error {
	if err := c.change(ctx, id, func(_ *store.Tx, r *firmward.Rollout) error {
		if r.State != firmward.RolloutFinished {
			r.State, r.Why = firmward.RolloutStopped, why
		}
		return nil
	}); err != nil {
		return err
	}
	return c.endIfOver(ctx, id)
}
