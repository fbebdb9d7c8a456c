package feed

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/cpe"
	"github.com/firmward/firmward/priority"
)

// The bounds of what is kept of one record.
const (
	maxTitle      = 600 // bytes
	maxReferences = 20
)

// CVE reports whether id has the form CVE-year-number.
func CVE(id string) bool {
	rest, ok := strings.CutPrefix(id, "CVE-")
	if !ok || len(rest) < 9 || len(rest) > 24 || rest[4] != '-' {
		return false
	}
	for i := range len(rest) {
		if i != 4 && (rest[i] < '0' || rest[i] > '9') {
			return false
		}
	}
	return true
}

// Clip shortens a description to what a list can show: one line, at a word, in valid UTF-8.
func Clip(text string) string {
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "")), " ")
	if len(text) <= maxTitle {
		return text
	}
	cut := text[:maxTitle]
	for !utf8.ValidString(cut) {
		cut = cut[:len(cut)-1]
	}
	if i := strings.LastIndexByte(cut, ' '); i > maxTitle/2 {
		cut = cut[:i]
	}
	return cut + " …"
}

// Unsupported reports whether a CVE description carries the mark that its authority sets when the
// product was out of support already: nobody will mend it.
func Unsupported(description string) bool {
	head := description[:min(len(description), 64)]
	return strings.Contains(strings.ToUpper(head), "UNSUPPORTED WHEN ASSIGNED")
}

// Day reads a date or a time as feeds write them: RFC 3339, without a zone (UTC), or a day.
func Day(s string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05Z0700", time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no date", s)
}

// Future reports whether a document's day lies more than two days ahead of the clock, which covers zones and clocks that run
// fast: such a record would keep every later form of itself out. Without a clock (zero now) nothing lies ahead.
func Future(day, now time.Time) bool {
	return !now.IsZero() && day.After(now.Add(48*time.Hour))
}

// ownIDs are the sources, up to the ":", whose records may have an id of the source's own instead of a CVE id.
var ownIDs = []string{"csaf", "vex", "fda"}

// ownID reports whether id can stand for a record that has no CVE id: short, without space, of printable ASCII.
func ownID(id string) bool {
	for i := range len(id) {
		if id[i] <= ' ' || id[i] >= 0x7f {
			return false
		}
	}
	return id != "" && len(id) <= 100 && !strings.HasPrefix(strings.ToUpper(id), "CVE-")
}

// Finish bounds an advisory and checks its parts. Criteria that are no CPE names are refused one by
// one and stay in the record, where they count as unknown; CVSS scores are worked out anew, and one whose vector cannot be
// read is refused and taken out (priority.CheckScore); a record that says nothing usable is an error.
func Finish(a *firmward.Advisory, put Sink) error {
	base, _, _ := strings.Cut(a.Source, ":")
	switch own := slices.Contains(ownIDs, base); {
	case !own && !CVE(a.ID):
		return fmt.Errorf("%q is no CVE id", a.ID)
	case own && !CVE(a.ID) && !ownID(a.ID):
		return fmt.Errorf("%q is neither a CVE id nor an id of its source", a.ID)
	}
	if a.Published.IsZero() && base != "overrides" { // they speak of a vulnerability, whose day others give
		return errors.New("the record has no date of publication")
	}
	if len(a.References) > maxReferences {
		a.References = a.References[:maxReferences]
	}
	kept := a.Scores[:0]
	for _, s := range a.Scores {
		s, err := priority.CheckScore(s)
		if err != nil {
			put.Refuse(a.ID+" score", err.Error())
			continue
		}
		kept = append(kept, s)
	}
	a.Scores = kept
	for i := range a.Configurations {
		check(a.ID, a.Configurations[i].Nodes, put)
	}
	for _, s := range a.Statements {
		if _, err := cpe.Parse(s.Match.Criteria); err != nil {
			put.Refuse(a.ID+" statement", err.Error())
		}
	}
	return nil
}

func check(id string, nodes []firmward.Node, put Sink) {
	for _, n := range nodes {
		for _, m := range n.Matches {
			if _, err := cpe.Parse(m.Criteria); err != nil {
				put.Refuse(id+" criterion", err.Error())
			}
		}
		check(id, n.Children, put)
	}
}

// NVDConfiguration is one configuration as NVD JSON 2.0 writes it; cpeApplicability of CVE JSON 5 has
// the same shape.
type NVDConfiguration struct {
	Operator string `json:"operator"`
	Negate   bool   `json:"negate"`
	Nodes    []struct {
		Operator string `json:"operator"`
		Negate   bool   `json:"negate"`
		Matches  []struct {
			Vulnerable bool   `json:"vulnerable"`
			Criteria   string `json:"criteria"`
			StartIncl  string `json:"versionStartIncluding"`
			StartExcl  string `json:"versionStartExcluding"`
			EndIncl    string `json:"versionEndIncluding"`
			EndExcl    string `json:"versionEndExcluding"`
		} `json:"cpeMatch"`
	} `json:"nodes"`
}

// Bound is the bound of a range as NVD writes it, without the escapes of a CPE name that NVD leaves in some: "2.50\(aazi.0\)c0".
func Bound(s string) string { return cpe.Attr(s).Text() }

// Configuration gives it in firmward's type, every field as it stands.
func (c NVDConfiguration) Configuration() firmward.Configuration {
	out := firmward.Configuration{Operator: c.Operator, Negate: c.Negate}
	for _, n := range c.Nodes {
		node := firmward.Node{Operator: n.Operator, Negate: n.Negate}
		for _, m := range n.Matches {
			node.Matches = append(node.Matches, firmward.CPEMatch{
				Vulnerable: m.Vulnerable, Criteria: m.Criteria,
				VersionStartIncluding: Bound(m.StartIncl), VersionStartExcluding: Bound(m.StartExcl),
				VersionEndIncluding: Bound(m.EndIncl), VersionEndExcluding: Bound(m.EndExcl),
			})
		}
		out.Nodes = append(out.Nodes, node)
	}
	return out
}
