// Package nvd20 reads NVD JSON 2.0 documents: yearly feeds, "modified" deltas and pages of the API.
//
// Deferred records are kept: most records from before 2016 that carry CPE names have that status.
package nvd20

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/feed"
)

// Source is the reader.
type Source struct{}

// Info declares the source.
func (Source) Info() feed.Info {
	return feed.Info{
		Name: "nvd", Title: "NVD, JSON 2.0", Kind: "advisories", Gives: "products by CPE, scores",
		Licence: "US-government public domain; NIST asks for attribution", Home: "nvd.nist.gov",
		Period: 24 * time.Hour, StaleAfter: 7 * 24 * time.Hour,
		URLs: []string{filesURL, apiURL},
	}
}

// Detect looks for the format's own mark.
func (Source) Detect(head []byte, _ string) bool {
	return bytes.Contains(head, []byte(`"NVD_CVE"`)) && bytes.Contains(head, []byte(`"vulnerabilities"`))
}

// Sync reads one document. The cursor is the document's time stamp, or where the feed is fetched how far it is read.
func (Source) Sync(ctx context.Context, from feed.Cursor, in feed.Input, put feed.Sink) (feed.Cursor, error) {
	put = put.Complete()
	d := feed.NewDecoder(ctx, in)
	origin := firmward.Origins{Feed: "nvd", Document: in.Document, Imported: in.Now}
	var format, version, stamp string
	declared, records, found := 0, 0, false
	start, total := 0, 0 // of a page
	err := d.Object(func(name string) error {
		switch name {
		case "format":
			return d.Value(&format)
		case "version":
			return d.Value(&version)
		case "resultsPerPage":
			return d.Value(&declared)
		case "startIndex":
			return d.Value(&start)
		case "totalResults":
			return d.Value(&total)
		case "timestamp":
			if err := d.Value(&stamp); err != nil {
				return err
			}
			day, err := feed.Day(stamp)
			if err != nil {
				return err
			}
			origin.Dated = day
			put.Dated(day)
			return nil
		case "vulnerabilities":
			found = true
			return d.Array(func(raw json.RawMessage, at int64) error {
				records++
				return one(raw, at, origin, put)
			})
		}
		return d.Skip()
	})
	if err != nil {
		return "", err
	}
	switch {
	case format != "NVD_CVE" || !found || !strings.HasPrefix(version, "2."):
		return "", d.Fail(fmt.Errorf("this is no NVD JSON 2.0 document: format %q, version %q", format, version))
	case records < declared:
		return "", d.Fail(fmt.Errorf("the document declares %d records and holds %d", declared, records))
	}
	if from == "" {
		return feed.Cursor(stamp), d.End()
	}
	next, err := answered(from, origin.Dated, start, total, records)
	if err != nil {
		return "", d.Fail(err)
	}
	return next, d.End()
}

type entry struct {
	CVE struct {
		ID        string `json:"id"`
		Published string `json:"published"`
		Modified  string `json:"lastModified"`
		Status    string `json:"vulnStatus"`
		Tags      []struct {
			Tags []string `json:"tags"`
		} `json:"cveTags"`
		Descriptions []text `json:"descriptions"`
		Metrics      struct {
			V40 []metric `json:"cvssMetricV40"`
			V31 []metric `json:"cvssMetricV31"`
			V30 []metric `json:"cvssMetricV30"`
			V2  []metric `json:"cvssMetricV2"`
		} `json:"metrics"`
		Weaknesses []struct {
			Description []text `json:"description"`
		} `json:"weaknesses"`
		Configurations []feed.NVDConfiguration `json:"configurations"`
		References     []struct {
			URL string `json:"url"`
		} `json:"references"`
	} `json:"cve"`
}

type text struct {
	Lang  string `json:"lang"`
	Value string `json:"value"`
}

type metric struct {
	Source string `json:"source"`
	Data   struct {
		Version string  `json:"version"`
		Vector  string  `json:"vectorString"`
		Base    float64 `json:"baseScore"`
	} `json:"cvssData"`
}

// one delivers one record or refuses it. The error is the sink's.
func one(raw json.RawMessage, at int64, origin firmward.Origins, put feed.Sink) error {
	var e entry
	a := firmward.Advisory{Source: "nvd", Origin: origin}
	err := json.Unmarshal(raw, &e)
	if err == nil {
		err = fill(&a, e)
	}
	if err == nil {
		err = feed.Finish(&a, put)
	}
	if err != nil {
		where := e.CVE.ID
		if where == "" {
			where = "record ending at byte " + strconv.FormatInt(at, 10)
		}
		put.Refuse(where, err.Error())
		return nil
	}
	return put.Advisory(a)
}

func fill(a *firmward.Advisory, e entry) error {
	c := e.CVE
	a.ID = c.ID
	a.Rejected = c.Status == "Rejected"
	description := ""
	for _, t := range c.Descriptions {
		if t.Lang == "en" {
			description = t.Value
			break
		}
	}
	a.Title = feed.Clip(description)
	a.NoFix = feed.Unsupported(description)
	for _, t := range c.Tags {
		a.NoFix = a.NoFix || slices.Contains(t.Tags, "unsupported-when-assigned")
	}
	var err error
	if a.Published, err = feed.Day(c.Published); err != nil {
		return err
	}
	if a.Modified, err = feed.Day(c.Modified); err != nil {
		a.Modified = time.Time{}
	}
	for _, group := range [][]metric{c.Metrics.V40, c.Metrics.V31, c.Metrics.V30, c.Metrics.V2} {
		for _, m := range group {
			if m.Data.Vector != "" && m.Data.Base >= 0 && m.Data.Base <= 10 {
				a.Scores = append(a.Scores, firmward.Score{Version: m.Data.Version, Vector: m.Data.Vector, Base: m.Data.Base, Source: m.Source})
			}
		}
	}
	for _, w := range c.Weaknesses {
		for _, t := range w.Description {
			if strings.HasPrefix(t.Value, "CWE-") && !slices.Contains(a.Weakness, t.Value) {
				a.Weakness = append(a.Weakness, t.Value)
			}
		}
	}
	for _, r := range c.References {
		a.References = append(a.References, r.URL)
	}
	for _, conf := range c.Configurations {
		a.Configurations = append(a.Configurations, conf.Configuration())
	}
	return nil
}
