package csaf

import (
	"fmt"
	"slices"
	"strings"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/feed"
)

// The bounds of what is kept of one vulnerability's words.
const (
	maxScores = 20
	maxLinks  = 50
)

// words takes the title, weaknesses, references and scores.
func (r *reader) words(a *firmward.Advisory, in vulnerability, where string) {
	about := ""
	for _, want := range []string{"description", "summary"} {
		for _, n := range in.Notes {
			if about == "" && n.Category == want {
				about = n.Text
			}
		}
	}
	for _, s := range []string{about, in.Title, r.doc.Title, a.ID} {
		if a.Title = feed.Clip(s); a.Title != "" {
			break
		}
	}
	for _, w := range append(in.CWEs, in.CWE) {
		if strings.HasPrefix(w.ID, "CWE-") && len(w.ID) < 20 && !slices.Contains(a.Weakness, w.ID) {
			a.Weakness = append(a.Weakness, w.ID)
		}
	}
	a.References = r.links(in)
	all := in.Scores
	for _, m := range in.Metrics {
		all = append(all, m.Content)
	}
	for _, s := range all {
		r.score(a, s, where)
	}
}

// links are the label that bounds who may read it, the document itself, its fixes, then all else.
func (r *reader) links(in vulnerability) []string {
	var own, fixes, other []string
	if l := r.doc.Distribution.TLP.Label; l != "" && l != "WHITE" && l != "CLEAR" {
		own = append(own, "TLP:"+feed.Clip(l))
	}
	for _, ref := range r.doc.References {
		if ref.Category == "self" {
			own = append(own, ref.URL)
		} else {
			other = append(other, ref.URL)
		}
	}
	for _, m := range in.Remediations {
		if m.Category == "vendor_fix" {
			fixes = append(fixes, m.URL)
		}
	}
	for _, ref := range in.References {
		other = append(other, ref.URL)
	}
	all := slices.DeleteFunc(feed.Unique(slices.Concat(own, fixes, other)), func(url string) bool { return url == "" })
	return all[:min(len(all), maxLinks)]
}

// score takes what is a score, and refuses what is none.
func (r *reader) score(a *firmward.Advisory, s score, where string) {
	for i, m := range []*metric{s.V4, s.V3, s.V2} {
		if m == nil {
			continue
		}
		family := [...]string{"4.", "3.", "2."}[i]
		prefixed := family == "2." || strings.HasPrefix(m.Vector, "CVSS:"+m.Version+"/")
		if m.Vector == "" || m.Base < 0 || m.Base > 10 || !strings.HasPrefix(m.Version, family) || !prefixed {
			r.put.Refuse(where+" score", fmt.Sprintf("%q with %v is no CVSS %q score", feed.Clip(m.Vector), m.Base, m.Version))
			continue
		}
		out := firmward.Score{Version: m.Version, Vector: m.Vector, Base: m.Base, Source: r.doc.Publisher.Name}
		if len(a.Scores) < maxScores && !slices.Contains(a.Scores, out) {
			a.Scores = append(a.Scores, out)
		}
	}
}
