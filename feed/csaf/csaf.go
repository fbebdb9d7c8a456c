// Package csaf reads security advisories in the Common Security Advisory Framework: CSAF 2.0 and what 2.1 has in
// common with it, the VEX profile among them. One document is one advisory of its publisher on any number of
// vulnerabilities; each becomes one firmward.Advisory.
//
// The advisory's Source is "csaf:" with the publisher's namespace and the document's tracking id
// ("csaf:cisa.gov/ICSA-24-030-02"): neither two publishers nor two documents of one publisher that speak of one CVE
// overwrite one another. A new revision of a document replaces all that its Source said.
//
// A vulnerability without a CVE id goes by the tracking id and its own id or number ("SSA-123456:2").
//
// Products come from the CPE name of the identification helper or, without one, from vendor and product name in words
// (firmward.CPEMatch.Words). Versions are read as far as they can be told in full; else they are "unspecified". A
// product that is installed on another needs that platform. A component by default of a product with versions of its
// own stands for those of the product.
//
// Documents of every TLP label are read: who imports one was given it. A label other than WHITE or CLEAR stands first
// among the references. Drafts are refused. Signatures are not verified.
package csaf

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/feed"
)

// name is the feed's, with which the source of each of its advisories begins.
const name = "csaf"

// maxDocument bounds the bytes of one document's vulnerabilities. The largest real documents have some 15 MB.
const maxDocument = 64 << 20

// Source is the reader.
type Source struct{}

// Info declares the source.
func (Source) Info() feed.Info {
	return feed.Info{
		Name: name, Title: "Vendor and coordinator advisories, CSAF 2", Kind: "advisories", Gives: "affected and repaired versions of vendors, and what stays without a fix",
		Licence: "as each publisher states; CISA's are US-government work", Home: "csaf.io",
		Period: 24 * time.Hour, StaleAfter: 30 * 24 * time.Hour, Quiet: 180 * 24 * time.Hour,
	}
}

// mark is the format's version, the name of a profile, or the beginning of a document whose thanks come first and are long.
var mark = regexp.MustCompile(`^\s*\{\s*"document"\s*:\s*\{\s*"acknowledgments"|"csaf_version"\s*:|"csaf_(?:security_advisory|vex|base|informational_advisory|security_incident_response|withdrawn|superseded)"`)

// Detect looks for the format's version or the name of one of its profiles.
func (Source) Detect(head []byte, _ string) bool {
	return bytes.HasPrefix(bytes.TrimLeft(head, " \t\r\n"), []byte("{")) && bytes.Contains(head, []byte(`"document"`)) && mark.Match(head)
}

// raw is one vulnerability as it stands in the document.
type raw struct {
	text json.RawMessage
	at   int64 // bytes into the document at which it ends
}

// Sync reads one document. The document's date and the cursor are those of its current release.
func (Source) Sync(ctx context.Context, _ feed.Cursor, in feed.Input, put feed.Sink) (feed.Cursor, error) {
	put = put.Complete()
	d := feed.NewDecoder(ctx, in)
	r := reader{put: put, origin: firmward.Origins{Feed: name, Document: in.Document, Imported: in.Now}}
	var tree tree
	var all []raw
	size := 0
	err := d.Object(func(member string) error {
		switch member {
		case "document":
			if err := d.Value(&r.doc); err != nil {
				return err
			}
			return d.Fail(r.frame(in.Now))
		case "product_tree":
			return d.Value(&tree)
		case "vulnerabilities":
			return d.Array(func(text json.RawMessage, at int64) error {
				if size += len(text); size > maxDocument {
					return fmt.Errorf("its vulnerabilities have more than %d bytes", maxDocument)
				}
				all = append(all, raw{text, at})
				return nil
			})
		}
		return d.Skip()
	})
	switch {
	case err != nil:
		return "", err
	case r.source == "":
		return "", d.Fail(errors.New("this is no CSAF document: the member document is missing"))
	}
	if r.products, err = tree.products(func(where, why string) { put.Refuse(r.doc.Tracking.ID+" "+where, why) }); err != nil {
		return "", d.Fail(fmt.Errorf("%s: %w", r.doc.Tracking.ID, err))
	}
	put.Dated(r.current)
	put.Replace(r.source, r.current)
	seen := map[string]bool{}
	for i, v := range all {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		if err := r.one(i+1, v, seen); err != nil {
			return "", err
		}
	}
	return feed.Cursor(r.current.Format(time.RFC3339)), d.End()
}

type document struct {
	Category     string `json:"category"`
	Version      string `json:"csaf_version"`
	Title        string `json:"title"`
	Distribution struct {
		TLP struct {
			Label string `json:"label"`
		} `json:"tlp"`
	} `json:"distribution"`
	Publisher struct {
		Name      string `json:"name"`
		Namespace string `json:"namespace"`
	} `json:"publisher"`
	References []reference `json:"references"`
	Tracking   struct {
		ID      string `json:"id"`
		Status  string `json:"status"`
		Current string `json:"current_release_date"`
		Initial string `json:"initial_release_date"`
	} `json:"tracking"`
}

type reference struct {
	URL      string `json:"url"`
	Category string `json:"category"`
}

// reader turns one document into what the sink takes.
type reader struct {
	put      feed.Sink
	origin   firmward.Origins
	doc      document
	source   string
	current  time.Time // of the release that this is
	initial  time.Time
	products products
}

// trackingID is the form of a document's id: the specification forbids only space at its ends and line breaks, and all
// that are in use are of this form.
var trackingID = regexp.MustCompile(`^[\w.:()/+-]{1,80}$`)

// frame checks the document's own part.
func (r *reader) frame(now time.Time) error {
	d := &r.doc
	switch {
	case !strings.HasPrefix(d.Version, "2."):
		return fmt.Errorf("this is no CSAF document of version 2: csaf_version %q", d.Version)
	case !trackingID.MatchString(d.Tracking.ID):
		return fmt.Errorf("tracking id %q is none", feed.Clip(d.Tracking.ID))
	case d.Tracking.Status != "final" && d.Tracking.Status != "interim":
		return fmt.Errorf("%s is neither final nor interim but %q", d.Tracking.ID, d.Tracking.Status)
	}
	publisher := slug(d.Publisher.Namespace)
	if publisher == "" {
		return fmt.Errorf("%s: its publisher's namespace %q is no URL with a host", d.Tracking.ID, feed.Clip(d.Publisher.Namespace))
	}
	var err error
	if r.current, err = feed.Day(d.Tracking.Current); err != nil {
		return fmt.Errorf("%s: current_release_date: %w", d.Tracking.ID, err)
	}
	if r.initial, err = feed.Day(d.Tracking.Initial); err != nil {
		return fmt.Errorf("%s: initial_release_date: %w", d.Tracking.ID, err)
	}
	for _, day := range []time.Time{r.current, r.initial} {
		if feed.Future(day, now) {
			return fmt.Errorf("%s: its date %s lies in the future", d.Tracking.ID, day.Format(time.DateOnly))
		}
	}
	r.origin.Dated = r.current
	r.source = name + ":" + publisher + "/" + d.Tracking.ID
	return nil
}

// slug is the short and stable name of a publisher, made from its namespace, which CSAF defines as the URL that tells
// publishers apart: "https://www.cisa.gov/" gives "cisa.gov".
func slug(namespace string) string {
	u, err := url.Parse(strings.TrimSpace(namespace))
	if err != nil || u.Hostname() == "" || len(namespace) > 200 {
		return ""
	}
	s := strings.TrimPrefix(strings.ToLower(u.Hostname()), "www.") + strings.TrimRight(strings.ToLower(u.EscapedPath()), "/")
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return ""
		}
	}
	return s
}

// one delivers one vulnerability or refuses it. The error is the sink's.
func (r *reader) one(number int, v raw, seen map[string]bool) error {
	var in vulnerability
	err := json.Unmarshal(v.text, &in)
	a := firmward.Advisory{Source: r.source, Published: r.initial, Modified: r.current, Origin: r.origin}
	if err == nil {
		a.ID = r.id(number, in)
		if seen[a.ID] {
			err = errors.New("it stands twice in the document")
		}
		seen[a.ID] = true
	}
	where := fmt.Sprintf("%s vulnerability %d %s, ending at byte %d", r.doc.Tracking.ID, number, in.CVE, v.at)
	if err == nil {
		err = r.fill(&a, in, where)
	}
	if err == nil {
		err = feed.Finish(&a, r.put)
	}
	if err != nil {
		r.put.Refuse(where, err.Error())
		return nil
	}
	return r.put.Advisory(a)
}

// id is the CVE id, or the document's id with the vulnerability's own or its number.
func (r *reader) id(number int, v vulnerability) string {
	switch {
	case v.CVE != "":
		return v.CVE
	case len(v.IDs) > 0 && trackingID.MatchString(v.IDs[0].Text):
		return r.doc.Tracking.ID + ":" + v.IDs[0].Text
	}
	return fmt.Sprintf("%s:%d", r.doc.Tracking.ID, number)
}
