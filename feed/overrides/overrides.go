// Package overrides reads corrections: records that say which products a vulnerability affects where the lists say
// nothing or too little. Each has the configurations of an NVD record under "cve" and says under "_annotation" of which
// CVE it speaks and why. That is the form of the collection that Anchore keeps (one file per CVE).
//
//	{"_annotation": {"cve_id": "CVE-2031-0001", "reason": "NVD gives no versions.", "source": "vendor page",
//	                 "dated": "2031-02-01", "no_fix": false, "fixed": [{"vendor": "acme", "product": "door_firmware", "version": "1.2"}]},
//	 "cve": {"configurations": [{"nodes": [{"operator": "OR", "cpeMatch": [{"vulnerable": true,
//	   "criteria": "cpe:2.3:o:acme:door_firmware:*:*:*:*:*:*:*:*", "versionEndExcluding": "1.2"}]}]}]}}
//
// The members source, dated, fixed and no_fix are firmward's own addition; who writes corrections for a site uses them
// as well. The Source of a record is "overrides"; of Anchore's "overrides:anchore", of firmward's own, which stand in
// own/ and are in the program, "overrides:firmward": none overwrites another.
package overrides

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/cpe"
	"github.com/firmward/firmward/feed"
)

// name is the feed's, with which the source of each of its advisories begins.
const name = "overrides"

// OwnName is the feed of firmward's own corrections, and the name of their document.
const OwnName = "corrections"

//go:embed own/*.json
var own embed.FS

// Document gives firmward's own corrections, one record after another.
func Document() io.Reader {
	var out bytes.Buffer
	files, err := fs.Glob(own, "own/*.json")
	for _, f := range files {
		var b []byte
		if b, err = own.ReadFile(f); err != nil {
			break
		}
		out.Write(b)
	}
	if err != nil {
		return failing{err}
	}
	return &out
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// Dated gives the date of the newest of firmward's own corrections.
func Dated() time.Time {
	var newest time.Time
	_, err := Own{}.Sync(context.Background(), "", feed.Input{Reader: Document(), Document: OwnName}, feed.Sink{Dated: func(t time.Time) { newest = t }})
	if err != nil {
		return time.Time{}
	}
	return newest
}

// Source is the reader of others' corrections and of a site's.
type Source struct{}

// Info declares the source.
func (Source) Info() feed.Info {
	return feed.Info{
		Name: name, Title: "Corrections of products and versions", Kind: "advisories",
		Gives:   "products and versions where the lists say nothing or too little",
		Licence: "as their author states; Anchore's CC0 1.0", Home: "github.com/anchore/nvd-data-overrides",
		Period: 24 * time.Hour, StaleAfter: 30 * 24 * time.Hour,
	}
}

// Next asks for the document, or the archive, at each address that the operator named.
func (Source) Next(f feed.Fetching) (feed.Batch, error) { return feed.Each(f) }

// Detect looks for the annotation of a record that is not firmward's own.
func (Source) Detect(head []byte, _ string) bool { return annotated(head) && !byFirmward(head) }

// Sync reads record after record.
func (Source) Sync(ctx context.Context, _ feed.Cursor, in feed.Input, put feed.Sink) (feed.Cursor, error) {
	return sync(ctx, in, put, name)
}

// Own is the reader of firmward's own corrections, which are in the program like the starter set.
type Own struct{}

// Info declares the source.
func (Own) Info() feed.Info {
	return feed.Info{
		Name: OwnName, Title: "firmward's own corrections", Kind: "starter", Gives: "products and versions where the lists say nothing or too little",
		Licence: "Apache-2.0", Home: "feed/overrides/own", Whole: true,
	}
}

// Detect looks for firmward's name in the annotation.
func (Own) Detect(head []byte, _ string) bool { return annotated(head) && byFirmward(head) }

// Sync reads record after record.
func (Own) Sync(ctx context.Context, _ feed.Cursor, in feed.Input, put feed.Sink) (feed.Cursor, error) {
	return sync(ctx, in, put, OwnName)
}

func annotated(head []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(head, " \t\r\n"), []byte("{")) && bytes.Contains(head, []byte(`"_annotation"`))
}

func byFirmward(head []byte) bool {
	return bytes.Contains(head, []byte(`"by": "firmward"`)) || bytes.Contains(head, []byte(`"by":"firmward"`))
}

// record is one correction as it is written.
type record struct {
	Annotation *annotation `json:"_annotation"`
	CVE        struct {
		Configurations []feed.NVDConfiguration `json:"configurations"`
		References     []struct {
			URL string `json:"url"`
		} `json:"references"`
	} `json:"cve"`
}

type annotation struct {
	ID          string   `json:"cve_id"`
	By          string   `json:"by"`
	From        string   `json:"generated_from"`
	Description string   `json:"description"`
	Reason      string   `json:"reason"`
	Source      string   `json:"source"`
	Published   string   `json:"published"`
	Modified    string   `json:"modified"`
	Dated       string   `json:"dated"`
	NoFix       bool     `json:"no_fix"`
	References  []string `json:"references"`
	Fixed       []struct {
		Vendor  string `json:"vendor"`
		Product string `json:"product"`
		Version string `json:"version"`
	} `json:"fixed"`
}

// sync reads record after record. The document's date and the cursor are those of the record that was changed last.
func sync(ctx context.Context, in feed.Input, put feed.Sink, name string) (feed.Cursor, error) {
	put = put.Complete()
	d := feed.NewDecoder(ctx, in)
	origin := firmward.Origins{Feed: name, Document: in.Document, Imported: in.Now}
	newest, records := time.Time{}, 0
	err := d.Values(func(raw json.RawMessage, at int64) error {
		var r record
		err := json.Unmarshal(raw, &r)
		if r.Annotation == nil && records == 0 {
			return errors.New("this is no correction: the member _annotation is missing")
		}
		records++
		var a firmward.Advisory
		if err == nil {
			a, err = r.advisory(origin, in.Now)
		}
		if err == nil {
			err = feed.Finish(&a, put)
		}
		if err != nil {
			where := "record ending at byte " + strconv.FormatInt(at, 10)
			if r.Annotation != nil && r.Annotation.ID != "" {
				where = feed.Clip(r.Annotation.ID)
			}
			put.Refuse(where, err.Error())
			return nil
		}
		if a.Modified.After(newest) {
			newest = a.Modified
		}
		return put.Advisory(a)
	})
	switch {
	case err != nil:
		return "", err
	case records == 0:
		return "", d.Fail(errors.New("the document holds no correction"))
	case newest.IsZero():
		return "", nil
	}
	put.Dated(newest)
	return feed.Cursor(newest.Format(time.RFC3339)), nil
}

// advisory turns one record into the noun. A record without a date is fine: it corrects a vulnerability of which others
// say when it was published.
func (r record) advisory(origin firmward.Origins, now time.Time) (firmward.Advisory, error) {
	n := r.Annotation
	if n == nil {
		return firmward.Advisory{}, errors.New("the member _annotation is missing")
	}
	a := firmward.Advisory{ID: n.ID, Source: name, NoFix: n.NoFix || feed.Unsupported(n.Description), Origin: origin}
	switch {
	case n.By == "firmward":
		a.Source += ":firmward"
		if n.Source == "" || n.Dated == "" {
			return a, errors.New("a correction of firmward's own needs its source and date")
		}
	case strings.Contains(n.From, "/anchore/"):
		a.Source += ":anchore"
	}
	for _, s := range []string{n.Description, n.Reason, n.ID} {
		if a.Title = feed.Clip(s); a.Title != "" {
			break
		}
	}
	for _, d := range []struct {
		text string
		into []*time.Time
	}{{n.Published, []*time.Time{&a.Published, &a.Modified}}, {n.Modified, []*time.Time{&a.Modified}}, {n.Dated, []*time.Time{&a.Modified}}} {
		if d.text == "" {
			continue
		}
		day, err := feed.Day(d.text)
		if err != nil {
			return a, err
		}
		if feed.Future(day, now) {
			return a, fmt.Errorf("its date %s lies in the future", day.Format(time.DateOnly))
		}
		for _, t := range d.into {
			*t = day
		}
	}
	a.Origin.Dated = a.Modified
	if n.Source != "" {
		a.References = append(a.References, n.Source+", as of "+n.Dated)
		if n.Reason != "" {
			a.References = append(a.References, feed.Clip(n.Reason))
		}
	}
	a.References = append(a.References, n.References...)
	for _, ref := range r.CVE.References {
		a.References = append(a.References, ref.URL)
	}
	a.References = feed.Unique(a.References)
	for _, c := range r.CVE.Configurations {
		a.Configurations = append(a.Configurations, c.Configuration())
	}
	for _, f := range n.Fixed {
		if f.Vendor == "" || f.Product == "" || f.Version == "" {
			return a, errors.New("fixed needs vendor, product and version")
		}
		a.Fixes = append(a.Fixes, firmward.Fix{Vendor: cpe.Literal(f.Vendor).Text(), Product: cpe.Literal(f.Product).Text(), Version: f.Version})
	}
	return a, nil
}
