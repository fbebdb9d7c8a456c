package control

import (
	"context"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/rollout"
	"github.com/firmward/firmward/store"
	"github.com/firmward/firmward/topology"
)

// claims are those of all rollouts, as Pick counts them, and their edition.
func (c *Control) claims(ctx context.Context) (rollout.Claims, int64, error) {
	out := rollout.Claims{Device: map[string]string{}, Group: map[string]string{}, Site: map[string]int{}, Domain: map[string]int{}}
	edition, err := c.Store.Edition(ctx, store.EditionClaims)
	if err != nil {
		return out, 0, err
	}
	held, err := c.Store.ClaimsOf(ctx, "")
	if err != nil {
		return out, 0, err
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
		}
	}
	out.Model, err = c.Store.ClaimedModels(ctx)
	return out, edition, err
}

// claimant is what a device holds while it is changed: itself, its redundancy group, and a place at its site and in each of its
// transport domains.
func claimant(topo topology.Map, d firmward.Device, r firmward.Rollout) store.Claimant {
	out := store.Claimant{Device: d.ID, Group: topo.Group(d.ID), Shares: []store.Share{{Kind: store.ClaimSite, Name: d.Site, Most: r.Policy.PerSite}}}
	for _, name := range topo.Domains(d.ID) {
		out.Shares = append(out.Shares, store.Share{Kind: store.ClaimDomain, Name: name, Most: r.Policy.PerDomain})
	}
	return out
}
