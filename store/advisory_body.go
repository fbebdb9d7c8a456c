package store

import (
	"bytes"
	"context"
	"fmt"
	"reflect"

	"github.com/firmward/firmward"
)

// advisoryKey names one source's record.
type advisoryKey struct{ id, source string }

// keepBodies keeps the records that the import is about to replace or remove, where a finding was judged by them: so it can be
// judged again. A record that only came with another document stays what it was.
func (i *Import) keepBodies(ctx context.Context, tx *Tx) error {
	gen, err := tx.Generation(ctx)
	if err != nil {
		return err
	}
	coming := make(map[advisoryKey][]byte, len(i.advisories)+len(i.rejected))
	for _, a := range i.advisories {
		coming[advisoryKey{a.id, a.source}] = a.body
	}
	for _, r := range i.rejected {
		coming[advisoryKey{r[0], r[1]}] = nil
	}
	whole := i.o.ReplaceAll && (i.o.Kind == "advisories" || i.o.Kind == "starter")
	if len(coming) == 0 && !whole {
		return nil
	}
	query, in := "SELECT id, source, feed, body FROM advisory WHERE id IN (SELECT advisory FROM finding_history)", args()
	if !whole {
		ids := make([]string, 0, len(coming))
		for k := range coming {
			ids = append(ids, k.id)
		}
		query, in = query+" AND id IN ("+tx.d.elements("$1")+")", args(js{ids})
	}
	if in, err = bind(in); err != nil {
		return err
	}
	var kept load
	err = tx.each(ctx, query, func(s scan) error {
		var k advisoryKey
		var feed string
		var was []byte
		if err := s(&k.id, &k.source, &feed, &was); err != nil {
			return err
		}
		body, touched := coming[k]
		if !touched && (!whole || feed != i.feed) {
			return nil
		}
		same, err := sameRecord(was, body)
		if err != nil {
			return fmt.Errorf("advisory %s: %w", k.id, err)
		}
		if !same {
			kept.rows = append(kept.rows, []any{k.id, k.source, gen + 1, bytes.Clone(was)})
		}
		return nil
	}, in...)
	if err != nil {
		return err
	}
	kept.table, kept.columns, kept.keys = "advisory_body", []string{"id", "source", "until", "body"}, 3
	return tx.bulk(ctx, kept)
}

// sameRecord reports whether two packed records say the same, whatever document they came with.
func sameRecord(was, now []byte) (bool, error) {
	if len(now) == 0 || bytes.Equal(was, now) {
		return len(now) > 0, nil
	}
	var a, b firmward.Advisory
	for body, into := range map[*[]byte]*firmward.Advisory{&was: &a, &now: &b} {
		if err := (packed{into}).Scan(*body); err != nil {
			return false, err
		}
		into.Origin = firmward.Origins{}
	}
	return reflect.DeepEqual(a, b), nil
}

// dropBodies forgets the kept records by which no finding in history was judged.
func (t *Tx) dropBodies(ctx context.Context) error {
	return t.put(ctx, `DELETE FROM advisory_body WHERE NOT EXISTS
		(SELECT 1 FROM finding_history WHERE finding_history.advisory = advisory_body.id AND finding_history.snapshot < advisory_body.until)`)
}

// AdvisoryAsOf gives what each source said about one vulnerability in a generation of the feeds, sorted by source. Only what
// findings were judged by is kept; of other sources it gives what they say today.
func (r Reader) AdvisoryAsOf(ctx context.Context, id string, generation int64) ([]firmward.Advisory, error) {
	return list(ctx, r, func(s scan) (a firmward.Advisory, err error) {
		var source string
		err = s(&source, packed{&a})
		return a, err
	}, `SELECT source, body FROM advisory_body b WHERE id = $1 AND until =
			(SELECT MIN(until) FROM advisory_body o WHERE o.id = b.id AND o.source = b.source AND o.until > $2)
		UNION ALL SELECT source, body FROM advisory a WHERE id = $1 AND NOT EXISTS
			(SELECT 1 FROM advisory_body o WHERE o.id = a.id AND o.source = a.source AND o.until > $2)
		ORDER BY source`, id, generation)
}

// storeRejected notes what sources took back, and forgets that of what they gave again.
func (i *Import) storeRejected(ctx context.Context, tx *Tx) error {
	rows := make([][]any, len(i.rejected))
	for n, r := range i.rejected {
		rows[n] = []any{r[0], clean(r[1]), micros(i.o.Now)}
	}
	err := tx.bulk(ctx, load{table: "advisory_rejected", columns: []string{"id", "source", "at"}, keys: 2, rows: rows})
	if err != nil {
		return err
	}
	given := make(map[string][]string) // source → ids
	for _, a := range i.advisories {
		given[a.source] = append(given[a.source], a.id)
	}
	for source, ids := range given {
		if err := tx.put(ctx, "DELETE FROM advisory_rejected WHERE source = $1 AND id IN ("+tx.d.elements("$2")+")", source, js{ids}); err != nil {
			return err
		}
	}
	return nil
}

// RejectedBy gives the sources that took an advisory back, sorted.
func (r Reader) RejectedBy(ctx context.Context, id string) ([]string, error) {
	return list(ctx, r, func(s scan) (source string, err error) {
		err = s(&source)
		return source, err
	}, "SELECT source FROM advisory_rejected WHERE id = $1 ORDER BY source", id)
}
