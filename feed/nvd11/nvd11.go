// Package nvd11 reads the yearly NVD JSON 1.1 documents. NVD stopped serving them in December 2023;
// mirrors and archives still do.
package nvd11

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
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
		Name: "nvd", Title: "NVD, JSON 1.1 (archived years)", Kind: "advisories", Gives: "products by CPE, scores",
		Licence: "US-government public domain; NIST asks for attribution", Home: "nvd.nist.gov",
		Period: 0, StaleAfter: 0, // an archive does not grow old
	}
}

// Detect looks for the format's own member names.
func (Source) Detect(head []byte, _ string) bool {
	return bytes.Contains(head, []byte(`"CVE_data_type"`)) && bytes.Contains(head, []byte(`"CVE_Items"`))
}

type frame struct {
	format, version string
	declared        int
	items           bool
	records         int
}

// Sync reads one document. The cursor is the document's time stamp.
func (Source) Sync(ctx context.Context, _ feed.Cursor, in feed.Input, put feed.Sink) (feed.Cursor, error) {
	put = put.Complete()
	d := feed.NewDecoder(ctx, in)
	var f frame
	origin := firmward.Origins{Feed: "nvd", Document: in.Document, Imported: in.Now}
	stamp := ""
	err := d.Object(func(name string) error {
		var text string
		switch name {
		case "CVE_data_format", "CVE_data_version", "CVE_data_numberOfCVEs", "CVE_data_timestamp":
			if err := d.Value(&text); err != nil {
				return err
			}
		}
		switch name {
		case "CVE_data_format":
			f.format = text
		case "CVE_data_version":
			f.version = text
		case "CVE_data_numberOfCVEs":
			n, err := strconv.Atoi(text)
			if err != nil || n < 0 {
				return fmt.Errorf("CVE_data_numberOfCVEs is %q", text)
			}
			f.declared = n
		case "CVE_data_timestamp":
			day, err := feed.Day(text)
			if err != nil {
				return err
			}
			origin.Dated, stamp = day, text
			put.Dated(day)
		case "CVE_Items":
			f.items = true
			return d.Array(func(raw json.RawMessage, at int64) error {
				f.records++
				return one(raw, at, origin, put)
			})
		default:
			return d.Skip()
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	switch {
	case !f.items || f.format != "MITRE":
		return "", d.Fail(fmt.Errorf("this is no NVD JSON 1.1 document: CVE_Items or the format MITRE is missing"))
	case f.records < f.declared:
		return "", d.Fail(fmt.Errorf("the document declares %d records and holds %d", f.declared, f.records))
	}
	return feed.Cursor(stamp), d.End()
}

type item struct {
	CVE struct {
		Meta struct {
			ID string `json:"ID"`
		} `json:"CVE_data_meta"`
		Problem struct {
			Data []struct {
				Description []text `json:"description"`
			} `json:"problemtype_data"`
		} `json:"problemtype"`
		References struct {
			Data []struct {
				URL string `json:"url"`
			} `json:"reference_data"`
		} `json:"references"`
		Description struct {
			Data []text `json:"description_data"`
		} `json:"description"`
	} `json:"cve"`
	Configurations struct {
		Nodes []node `json:"nodes"`
	} `json:"configurations"`
	Impact struct {
		V3 struct {
			CVSS cvss `json:"cvssV3"`
		} `json:"baseMetricV3"`
		V2 struct {
			CVSS cvss `json:"cvssV2"`
		} `json:"baseMetricV2"`
	} `json:"impact"`
	Published string `json:"publishedDate"`
	Modified  string `json:"lastModifiedDate"`
}

type text struct {
	Lang  string `json:"lang"`
	Value string `json:"value"`
}

type cvss struct {
	Version string  `json:"version"`
	Vector  string  `json:"vectorString"`
	Base    float64 `json:"baseScore"`
}

type node struct {
	Operator string  `json:"operator"`
	Negate   bool    `json:"negate"`
	Children []node  `json:"children"`
	Matches  []match `json:"cpe_match"`
}

type match struct {
	Vulnerable bool   `json:"vulnerable"`
	Criteria   string `json:"cpe23Uri"`
	StartIncl  string `json:"versionStartIncluding"`
	StartExcl  string `json:"versionStartExcluding"`
	EndIncl    string `json:"versionEndIncluding"`
	EndExcl    string `json:"versionEndExcluding"`
}

// one delivers one record or refuses it. The error is the sink's.
func one(raw json.RawMessage, at int64, origin firmward.Origins, put feed.Sink) error {
	var it item
	a := firmward.Advisory{Source: "nvd", Origin: origin}
	err := json.Unmarshal(raw, &it)
	if err == nil {
		err = fill(&a, it)
	}
	if err == nil {
		err = feed.Finish(&a, put)
	}
	if err != nil {
		where := it.CVE.Meta.ID
		if where == "" {
			where = "record ending at byte " + strconv.FormatInt(at, 10)
		}
		put.Refuse(where, err.Error())
		return nil
	}
	return put.Advisory(a)
}

func fill(a *firmward.Advisory, it item) error {
	a.ID = it.CVE.Meta.ID
	description := ""
	for _, t := range it.CVE.Description.Data {
		if t.Lang == "en" {
			description = t.Value
			break
		}
	}
	a.Title = feed.Clip(description)
	a.Rejected = strings.HasPrefix(description, "** REJECT **") || strings.HasPrefix(description, "Rejected reason:")
	a.NoFix = feed.Unsupported(description)
	var err error
	if a.Published, err = feed.Day(it.Published); err != nil {
		return err
	}
	if a.Modified, err = feed.Day(it.Modified); err != nil {
		a.Modified = time.Time{}
	}
	for _, c := range []cvss{it.Impact.V3.CVSS, it.Impact.V2.CVSS} {
		if c.Vector != "" && c.Base >= 0 && c.Base <= 10 {
			a.Scores = append(a.Scores, firmward.Score{Version: c.Version, Vector: c.Vector, Base: c.Base, Source: "NVD"})
		}
	}
	for _, p := range it.CVE.Problem.Data {
		for _, t := range p.Description {
			if strings.HasPrefix(t.Value, "CWE-") {
				a.Weakness = append(a.Weakness, t.Value)
			}
		}
	}
	for _, r := range it.CVE.References.Data {
		a.References = append(a.References, r.URL)
	}
	if len(it.Configurations.Nodes) > 0 {
		a.Configurations = []firmward.Configuration{{Operator: "OR", Nodes: nodes(it.Configurations.Nodes)}}
	}
	return nil
}

func nodes(in []node) []firmward.Node {
	out := make([]firmward.Node, len(in))
	for i, n := range in {
		out[i] = firmward.Node{Operator: n.Operator, Negate: n.Negate}
		if len(n.Children) > 0 {
			out[i].Children = nodes(n.Children)
		}
		for _, m := range n.Matches {
			out[i].Matches = append(out[i].Matches, firmward.CPEMatch{
				Vulnerable: m.Vulnerable, Criteria: m.Criteria,
				VersionStartIncluding: feed.Bound(m.StartIncl), VersionStartExcluding: feed.Bound(m.StartExcl),
				VersionEndIncluding: feed.Bound(m.EndIncl), VersionEndExcluding: feed.Bound(m.EndExcl),
			})
		}
	}
	return out
}
