// Package endoflife reads what endoflife.date says of operating systems and devices, in both forms in which the project
// gives it: the dump of its API (Source) and the product pages of its repository, Markdown with YAML at its head (Pages).
// The dump is all that the project knows and takes away what it lacks. A page adds and replaces releases of its product,
// and takes away nothing; so a folder of pages can be imported, and after it the dump.
//
// What a device can run or be is read, and nothing else: products with a CPE name of an operating system or of hardware,
// and the few of the table in names.go. All others (languages, frameworks, phones) are left aside and counted.
//
// A release of an operating system is a firmware branch. A release of a device is a model of its maker, and has none.
//
//   - eol is the end of all support that everybody gets, security fixes included: firmward's end of support. As true it is
//     over since nobody knows when; as false no end is announced, which is no end and hides nobody's.
//   - eoas, when functions stop to be mended, and eoes, what some can buy or get from others, are notes.
//   - discontinued is the end of sale.
//
// The project is not the maker: it copies what makers announce, and where they do not, its people reckon by a rule that the
// data do not tell apart. So a record is "reported": it counts after what a maker announced for the same branch.
//
// Ends lie years ahead. Only the dump's own date must not: a page has none, and is as old as the newest day of a release in
// it that has come.
package endoflife

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/feed"
)

// name is the feed's.
const name = "endoflife"

// Source reads the dump of API v1.
type Source struct{}

// Info declares the source.
func (Source) Info() feed.Info {
	return feed.Info{
		Name: name, Title: "Ends of support, endoflife.date", Kind: "lifecycle", Gives: "ends of support of products and their branches",
		Licence: "MIT", Home: "endoflife.date",
		Period: 24 * time.Hour, StaleAfter: 30 * 24 * time.Hour, Whole: true,
		// As the API's own description names it, under docs/api/v1 at home ("List all products (full)"); check there. It is
		// made anew with every change of a product, many a day.
		URLs: []string{"https://endoflife.date/api/v1/products/full"},
	}
}

// Next asks for the dump.
func (Source) Next(f feed.Fetching) (feed.Batch, error) { return feed.One(f, "endoflife.json"), nil }

// Detect looks for the dump's own member names and those of its first product.
func (Source) Detect(head []byte, _ string) bool {
	if !bytes.HasPrefix(bytes.TrimLeft(head, " \t\r\n"), []byte("{")) {
		return false
	}
	for _, member := range []string{"schema_version", "generated_at", "total", "result", "category", "identifiers"} {
		if !bytes.Contains(head, []byte(`"`+member+`"`)) {
			return false
		}
	}
	return true
}

// Sync reads the dump. Its date and the cursor are when it was made. A dump without any product of use is taken for broken:
// it would take everything away.
func (Source) Sync(ctx context.Context, _ feed.Cursor, in feed.Input, put feed.Sink) (feed.Cursor, error) {
	put = put.Complete()
	d := feed.NewDecoder(ctx, in)
	var records []firmward.Lifecycle
	schema, made, declared, products, found := "", "", 0, 0, false
	err := d.Object(func(member string) error {
		switch member {
		case "schema_version":
			return d.Value(&schema)
		case "generated_at":
			return d.Value(&made)
		case "total":
			return d.Value(&declared)
		case "result":
			found = true
			return d.Array(func(raw json.RawMessage, at int64) error {
				products++
				p, err := dumped(raw)
				if err != nil {
					put.Refuse(fmt.Sprintf("product %d, ending at byte %d", products, at), err.Error())
					return nil
				}
				records = append(records, p.lifecycles(put)...)
				return nil
			})
		}
		return d.Skip()
	})
	dated, dateErr := feed.Day(made)
	switch {
	case err != nil:
		return "", err
	case schema == "" || made == "" || !found:
		return "", d.Fail(errors.New("this is no dump of endoflife.date: schema_version, generated_at or result is missing"))
	case !strings.HasPrefix(schema, "1."):
		return "", d.Fail(fmt.Errorf("its schema is version %q: only version 1 is known", feed.Clip(schema)))
	case dateErr != nil:
		return "", d.Fail(fmt.Errorf("generated_at: %w", dateErr))
	case feed.Future(dated, in.Now):
		return "", d.Fail(fmt.Errorf("generated_at %s lies in the future", dated.Format(time.DateOnly)))
	case products < declared:
		return "", d.Fail(fmt.Errorf("the dump declares %d products and holds %d", declared, products))
	case len(records) == 0:
		return "", d.Fail(fmt.Errorf("none of its %d products is one that a device can run or be", products))
	}
	if err := d.End(); err != nil {
		return "", err
	}
	put.Dated(dated)
	return feed.Cursor(dated.Format(time.RFC3339)), deliver(records, dated, in.Now, put)
}

// deliver hands records over, all of one date.
func deliver(records []firmward.Lifecycle, dated, now time.Time, put feed.Sink) error {
	for _, l := range records {
		l.Origin.Feed, l.Origin.Dated, l.Origin.Imported = name, dated, now
		if err := put.Lifecycle(l); err != nil {
			return err
		}
	}
	return nil
}

// dumpedProduct is a product as the dump writes it.
type dumpedProduct struct {
	Name        string `json:"name"`
	Label       string `json:"label"`
	Category    string `json:"category"`
	Identifiers []struct {
		Type string `json:"type"`
		ID   string `json:"id"`
	} `json:"identifiers"`
	Releases []json.RawMessage `json:"releases"`
}

// dumpedRelease is a release as the dump writes it. What a product does not have is missing or null.
type dumpedRelease struct {
	Name         string  `json:"name"`
	IsEoas       bool    `json:"isEoas"`
	Eoas         *string `json:"eoasFrom"`
	IsEol        *bool   `json:"isEol"`
	Eol          *string `json:"eolFrom"`
	IsEoes       bool    `json:"isEoes"`
	Eoes         *string `json:"eoesFrom"`
	IsOffSale    bool    `json:"isDiscontinued"`
	Discontinued *string `json:"discontinuedFrom"`
	Latest       struct {
		Name string `json:"name"`
	} `json:"latest"`
}

// dumped reads one product of the dump.
func dumped(raw json.RawMessage) (product, error) {
	var in dumpedProduct
	if err := json.Unmarshal(raw, &in); err != nil {
		return product{}, err
	}
	p := product{name: in.Name, title: in.Label, category: in.Category}
	for _, id := range in.Identifiers {
		if id.Type == "cpe" {
			p.cpes = append(p.cpes, id.ID)
		}
	}
	for i, raw := range in.Releases {
		p.releases = append(p.releases, unread{fmt.Sprintf("release %d", i+1), func() (release, error) { return dumpedCycle(raw) }})
	}
	return p, p.check()
}

func dumpedCycle(raw json.RawMessage) (release, error) {
	var in dumpedRelease
	if err := json.Unmarshal(raw, &in); err != nil {
		return release{}, err
	}
	if in.IsEol == nil {
		return release{}, errors.New("it does not say isEol")
	}
	r := release{cycle: in.Name, latest: in.Latest.Name}
	for _, m := range []struct {
		name string
		over bool
		day  *string
		into *moment
	}{
		{"eoasFrom", in.IsEoas, in.Eoas, &r.eoas},
		{"eolFrom", *in.IsEol, in.Eol, &r.eol},
		{"eoesFrom", in.IsEoes, in.Eoes, &r.eoes},
		{"discontinuedFrom", in.IsOffSale, in.Discontinued, &r.discontinued},
	} {
		m.into.over = m.over
		if m.day == nil {
			continue
		}
		var err error
		if *m.into, err = on(*m.day); err != nil {
			return release{}, fmt.Errorf("%s: %w", m.name, err)
		}
	}
	return r, nil
}
