package store

import (
	"cmp"
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
	aside   int
	then    []func(*Tx, firmward.FeedStatus) error

	advisories  []advisoryRow
	changed     [][2]string // id, source of what was written or removed
	spill       *spill      // of advisories, when they are many
	inPart      bool
	replaced    []replaced
	withdrawn   []withdrawn
	exploited   [][]any
	likelihoods [][]any
	lifecycles  [][]any
	packer      packer
}

// replaced is a source of which the import holds all that it says as of a time.
type replaced struct {
	source string
	asOf   int64
}

// withdrawn is an advisory that its source took back, or with an empty id all that the source said.
type withdrawn struct {
	id, source string
	modified   int64 // when; 0 where the source does not say
}

type advisoryRow struct {
	id, source, title   string
	published, modified int64
	body                []byte
}

// Advisory takes one advisory. A rejected one is removed, and older forms of it do not come back. An empty Source means the
// feed's name.
func (i *Import) Advisory(a firmward.Advisory) error {
	if a.Source == "" {
		a.Source = i.feed
	}
	a.ID = clean(a.ID)
	if a.Rejected {
		i.withdrawn = append(i.withdrawn, withdrawn{a.ID, clean(a.Source), micros(a.Modified)})
		return nil
	}
	packed, err := i.packer.pack(a)
	if err != nil {
		return fmt.Errorf("advisory %s: %w", a.ID, err)
	}
	i.advisories = append(i.advisories, advisoryRow{
		id: a.ID, source: clean(a.Source), title: strings.ToLower(clean(a.Title)), published: micros(a.Published), modified: micros(a.Modified),
		body: packed,
	})
	if !i.inPart {
		return i.flush()
	}
	return nil
}

// Replace says that the advisories of one source that the import holds are all that it says as of then: what is stored
// of it goes, unless that is newer; then what the import holds of it is left out.
func (i *Import) Replace(source string, asOf time.Time) {
	i.replaced = append(i.replaced, replaced{clean(source), micros(asOf)})
}

// Part runs f, which takes the records of one document of several, and keeps none of them when f fails.
func (i *Import) Part(f func() error) error {
	i.inPart = true
	was := *i
	err := f()
	i.inPart = false
	if err != nil {
		i.dated, i.refused, i.aside, i.replaced = was.dated, was.refused, was.aside, was.replaced
		i.advisories, i.withdrawn, i.exploited = was.advisories, was.withdrawn, was.exploited
		i.likelihoods, i.lifecycles = was.likelihoods, was.lifecycles
		return err
	}
	return i.flush()
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

// Aside counts a sound record that is not kept because it says nothing of devices.
func (i *Import) Aside(string, string) { i.aside++ }

// Dated takes the document's own date; of several documents the newest counts.
func (i *Import) Dated(t time.Time) {
	if t.After(i.dated) {
		i.dated = t
	}
}

// Then adds what is to be written in the same transaction: the audit leaf, an event.
func (i *Import) Then(f func(*Tx, firmward.FeedStatus) error) { i.then = append(i.then, f) }

// empty reports whether no record was taken.
func (i *Import) empty() bool {
	return i.spill == nil && len(i.replaced)+len(i.advisories)+len(i.withdrawn)+len(i.exploited)+len(i.likelihoods)+len(i.lifecycles) == 0
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
