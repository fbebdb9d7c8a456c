package store

import (
	"bytes"
	"context"
	"fmt"
	"reflect"

	"github.com/firmward/firmward"
)

// keepBodies keeps records that the import is about to replace by coming, or to remove where that is empty, if a finding was judged
// by them: so it can be judged again. A record that only came with another document stays what it was.
func (i *Import) keepBodies(ctx context.Context, tx *Tx, coming map[advisoryKey][]byte) error {
	if len(coming) == 0 {
		return nil
	}
	gen, err := tx.Generation(ctx)
	if err != nil {
		return err
	}
	ids := make([]string, 0, len(coming))
	for k := range coming {
		ids = append(ids, k.id)
	}
	in, err := bind(args(js{ids}))
	if err != nil {
		return err
	}
	kept := load{table: "advisory_body", columns: []string{"id", "source", "until", "body"}, keys: 3}
	query := "SELECT id, source, body FROM advisory WHERE id IN (SELECT advisory FROM finding_history) AND id IN (" + tx.d.elements("$1") + ")"
	err = tx.each(ctx, query, func(s scan) error {
		var k advisoryKey
		var was []byte
		if err := s(&k.id, &k.source, &was); err != nil {
			return err
		}
		body, touched := coming[k]
		if !touched {
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
	return tx.bulk(ctx, kept)
}

// removed are records of which nothing comes, for keepBodies. What an import holds whole and in memory comes again.
func (i *Import) removed(gone [][2]string) map[advisoryKey][]byte {
	out := make(map[advisoryKey][]byte, len(gone))
	for _, k := range gone {
		out[advisoryKey{k[0], k[1]}] = nil
	}
	for _, a := range i.advisories {
		k := advisoryKey{a.id, a.source}
		if _, there := out[k]; there {
			out[k] = a.body
		}
	}
	return out
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

// RejectedBy gives the sources that took an advisory back, sorted.
func (r Reader) RejectedBy(ctx context.Context, id string) ([]string, error) {
	return list(ctx, r, func(s scan) (source string, err error) {
		err = s(&source)
		return source, err
	}, "SELECT source FROM advisory_withdrawn WHERE id = $1 ORDER BY source", id)
}
