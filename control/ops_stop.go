package control

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/rollout"
	"github.com/firmward/firmward/store"
)

// Stopping says which targets of a rollout are to be stopped: those of a wave, or some devices.
type Stopping struct {
	Wave    *int
	Devices []string // references
	Why     string
}

// Stopped is what became of them, by device id.
type Stopped struct {
	Skipped []string // nothing was sent to them, and nothing will be by this rollout
	Flying  []string // are being changed: they are watched to their end
	Ended   []string // had ended before
}

// StopTargets takes targets out of a rollout to which nothing was sent yet. The rollout goes on without them: a kind whose canary is taken out
// stays unknown, so its others do not start, and a wave in which nobody is left shows nothing, so a person must say that it goes on.
func (c *Control) StopTargets(ctx context.Context, who firmward.Person, id string, s Stopping) (Stopped, error) {
	var out Stopped
	r, err := c.Store.Rollout(ctx, id)
	switch {
	case err != nil:
		return out, err
	case s.Why == "":
		return out, firmward.Errorf(firmward.Invalid, "say why (--why)")
	case (s.Wave == nil) == (len(s.Devices) == 0):
		return out, firmward.Errorf(firmward.Invalid, "say which wave, or which devices")
	case r.Rehearsal:
		return out, firmward.Errorf(firmward.Invalid, "this is a rehearsal on a spare: stop the rollout that waits for it")
	case r.State == firmward.RolloutFinished || r.State == firmward.RolloutStopped:
		return out, firmward.Errorf(firmward.Conflict, "the rollout is "+string(r.State)+" already")
	case s.Wave != nil && (*s.Wave < 0 || *s.Wave >= r.Waves):
		return out, firmward.Errorf(firmward.Invalid, fmt.Sprintf("it has waves 0 (the canaries) to %d", r.Waves-1))
	}
	targets, err := c.toStop(ctx, r, s)
	if err != nil {
		return out, err
	}
	var some []happening
	for _, t := range targets {
		switch {
		case t.State == firmward.TargetPending || t.State == firmward.TargetClaimed || t.State.Waits():
			some = append(some, happening{device: t.DeviceID, event: rollout.Event{Kind: rollout.Abandon, Why: "stopped by " + who.Name + ": " + s.Why}})
		case t.State.Final():
			out.Ended = append(out.Ended, t.DeviceID)
		default:
			out.Flying = append(out.Flying, t.DeviceID)
		}
	}
	for chunk := range slices.Chunk(some, foldAtOnce) {
		if err := errors.Join(c.fold(ctx, id, 0, chunk...)...); err != nil {
			return out, err
		}
		ids := make([]string, len(chunk))
		for i, h := range chunk {
			ids[i] = h.device
		}
		now, err := c.Store.TargetsIn(ctx, id, ids)
		if err != nil {
			return out, err
		}
		for _, t := range now { // an image may have been on its way by then
			if t.State == firmward.TargetSkipped {
				out.Skipped = append(out.Skipped, t.DeviceID)
			} else {
				out.Flying = append(out.Flying, t.DeviceID)
			}
		}
	}
	if len(out.Skipped) == 0 {
		return out, firmward.Errorf(firmward.Conflict, fmt.Sprintf("nothing is left to stop: under way and watched to the end: %d, ended before: %d", len(out.Flying), len(out.Ended)))
	}
	detail := map[string]string{"why": s.Why, "skipped": fmt.Sprint(len(out.Skipped))}
	if s.Wave != nil {
		detail["wave"] = fmt.Sprint(*s.Wave)
	} else {
		detail["devices"] = strings.Join(out.Skipped, ",")
	}
	err = c.Store.Tx(ctx, func(tx *store.Tx) error {
		if err := c.leaf(ctx, tx, who.Name, "rollout-stop-targets", id, detail); err != nil {
			return err
		}
		return c.emit(ctx, tx, "rollout", id, fmt.Sprintf("%s took %d out: %s", who.Name, len(out.Skipped), s.Why))
	})
	c.wake(loopDeploy)
	return out, err
}

// toStop gives the targets that are meant. A device that takes no part is an error.
func (c *Control) toStop(ctx context.Context, r firmward.Rollout, s Stopping) ([]firmward.Target, error) {
	if s.Wave != nil {
		return store.Every(func(p store.Page) ([]firmward.Target, string, error) {
			return c.Store.Targets(ctx, r.ID, store.TargetFilter{Wave: s.Wave}, p)
		})
	}
	var out []firmward.Target
	for _, ref := range s.Devices {
		d, err := c.Find(ctx, ref)
		if err != nil {
			return nil, err
		}
		t, err := c.Store.Target(ctx, r.ID, d.ID)
		if firmward.CodeOf(err) == firmward.NotFound || err == nil && t.State == firmward.TargetRefused {
			return nil, firmward.Errorf(firmward.NotFound, d.Name+" takes no part in this rollout")
		}
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}
