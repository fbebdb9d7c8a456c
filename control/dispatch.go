package control

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/driver"
	"github.com/firmward/firmward/rollout"
	"github.com/firmward/firmward/store"
	"github.com/firmward/firmward/wire"
)

// parallelCommands bounds how many commands are carried out together.
const parallelCommands = 32

// unsavedOutcomes bounds the commands that are carried out or whose outcome is on its way into the store.
const unsavedOutcomes = 4 * foldAtOnce

// installLimit is the least wall time that an installation gets, whatever the house clock does.
const installLimit = 30 * time.Second

// dispatch carries commands out: lease, (mark as sent), act, report. What a crash cuts off here is found
// again by its lease.
func (c *Control) dispatch(ctx context.Context) error {
	var running sync.WaitGroup
	defer running.Wait()
	var working sync.Map // ids of commands that are being carried out here: a lease that ran out meanwhile is only renewed
	room, unsaved := make(chan struct{}, parallelCommands), make(chan struct{}, unsavedOutcomes)
	return c.loop(ctx, loopDispatch, func(ctx context.Context) (time.Time, error) {
		for {
			free := min(cap(room)-len(room), cap(unsaved)-len(unsaved))
			if free == 0 {
				return c.Clock.Now().Add(c.Clock.Real(time.Second)), nil
			}
			now := c.Clock.Now()
			leased, err := c.Store.LeaseCommands(ctx, c.owner, free, now, c.Clock.Real(c.Lease))
			if err != nil {
				return time.Time{}, err
			}
			if len(leased) == 0 {
				return c.nextCommand(ctx)
			}
			for _, cmd := range leased {
				if _, already := working.LoadOrStore(cmd.ID, true); already {
					continue
				}
				room <- struct{}{}
				unsaved <- struct{}{}
				running.Go(func() {
					defer func() { working.Delete(cmd.ID); <-unsaved; c.wake(loopDispatch) }()
					c.perform(ctx, cmd, func() { <-room; c.wake(loopDispatch) })
				})
			}
		}
	})
}

// nextCommand is when a command whose lease ran out can be taken over.
func (c *Control) nextCommand(ctx context.Context) (time.Time, error) {
	queued, _, err := c.Store.Commands(ctx, store.CommandQueued, "", store.Page{Limit: 100})
	var due time.Time
	for _, q := range queued {
		due = earlier(due, q.LeaseUntil)
	}
	return due, err
}

// perform carries one command out, says so, and reports its outcome. The lease is kept alive meanwhile.
func (c *Control) perform(ctx context.Context, cmd store.Command, done func()) {
	var order rollout.Command
	if err := json.Unmarshal(cmd.Payload, &order); err != nil {
		done()
		c.Log.ErrorContext(ctx, "command cannot be read", "command", cmd.ID, "error", err)
		return
	}
	stop := c.keepLease(ctx, cmd)
	defer stop()
	ev, err := c.act(ctx, order, cmd)
	done()
	if ctx.Err() != nil {
		return // shutting down: the outcome is unknown and found again by the lease
	}
	if err != nil {
		if firmward.CodeOf(err) == firmward.Conflict || errors.Is(err, errLost) {
			return // somebody else owns the command now
		}
		c.Log.ErrorContext(ctx, "command failed inside firmward", "command", cmd.ID, "error", err)
		ev = failure(order.Verb, err.Error())
	}
	ev.Command = order.ID
	if err := c.report(ctx, order.RolloutID, happening{device: order.DeviceID, event: ev, finished: cmd.ID}); err != nil {
		if ctx.Err() != nil {
			return
		}
		c.Log.ErrorContext(ctx, "outcome not saved; the command will be in doubt", "command", cmd.ID, "error", err)
		return
	}
	c.wake(loopDeploy)
}

// errLost means that the lease of a command went to somebody else.
var errLost = errors.New("the lease was lost")

// keepLease extends a lease until the returned function is called.
func (c *Control) keepLease(ctx context.Context, cmd store.Command) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var done sync.WaitGroup
	done.Go(func() {
		tick := time.NewTicker(c.Lease / 3)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				now := c.Clock.Now()
				if err := c.Store.ExtendLease(ctx, cmd.ID, c.owner, now, now.Add(c.Clock.Real(c.Lease))); err != nil && ctx.Err() == nil {
					c.Log.WarnContext(ctx, "lease not extended", "command", cmd.ID, "error", err)
				}
			}
		}
	})
	return func() { cancel(); done.Wait() }
}

// failure is the event for a command that firmward itself could not carry out.
func failure(v rollout.Verb, why string) rollout.Event {
	switch v {
	case rollout.DoPreflight:
		return rollout.Event{Kind: rollout.PreflightFailed, Why: why}
	case rollout.DoInstall:
		return rollout.Event{Kind: rollout.InstallUnknown, Why: why}
	case rollout.DoCommit:
		return rollout.Event{Kind: rollout.CommitFailed, Why: why}
	case rollout.DoRevert:
		return rollout.Event{Kind: rollout.RevertFailed, Why: why}
	}
	return rollout.Event{Kind: rollout.Looked, Seen: rollout.Seen{Note: why}}
}

// job is all that a command needs to know.
type job struct {
	rollout firmward.Rollout
	target  firmward.Target
	release firmward.Release
	device  firmward.Device
	model   firmward.Model
	network firmward.Network
	driver  driver.Driver
}

func (c *Control) job(ctx context.Context, o rollout.Command) (job, error) {
	var j job
	var err error
	if j.rollout, err = c.Store.Rollout(ctx, o.RolloutID); err != nil {
		return j, err
	}
	if j.target, err = c.Store.Target(ctx, o.RolloutID, o.DeviceID); err != nil {
		return j, err
	}
	if j.release, err = c.Store.Release(ctx, j.rollout.ReleaseID); err != nil {
		return j, err
	}
	if j.device, err = c.Store.Device(ctx, o.DeviceID); err != nil {
		return j, err
	}
	if j.network, err = c.networkOf(ctx, j.device); err != nil {
		return j, err
	}
	j.model = c.Catalog.Model(j.device)
	if j.target.ByHand {
		return j, nil
	}
	drv, ok := c.installer(j.model)
	if !ok || len(j.device.Addrs) == 0 {
		return j, firmward.Errorf(firmward.NotSupported, "no driver for "+j.device.Model)
	}
	j.driver = drv
	return j, nil
}

func (c *Control) act(ctx context.Context, o rollout.Command, cmd store.Command) (rollout.Event, error) {
	j, err := c.job(ctx, o)
	if err != nil {
		return rollout.Event{}, err
	}
	if j.target.Command != o.ID || j.target.Answered { // the target has gone on without it: do nothing to the device
		return rollout.Event{Kind: rollout.NotSent, Why: "superseded"}, nil
	}
	switch {
	case o.Verb == rollout.DoPreflight:
		return c.preflight(ctx, j)
	case j.target.ByHand: // it is only looked at
	case o.Verb == rollout.DoInstall:
		return c.install(ctx, j, cmd)
	case o.Verb == rollout.DoCommit:
		return c.commit(ctx, j)
	case o.Verb == rollout.DoRevert:
		return c.revert(ctx, j)
	}
	seen, err := c.see(ctx, j)
	return rollout.Event{Kind: rollout.Looked, Seen: seen.Seen}, err
}

// install sends the image: once. The command is marked as sent before the first byte; from then on a
// crash leaves it in doubt and it is never sent again.
func (c *Control) install(ctx context.Context, j job, cmd store.Command) (rollout.Event, error) {
	inst, ok := j.driver.(driver.Installer)
	if !ok {
		return rollout.Event{Kind: rollout.NotSent, Why: "the driver cannot install"}, nil
	}
	img, err := c.image(ctx, j)
	if err != nil {
		return rollout.Event{Kind: rollout.NotSent, Why: err.Error()}, nil
	}
	secret, err := c.secretFor(ctx, j.device)
	if err != nil {
		return rollout.Event{}, err
	}
	stop, err := c.stopped(ctx)
	if err != nil {
		return rollout.Event{}, err
	}
	switch r, err := c.Store.Rollout(ctx, j.rollout.ID); {
	case err != nil:
		return rollout.Event{}, err
	case stop:
		return rollout.Event{Kind: rollout.NotSent, Code: rollout.StopAll, Why: "the red button is pressed"}, nil
	case r.State != firmward.RolloutRunning:
		return rollout.Event{Kind: rollout.NotSent, Why: "the rollout is " + string(r.State)}, nil
	case rollout.TooLate(j.target, c.Clock.Now()):
		return rollout.Event{Kind: rollout.NotSent, Code: rollout.RefuseWindow, Why: "it would not be done before its window closes"}, nil
	default:
		at, err := c.placeTime(ctx, j.device.Site, c.Clock.Now())
		if err != nil {
			return rollout.Event{}, err
		}
		if why := rollout.Frozen(&r, at.local, at.freezes); why != "" {
			return rollout.Event{Kind: rollout.NotSent, Code: rollout.RefuseFreeze, Why: why}, nil
		}
	}
	if err := c.markSent(ctx, cmd.ID); err != nil {
		return rollout.Event{}, err
	}
	limit := max(installLimit, c.Clock.Wall(j.rollout.Policy.Deadline))
	ictx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	conn, tr := c.conn(j.network, j.device, j.driver, secret)
	err = inst.Install(ictx, conn, img)
	if kept := c.keepSent(context.WithoutCancel(ctx), j.device.ID, tr); kept != nil {
		c.Log.ErrorContext(ctx, "transcript not kept", "device", j.device.ID, "error", kept)
	}
	switch {
	case err == nil:
		return rollout.Event{Kind: rollout.Accepted}, nil
	case errors.Is(err, driver.ErrNotBegun):
		return rollout.Event{Kind: rollout.NotSent, Why: err.Error()}, nil
	case firmward.CodeOf(err) == firmward.Refused:
		return rollout.Event{Kind: rollout.InstallRefused, Why: err.Error()}, nil
	}
	return rollout.Event{Kind: rollout.InstallUnknown, Why: err.Error()}, nil
}

func (c *Control) commit(ctx context.Context, j job) (rollout.Event, error) {
	com, ok := j.driver.(driver.Committer)
	if !ok {
		return rollout.Event{Kind: rollout.CommitFailed, Why: "the driver cannot commit"}, nil
	}
	if err := c.short(ctx, j.device, j.driver, com.Commit); err != nil {
		return rollout.Event{Kind: rollout.CommitFailed, Why: err.Error()}, nil
	}
	return rollout.Event{Kind: rollout.Committed}, nil
}

func (c *Control) revert(ctx context.Context, j job) (rollout.Event, error) {
	rev, ok := j.driver.(driver.Reverter)
	if !ok {
		return rollout.Event{Kind: rollout.RevertFailed, Why: "the driver cannot go back"}, nil
	}
	if err := c.short(ctx, j.device, j.driver, rev.Revert); err != nil {
		return rollout.Event{Kind: rollout.RevertFailed, Why: err.Error()}, nil
	}
	return rollout.Event{Kind: rollout.Reverted}, nil
}

// short runs one driver exchange that moves no image, with a device in its own network, and keeps what was sent.
func (c *Control) short(ctx context.Context, d firmward.Device, drv driver.Driver, do func(context.Context, wire.Conn) error) error {
	network, err := c.networkOf(ctx, d)
	if err != nil {
		return err
	}
	secret, err := c.secretFor(ctx, d)
	if err != nil {
		return err
	}
	sctx, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	conn, tr := c.conn(network, d, drv, secret)
	err = do(sctx, conn)
	if kept := c.keepSent(context.WithoutCancel(ctx), d.ID, tr); err == nil {
		err = kept
	}
	return err
}

// resolveDoubt hands commands whose outcome was lost to the engine.
func (c *Control) resolveDoubt(ctx context.Context, now time.Time) error {
	if found, err := c.Store.Lost(ctx, now); err != nil || !found {
		return err
	}
	var lost []store.Command
	err := c.Store.Tx(ctx, func(tx *store.Tx) error {
		var err error
		lost, err = tx.InDoubt(ctx, now)
		return err
	})
	if err != nil {
		return err
	}
	of := map[string][]happening{} // by rollout
	for _, cmd := range lost {
		var o rollout.Command
		if err := json.Unmarshal(cmd.Payload, &o); err != nil {
			return err
		}
		of[o.RolloutID] = append(of[o.RolloutID], happening{device: o.DeviceID, event: rollout.Event{Kind: rollout.Lost, Command: cmd.ID}})
	}
	var errs []error
	for id, all := range of {
		for some := range slices.Chunk(all, foldAtOnce) {
			errs = append(errs, c.fold(ctx, id, 0, some...)...)
		}
	}
	return errors.Join(errs...)
}
