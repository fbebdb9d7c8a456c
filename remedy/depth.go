package remedy

import (
	"fmt"
	"strings"
	"time"

	"github.com/firmward/firmward"
)

// Depth says in one line how deep the knowledge of vulnerabilities is, so that a short list is never
// taken for safety.
func Depth(feeds []firmward.FeedStatus) string {
	advisories, deep, exploited := 0, false, false
	var stale []string
	dated := map[string]time.Time{}
	for _, s := range feeds {
		switch s.Kind {
		case "advisories", "starter":
			advisories += s.Records
			deep = deep || s.Kind == "advisories" && s.Records > 0
		case "exploited":
			exploited = exploited || s.Records > 0
		case "likelihood":
		default:
			continue
		}
		if s.Stale {
			stale = append(stale, s.Name)
		}
		if s.Dated.After(dated[s.Kind]) {
			dated[s.Kind] = s.Dated
		}
	}
	switch {
	case advisories == 0:
		return "no vulnerability knowledge at all: nothing here says that anything is safe"
	case !deep:
		return fmt.Sprintf("starter set only: %d facts, dated %s; import feeds before you trust a short list", advisories, day(dated["starter"]))
	}
	text := fmt.Sprintf("%d advisories, newest dated %s", advisories, day(dated["advisories"]))
	if dated["advisories"].IsZero() {
		text = fmt.Sprintf("%d advisories, nobody knows of when: newer vulnerabilities may be missing", advisories)
	}
	if len(stale) > 0 {
		text += "; stale, so newer facts are missing: " + strings.Join(stale, ", ")
	}
	if !exploited {
		text += "; no list of exploited ones (KEV) was imported"
	}
	return text
}
