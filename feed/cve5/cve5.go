// Package cve5 reads CVE records in JSON 5 form, as CNAs write them and as the CVE list and CISA's
// vulnrichment carry them: one record, or any number of them one after another (one per line).
//
// NVD no longer analyses most CVEs, so these records are often the only statement on a device's
// firmware. Products come from cpeApplicability, from the CPE names of affected[] and, where a
// product has none, from its vendor and name in words (firmward.CPEMatch.Words).
//
// Versions are read as the record means them, never beyond: what version.ParseRange does not
// understand is "unspecified". A range speaks for all versions. A list of single versions speaks for
// those only, unless defaultStatus says that the others are unaffected (CVE record format 5.1:
// without a defaultStatus, what is not listed is unknown).
//
// The SSVC values that CISA sets in its container are kept as they stand, in lower case (firmward.SSVC).
package cve5

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/feed"
)

// name is the feed's, which its advisories carry as their source.
const name = "cve"

// The bounds of one record. The largest real one has 0.4 MB.
const (
	maxRecord = 4 << 20 // bytes
	maxLinks  = 100     // references, and weaknesses
)

// Source is the reader.
type Source struct{}

// Info declares the source.
func (Source) Info() feed.Info {
	return feed.Info{
		Name: name, Title: "CVE records, JSON 5", Kind: "advisories", Gives: "what the assigning authority and CISA say",
		Licence: "CVE terms of use: free with attribution to The MITRE Corporation; CISA's part CC0 1.0", Home: "www.cve.org",
		Period: 24 * time.Hour, StaleAfter: 7 * 24 * time.Hour, URLs: []string{folderURL, archiveURL}, Large: true,
	}
}

// containersFirst knows a record by its begin. The list has many of its older records with their members in the order of the
// alphabet, so that the format's own mark stands at their end.
var containersFirst = regexp.MustCompile(`^\s*\{\s*"containers"\s*:\s*\{\s*"(?:cna|adp)"\s*:`)

// Detect looks for the format's own mark, or for a member that every record has.
func (Source) Detect(head []byte, _ string) bool {
	return bytes.HasPrefix(bytes.TrimLeft(head, " \t\r\n"), []byte("{")) &&
		(bytes.Contains(head, []byte(`"CVE_RECORD"`)) || bytes.Contains(head, []byte(`"cveMetadata"`)) || containersFirst.Match(head))
}

// Sync reads record after record. The document's date and the cursor are those of the record that
// was changed last. A document of which from says what it has to be is that one record, or an error.
func (Source) Sync(ctx context.Context, from feed.Cursor, in feed.Input, put feed.Sink) (feed.Cursor, error) {
	put = put.Complete()
	d := feed.NewDecoder(ctx, in)
	newest, first := time.Time{}, true
	want, err := parseWant(from)
	if err != nil {
		return "", err
	}
	err = d.Values(func(raw json.RawMessage, at int64) error {
		if want.id != "" && !first {
			return errors.New("more follows after the record that was asked for")
		}
		r := reader{put: put, now: in.Now, origin: firmward.Origins{Feed: name, Document: in.Document, Imported: in.Now}}
		err := json.Unmarshal(raw, &r.record)
		if first && r.record.DataType != "CVE_RECORD" {
			return fmt.Errorf("this is no CVE record: dataType %q", r.record.DataType)
		}
		first = false
		if err == nil && len(raw) > maxRecord {
			err = fmt.Errorf("it has %d bytes, at most %d are read", len(raw), maxRecord)
		}
		if err == nil {
			err = r.read()
		}
		if want.id != "" {
			if err = cmp.Or(err, want.check(r.record.Meta.ID, r.advisory.Modified)); err != nil {
				return err
			}
		}
		if err != nil {
			where := r.record.Meta.ID
			if where == "" {
				where = "record ending at byte " + strconv.FormatInt(at, 10)
			}
			put.Refuse(where, err.Error())
			return nil
		}
		if r.advisory.Modified.After(newest) {
			newest = r.advisory.Modified
		}
		return r.deliver()
	})
	switch {
	case err != nil:
		return "", err
	case first:
		return "", d.Fail(errors.New("the document holds no CVE record"))
	case newest.IsZero():
		return "", nil
	}
	put.Dated(newest)
	return feed.Cursor(newest.Format(time.RFC3339)), nil
}

type record struct {
	DataType string `json:"dataType"`
	Version  string `json:"dataVersion"`
	Meta     struct {
		ID        string `json:"cveId"`
		State     string `json:"state"`
		Published string `json:"datePublished"`
		Reserved  string `json:"dateReserved"`
		Updated   string `json:"dateUpdated"`
		Rejected  string `json:"dateRejected"`
	} `json:"cveMetadata"`
	Containers struct {
		CNA container   `json:"cna"`
		ADP []container `json:"adp"`
	} `json:"containers"`
}

type container struct {
	Provider struct {
		Name    string `json:"shortName"`
		Updated string `json:"dateUpdated"`
	} `json:"providerMetadata"`
	Title        string   `json:"title"`
	Public       string   `json:"datePublic"`
	Tags         []string `json:"tags"`
	Descriptions []text   `json:"descriptions"`
	Reasons      []text   `json:"rejectedReasons"`
	Problems     []struct {
		Descriptions []struct {
			CWE string `json:"cweId"`
		} `json:"descriptions"`
	} `json:"problemTypes"`
	References []struct {
		URL string `json:"url"`
	} `json:"references"`
	Metrics       []metric                `json:"metrics"`
	Affected      []affected              `json:"affected"`
	Applicability []feed.NVDConfiguration `json:"cpeApplicability"`
}

type text struct {
	Lang  string `json:"lang"`
	Value string `json:"value"`
}

type metric struct {
	V40   *score `json:"cvssV4_0"`
	V31   *score `json:"cvssV3_1"`
	V30   *score `json:"cvssV3_0"`
	V2    *score `json:"cvssV2_0"`
	Other struct {
		Type    string          `json:"type"`
		Content json.RawMessage `json:"content"` // another shape for each type
	} `json:"other"`
}

type score struct {
	Vector string  `json:"vectorString"`
	Base   float64 `json:"baseScore"`
}

// reader turns one record into what the sink takes.
type reader struct {
	put       feed.Sink
	now       time.Time
	origin    firmward.Origins
	record    record
	advisory  firmward.Advisory
	exploited []firmward.Exploited
}

func (r *reader) deliver() error {
	if err := r.put.Advisory(r.advisory); err != nil {
		return err
	}
	for _, x := range r.exploited {
		if err := r.put.Exploited(x); err != nil {
			return err
		}
	}
	return nil
}

// read fills the advisory. An error refuses the whole record; a part that is broken alone is refused
// alone.
func (r *reader) read() error {
	c, a := &r.record, &r.advisory
	if c.DataType != "CVE_RECORD" || !strings.HasPrefix(c.Version, "5.") {
		return fmt.Errorf("this is no CVE record of version 5: dataType %q, dataVersion %q", c.DataType, c.Version)
	}
	a.ID, a.Source = c.Meta.ID, name
	switch c.Meta.State {
	case "PUBLISHED":
	case "REJECTED":
		a.Rejected = true
	default:
		return fmt.Errorf("state %q is neither PUBLISHED nor REJECTED", c.Meta.State)
	}
	if err := r.dates(); err != nil {
		return err
	}
	r.origin.Dated = a.Modified
	a.Origin = r.origin
	r.words()
	if !a.Rejected {
		r.metrics(c.Containers.CNA)
		for _, adp := range c.Containers.ADP {
			r.metrics(adp)
			for _, m := range adp.Metrics {
				if m.Other.Type == "ssvc" {
					r.ssvc(adp.Provider.Name, m.Other.Content)
				}
			}
		}
		if err := r.products(); err != nil {
			return err
		}
	}
	return feed.Finish(a, r.put)
}

func (r *reader) containers() []container {
	return append([]container{r.record.Containers.CNA}, r.record.Containers.ADP...)
}

// dates takes the day of publication, or what comes next to it: old records have none. A date in the
// future would keep later forms of the record out, so it is refused.
func (r *reader) dates() error {
	m, cna := r.record.Meta, r.record.Containers.CNA
	for _, s := range []string{m.Published, m.Rejected, cna.Public, m.Reserved, cna.Provider.Updated, m.Updated} {
		if s == "" {
			continue
		}
		day, err := feed.Day(s)
		if err != nil {
			return err
		}
		r.advisory.Published = day
		break
	}
	r.advisory.Modified = r.advisory.Published
	if m.Updated != "" {
		day, err := feed.Day(m.Updated)
		if err != nil {
			return err
		}
		r.advisory.Modified = day
	}
	for _, day := range []time.Time{r.advisory.Published, r.advisory.Modified} {
		if feed.Future(day, r.now) {
			return fmt.Errorf("its date %s lies in the future", day.Format(time.DateOnly))
		}
	}
	return nil
}

// words takes the title, weaknesses, references and marks.
func (r *reader) words() {
	a, cna := &r.advisory, r.record.Containers.CNA
	description := english(cna.Descriptions)
	for _, s := range []string{description, cna.Title, english(cna.Reasons), a.ID} {
		if a.Title = feed.Clip(s); a.Title != "" {
			break
		}
	}
	a.NoFix = feed.Unsupported(description) || slices.Contains(cna.Tags, "unsupported-when-assigned")
	for _, c := range r.containers() {
		for _, p := range c.Problems {
			for _, d := range p.Descriptions {
				if strings.HasPrefix(d.CWE, "CWE-") && len(a.Weakness) < maxLinks && !slices.Contains(a.Weakness, d.CWE) {
					a.Weakness = append(a.Weakness, d.CWE)
				}
			}
		}
		for _, ref := range c.References {
			if ref.URL != "" && len(a.References) < maxLinks && !slices.Contains(a.References, ref.URL) {
				a.References = append(a.References, ref.URL)
			}
		}
	}
}

func english(all []text) string {
	for _, t := range all {
		if strings.HasPrefix(strings.ToLower(t.Lang), "en") {
			return t.Value
		}
	}
	return ""
}

// metrics takes the scores and the entry in the list of known exploited vulnerabilities.
func (r *reader) metrics(c container) {
	a := &r.advisory
	for _, m := range c.Metrics {
		for _, s := range []struct {
			version string
			*score
		}{{"4.0", m.V40}, {"3.1", m.V31}, {"3.0", m.V30}, {"2.0", m.V2}} {
			if s.score == nil {
				continue
			}
			if s.Vector == "" {
				r.put.Refuse(a.ID+" score", "a score of CVSS "+s.version+" has no vector")
				continue
			}
			a.Scores = append(a.Scores, firmward.Score{Version: s.version, Vector: s.Vector, Base: s.Base, Source: c.Provider.Name})
		}
		if m.Other.Type == "kev" {
			r.kev(m.Other.Content)
		}
	}
}

func (r *reader) kev(raw json.RawMessage) {
	var k struct {
		Added string `json:"dateAdded"`
	}
	err := json.Unmarshal(raw, &k)
	x := firmward.Exploited{Advisory: r.advisory.ID, Origin: r.origin}
	if err == nil {
		x.Added, err = feed.Day(k.Added)
	}
	if err != nil {
		r.put.Refuse(r.advisory.ID+" exploited", err.Error())
		return
	}
	r.exploited = append(r.exploited, x)
}
