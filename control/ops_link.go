package control

import (
	"context"
	"fmt"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/store"
)

// LinkDevices is a person's word that one device depends on another: it is reached through it, gets its power from it, must never
// be down together with it, or shares a medium with it.
func (c *Control) LinkDevices(ctx context.Context, who firmward.Person, fromRef string, kind firmward.RelationKind, toRef string) (firmward.Relation, error) {
	e, err := c.edge(ctx, fromRef, kind, toRef)
	if err != nil {
		return e, err
	}
	e.Source = "person:" + who.Name
	before, err := c.gateways(ctx, e.To)
	if err != nil {
		return e, err
	}
	for _, d := range before {
		if kind == firmward.Behind && d.ID == e.From {
			return e, firmward.Errorf(firmward.Conflict, fmt.Sprintf("%s is itself reached through %s", toRef, fromRef))
		}
	}
	err = c.Store.Tx(ctx, func(tx *store.Tx) error {
		if err := tx.PutRelation(ctx, e); err != nil {
			return err
		}
		return c.leaf(ctx, tx, who.Name, "device-link", e.From, map[string]string{"kind": string(kind), "to": e.To})
	})
	c.touch(e.From, e.To)
	return e, err
}

// UnlinkDevices takes that back, and what a probe said of it too; a probe may say it anew.
func (c *Control) UnlinkDevices(ctx context.Context, who firmward.Person, fromRef string, kind firmward.RelationKind, toRef string) (firmward.Relation, error) {
	e, err := c.edge(ctx, fromRef, kind, toRef)
	if err != nil {
		return e, err
	}
	err = c.Store.Tx(ctx, func(tx *store.Tx) error {
		if err := tx.DeleteRelation(ctx, e); err != nil {
			return err
		}
		return c.leaf(ctx, tx, who.Name, "device-unlink", e.From, map[string]string{"kind": string(kind), "to": e.To})
	})
	c.touch(e.From, e.To)
	return e, err
}

func (c *Control) edge(ctx context.Context, fromRef string, kind firmward.RelationKind, toRef string) (firmward.Relation, error) {
	from, err := c.find(ctx, fromRef)
	if err != nil {
		return firmward.Relation{}, err
	}
	to, err := c.find(ctx, toRef)
	if err != nil {
		return firmward.Relation{}, err
	}
	switch kind {
	case firmward.Behind, firmward.PoweredBy, firmward.RedundantWith, firmward.SameMedium:
	default:
		return firmward.Relation{}, firmward.Errorf(firmward.Invalid, fmt.Sprintf("%q is no relation: behind, powered-by, redundant-with or same-medium", kind))
	}
	if from.ID == to.ID {
		return firmward.Relation{}, firmward.Errorf(firmward.Invalid, from.Name+" cannot depend on itself")
	}
	return firmward.Relation{From: from.ID, To: to.ID, Kind: kind}, nil
}
