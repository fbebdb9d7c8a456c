package control

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/audit"
	"github.com/firmward/firmward/rollout"
	"github.com/firmward/firmward/store"
	"github.com/firmward/firmward/workorder"
)

// atWork is how long a person may be at work on a model before firmward looks by itself: three times what its card says, at least an hour.
func atWork(m firmward.Model) time.Duration {
	minutes := m.Update.Minutes
	if workorder.Kind(m) == "vendor-service" {
		minutes = m.VendorCall.Minutes
	}
	return max(time.Hour, 3*time.Duration(minutes)*time.Minute)
}

// orders opens, adopts and closes the work orders of the targets that changed and that people update.
func (f *folding) orders(ctx context.Context) error {
	for _, device := range slices.Sorted(maps.Keys(f.hands)) {
		evidence := f.hands[device]
		t, d := f.targets[device], f.devices[device]
		w, err := orderOf(ctx, f.tx.Reader, *t)
		if err != nil {
			return err
		}
		asked := slices.ContainsFunc(f.commands, func(cmd rollout.Command) bool { return cmd.Verb == rollout.DoAsk && cmd.DeviceID == device })
		action := ""
		switch {
		case asked && w.ID == "":
			m := f.c.Catalog.Model(d)
			w = workorder.Join(workorder.New(store.NewID("wo"), workorder.Kind(m), d, m, t.Want, f.rollout.Author, f.now, t.WaitsTo), *t)
			action = "workorder-open"
		case asked:
			w, action = workorder.Join(w, *t), "workorder-join"
		case w.RolloutID != t.RolloutID:
			continue
		}
		if asked && w.Assignee == "" {
			w.Assignee = d.Owner
		}
		was := w.State
		w, changed := workorder.Follow(w, *t, evidence, f.now)
		if w.State != was {
			action = "workorder-" + string(w.State)
		}
		if action == "" && !changed {
			continue
		}
		if err := f.tx.PutWorkOrder(ctx, w); err != nil {
			return err
		}
		if action != "" {
			f.leaves = append(f.leaves, audit.Leaf{At: f.now, Actor: self, Action: action, Subject: w.ID, Detail: map[string]string{
				"device": d.ID, "kind": w.Kind, "want": w.Want, "assignee": w.Assignee, "rollout": t.RolloutID, "why": w.Why, "evidence": w.Evidence,
			}})
			f.events = append(f.events, firmward.Event{At: f.now, Kind: "workorder", Subject: w.ID, Text: fmt.Sprintf("%s: %s: %s", d.Name, w.Title, w.Why)})
		}
	}
	return nil
}

// orderOf gives the open work order of a target, or one of its device that stands alone and asks for the same; an empty one if there is
// none.
func orderOf(ctx context.Context, r store.Reader, t firmward.Target) (firmward.WorkOrder, error) {
	open := true
	all, err := store.Every(func(p store.Page) ([]firmward.WorkOrder, string, error) {
		return r.WorkOrders(ctx, store.WorkOrderFilter{Device: t.DeviceID, Open: &open}, p)
	})
	var alone firmward.WorkOrder
	for _, w := range all {
		switch {
		case w.RolloutID == t.RolloutID:
			return w, nil
		case w.RolloutID == "" && (w.Kind == "update" || w.Kind == "vendor-service"):
			alone = w
		}
	}
	return alone, err
}

// BeginWork is a person's word that the work of an order begins. Where it is part of a rollout that is asked like any start, by the same
// rules: from then on until a look has shown how it ended nothing is changed that hangs on the device or stands in for it. It waits
// until the device was looked at as it is before, so that whoever stands there may begin when it returns.
func (c *Control) BeginWork(ctx context.Context, who firmward.Person, id string) (firmward.WorkOrder, error) {
	w, err := c.Store.WorkOrder(ctx, id)
	if err != nil {
		return w, err
	}
	if w.State == firmward.WorkDone || w.State == firmward.WorkVoid {
		return w, firmward.Errorf(firmward.Conflict, "the work order is "+string(w.State)+" already: "+w.Why)
	}
	if w.RolloutID != "" {
		if err := c.beginTarget(ctx, who, w); err != nil {
			return w, err
		}
	}
	err = c.Store.Tx(ctx, func(tx *store.Tx) error {
		if w, err = tx.WorkOrder(ctx, id); err != nil {
			return err
		}
		w.BegunBy, w.BegunAt = who.Name, c.Clock.Now()
		if err := tx.PutWorkOrder(ctx, w); err != nil {
			return err
		}
		if err := c.emit(ctx, tx, "workorder", w.ID, who.Name+" has begun: "+w.Title); err != nil {
			return err
		}
		return c.leaf(ctx, tx, who.Name, "workorder-begin", w.ID, map[string]string{"device": w.DeviceID, "rollout": w.RolloutID})
	})
	if err != nil {
		return w, err
	}
	c.touch(w.DeviceID)
	if w.RolloutID == "" {
		return w, nil
	}
	t, err := c.settled(ctx, w)
	switch {
	case err != nil:
		return w, err
	case t.State == firmward.TargetAsked || t.State == firmward.TargetPending:
		return w, firmward.Errorf(firmward.Conflict, "do not begin: "+t.Why)
	case t.State == firmward.TargetClaimed:
		return w, firmward.Errorf(firmward.Conflict, "do not begin yet: the device is still being asked how it is")
	}
	return c.Store.WorkOrder(ctx, id)
}

// beginTarget starts the target of a work order, if it may start now.
func (c *Control) beginTarget(ctx context.Context, who firmward.Person, w firmward.WorkOrder) error {
	t, err := c.Store.Target(ctx, w.RolloutID, w.DeviceID)
	if err != nil {
		return err
	}
	if t.State != firmward.TargetAsked {
		return firmward.Errorf(firmward.Conflict, fmt.Sprintf("it is %s already: %s", t.State, t.Why))
	}
	r, err := c.Store.Rollout(ctx, w.RolloutID)
	if err != nil {
		return err
	}
	return c.startOne(ctx, r, t, func(p *picking, s rollout.Slot) (rollout.Event, string) {
		if !p.release.Withdrawn.IsZero() {
			return rollout.Event{}, "the release was withdrawn: " + p.release.WhyGone
		}
		picks, not := rollout.Pick(&p.rollout, []rollout.Slot{s}, p.claims, p.topo, p.stop)
		if len(picks) == 0 {
			return rollout.Event{}, not[0].Why
		}
		ev := rollout.Begin(picks[0])
		ev.Why = who.Name + " begins"
		return ev, ""
	})
}

// reported tells the rollout of a work order that somebody says it is done, and waits until the device was looked at.
func (c *Control) reported(ctx context.Context, w firmward.WorkOrder) error {
	if err := c.fold(ctx, w.RolloutID, 0, happening{device: w.DeviceID, event: rollout.Event{Kind: rollout.Reported, Why: "reported as done by " + w.ReportedBy}})[0]; err != nil {
		return err
	}
	_, err := c.settled(ctx, w)
	return err
}

// settled waits until what the device of a work order is asked now is answered, as long as a look may take.
func (c *Control) settled(ctx context.Context, w firmward.WorkOrder) (firmward.Target, error) {
	ctx, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for {
		t, err := c.Store.Target(ctx, w.RolloutID, w.DeviceID)
		if err != nil || t.Answered {
			return t, err
		}
		select {
		case <-ctx.Done():
			return t, nil
		case <-look.C:
		}
	}
}

// wakeEvery is how often one device that sleeps is taken for awake at most: our own looks show it too.
const wakeEvery = time.Minute

// targetKey is one target.
type targetKey struct{ rollout, device string }

// awaken tells a rollout which of the devices that it waits for were seen.
func (c *Control) awaken(ctx context.Context, r firmward.Rollout) (waits bool, err error) {
	if r.Policy.WakeWithin == 0 {
		return false, nil
	}
	var sleepers []firmward.Target
	for _, state := range []firmward.TargetState{firmward.TargetAsleep, firmward.TargetVerifying, firmward.TargetFalling, firmward.TargetSucceeded} {
		all, err := store.Every(func(p store.Page) ([]firmward.Target, string, error) {
			return c.Store.Targets(ctx, r.ID, store.TargetFilter{Wave: &r.Wave, State: state}, p)
		})
		if err != nil {
			return false, err
		}
		for _, t := range all {
			if !t.ByHand && !t.WaitsTo.IsZero() && t.SoakedAt.IsZero() {
				sleepers = append(sleepers, t)
			}
		}
	}
	devices, err := devicesOf(ctx, c.Store.Reader, sleepers)
	if err != nil {
		return false, err
	}
	var some []happening
	for i, d := range devices {
		t := sleepers[i]
		at := targetKey{t.RolloutID, t.DeviceID}
		if last := c.wokenAt[at]; d.LastSeen.After(t.StartedAt) && d.LastSeen.After(last) && c.Clock.Now().Sub(last) >= wakeEvery {
			c.wokenAt[at] = c.Clock.Now()
			some = append(some, happening{device: d.ID, event: rollout.Event{Kind: rollout.Woke}})
		}
	}
	for chunk := range slices.Chunk(some, foldAtOnce) {
		if err := errors.Join(c.fold(ctx, r.ID, 0, chunk...)...); err != nil {
			return false, err
		}
	}
	return len(sleepers) > 0, nil
}
