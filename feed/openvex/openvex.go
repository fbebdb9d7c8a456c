// Package openvex reads OpenVEX documents (specification 0.2.0, and 0.0.1 with its plain names): what an author says of
// products and vulnerabilities, one statement at a time. VEX in CSAF form is read by feed/csaf.
//
// All that a document says of one vulnerability becomes one firmward.Advisory. Its Source is "vex:" with the author and
// the document's id, so that neither two authors nor two documents overwrite one another; a new version of a document
// replaces all that it said. Of two statements on one product and vulnerability the later counts (§ Updating statements).
//
// A product goes by its CPE name, or by vendor, name and version of its package URL in words. A version in either is the
// only one of which a statement speaks. Hashes and signatures are not verified.
package openvex

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/feed"
)

// name is the feed's; "vex" begins the source of each of its advisories.
const name = "vex"

// The bounds of one document.
const (
	maxDocument = 64 << 20 // bytes of its statements
	maxProducts = 20_000   // of one statement
	maxStated   = 200_000  // products of all statements
)

// Source is the reader.
type Source struct{}

// Info declares the source.
func (Source) Info() feed.Info {
	return feed.Info{
		Name: name, Title: "VEX statements, OpenVEX", Kind: "advisories", Gives: "what an author says of products, one by one",
		Licence: "as each author states", Home: "openvex.dev",
		Period: 24 * time.Hour, StaleAfter: 90 * 24 * time.Hour,
	}
}

// Next asks for the document, or the archive, at each address that the operator named.
func (Source) Next(f feed.Fetching) (feed.Batch, error) { return feed.Each(f) }

// Detect looks for the format's context.
func (Source) Detect(head []byte, _ string) bool {
	return bytes.HasPrefix(bytes.TrimLeft(head, " \t\r\n"), []byte("{")) && bytes.Contains(head, []byte(`openvex.dev/ns`))
}

// Sync reads one document. The document's date and the cursor are those of its last change.
func (Source) Sync(ctx context.Context, _ feed.Cursor, in feed.Input, put feed.Sink) (feed.Cursor, error) {
	put = put.Complete()
	d := feed.NewDecoder(ctx, in)
	r := reader{put: put, now: in.Now, of: map[string]*vulnerability{}}
	var all []raw
	size := 0
	err := d.Object(func(member string) error {
		switch member {
		case "@context":
			return d.Value(&r.doc.Context)
		case "@id":
			return d.Value(&r.doc.ID)
		case "author":
			return d.Value(&r.doc.Author)
		case "timestamp":
			return d.Value(&r.doc.Timestamp)
		case "last_updated":
			return d.Value(&r.doc.Updated)
		case "statements":
			return d.Array(func(text json.RawMessage, at int64) error {
				if size += len(text); size > maxDocument {
					return fmt.Errorf("its statements have more than %d bytes", maxDocument)
				}
				all = append(all, raw{text, at})
				return nil
			})
		}
		return d.Skip()
	})
	if err == nil {
		err = d.Fail(r.frame())
	}
	if err != nil {
		return "", err
	}
	r.origin = firmward.Origins{Feed: name, Document: in.Document, Dated: r.changed, Imported: in.Now}
	put.Dated(r.changed)
	put.Replace(r.source, r.changed)
	for i, s := range all {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		if err := r.take(s); err != nil {
			put.Refuse(fmt.Sprintf("%s statement %d, ending at byte %d", r.doc.ID, i+1, s.at), err.Error())
		}
	}
	if err := r.deliver(); err != nil {
		return "", err
	}
	return feed.Cursor(r.changed.Format(time.RFC3339)), d.End()
}

// raw is one statement as it stands in the document.
type raw struct {
	text json.RawMessage
	at   int64
}

type document struct {
	Context, ID, Author, Timestamp, Updated string
}

// statement is one as the document writes it.
type statement struct {
	Vulnerability named   `json:"vulnerability"`
	Timestamp     string  `json:"timestamp"`
	Products      []thing `json:"products"`
	Status        string  `json:"status"`
	Justification string  `json:"justification"`
	Impact        string  `json:"impact_statement"`
	Action        string  `json:"action_statement"`
	Notes         string  `json:"status_notes"`
}

// named is a vulnerability: a name alone in 0.0.1, an object in 0.2.0.
type named struct {
	Name        string   `json:"name"`
	ID          string   `json:"@id"`
	Description string   `json:"description"`
	Aliases     []string `json:"aliases"`
}

func (n *named) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, &n.Name)
	}
	type plain named
	return json.Unmarshal(b, (*plain)(n))
}

// thing is a product: an identifier alone in 0.0.1, an object in 0.2.0.
type thing struct {
	ID          string `json:"@id"`
	Identifiers struct {
		PURL  string `json:"purl"`
		CPE23 string `json:"cpe23"`
		CPE22 string `json:"cpe22"`
	} `json:"identifiers"`
}

func (t *thing) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, &t.ID)
	}
	type plain thing
	return json.Unmarshal(b, (*plain)(t))
}

// reader turns one document into what the sink takes.
type reader struct {
	put     feed.Sink
	now     time.Time
	origin  firmward.Origins
	doc     document
	source  string
	changed time.Time
	of      map[string]*vulnerability
	order   []string
	stated  int
}

// frame checks the document's own part.
func (r *reader) frame() error {
	d := &r.doc
	author, id := slug(d.Author), d.ID
	switch {
	case !strings.Contains(d.Context, "openvex.dev/ns"):
		return fmt.Errorf("this is no OpenVEX document: @context %q", feed.Clip(d.Context))
	case author == "":
		return fmt.Errorf("its author %q has no name", feed.Clip(d.Author))
	case id == "" || len(id) > 200 || strings.ContainsFunc(id, func(c rune) bool { return c <= ' ' || c >= 0x7f }):
		return fmt.Errorf("its @id %q is none", feed.Clip(id))
	}
	if _, rest, ok := strings.Cut(id, "://"); ok {
		id = rest
	}
	r.source = name + ":" + author + "/" + id
	text := d.Updated
	if text == "" {
		text = d.Timestamp
	}
	var err error
	r.changed, err = r.day(text)
	return err
}

// day reads a date that may not lie in the future: later forms of the document would be kept out.
func (r *reader) day(text string) (time.Time, error) {
	day, err := feed.Day(text)
	if err == nil && feed.Future(day, r.now) {
		err = fmt.Errorf("its date %s lies in the future", day.Format(time.DateOnly))
	}
	return day, err
}

// slug is a name in small letters and digits, joined by "-": "Acme PSIRT <psirt@acme.example>" gives acme-psirt.
func slug(author string) string {
	author, _, _ = strings.Cut(author, "<")
	parts := strings.FieldsFunc(strings.ToLower(author), func(c rune) bool { return (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '.' })
	s := strings.Trim(strings.Join(parts, "-"), ".")
	return s[:min(len(s), 60)]
}

// stated is what is said of one product last.
type stated struct {
	at      time.Time
	of      statement
	product product
}

// vulnerability collects what a document says of one.
type vulnerability struct {
	id, about string
	first     time.Time
	products  []string
	by        map[string]stated
}

// take reads one statement.
func (r *reader) take(in raw) error {
	var s statement
	if err := json.Unmarshal(in.text, &s); err != nil {
		return err
	}
	switch s.Status {
	case "not_affected", "affected", "fixed", "under_investigation":
	default:
		return fmt.Errorf("status %q is none of not_affected, affected, fixed, under_investigation", feed.Clip(s.Status))
	}
	at := r.changed
	if s.Timestamp == "" {
		s.Timestamp = r.doc.Timestamp
	}
	if s.Timestamp != "" {
		var err error
		if at, err = r.day(s.Timestamp); err != nil {
			return err
		}
	}
	id := s.Vulnerability.Name
	if i := slices.IndexFunc(s.Vulnerability.Aliases, feed.CVE); !feed.CVE(id) && i >= 0 {
		id = s.Vulnerability.Aliases[i]
	}
	switch {
	case id == "":
		return errors.New("it names no vulnerability")
	case len(s.Products) == 0:
		return errors.New("it names no product")
	case len(s.Products) > maxProducts || r.stated+len(s.Products) > maxStated:
		return fmt.Errorf("it names more than %d products, or all statements more than %d", maxProducts, maxStated)
	}
	r.stated += len(s.Products)
	v := r.of[id]
	if v == nil {
		v = &vulnerability{id: id, first: at, by: map[string]stated{}}
		r.of[id], r.order = v, append(r.order, id)
	}
	if at.Before(v.first) {
		v.first = at
	}
	if v.about == "" {
		v.about = s.Vulnerability.Description
	}
	for _, t := range s.Products {
		p, err := t.product()
		if err != nil {
			r.put.Refuse(fmt.Sprintf("%s %s product %s", r.doc.ID, id, feed.Clip(t.ID)), err.Error())
			continue
		}
		old, known := v.by[p.key]
		if !known {
			v.products = append(v.products, p.key)
		}
		if !known || !at.Before(old.at) {
			v.by[p.key] = stated{at, s, p}
		}
	}
	return nil
}
