package cve5

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/feed"
)

// points are the decision points that are kept, with the values that they can have. Authorities write them with
// capitals now and then ("Total", "PoC"), and CERT/CC's tables say "public poc".
var points = map[string][]string{
	"exploitation":     {"none", "poc", "active"},
	"automatable":      {"no", "yes"},
	"technical impact": {"partial", "total"},
}

// ssvc takes what an authority decided. Of two decisions the later one holds. A value that is none of its point's is
// refused alone.
func (r *reader) ssvc(source string, raw json.RawMessage) {
	refuse := func(why string) { r.put.Refuse(r.advisory.ID+" SSVC", why) }
	var in struct {
		Timestamp string              `json:"timestamp"`
		Options   []map[string]string `json:"options"`
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		refuse(err.Error())
		return
	}
	out := firmward.SSVC{Source: source}
	if in.Timestamp != "" {
		day, err := feed.Day(in.Timestamp)
		if err != nil {
			refuse(err.Error())
		}
		out.Dated = day
	}
	for _, option := range in.Options {
		for name, value := range option {
			name, value := strings.ToLower(name), strings.TrimPrefix(strings.ToLower(strings.TrimSpace(value)), "public ")
			known, ours := points[name]
			switch {
			case !ours: // a point of the coordinator's own tree
			case !slices.Contains(known, value):
				refuse(fmt.Sprintf("%q is no value of %s: want one of %s", feed.Clip(value), name, strings.Join(known, ", ")))
			case name == "exploitation":
				out.Exploitation = value
			case name == "automatable":
				out.Automatable = value
			default:
				out.TechnicalImpact = value
			}
		}
	}
	if out.Exploitation+out.Automatable+out.TechnicalImpact == "" {
		return
	}
	if have := r.advisory.SSVC; have == nil || out.Dated.After(have.Dated) {
		r.advisory.SSVC = &out
	}
}
