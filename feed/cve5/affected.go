package cve5

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/cpe"
	"github.com/firmward/firmward/feed"
	"github.com/firmward/firmward/version"
)

// The bounds of what is read of one record.
const (
	maxMatches = 20_000 // products times versions, and statements on versions; the largest real record has some 1,000
	maxFixes   = 500
)

type affected struct {
	Vendor   string    `json:"vendor"`
	Product  string    `json:"product"`
	CPEs     []string  `json:"cpes"`
	Default  string    `json:"defaultStatus"`
	Versions []release `json:"versions"`
}

// release is one statement on versions: one of them, or those from Version to a bound.
type release struct {
	Version string   `json:"version"`
	Status  string   `json:"status"`
	Type    string   `json:"versionType"`
	Below   string   `json:"lessThan"`
	Through string   `json:"lessThanOrEqual"`
	Changes []change `json:"changes"`
}

// change is a turn of the status inside a range.
type change struct {
	At     string `json:"at"`
	Status string `json:"status"`
}

const (
	isAffected   = "affected"
	isUnaffected = "unaffected"
)

// statement is what an entry says of the versions of its products.
type statement struct {
	pieces []feed.Versions
	fixes  []string
}

// read works out which versions of an entry are affected. No pieces: none is.
func (e affected) read(a firmward.Advisory) statement {
	var s statement
	bounded, silent, sparing, spared := false, false, false, ""
	for _, v := range e.Versions {
		span, ok := e.span(v, a)
		switch v.Status {
		case isAffected:
			if !ok {
				s.pieces = append(s.pieces, feed.Versions{Vague: true})
				if fix, known := e.one(v.Below); known && !reportDay(fix, a.Published) {
					s.fixes = append(s.fixes, fix) // where the range starts cannot be read, its end can
				}
				continue
			}
			_, single := span.One()
			bounded = bounded || !single
			s.turns(span, v.Changes, true)
		case isUnaffected:
			sparing = true
			if !ok {
				continue
			}
			s.turns(span, v.Changes, false)
			if span.From != "" && !span.After && len(v.Changes) == 0 {
				s.fixes = append(s.fixes, span.From)
				spared = later(spared, span.From)
			}
			silent = silent || span == version.Range{}
		default:
			s.pieces = append(s.pieces, feed.Versions{Vague: true})
		}
	}
	switch stated := len(s.pieces) > 0; {
	case silent && !stated: // "unaffected: all"
	case e.Default == isAffected && !bounded: // all, or all before the last that is spared
		s.pieces = append(s.pieces, feed.Versions{Range: version.Range{To: spared, Exclude: spared != ""}, Vague: sparing && spared == ""})
	case e.Default == isAffected, e.Default != isUnaffected && !bounded:
		s.pieces = append(s.pieces, feed.Versions{Vague: true}) // nothing, or nothing certain, is said of the others
	}
	s.pieces = feed.Unique(s.pieces)
	s.fixes = feed.Unique(s.fixes)
	return s
}

// turns adds the affected parts of a range, whose status its changes turn. Each turn to unaffected is
// a fix.
func (s *statement) turns(span version.Range, changes []change, hit bool) {
	for _, c := range changes {
		at, ok := bound(c.At)
		turned := c.Status == isAffected
		if !ok || turned == hit {
			continue
		}
		if hit {
			s.pieces = append(s.pieces, feed.Versions{Range: version.Range{From: span.From, After: span.After, To: at, Exclude: true}})
			s.fixes = append(s.fixes, at)
		}
		span.From, span.After, hit = at, false, turned
	}
	if hit {
		s.pieces = append(s.pieces, feed.Versions{Range: span})
	}
}

// span reads one statement on versions. It reports false for what says nothing of any version.
func (e affected) span(v release, a firmward.Advisory) (version.Range, bool) {
	if v.Below == "" && v.Through == "" {
		r, ok := version.ParseRange(e.plain(v.Version))
		one, single := r.One()
		return r, ok && !(single && (zero(one) || reportDay(one, a.Published)))
	}
	r := version.Range{Exclude: v.Below != ""}
	end := v.Below
	if end == "" {
		end = v.Through
	}
	ok := true
	if end == "*" {
		r.Exclude = false
	} else if r.To, ok = e.one(end); !ok {
		return version.Range{}, false
	}
	late := reportDay(r.To, a.Published)
	if late { // all that there was then: without a fix that is all
		r.To, r.Exclude = "", false
	}
	if start := strings.TrimRight(e.plain(v.Version), ".*xX"); !open(start) {
		if r.From, ok = e.one(start); !ok {
			return version.Range{}, false
		}
	}
	empty := r.Exclude && r.From != "" && r.From == r.To // "from 1.2 and before 1.2"
	return r, !empty && (!late || a.NoFix)
}

// one reads text as a single version; a bound may repeat the sign that it stands for ("<= 8.11").
func (e affected) one(text string) (string, bool) {
	return bound(strings.TrimLeft(e.plain(text), "<= "))
}

func bound(text string) (string, bool) {
	r, ok := version.ParseRange(text)
	one, single := r.One()
	return one, ok && single
}

// plain drops the product's own name before a version.
func (e affected) plain(text string) string { return feed.Plain(e.Product, text) }

// open reports whether the start of a range means "from the first one".
func open(start string) bool {
	switch strings.ToLower(start) {
	case "", "-", "n/a", "unspecified", "unknown", "all", "all versions":
		return true
	}
	return zero(start)
}

func zero(v string) bool { return v != "" && strings.Trim(v, "0.") == "" }

// reportDay reports whether a version is the day of the report: an aggregator writes "20240403" where
// it knows no version and means what was current then.
func reportDay(v string, published time.Time) bool {
	day, err := time.Parse("20060102", v)
	return err == nil && day.After(published.AddDate(0, -4, 0)) && day.Before(published.AddDate(0, 0, 3))
}

// later gives the newer of two versions, or none when they do not compare.
func later(a, b string) string {
	switch o, _ := version.Compare(version.Guess(a, b), a, b); {
	case a == "" || o == version.Less:
		return b
	case o == version.Incomparable:
		return ""
	}
	return a
}

var errTooMany = fmt.Errorf("it names more than %d products and versions", maxMatches)

// size counts what has to be read.
func (e affected) size() int {
	n := len(e.CPEs) + len(e.Versions)
	for _, v := range e.Versions {
		n += len(v.Changes)
	}
	return n
}

// products fills the configurations. What cpeApplicability says of a product counts before affected[],
// and a CPE name counts before words.
func (r *reader) products() error {
	all := r.containers()
	named := map[cpe.Key]bool{}
	for _, c := range all {
		for _, a := range c.Applicability {
			conf := a.Configuration()
			r.advisory.Configurations = append(r.advisory.Configurations, conf)
			for _, n := range conf.Nodes {
				mark(named, n.Matches)
			}
		}
	}
	entries, total := map[cpe.Key]bool{}, 0
	for _, words := range []bool{false, true} {
		for _, c := range all {
			for _, e := range c.Affected {
				if words != (len(e.CPEs) == 0) {
					continue
				}
				if total += e.size(); total > maxMatches {
					return errTooMany
				}
				s := e.read(r.advisory)
				names := e.names(r.put, r.advisory.ID)
				names = slices.DeleteFunc(names, func(n feed.Product) bool { return named[n.Key()] })
				matches := s.matches(names)
				if total += len(matches); total > maxMatches {
					return errTooMany
				}
				r.fix(names, s.fixes)
				if len(matches) == 0 {
					continue
				}
				mark(entries, matches)
				r.advisory.Configurations = append(r.advisory.Configurations, firmward.Configuration{
					Operator: "OR", Nodes: []firmward.Node{{Operator: "OR", Matches: matches}},
				})
			}
		}
		for k := range entries {
			named[k] = true
		}
	}
	return nil
}

// fix keeps the versions from which on a product is repaired.
func (r *reader) fix(names []feed.Product, fixes []string) {
	for _, n := range names {
		for _, v := range fixes {
			f := firmward.Fix{Vendor: n.Name.Vendor.Text(), Product: n.Name.Product.Text(), Version: v}
			if !slices.Contains(r.advisory.Fixes, f) && len(r.advisory.Fixes) < maxFixes {
				r.advisory.Fixes = append(r.advisory.Fixes, f)
			}
		}
	}
}

// matches joins the products of an entry with its affected versions.
func (s statement) matches(names []feed.Product) []firmward.CPEMatch {
	if len(names)*len(s.pieces) > maxMatches {
		return make([]firmward.CPEMatch, maxMatches+1) // refused by the caller
	}
	var out []firmward.CPEMatch
	for _, n := range names {
		for _, p := range s.pieces {
			out = append(out, n.Match(p))
		}
	}
	return feed.Unique(out)
}
