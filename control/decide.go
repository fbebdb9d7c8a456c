package control

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/contain"
	"github.com/firmward/firmward/lifecycle"
	"github.com/firmward/firmward/policy"
	"github.com/firmward/firmward/remedy"
	"github.com/firmward/firmward/rollout"
	"github.com/firmward/firmward/store"
	"github.com/firmward/firmward/workorder"
)

// reweigh is how often every device is weighed again although nothing changed: clocks run out.
const reweigh = 24 * time.Hour

// commandsKept is how long finished commands stay in the outbox; what they did stays in the audit log.
const commandsKept = 90 * 24 * time.Hour

// textsKept is how long what no finding says any more stays: longer than any transaction that may take it up again.
const textsKept = 24 * time.Hour

// decideStep brings findings up to the newest import, assesses and decides every device that is marked, and decides all of them once
// a day.
func (c *Control) decideStep(ctx context.Context) (time.Time, error) {
	if err := c.reassess(ctx); err != nil {
		return time.Time{}, fmt.Errorf("assess by fingerprints: %w", err)
	}
	c.mu.Lock()
	all, marked, turned := c.all, c.dirty, c.turned
	c.all, c.dirty, c.turned = false, map[string]bool{}, map[string]bool{}
	c.mu.Unlock()
	if all {
		if err := c.eachDevice(ctx, store.DeviceFilter{}, func(d firmward.Device) error {
			delete(marked, d.ID)
			return c.weigh(ctx, d.ID)
		}); err != nil {
			c.touchAll()
			return time.Time{}, err
		}
		if err := c.Store.Tx(ctx, func(tx *store.Tx) error {
			_, err := tx.ForgetCommands(ctx, c.Clock.Now().Add(-commandsKept))
			return err
		}); err != nil {
			return time.Time{}, err
		}
		if _, err := c.Store.ForgetTexts(ctx, c.Clock.Now().Add(-textsKept)); err != nil {
			return time.Time{}, err
		}
		c.mu.Lock()
		c.weighed = c.Clock.Now()
		c.mu.Unlock()
	}
	for id := range turned {
		if all {
			break
		}
		for d, err := range store.All(func(p store.Page) ([]string, string, error) { return c.Store.TargetDevices(ctx, id, p) }) {
			if err != nil {
				c.touchTargets(id)
				return time.Time{}, err
			}
			marked[d] = true
		}
	}
	ids := make([]string, 0, len(marked))
	for id := range marked {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for i, id := range ids {
		if err := c.weigh(ctx, id); err != nil {
			c.touch(ids[i:]...)
			return time.Time{}, err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	next := c.weighed.Add(reweigh)
	if !next.After(c.Clock.Now()) {
		c.all = true
		next = c.Clock.Now()
	}
	return next, nil
}

// eachDevice pages through the inventory.
func (c *Control) eachDevice(ctx context.Context, want store.DeviceFilter, f func(firmward.Device) error) error {
	for d, err := range store.All(func(p store.Page) ([]firmward.Device, string, error) { return c.Store.Devices(ctx, want, p) }) {
		if err != nil {
			return err
		}
		if err := f(d); err != nil {
			return err
		}
	}
	return nil
}

// weigh assesses one device and writes its one next step. A device that was merged away is no error.
func (c *Control) weigh(ctx context.Context, id string) error {
	if c.stale.Load() { // an import does not wait until a whole fleet is decided
		if err := c.reassess(ctx); err != nil {
			return fmt.Errorf("assess by fingerprints: %w", err)
		}
	}
	d, err := c.Store.Device(ctx, id)
	if err != nil || d.ID != id {
		if firmward.CodeOf(err) == firmward.NotFound || err == nil {
			return nil
		}
		return err
	}
	if err := c.assess(ctx, d); err != nil {
		return fmt.Errorf("assess %s: %w", d.Name, err)
	}
	if err := c.decide(ctx, d); err != nil {
		return fmt.Errorf("decide %s: %w", d.Name, err)
	}
	return nil
}

func (c *Control) decide(ctx context.Context, d firmward.Device) error {
	facts, err := c.facts(ctx, d)
	if err != nil {
		return err
	}
	now := c.Clock.Now()
	var fallen []firmward.Exception
	facts.Exceptions, fallen = remedy.Fallen(facts, now)
	step := remedy.Choose(facts, now)
	old, err := c.Store.NextStep(ctx, d.ID)
	if err != nil && firmward.CodeOf(err) != firmward.NotFound {
		return err
	}
	same := old
	same.DecidedAt = step.DecidedAt
	orderMissing := step.Order != nil && !slices.ContainsFunc(facts.Work, func(w firmward.WorkOrder) bool { return w.Kind == step.Order.Kind })
	stale := staleWork(facts.Work, step)
	fresh := refreshed(facts.Work, step)
	if reflect.DeepEqual(same, step) && !orderMissing && len(stale)+len(fresh)+len(fallen) == 0 {
		return nil
	}
	return c.Store.Tx(ctx, func(tx *store.Tx) error {
		if err := c.endExceptions(ctx, tx, d, fallen); err != nil {
			return err
		}
		missing := orderMissing
		if missing { // unless a rollout opened one meanwhile
			open := true
			others, _, err := tx.WorkOrders(ctx, store.WorkOrderFilter{Device: d.ID, Open: &open}, store.Page{})
			if err != nil {
				return err
			}
			if i := slices.IndexFunc(others, func(w firmward.WorkOrder) bool { return w.Kind == step.Order.Kind }); i >= 0 {
				missing, step.Ref = false, others[i].ID
			}
		}
		if missing {
			w := workorder.New(store.NewID("wo"), step.Order.Kind, d, facts.Model, step.Order.Want, self, now, step.Now.By)
			if err := tx.PutWorkOrder(ctx, w); err != nil {
				return err
			}
			step.Ref = w.ID
			if err := c.leaf(ctx, tx, self, "workorder-open", w.ID, map[string]string{"device": d.ID, "kind": w.Kind, "want": w.Want, "assignee": w.Assignee}); err != nil {
				return err
			}
			if err := c.emit(ctx, tx, "workorder", w.ID, d.Name+": "+w.Title); err != nil {
				return err
			}
		}
		for _, w := range fresh {
			if err := tx.PutWorkOrder(ctx, w); err != nil {
				return err
			}
			if err := c.leaf(ctx, tx, self, "workorder-refresh", w.ID, map[string]string{"device": d.ID, "want": w.Want}); err != nil {
				return err
			}
		}
		for _, w := range stale {
			w.State, w.Why, w.ClosedAt = firmward.WorkVoid, "no longer needed: the next step is to "+step.Now.Action, now
			if err := tx.PutWorkOrder(ctx, w); err != nil {
				return err
			}
			if err := c.leaf(ctx, tx, self, "workorder-void", w.ID, map[string]string{"device": d.ID, "why": w.Why}); err != nil {
				return err
			}
		}
		if err := tx.PutNextStep(ctx, step); err != nil {
			return err
		}
		if old.Now.Kind == step.Now.Kind && old.Now.Action == step.Now.Action && old.Blocker == step.Blocker {
			return nil
		}
		if err := c.leaf(ctx, tx, self, "step-decide", d.ID, map[string]string{"kind": string(step.Now.Kind), "action": step.Now.Action, "blocker": step.BlockerCode}); err != nil {
			return err
		}
		return c.emit(ctx, tx, "step", d.ID, d.Name+": "+step.Now.Action)
	})
}

// refreshed lists open work orders for which the step wants another version by now.
func refreshed(open []firmward.WorkOrder, step firmward.NextStep) []firmward.WorkOrder {
	var out []firmward.WorkOrder
	for _, w := range open {
		if step.Order != nil && step.Order.Kind == w.Kind && w.RolloutID == "" {
			if w, changed := workorder.Refresh(w, step.Order.Want); changed {
				out = append(out, w)
			}
		}
	}
	return out
}

// staleWork lists open work orders that nobody reported on and that the step no longer asks for.
func staleWork(open []firmward.WorkOrder, step firmward.NextStep) []firmward.WorkOrder {
	var out []firmward.WorkOrder
	for _, w := range open {
		if w.State == firmward.WorkOpen && w.By == self && w.RolloutID == "" && (step.Order == nil || step.Order.Kind != w.Kind) && (step.Now.Kind == firmward.StepWait || step.Now.Kind == firmward.StepRetire) {
			out = append(out, w)
		}
	}
	return out
}

// facts gathers all that the one next step rests on.
func (c *Control) facts(ctx context.Context, d firmward.Device) (remedy.Facts, error) {
	now := c.Clock.Now()
	model := c.Catalog.Model(d)
	_, hasDriver := c.installer(model)
	f := remedy.Facts{Device: d, Model: model, HasDriver: hasDriver, Policy: c.Policies.RiskFor(d)}
	var errs [11]error
	f.Gateways, errs[10] = c.gateways(ctx, d.ID)
	if n, err := c.networkOf(ctx, d); err == nil {
		f.Network = &n
	}
	f.Findings, errs[0] = c.Store.FindingsOf(ctx, d.ID)
	f.Exceptions, errs[1] = c.Store.ExceptionsFor(ctx, d.ID, now)
	f.Releases, errs[2] = c.familyReleases(ctx, d.Family)
	open := true
	f.Work, _, errs[3] = c.Store.WorkOrders(ctx, store.WorkOrderFilter{Device: d.ID, Open: &open}, store.Page{})
	var records []firmward.Lifecycle
	records, errs[4] = c.Store.Lifecycles(ctx, lifecycle.Vendors(d, model))
	f.Support = lifecycle.Status(d, model, records, now)
	errs[5] = c.lastTarget(ctx, &f)
	f.Containment, errs[6] = c.lastContainment(ctx, d.ID)
	var feeds []firmward.FeedStatus
	feeds, errs[7] = c.FeedStatuses(ctx)
	f.Knowledge = remedy.Depth(feeds)
	if d.Family == "" {
		f.Releases = nil
	}
	f.GuardCode, f.GuardWhy = contain.Guard(d)
	var id firmward.Identity
	id, errs[8] = c.Store.Identity(ctx, d.ID)
	if firmward.CodeOf(errs[8]) == firmward.NotFound {
		errs[8] = nil
	}
	if cl, ok := id.Best(firmward.FieldFirmware); ok {
		f.Looked = cl.At
	}
	if cl, ok := id.Best(firmward.FieldAuto); ok {
		f.Auto = cl.Value
	}
	f.Runs = runs(d, id)
	f.Healthy, errs[9] = c.healthyAt(ctx, d.ID, model)
	if hasDriver {
		pol, _ := c.Policies.For(d)
		f.Takes = pol.Takes
		f.Refusal = func(r firmward.Release) (string, string) {
			cand, err := c.candidate(ctx, r, d)
			if err != nil {
				return string(firmward.Internal), err.Error()
			}
			cand.Runs, cand.Releases = f.Runs, f.Releases
			return rollout.Refuse(r, pol.RolloutPolicy, cand)
		}
	}
	return f, errors.Join(errs[:]...)
}

// healthyAt is when all services of a device were last seen to answer: the earliest of their latest
// answers, zero when one never did.
func (c *Control) healthyAt(ctx context.Context, id string, m firmward.Model) (time.Time, error) {
	obs, err := c.Store.ObservationsOf(ctx, id)
	if err != nil {
		return time.Time{}, err
	}
	var healthy time.Time
	for i, service := range m.Services {
		var last time.Time
		for _, o := range obs {
			if o.Probe == service && o.Outcome == firmward.Answered && o.At.After(last) {
				last = o.At
			}
		}
		if i == 0 || last.Before(healthy) {
			healthy = last
		}
	}
	return healthy, nil
}

// lastTarget finds the latest target of the device and its rollout. A plan that refused the device says
// nothing about what happened to it.
func (c *Control) lastTarget(ctx context.Context, f *remedy.Facts) error {
	targets, err := c.Store.TargetsOf(ctx, f.Device.ID)
	if err != nil {
		return err
	}
	for i := range targets {
		if targets[i].State == firmward.TargetRefused {
			continue
		}
		r, err := c.Store.Rollout(ctx, targets[i].RolloutID)
		if err != nil {
			return err
		}
		if f.Rollout == nil || r.Created.After(f.Rollout.Created) || r.Created.Equal(f.Rollout.Created) && targets[i].StartedAt.After(f.Target.StartedAt) {
			f.Target, f.Rollout = &targets[i], &r
		}
	}
	return nil
}

// policyFor is the rollout policy of a name, or the one whose selector matches the device.
func (c *Control) policyFor(name string, d firmward.Device) (policy.Rollout, error) {
	if name != "" {
		if p, ok := c.Policies.Find(name); ok {
			return p, nil
		}
		return policy.Rollout{}, firmward.Errorf(firmward.NotFound, "no rollout policy is called "+name)
	}
	if p, ok := c.Policies.For(d); ok {
		return p, nil
	}
	return policy.Rollout{}, firmward.Errorf(firmward.NotFound, "no rollout policy matches "+d.Name)
}
