package store

import (
	"bytes"
	"cmp"
	"compress/flate"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/firmward/firmward"
)

// Import takes the records of one document. It is used by one goroutine.
type Import struct {
	feed    string
	o       ImportOptions
	dated   time.Time
	refused int
	then    []func(*Tx, firmward.FeedStatus) error

	advisories  []advisoryRow
	rejected    [][2]string // id, source
	changed     [][2]string // id, source of what was written or removed
	exploited   [][]any
	likelihoods [][]any
	lifecycles  [][]any
	buf         bytes.Buffer
	deflate     *flate.Writer
}

type advisoryRow struct {
	id, source, title   string
	published, modified int64
	body                []byte
}

// Advisory takes one advisory. A rejected one is removed. An empty Source means the feed's name.
func (i *Import) Advisory(a firmward.Advisory) error {
	if a.Source == "" {
		a.Source = i.feed
	}
	a.ID = clean(a.ID)
	if a.Rejected {
		i.rejected = append(i.rejected, [2]string{a.ID, a.Source})
		return nil
	}
	packed, err := i.pack(a)
	if err != nil {
		return fmt.Errorf("advisory %s: %w", a.ID, err)
	}
	i.advisories = append(i.advisories, advisoryRow{
		id: a.ID, source: clean(a.Source), title: strings.ToLower(clean(a.Title)), published: micros(a.Published), modified: micros(a.Modified),
		body: packed,
	})
	return nil
}

// Exploited takes one entry of a list of exploited vulnerabilities.
func (i *Import) Exploited(e firmward.Exploited) error {
	b, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("exploited %s: %w", e.Advisory, err)
	}
	i.exploited = append(i.exploited, []any{clean(e.Advisory), i.feed, micros(e.Added), string(b)})
	return nil
}

// Likelihood takes one score. One outside 0 … 1 is refused.
func (i *Import) Likelihood(l firmward.Likelihood) error {
	if !(l.Score >= 0 && l.Score <= 1 && l.Percentile >= 0 && l.Percentile <= 1) {
		i.Refuse(l.Advisory, "score or percentile outside 0 … 1")
		return nil
	}
	i.likelihoods = append(i.likelihoods, []any{clean(l.Advisory), i.feed, l.Score, l.Percentile, clean(l.Model), micros(l.Dated)})
	return nil
}

// Lifecycle takes what the feed says of the support of one product.
func (i *Import) Lifecycle(l firmward.Lifecycle) error {
	b, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("lifecycle %s %s: %w", l.Vendor, l.Product, err)
	}
	i.lifecycles = append(i.lifecycles, []any{strings.ToLower(clean(l.Vendor)), strings.ToLower(clean(l.Product)), clean(l.Branch), i.feed, string(b)})
	return nil
}

// Refuse counts a broken record. The caller logs where and why.
func (i *Import) Refuse(string, string) { i.refused++ }

// Dated takes the document's own date.
func (i *Import) Dated(t time.Time) { i.dated = t }

// Then adds what is to be written in the same transaction: the audit leaf, an event.
func (i *Import) Then(f func(*Tx, firmward.FeedStatus) error) { i.then = append(i.then, f) }

// packed bodies start with a letter: j is JSON as it is, z deflated JSON.
func (i *Import) pack(a firmward.Advisory) ([]byte, error) {
	b, err := json.Marshal(a)
	if err != nil {
		return nil, err
	}
	if len(b) < 400 {
		return append([]byte("j"), b...), nil
	}
	i.buf.Reset()
	i.buf.WriteByte('z')
	if i.deflate == nil {
		if i.deflate, err = flate.NewWriter(&i.buf, flate.BestSpeed); err != nil {
			return nil, err
		}
	} else {
		i.deflate.Reset(&i.buf)
	}
	if _, err := i.deflate.Write(b); err != nil {
		return nil, err
	}
	if err := i.deflate.Close(); err != nil {
		return nil, err
	}
	return bytes.Clone(i.buf.Bytes()), nil
}

// empty reports whether no record was taken.
func (i *Import) empty() bool {
	return len(i.advisories)+len(i.rejected)+len(i.exploited)+len(i.likelihoods)+len(i.lifecycles) == 0
}

// leaveOlder drops the advisories of which a newer form is stored: yearly files come again and again beside the
// short ones that hold the latest changes, in any order.
func (i *Import) leaveOlder(ctx context.Context, tx *Tx) error {
	bySource := make(map[string][]string)
	for _, a := range i.advisories {
		bySource[a.source] = append(bySource[a.source], a.id)
	}
	type key struct{ id, source string }
	stored := make(map[key]int64)
	for source, ids := range bySource {
		_, err := list(ctx, tx.Reader, func(s scan) (struct{}, error) {
			var id string
			var modified int64
			err := s(&id, &modified)
			stored[key{id, source}] = modified
			return struct{}{}, err
		}, "SELECT id, modified FROM advisory WHERE source = $1 AND id IN ("+tx.d.elements("$2")+")", source, js{ids})
		if err != nil {
			return err
		}
	}
	i.advisories = slices.DeleteFunc(i.advisories, func(a advisoryRow) bool { return a.modified < stored[key{a.id, a.source}] })
	return nil
}

func (i *Import) storeAdvisories(ctx context.Context, tx *Tx) error {
	if !i.o.ReplaceAll {
		if err := i.leaveOlder(ctx, tx); err != nil {
			return err
		}
	}
	byKey := func(a, b advisoryRow) int { return cmp.Or(cmp.Compare(a.id, b.id), cmp.Compare(a.source, b.source)) }
	slices.SortStableFunc(i.advisories, byKey)
	i.advisories = lastOf(i.advisories, func(a, b advisoryRow) bool { return byKey(a, b) == 0 })
	gone := make(map[string][]string) // source → ids
	for _, r := range i.rejected {
		gone[r[1]] = append(gone[r[1]], r[0])
	}
	i.changed = append(i.changed, i.rejected...)
	for source, ids := range gone {
		if err := tx.put(ctx, "DELETE FROM advisory WHERE source = $1 AND id IN ("+tx.d.elements("$2")+")", source, js{ids}); err != nil {
			return err
		}
	}
	rows := make([][]any, len(i.advisories))
	for n, a := range i.advisories {
		rows[n] = []any{a.id, a.source, i.feed, a.published, a.modified, a.title, a.body}
		i.changed = append(i.changed, [2]string{a.id, a.source})
	}
	return tx.bulk(ctx, load{
		table: "advisory", columns: []string{"id", "source", "feed", "published", "modified", "title", "body"}, keys: 2, rows: rows,
	})
}

// The bounds of the list of changes. Beyond the first an import counts as a change of everything; older generations than the
// second are forgotten.
const (
	changesListed   = 20_000 // of one import
	generationsKept = 100    // generations
)

// storeChanges notes what the generation changed, for Changes.
func (i *Import) storeChanges(ctx context.Context, tx *Tx, generation int64) error {
	if err := tx.put(ctx, "DELETE FROM advisory_change WHERE generation <= $1", generation-generationsKept); err != nil {
		return err
	}
	if len(i.changed) > changesListed {
		i.changed = [][2]string{{"", ""}}
	}
	slices.SortFunc(i.changed, func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
	rows := make([][]any, 0, len(i.changed))
	for _, c := range slices.Compact(i.changed) {
		rows = append(rows, []any{generation, c[0], c[1]})
	}
	return tx.bulk(ctx, load{table: "advisory_change", columns: []string{"generation", "id", "source"}, keys: 3, rows: rows})
}

func (i *Import) storeExploited(ctx context.Context, tx *Tx) error {
	return tx.bulk(ctx, load{table: "exploited", columns: []string{"id", "feed", "added", "body"}, keys: 2, rows: i.exploited})
}

func (i *Import) storeLifecycles(ctx context.Context, tx *Tx) error {
	return tx.bulk(ctx, load{
		table: "lifecycle", columns: []string{"vendor_key", "product_key", "branch", "feed", "body"}, keys: 4, rows: i.lifecycles,
	})
}

// lastOf keeps the last of equal neighbours.
func lastOf[T any](rows []T, same func(a, b T) bool) []T {
	out := rows[:0]
	for i, r := range rows {
		if i+1 < len(rows) && same(r, rows[i+1]) {
			continue
		}
		out = append(out, r)
	}
	return out
}

// compareKeys orders rows by their first n columns, of text or int64.
func compareKeys(n int) func(a, b []any) int {
	return func(a, b []any) int {
		for i := range n {
			c := 0
			switch x := a[i].(type) {
			case string:
				y, _ := b[i].(string)
				c = cmp.Compare(x, y)
			case int64:
				y, _ := b[i].(int64)
				c = cmp.Compare(x, y)
			}
			if c != 0 {
				return c
			}
		}
		return 0
	}
}

// finite reports whether a float may be stored.
func finite(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }
