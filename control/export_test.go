package control

import (
	"context"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/assess"
	"github.com/firmward/firmward/rollout"
	"github.com/firmward/firmward/store"
)

// Happening is one event of a target, and the command that it answers.
type Happening struct {
	Device, Command string
	Event           rollout.Event
}

// Fold saves events together. Starts count as picked by the newest claims unless older is set.
func (c *Control) Fold(ctx context.Context, rolloutID string, older bool, some ...Happening) ([]error, error) {
	edition, err := c.Store.Edition(ctx, store.EditionClaims)
	if older {
		edition--
	}
	all := make([]happening, len(some))
	for i, h := range some {
		all[i] = happening{device: h.Device, event: h.Event, finished: h.Command}
	}
	return c.fold(ctx, rolloutID, edition, all...), err
}

// Report saves one outcome together with others that arrive meanwhile.
func (c *Control) Report(ctx context.Context, rolloutID string, h Happening) error {
	return c.report(ctx, rolloutID, happening{device: h.Device, event: h.Event, finished: h.Command})
}

// DeployStep is one turn of the loop of rollouts.
func (c *Control) DeployStep(ctx context.Context) (time.Time, error) { return c.deployStep(ctx) }

// SetEyes replaces the look at a device.
func (c *Control) SetEyes(look func(context.Context, firmward.Device) (rollout.Seen, error)) {
	c.eyes = func(ctx context.Context, d firmward.Device) (seenNow, error) {
		seen, err := look(ctx, d)
		return seenNow{Seen: seen}, err
	}
}

// FoldAtOnce bounds what one transaction takes, AbandonAtOnce what is ended at once.
const (
	FoldAtOnce    = foldAtOnce
	AbandonAtOnce = abandonAtOnce
)

// Reassess brings findings up to the newest import.
func (c *Control) Reassess(ctx context.Context) error { return c.reassess(ctx) }

// DecideStep is one turn of the loop that decides.
func (c *Control) DecideStep(ctx context.Context) error {
	_, err := c.decideStep(ctx)
	return err
}

// Weigh assesses and decides one device.
func (c *Control) Weigh(ctx context.Context, device string) error { return c.weigh(ctx, device) }

// AssessAlone assesses one device, also when its fingerprint has an answer.
func (c *Control) AssessAlone(ctx context.Context, d firmward.Device) error {
	id, err := c.Store.Identity(ctx, d.ID)
	if err != nil {
		return err
	}
	e := assess.EssenceOf(assess.Subject{Device: d, Identity: id, Model: c.Catalog.Model(d)})
	return c.assessAlone(ctx, d, id, e, e.Fingerprint())
}

// Marked gives the devices that are to be decided, and forgets them.
func (c *Control) Marked() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []string
	for id := range c.dirty {
		out = append(out, id)
	}
	c.dirty, c.all = map[string]bool{}, false
	return out
}

// Weighed makes all devices weighed just now.
func (c *Control) Weighed() {
	c.Marked()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.weighed = c.Clock.Now()
}

// Touch marks a device as changed.
func (c *Control) Touch(device string) { c.touch(device) }

// SetAtOnce bounds the devices that one transaction writes.
func (c *Control) SetAtOnce(n int) { c.atOnce = n }

// Owner is the name under which commands are leased.
func (c *Control) Owner() string { return c.owner }

// MarkTogether marks commands as sent in one transaction, and says of each whether it may be carried out.
func (c *Control) MarkTogether(ctx context.Context, ids ...string) []error {
	marks := make([]mark, len(ids))
	for i, id := range ids {
		marks[i] = mark{id, make(chan error, 1)}
	}
	c.markAll(ctx, marks)
	errs := make([]error, len(ids))
	for i, m := range marks {
		errs[i] = <-m.done
	}
	return errs
}

// Bounds of asking those behind a device.
const BehindMost = behindMost

// LookBehind looks at a device and, as before a start, at those directly behind it.
func (c *Control) LookBehind(ctx context.Context, d firmward.Device) (rollout.Seen, error) {
	seen, err := c.look(ctx, d)
	if err == nil {
		err = c.askBehind(ctx, job{device: d}, &seen)
	}
	return seen.Seen, err
}

// LookAfter looks at a device and, as after an update that started at a time, at those behind it that answered before.
func (c *Control) LookAfter(ctx context.Context, d firmward.Device, before []firmward.ServiceState, started time.Time) (rollout.Seen, error) {
	seen, err := c.see(ctx, job{device: d, target: firmward.Target{Baseline: before, StartedAt: started}})
	return seen.Seen, err
}
