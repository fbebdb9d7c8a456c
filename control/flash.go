package control

import (
	"context"
	"fmt"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/driver"
	"github.com/firmward/firmward/rollout"
	"github.com/firmward/firmward/store"
	"github.com/firmward/firmward/twin"
)

// goForward lets the engine bring the release once more, where the spare went back before.
func (c *Control) goForward(ctx context.Context, h firmward.Rehearsal, rel firmward.Release, spare firmward.Device) (time.Time, error) {
	if c.noWayBack(rel, spare) != "" {
		return time.Time{}, c.conclude(ctx, h, rel, spare)
	}
	h.Phase, h.Since, h.Tries = firmward.RehearseForward, c.Clock.Now(), 0
	parent, err := c.Store.Rollout(ctx, h.RolloutID)
	if err != nil {
		return time.Time{}, err
	}
	if spare, err = c.Store.Device(ctx, spare.ID); err != nil {
		return time.Time{}, err
	}
	err = c.Store.Tx(ctx, func(tx *store.Tx) error {
		if err := c.openRehearsal(ctx, tx, again(h), parent, rel, spare, parent.Why+", forward again", firmward.RolloutRunning, forwardSoak); err != nil {
			return err
		}
		return tx.PutRehearsal(ctx, h)
	})
	c.wake(loopDeploy)
	return time.Time{}, err
}

// cutFlash brings the image once more and has the power cut while it is written, once, then looks until the spare answers again. Either version
// will do: that it is not lost is what counts. A spare that went back before gets the release from the engine afterwards.
func (c *Control) cutFlash(ctx context.Context, h firmward.Rehearsal, rel firmward.Release, spare firmward.Device) (time.Time, error) {
	check := firmward.StagingCheck{Name: "flash-cut", Verdict: firmward.CheckNotTried}
	if h.Tries == 0 {
		h.Tries, h.Since = 1, c.Clock.Now() // saved before: after a crash nobody begins anew
		if err := c.keepRehearsal(ctx, h); err != nil {
			return time.Time{}, err
		}
		cut, err := c.flashAndCut(ctx, h, spare)
		if err != nil {
			return time.Time{}, err
		}
		if cut != nil {
			check.Why = "its power could not be cut while it wrote: " + cut.Error()
			h.Checks = append(h.Checks, check)
			return c.goForward(ctx, h, rel, spare)
		}
		return c.Clock.Now().Add(c.Clock.Real(time.Second)), nil
	}
	seen, err := c.look(ctx, spare)
	if err != nil {
		return time.Time{}, err
	}
	now, settle := c.Clock.Now(), c.able(c.Catalog.Model(spare), nil).Settle
	check.After = seen.Version
	switch late := now.After(h.Since.Add(c.backWithin(settle))); {
	case seen.Reachable && (seen.Version == h.From || seen.Version == rel.Version):
		check.Verdict, check.Why = firmward.CheckPassed, "its power was cut while it wrote the image, and it came back with "+seen.Version
		h.Checks = append(h.Checks, check)
		return c.goForward(ctx, h, rel, spare)
	case !late:
		return now.Add(c.Clock.Real(time.Second)), nil
	}
	check.Verdict, check.Why = firmward.CheckFailed, "its power was cut while it wrote the image, and it does not come back"
	if seen.Reachable {
		check.Why = fmt.Sprintf("its power was cut while it wrote the image, and it runs %q", seen.Version)
	}
	h.Checks = append(h.Checks, check)
	return time.Time{}, c.conclude(ctx, h, rel, spare)
}

// flashAndCut brings the image to the spare while the power waits for the writing. cut says why it was not cut.
func (c *Control) flashAndCut(ctx context.Context, h firmward.Rehearsal, spare firmward.Device) (cut, err error) {
	cutter, ok := c.twinOf(spare).(twin.FlashCutter)
	if !ok {
		return firmward.Errorf(firmward.NotSupported, "nobody can cut it any more"), nil
	}
	j, err := c.job(ctx, rollout.Command{RolloutID: h.RolloutID, DeviceID: spare.ID})
	if err != nil {
		return nil, err
	}
	img, err := c.image(ctx, j)
	if err != nil {
		return nil, err
	}
	secret, err := c.secretFor(ctx, j.device)
	if err != nil {
		return nil, err
	}
	ictx, cancel := context.WithTimeout(ctx, installLimit)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		done <- cutter.CutWhileWriting(ictx)
		cancel() // who has no power gives no answer
	}()
	conn, tr := c.conn(j.network, j.device, j.driver, secret)
	said := j.driver.(driver.Installer).Install(ictx, conn, img)
	if kept := c.keepSent(context.WithoutCancel(ctx), spare.ID, tr); kept != nil {
		return nil, kept
	}
	if firmward.CodeOf(said) == firmward.Refused { // nothing will be written
		cancel()
	}
	cut = <-done
	if cut != nil && said != nil {
		cut = said
	}
	return cut, ctx.Err()
}
