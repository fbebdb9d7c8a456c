package store

import (
	"bufio"
	"cmp"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// inMemory is how many advisories an import holds in memory, some 2 kB each; more of them wait in a file.
const inMemory = 20_000

// spill is a file of advisories, in the order in which they came.
type spill struct {
	file    *os.File
	buf     *bufio.Writer
	encoder *gob.Encoder
	rows    int
}

// spilled is an advisoryRow in the file.
type spilled struct {
	ID, Source, Title   string
	Published, Modified int64
	Body                []byte
}

// flush moves the advisories to the file when they are many.
func (i *Import) flush() error {
	if len(i.advisories) < inMemory {
		return nil
	}
	if i.spill == nil {
		f, err := os.CreateTemp(i.o.Scratch, "firmward-import-")
		if err != nil {
			return fmt.Errorf("keep advisories: %w", err)
		}
		buf := bufio.NewWriterSize(f, 1<<20)
		i.spill = &spill{file: f, buf: buf, encoder: gob.NewEncoder(buf)}
	}
	for _, a := range i.advisories {
		if err := i.spill.encoder.Encode(spilled{a.id, a.source, a.title, a.published, a.modified, a.body}); err != nil {
			return fmt.Errorf("keep advisories: %w", err)
		}
	}
	i.spill.rows += len(i.advisories)
	clear(i.advisories) // their bodies are free now
	i.advisories = i.advisories[:0]
	return nil
}

// close removes the file.
func (i *Import) close() error {
	if i.spill == nil {
		return nil
	}
	return errors.Join(i.spill.file.Close(), os.Remove(i.spill.file.Name()))
}

// batches gives the advisories, at most inMemory at a time, in the order in which they came.
func (i *Import) batches(f func([]advisoryRow) error) error {
	if i.spill != nil {
		if err := i.spill.buf.Flush(); err != nil {
			return fmt.Errorf("keep advisories: %w", err)
		}
		if _, err := i.spill.file.Seek(0, io.SeekStart); err != nil {
			return fmt.Errorf("keep advisories: %w", err)
		}
		in := gob.NewDecoder(bufio.NewReaderSize(i.spill.file, 1<<20))
		for left := i.spill.rows; left > 0; {
			n := min(left, inMemory)
			rows := make([]advisoryRow, n)
			for k := range rows {
				var s spilled
				if err := in.Decode(&s); err != nil {
					return fmt.Errorf("keep advisories: %w", err)
				}
				rows[k] = advisoryRow{s.ID, s.Source, s.Title, s.Published, s.Modified, s.Body}
			}
			if err := f(rows); err != nil {
				return err
			}
			left -= n
		}
	}
	return f(i.advisories)
}

// advisoryKey is the key of an advisory.
type advisoryKey struct{ id, source string }

// modifiedOf gives when the stored rows of these ids changed last.
func modifiedOf(ctx context.Context, tx *Tx, table string, ids []string) (map[advisoryKey]int64, error) {
	stored := make(map[advisoryKey]int64)
	_, err := list(ctx, tx.Reader, func(s scan) (struct{}, error) {
		var k advisoryKey
		var modified int64
		err := s(&k.id, &k.source, &modified)
		stored[k] = modified
		return struct{}{}, err
	}, "SELECT id, source, modified FROM "+table+" WHERE id IN ("+tx.d.elements("$1")+")", js{ids})
	return stored, err
}

// leaveOlder drops the advisories of which a newer form is stored, or was withdrawn: yearly files come again and again
// beside the short ones that hold the latest changes, in any order.
func leaveOlder(ctx context.Context, tx *Tx, rows []advisoryRow) ([]advisoryRow, error) {
	ids := make([]string, len(rows))
	for k, a := range rows {
		ids[k] = a.id
	}
	stored, err := modifiedOf(ctx, tx, "advisory", ids)
	if err != nil {
		return nil, err
	}
	gone, err := modifiedOf(ctx, tx, "advisory_withdrawn", ids)
	if err != nil {
		return nil, err
	}
	rows = slices.DeleteFunc(rows, func(a advisoryRow) bool {
		k := advisoryKey{a.id, a.source}
		return a.modified < max(stored[k], gone[k])
	})
	for _, a := range rows {
		if _, back := gone[advisoryKey{a.id, a.source}]; back {
			if err := tx.put(ctx, "DELETE FROM advisory_withdrawn WHERE id = $1 AND source = $2", a.id, a.source); err != nil {
				return nil, err
			}
		}
	}
	return rows, nil
}

// withdraw removes what its source took back, unless what is stored is newer than that, and remembers it.
func (i *Import) withdraw(ctx context.Context, tx *Tx, all []withdrawn) error {
	ids := make([]string, len(all))
	for k, w := range all {
		ids[k] = w.id
	}
	stored, err := modifiedOf(ctx, tx, "advisory", ids)
	if err != nil {
		return err
	}
	known, err := modifiedOf(ctx, tx, "advisory_withdrawn", ids)
	if err != nil {
		return err
	}
	gone := make(map[string][]string) // source → ids
	newest := make(map[advisoryKey]int64)
	for _, w := range all {
		k := advisoryKey{w.id, w.source}
		if w.modified != 0 && w.modified < stored[k] {
			continue
		}
		gone[w.source] = append(gone[w.source], w.id)
		if before, ok := known[k]; !ok || w.modified > before {
			newest[k] = max(newest[k], w.modified)
		}
	}
	var changed [][2]string
	for source, ids := range gone {
		for _, id := range ids {
			changed = append(changed, [2]string{id, source})
		}
	}
	i.changed = append(i.changed, changed...)
	if err := i.keepBodies(ctx, tx, i.removed(changed)); err != nil {
		return err
	}
	for source, ids := range gone {
		if err := tx.put(ctx, "DELETE FROM advisory WHERE source = $1 AND id IN ("+tx.d.elements("$2")+")", source, js{ids}); err != nil {
			return err
		}
	}
	rows := make([][]any, 0, len(newest))
	for k, modified := range newest {
		rows = append(rows, []any{k.id, k.source, i.feed, modified})
	}
	return tx.bulk(ctx, load{table: "advisory_withdrawn", columns: []string{"id", "source", "feed", "modified"}, keys: 2, rows: rows})
}

func (i *Import) storeAdvisories(ctx context.Context, tx *Tx) error {
	asOf, err := i.replace(ctx, tx)
	if err != nil {
		return err
	}
	if err := i.withdraw(ctx, tx, i.withdrawn); err != nil {
		return err
	}
	said := make(map[string]bool) // of the sources that the import holds whole
	err = i.batches(func(rows []advisoryRow) (err error) {
		rows = slices.DeleteFunc(rows, func(a advisoryRow) bool { return a.modified < asOf[a.source] })
		if !i.o.ReplaceAll {
			if rows, err = leaveOlder(ctx, tx, rows); err != nil {
				return err
			}
		}
		for _, a := range rows {
			if asOf[a.source] != 0 {
				said[a.source] = true
			}
		}
		return i.putAdvisories(ctx, tx, rows)
	})
	if err != nil {
		return err
	}
	var silent []withdrawn // a source that says nothing any more
	for _, r := range i.replaced {
		if !said[r.source] && asOf[r.source] == r.asOf {
			silent = append(silent, withdrawn{"", r.source, r.asOf})
		}
	}
	return i.withdraw(ctx, tx, silent)
}

// replace removes what is stored of the sources that the import holds whole. It gives the time before which an advisory
// of a source counts no more.
func (i *Import) replace(ctx context.Context, tx *Tx) (map[string]int64, error) {
	asOf := make(map[string]int64, len(i.replaced))
	for _, r := range i.replaced {
		asOf[r.source] = max(asOf[r.source], r.asOf)
	}
	if len(asOf) == 0 {
		return nil, nil
	}
	all := make([]string, 0, len(asOf))
	for s := range asOf {
		all = append(all, s)
	}
	in := "feed = $1 AND source IN (" + tx.d.elements("$2") + ")"
	_, err := list(ctx, tx.Reader, func(s scan) (struct{}, error) {
		var source string
		var modified int64
		err := s(&source, &modified)
		if modified > asOf[source] {
			asOf[source] = modified // and what the import holds of it is left out
			all = slices.DeleteFunc(all, func(s string) bool { return s == source })
		}
		return struct{}{}, err
	}, "SELECT source, MAX(modified) FROM (SELECT source, modified FROM advisory WHERE "+in+
		" UNION ALL SELECT source, modified FROM advisory_withdrawn WHERE id = '' AND "+in+") AS held GROUP BY source", i.feed, js{all})
	if err != nil {
		return nil, err
	}
	gone, err := list(ctx, tx.Reader, changedKey, "SELECT id, source FROM advisory WHERE "+in, i.feed, js{all})
	if err != nil {
		return nil, err
	}
	i.changed = append(i.changed, gone...)
	if err := i.keepBodies(ctx, tx, i.removed(gone)); err != nil {
		return nil, err
	}
	return asOf, tx.put(ctx, "DELETE FROM advisory WHERE "+in, i.feed, js{all})
}

// putAdvisories writes advisories in place of those that are stored.
func (i *Import) putAdvisories(ctx context.Context, tx *Tx, all []advisoryRow) error {
	byKey := func(a, b advisoryRow) int {
		return cmp.Or(cmp.Compare(a.id, b.id), cmp.Compare(a.source, b.source))
	}
	slices.SortStableFunc(all, func(a, b advisoryRow) int { return cmp.Or(byKey(a, b), cmp.Compare(a.modified, b.modified)) })
	all = lastOf(all, func(a, b advisoryRow) bool { return byKey(a, b) == 0 })
	rows := make([][]any, len(all))
	coming := make(map[advisoryKey][]byte, len(all))
	for _, a := range all {
		coming[advisoryKey{a.id, a.source}] = a.body
	}
	if err := i.keepBodies(ctx, tx, coming); err != nil {
		return err
	}
	for n, a := range all {
		rows[n] = []any{a.id, a.source, i.feed, a.published, a.modified, a.title, a.body}
		i.changed = append(i.changed, [2]string{a.id, a.source})
	}
	return tx.bulk(ctx, load{
		table: "advisory", columns: []string{"id", "source", "feed", "published", "modified", "title", "body"}, keys: 2, rows: rows,
	})
}
