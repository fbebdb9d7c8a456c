package control

import (
	"context"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/assess"
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

// Touch marks a device as changed.
func (c *Control) Touch(device string) { c.touch(device) }

// SetAtOnce bounds the devices that one transaction writes.
func (c *Control) SetAtOnce(n int) { c.atOnce = n }
