// Package eol reads firmward's own end-of-support documents, with which a site adds what it knows:
//
//	{"format": "firmward-lifecycle/1", "dated": "2026-11-22", "products": [
//	  {"vendor": "D-Link", "product": "DNS-320L", "end_of_support": "2020-05-31", "status": "announced",
//	   "source": "vendor page", "dated": "2026-01-10"}]}
package eol

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/feed"
)

// Format is the value of the member "format".
const Format = "firmward-lifecycle/1"

// Source is the reader.
type Source struct{}

// Info declares the source.
func (Source) Info() feed.Info {
	return feed.Info{
		Name: "lifecycle", Title: "End-of-support facts", Kind: "lifecycle", Gives: "ends of support, written by hand",
		Licence: "as its author states", Home: "docs/feeds.md",
		Period: 0, StaleAfter: 365 * 24 * time.Hour,
	}
}

// Next asks for the document, or the archive, at each address that the operator named.
func (Source) Next(f feed.Fetching) (feed.Batch, error) { return feed.Each(f) }

// Detect looks for the format's name.
func (Source) Detect(head []byte, _ string) bool {
	return bytes.Contains(head, []byte(`"`+Format+`"`))
}

// Sync reads one document. The cursor is its date.
func (Source) Sync(ctx context.Context, _ feed.Cursor, in feed.Input, put feed.Sink) (feed.Cursor, error) {
	put = put.Complete()
	d := feed.NewDecoder(ctx, in)
	origin := firmward.Origins{Feed: "lifecycle", Imported: in.Now}
	format, dated, found := "", "", false
	err := d.Object(func(name string) error {
		switch name {
		case "format":
			return d.Value(&format)
		case "dated":
			if err := d.Value(&dated); err != nil {
				return err
			}
			day, err := feed.Day(dated)
			if err != nil {
				return err
			}
			put.Dated(day)
			return nil
		case "products":
			found = true
			return d.Array(func(raw json.RawMessage, at int64) error {
				return feed.PutSupport(raw, at, origin, put)
			})
		}
		return d.Skip()
	})
	switch {
	case err != nil:
		return "", err
	case format != Format || !found || dated == "":
		return "", d.Fail(fmt.Errorf("this is no %s document: format, dated or products is missing", Format))
	}
	return feed.Cursor(dated), d.End()
}
