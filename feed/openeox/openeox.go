// Package openeox reads end-of-support statements in OpenEoX form: core 1.0 inside a shell. The core holds the dates and
// names no product, so a core alone cannot be used; the shell names products. The shell is a draft of 2026-06: both of its
// forms are read, names beside the core and a product object in it (hardware, software, or hardware with software).
//
// end_of_security_support is firmward's end of support; where that is "tba" and end_of_life is not, the latter bounds it.
// The version of software is a branch. The version of hardware is a part of the product's name: a fact on revision A says
// nothing of revision B.
package openeox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/cpe"
	"github.com/firmward/firmward/feed"
)

// name is the feed's.
const name = "openeox"

// Source is the reader.
type Source struct{}

// Info declares the source.
func (Source) Info() feed.Info {
	return feed.Info{
		Name: name, Title: "End-of-support statements, OpenEoX", Kind: "lifecycle", Gives: "ends of sale and support",
		Licence: "as each vendor states", Home: "openeox.org",
		Period: 7 * 24 * time.Hour, StaleAfter: 365 * 24 * time.Hour,
	}
}

var schema = regexp.MustCompile(`"\$schema"\s*:\s*"[^"]*/openeox/[^"]*/schema/(?:core|shell)\.json"`)

// Next asks for the document, or the archive, at each address that the operator named.
func (Source) Next(f feed.Fetching) (feed.Batch, error) { return feed.Each(f) }

// Detect looks for the name of the schema.
func (Source) Detect(head []byte, _ string) bool {
	return bytes.HasPrefix(bytes.TrimLeft(head, " \t\r\n"), []byte("{")) && schema.Match(head)
}

// Sync reads one document. Its date and the cursor are those of the statement that was changed last.
func (Source) Sync(ctx context.Context, _ feed.Cursor, in feed.Input, put feed.Sink) (feed.Cursor, error) {
	put = put.Complete()
	d := feed.NewDecoder(ctx, in)
	kind, found, newest, number := "", false, time.Time{}, 0
	err := d.Object(func(member string) error {
		switch member {
		case "$schema":
			return d.Value(&kind)
		case "statements":
			found = true
			return d.Array(func(raw json.RawMessage, at int64) error {
				number++
				var s statement
				err := json.Unmarshal(raw, &s)
				var l firmward.Lifecycle
				if err == nil {
					l, err = s.lifecycle(in.Now)
				}
				if err != nil {
					put.Refuse(fmt.Sprintf("statement %d, ending at byte %d", number, at), err.Error())
					return nil
				}
				if l.Origin.Dated.After(newest) {
					newest = l.Origin.Dated
				}
				l.Origin.Feed, l.Origin.Document, l.Origin.Imported = name, in.Document, in.Now
				return put.Lifecycle(l)
			})
		}
		return d.Skip()
	})
	switch {
	case err != nil:
		return "", err
	case !strings.Contains(kind, "/openeox/"):
		return "", d.Fail(fmt.Errorf("this is no OpenEoX document: $schema %q", feed.Clip(kind)))
	case !found:
		return "", d.Fail(errors.New("it names no product: a core can only be used inside a shell, in its statements"))
	}
	if err := d.End(); err != nil || newest.IsZero() {
		return "", err
	}
	put.Dated(newest)
	return feed.Cursor(newest.Format(time.RFC3339)), nil
}

// statement is one of a shell.
type statement struct {
	Core *core `json:"core"`
	thing
	Product *struct {
		thing
		Hardware *thing `json:"hardware"`
		Software *thing `json:"software"`
	} `json:"product"`
}

// thing names a product; the older draft writes the names in one word.
type thing struct {
	Vendor     string `json:"vendor_name"`
	Name       string `json:"product_name"`
	Version    string `json:"product_version"`
	OldVendor  string `json:"vendorName"`
	OldName    string `json:"productName"`
	OldVersion string `json:"productVersion"`
	Schema     string `json:"$schema"`
	Helper     struct {
		CPE string `json:"cpe"`
	} `json:"product_identification_helper"`
}

// core holds the dates.
type core struct {
	Life         string `json:"end_of_life"`
	Sales        string `json:"end_of_sales"`
	Security     string `json:"end_of_security_support"`
	Availability string `json:"general_availability"`
	Updated      string `json:"last_updated"`
}

// instant is an RFC 3339 time with capital letters and without a leap second (core 1.0 §7.1.2).
var instant = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:[0-5]\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$`)

// day reads a time, or "tba" as the zero time.
func day(member, text string, needed bool) (time.Time, error) {
	switch {
	case text == "tba" || text == "" && !needed:
		return time.Time{}, nil
	case !instant.MatchString(text):
		return time.Time{}, fmt.Errorf("%s %q is neither an RFC 3339 time nor \"tba\"", member, feed.Clip(text))
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return t, fmt.Errorf("%s: %w", member, err)
	}
	return t.UTC(), nil
}

// dates are those of a core; zero where they are not announced.
type dates struct {
	life, sales, security, available, updated time.Time
}

// dates reads a core and checks the order (core 1.0 §7.1.1 and §7.1.3).
func (c core) dates(now time.Time) (dates, error) {
	var d dates
	for _, m := range []struct {
		name, text string
		needed     bool
		into       *time.Time
	}{
		{"end_of_life", c.Life, true, &d.life},
		{"end_of_security_support", c.Security, true, &d.security},
		{"last_updated", c.Updated, true, &d.updated},
		{"end_of_sales", c.Sales, false, &d.sales},
		{"general_availability", c.Availability, false, &d.available},
	} {
		var err error
		if *m.into, err = day(m.name, m.text, m.needed); err != nil {
			return d, err
		}
	}
	switch {
	case d.updated.IsZero():
		return d, errors.New("last_updated is no time")
	case feed.Future(d.updated, now):
		return d, fmt.Errorf("last_updated %s lies in the future", d.updated.Format(time.DateOnly))
	}
	for _, order := range []struct {
		first, second         time.Time
		firstName, secondName string
	}{
		{d.security, d.life, "end_of_security_support", "end_of_life"},
		{d.sales, d.life, "end_of_sales", "end_of_life"},
		{d.available, d.life, "general_availability", "end_of_life"},
		{d.available, d.security, "general_availability", "end_of_security_support"},
		{d.available, d.sales, "general_availability", "end_of_sales"},
	} {
		if !order.first.IsZero() && !order.second.IsZero() && order.first.After(order.second) {
			return d, fmt.Errorf("%s comes after %s", order.firstName, order.secondName)
		}
	}
	return d, nil
}

// lifecycle turns a statement into the noun.
func (s statement) lifecycle(now time.Time) (firmward.Lifecycle, error) {
	if s.Core == nil {
		return firmward.Lifecycle{}, errors.New("it has no core")
	}
	d, err := s.Core.dates(now)
	if err != nil {
		return firmward.Lifecycle{}, err
	}
	l := firmward.Lifecycle{EndOfSale: d.sales, EndOfSupport: d.security, Status: "announced", Origin: firmward.Origins{Dated: d.updated}}
	if l.EndOfSupport.IsZero() {
		l.EndOfSupport = d.life
	}
	if !d.life.IsZero() {
		l.Note = "end of life " + d.life.Format(time.DateOnly)
	}
	if err := s.name(&l); err != nil {
		return l, err
	}
	if l.Vendor == "" || l.Product == "" {
		return l, errors.New("it names no vendor or no product")
	}
	return l, nil
}

// name takes vendor, product and branch.
func (s statement) name(l *firmward.Lifecycle) error {
	switch p := s.Product; {
	case p == nil:
		return s.software(l)
	case p.Hardware != nil && p.Software != nil:
		if err := p.Hardware.hardware(l); err != nil {
			return err
		}
		l.Branch = whole(p.Software.version())
		return nil
	case p.Hardware != nil:
		return p.Hardware.hardware(l)
	case p.Software != nil:
		return p.Software.software(l)
	case strings.HasSuffix(p.Schema, "/product_hardware.json"):
		return p.hardware(l)
	default:
		return p.software(l)
	}
}

func (t thing) software(l *firmward.Lifecycle) error {
	l.Branch = whole(t.version())
	return t.product(l)
}

func (t thing) hardware(l *firmward.Lifecycle) error {
	if err := t.product(l); err != nil {
		return err
	}
	if v := whole(t.version()); v != "" {
		l.Product += " " + v
	}
	return nil
}

func (t thing) version() string { return feed.Clip(t.Version + t.OldVersion) }

// product takes the names, of a CPE name where there are none in words.
func (t thing) product(l *firmward.Lifecycle) error {
	l.Vendor, l.Product = feed.Clip(t.Vendor+t.OldVendor), feed.Clip(t.Name+t.OldName)
	if t.Helper.CPE == "" {
		return nil
	}
	n, err := cpe.Parse(t.Helper.CPE)
	if err == nil && l.Vendor == "" {
		l.Vendor = n.Vendor.Text()
	}
	if err == nil && l.Product == "" {
		l.Product = n.Product.Text()
	}
	return err
}

// whole gives no version for the words that mean all of them.
func whole(version string) string {
	switch strings.ToLower(version) {
	case "*", "-", "all", "all versions", "any", "n/a", "vers:all/*":
		return ""
	}
	return version
}
