package control

import (
	"context"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/rollout"
	"github.com/firmward/firmward/store"
	"github.com/firmward/firmward/topology"
)

// claims are those of all rollouts, as Pick counts them.
func (c *Control) claims(ctx context.Context) (rollout.Claims, error) {
	held, err := c.Store.ClaimsOf(ctx, "")
	out := rollout.Claims{Device: map[string]string{}, Group: map[string]string{}, Model: map[string]int{}, Site: map[string]int{}, Domain: map[string]int{}}
	if err != nil {
		return out, err
	}
	for _, cl := range held {
		switch cl.Kind {
		case store.ClaimGroup:
			out.Group[cl.Name] = cl.Rollout
		case store.ClaimSite:
			out.Site[cl.Name]++
		case store.ClaimDomain:
			out.Domain[cl.Name]++
		case store.ClaimDevice:
			out.Device[cl.Device] = cl.Rollout
			d, err := c.Store.Device(ctx, cl.Device)
			if err != nil {
				return out, err
			}
			if !d.Lab {
				out.Model[d.Model]++
			}
		}
	}
	return out, nil
}

// claim writes what a device holds while it is changed: itself, its redundancy group, and a place at its site and in each of its
// transport domains. What Pick saw may have changed since: then a claim is refused.
func claim(ctx context.Context, tx *store.Tx, topo topology.Map, d firmward.Device, r firmward.Rollout) error {
	if err := tx.Claim(ctx, d.ID, topo.Group(d.ID), r.ID); err != nil {
		return err
	}
	if err := tx.Share(ctx, d.ID, r.ID, store.Share{Kind: store.ClaimSite, Name: d.Site, Most: r.Policy.PerSite}); err != nil {
		return err
	}
	for _, name := range topo.Domains(d.ID) {
		if err := tx.Share(ctx, d.ID, r.ID, store.Share{Kind: store.ClaimDomain, Name: name, Most: r.Policy.PerDomain}); err != nil {
			return err
		}
	}
	return nil
}
