package control

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/store"
)

// LinkDevices is a person's word that one device depends on another: it is reached through it, gets its power from it, must never
// be down together with it, or shares a medium with it. What would close a circle of dependencies is refused: nobody could say which of its members is
// updated first. Discovery may find one all the same; it harms nothing, its members take turns.
func (c *Control) LinkDevices(ctx context.Context, who firmward.Person, fromRef string, kind firmward.RelationKind, toRef string) (firmward.Relation, error) {
	e, err := c.edge(ctx, fromRef, kind, toRef)
	if err != nil {
		return e, err
	}
	e.Source = "person:" + who.Name
	err = c.Store.Tx(ctx, func(tx *store.Tx) error {
		way, err := dependsOn(ctx, tx.Reader, e)
		if err == nil && len(way) > 0 {
			err = circle(ctx, tx.Reader, e, way)
		}
		if err != nil {
			return err
		}
		if err := tx.PutRelation(ctx, e); err != nil {
			return err
		}
		return c.leaf(ctx, tx, who.Name, "device-link", e.From, map[string]string{"kind": string(kind), "to": e.To})
	})
	c.touch(e.From, e.To)
	return e, err
}

// carries reports whether a relation says that its From goes down with its To.
func carries(k firmward.RelationKind) bool { return k == firmward.Behind || k == firmward.PoweredBy }

// dependsOn gives the shortest way by which the device that an edge leads to depends on the one that it comes from; nothing where it does not.
func dependsOn(ctx context.Context, r store.Reader, e firmward.Relation) ([]firmward.Relation, error) {
	if !carries(e.Kind) {
		return nil, nil
	}
	by := map[string]firmward.Relation{} // device → the edge by which it was reached
	for todo := []string{e.To}; len(todo) > 0; todo = todo[1:] {
		edges, err := r.RelationsOf(ctx, todo[0])
		if err != nil {
			return nil, err
		}
		for _, up := range edges {
			if _, known := by[up.To]; known || up.From != todo[0] || up.To == e.To || !carries(up.Kind) {
				continue
			}
			by[up.To] = up
			if up.To != e.From {
				todo = append(todo, up.To)
				continue
			}
			way := []firmward.Relation{up}
			for way[0].From != e.To {
				way = slices.Insert(way, 0, by[way[0].From])
			}
			return way, nil
		}
	}
	return nil, nil
}

// circle refuses an edge that a way leads back from, and says what to change.
func circle(ctx context.Context, r store.Reader, e firmward.Relation, way []firmward.Relation) error {
	ids := []string{e.From, e.To}
	for _, w := range way {
		ids = append(ids, w.To)
	}
	known, err := devicesByID(ctx, r, ids)
	if err != nil {
		return err
	}
	said := map[firmward.RelationKind]string{firmward.Behind: "is reached through", firmward.PoweredBy: "gets its power from"}
	var steps []string
	for _, w := range way {
		steps = append(steps, fmt.Sprintf("%s %s %s", known[w.From].Name, said[w.Kind], known[w.To].Name))
	}
	last := way[len(way)-1]
	return firmward.Errorf(firmward.Conflict, fmt.Sprintf("%s depends on %s already: %s. In a circle nobody could say which one is updated first: take away what is wrong in it before this one is said (for instance firmward devices link %s --%s %s --remove)",
		known[e.To].Name, known[e.From].Name, strings.Join(steps, ", "), known[last.From].Name, last.Kind, known[last.To].Name))
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
