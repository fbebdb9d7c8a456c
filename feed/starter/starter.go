// Package starter holds the starter set: what firmward knows before anybody imports a feed. It is
// small, dated, written by hand from public facts, and says for each fact where it comes from. It
// replaces no feed: a face must show its date.
package starter

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/cpe"
	"github.com/firmward/firmward/feed"
)

//go:embed starter.json
var document []byte

// Name is the document's name in statuses and origins.
const Name = "starter.json"

// Format is the value of the member "format".
const Format = "firmward-starter/1"

// Document opens the embedded starter set.
func Document() io.Reader { return bytes.NewReader(document) }

// Source is the reader.
type Source struct{}

// Info declares the source.
func (Source) Info() feed.Info {
	return feed.Info{
		Name: "starter", Title: "Starter set, dated 2026-11-22", Kind: "starter", Gives: "a few facts of each kind, until feeds are imported",
		Licence: "Apache-2.0", Home: "feed/starter", Period: 0, StaleAfter: 0,
	}
}

// Detect looks for the format's name.
func (Source) Detect(head []byte, _ string) bool {
	return bytes.Contains(head, []byte(`"`+Format+`"`))
}

// record is one advisory as the document writes it.
type record struct {
	ID        string   `json:"id"`
	Text      string   `json:"text"`
	Published string   `json:"published"`
	Score     string   `json:"score"`  // "9.8 CVSS:3.1/AV:N/…", empty when not known
	Weakness  string   `json:"cwe"`    // "CWE-78"
	NoFix     bool     `json:"no_fix"` // the source says that none exists or is planned
	Affects   []affect `json:"affects"`
	KEV       *struct {
		Added      string `json:"added"`
		Due        string `json:"due"`
		Ransomware bool   `json:"ransomware"`
	} `json:"kev"`
	Source string `json:"source"` // what the facts were read from
	Dated  string `json:"dated"`  // the state of that source
	Note   string `json:"note"`
}

// affect is one product with a range of versions; the members join as in NVD.
type affect struct {
	Product string   `json:"product"` // "o:vendor:product", escaped like a CPE name
	Version string   `json:"version"` // exact, "-" when the source gives none, empty for a range or all
	From    string   `json:"from"`    // including
	Through string   `json:"through"` // including
	Before  string   `json:"before"`  // excluding: the fixed version
	On      []string `json:"on"`      // hardware of which one must be there: "h:vendor:product"
	Fixed   string   `json:"fixed"`   // repaired in, where "before" does not say so already
}

// Sync reads the document. The cursor is its date.
func (Source) Sync(ctx context.Context, _ feed.Cursor, in feed.Input, put feed.Sink) (feed.Cursor, error) {
	put = put.Complete()
	d := feed.NewDecoder(ctx, in)
	origin := firmward.Origins{Feed: "starter", Document: in.Document, Imported: in.Now}
	format, dated := "", ""
	parts := 0
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
			origin.Dated = day
			put.Dated(day)
			return nil
		case "advisories":
			parts++
			return d.Array(func(raw json.RawMessage, at int64) error { return one(raw, at, origin, put) })
		case "lifecycle":
			parts++
			return d.Array(func(raw json.RawMessage, at int64) error { return feed.PutSupport(raw, at, origin, put) })
		}
		return d.Skip()
	})
	switch {
	case err != nil:
		return "", err
	case format != Format || parts != 2 || dated == "":
		return "", d.Fail(fmt.Errorf("this is no %s document: format, dated, advisories or lifecycle is missing", Format))
	}
	return feed.Cursor(dated), d.End()
}

// one delivers one record or refuses it. The error is the sink's.
func one(raw json.RawMessage, at int64, origin firmward.Origins, put feed.Sink) error {
	var r record
	var a firmward.Advisory
	err := json.Unmarshal(raw, &r)
	if err == nil {
		a, err = r.advisory(origin)
	}
	if err == nil {
		err = feed.Finish(&a, put)
	}
	var x firmward.Exploited
	if err == nil && r.KEV != nil {
		x, err = r.exploited(origin)
	}
	if err != nil {
		where := r.ID
		if where == "" {
			where = "record ending at byte " + strconv.FormatInt(at, 10)
		}
		put.Refuse(where, err.Error())
		return nil
	}
	if err := put.Advisory(a); err != nil {
		return err
	}
	if r.KEV != nil {
		return put.Exploited(x)
	}
	return nil
}

func (r record) exploited(origin firmward.Origins) (firmward.Exploited, error) {
	x := firmward.Exploited{Advisory: r.ID, Ransomware: r.KEV.Ransomware, Origin: origin}
	var err error
	if x.Added, err = feed.Day(r.KEV.Added); err != nil {
		return x, err
	}
	if r.KEV.Due != "" {
		x.Due, err = feed.Day(r.KEV.Due)
	}
	return x, err
}

func (r record) advisory(origin firmward.Origins) (firmward.Advisory, error) {
	a := firmward.Advisory{ID: r.ID, Source: "starter", Title: feed.Clip(r.Text), NoFix: r.NoFix, Origin: origin}
	if r.Source == "" || r.Text == "" || len(r.Affects) == 0 {
		return a, errors.New("a record needs text, affects and source")
	}
	var err error
	if a.Published, err = feed.Day(r.Published); err != nil {
		return a, err
	}
	if a.Modified, err = feed.Day(r.Dated); err != nil {
		return a, err
	}
	a.References = []string{r.Source + ", as of " + r.Dated}
	if r.Note != "" {
		a.References = append(a.References, r.Note)
	}
	if r.Weakness != "" {
		a.Weakness = []string{r.Weakness}
	}
	if r.Score != "" {
		base, vector, _ := strings.Cut(r.Score, " ")
		v, err := strconv.ParseFloat(base, 64)
		version, _, ok := strings.Cut(strings.TrimPrefix(vector, "CVSS:"), "/")
		if err != nil || !ok || v < 0 || v > 10 {
			return a, fmt.Errorf("score %q is not \"9.8 CVSS:3.1/…\"", r.Score)
		}
		a.Scores = []firmward.Score{{Version: version, Vector: vector, Base: v, Source: r.Source}}
	}
	for _, f := range r.Affects {
		c, err := f.configuration()
		if err != nil {
			return a, err
		}
		a.Configurations = append(a.Configurations, c)
		if f.Fixed != "" {
			n, _ := cpe.Parse("cpe:2.3:" + f.Product + ":*:*:*:*:*:*:*:*")
			a.Fixes = append(a.Fixes, firmward.Fix{Vendor: n.Vendor.Text(), Product: n.Product.Text(), Version: f.Fixed})
		}
	}
	return a, nil
}

func (f affect) configuration() (firmward.Configuration, error) {
	version := "*"
	switch {
	case f.Version == "-":
		version = "-"
	case f.Version != "":
		version = string(cpe.Literal(f.Version))
	}
	m := firmward.CPEMatch{
		Vulnerable: true, Criteria: "cpe:2.3:" + f.Product + ":" + version + ":*:*:*:*:*:*:*",
		VersionStartIncluding: f.From, VersionEndIncluding: f.Through, VersionEndExcluding: f.Before,
	}
	if _, err := cpe.Parse(m.Criteria); err != nil {
		return firmward.Configuration{}, err
	}
	c := firmward.Configuration{Operator: "OR", Nodes: []firmward.Node{{Operator: "OR", Matches: []firmward.CPEMatch{m}}}}
	if len(f.On) == 0 {
		return c, nil
	}
	on := firmward.Node{Operator: "OR"}
	for _, h := range f.On {
		on.Matches = append(on.Matches, firmward.CPEMatch{Criteria: "cpe:2.3:" + h + ":-:*:*:*:*:*:*:*"})
	}
	c.Operator = "AND"
	c.Nodes = append(c.Nodes, on)
	return c, nil
}
