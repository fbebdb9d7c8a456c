package store

import (
	"context"
	"slices"

	"github.com/firmward/firmward"
)

// PutRelation writes an edge between two devices.
func (t *Tx) PutRelation(ctx context.Context, e firmward.Relation) error {
	err := t.put(ctx, `INSERT INTO relation (from_device, to_device, kind, body) VALUES ($1, $2, $3, $4)
		ON CONFLICT (from_device, to_device, kind) DO UPDATE SET body = excluded.body`, e.From, e.To, e.Kind, js{e})
	if err != nil {
		return err
	}
	return t.grow(ctx, EditionRelations)
}

// DeleteRelation removes an edge. Source does not matter.
func (t *Tx) DeleteRelation(ctx context.Context, e firmward.Relation) error {
	n, err := t.exec(ctx, "DELETE FROM relation WHERE from_device = $1 AND to_device = $2 AND kind = $3", e.From, e.To, e.Kind)
	if err == nil && n == 0 {
		return notFound("relation", e.From+" "+string(e.Kind)+" "+e.To)
	}
	if err != nil {
		return err
	}
	return t.grow(ctx, EditionRelations)
}

// RelationsOf gives the edges from and to a device, sorted.
func (r Reader) RelationsOf(ctx context.Context, device string) ([]firmward.Relation, error) {
	return list(ctx, r, bodies[firmward.Relation],
		"SELECT body FROM relation WHERE from_device = $1 OR to_device = $1 ORDER BY from_device, to_device, kind", device)
}

// Relations lists all edges by both devices and kind.
func (r Reader) Relations(ctx context.Context, p Page) ([]firmward.Relation, string, error) {
	return page(ctx, r, ordered("from_device", "to_device", "kind"), p, filter{}, "relation", "body", bodies[firmward.Relation])
}

// mergeRelations moves the edges of a device that becomes part of another and tells how. An edge between the two goes.
func (t *Tx) mergeRelations(ctx context.Context, into, from string) ([]mergedEdge, error) {
	edges, err := t.RelationsOf(ctx, from)
	if err != nil {
		return nil, err
	}
	have, err := t.RelationsOf(ctx, into)
	if err != nil {
		return nil, err
	}
	var out []mergedEdge
	for _, was := range edges {
		if err := t.DeleteRelation(ctx, was); err != nil {
			return nil, err
		}
		e := was
		if e.From == from {
			e.From = into
		}
		if e.To == from {
			e.To = into
		}
		if e.From == e.To {
			out = append(out, mergedEdge{Was: was})
			continue
		}
		had := slices.ContainsFunc(have, func(h firmward.Relation) bool { return h.From == e.From && h.To == e.To && h.Kind == e.Kind })
		out = append(out, mergedEdge{Was: was, Is: e, Had: had})
		if err := t.PutRelation(ctx, e); err != nil {
			return nil, err
		}
	}
	return out, nil
}
