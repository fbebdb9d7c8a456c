package nvd20

import (
	"testing"
	"time"

	"github.com/firmward/firmward/feed"
)

// TestAnswered: where a page leads to.
func TestAnswered(t *testing.T) {
	stamp := time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)
	const span = "page 2026-11-01T00:00:00Z 2026-11-25T09:00:00Z "
	for _, c := range []struct {
		what, from            string
		start, total, records int
		want                  string // empty: an error
	}{
		{"the first year", "fill 2002 0001-01-01T00:00:00Z", 0, 1, 1, "fill 2003 2026-11-24T08:00:00Z"},
		{"an older year", "fill 2003 2026-11-24T09:00:00Z", 0, 1, 1, "fill 2004 2026-11-24T08:00:00Z"},
		{"a newer year", "fill 2004 2026-11-24T07:00:00Z", 0, 1, 1, "fill 2005 2026-11-24T07:00:00Z"},
		{"modified", "since 2026-11-23T08:00:00Z", 0, 1, 1, "since 2026-11-24T08:00:00Z"},
		{"modified, not newer", "since 2026-11-25T08:00:00Z", 0, 1, 1, "since 2026-11-25T08:00:00Z"},
		{"the first page", span + "0 -1", 0, 4500, 2000, span + "2000 4500"},
		{"the only page", span + "0 -1", 0, 7, 7, "since 2026-11-25T09:00:00Z"},
		{"no change at all", span + "0 -1", 0, 0, 0, "since 2026-11-25T09:00:00Z"},
		{"the last page", span + "4000 4500", 4000, 4500, 500, "since 2026-11-25T09:00:00Z"},
		{"records left the window", span + "2000 4500", 2000, 4497, 2000, span + "1997 4497"},
		{"they left it on the last page", span + "4000 4500", 4000, 4499, 499, span + "3999 4499"},
		{"all left it", span + "4000 4500", 4000, 3000, 0, span + "2500 3000"},
		{"another page", span + "2000 4500", 0, 4500, 2000, ""},
		{"an empty page", span + "2000 4500", 2000, 4500, 0, ""},
		{"a broken cursor", "page 1 2", 0, 1, 1, ""},
		{"another one", "2026-11-24T08:00:00.000", 0, 1, 1, ""},
	} {
		got, err := answered(feed.Cursor(c.from), stamp, c.start, c.total, c.records)
		if string(got) != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s: %q, %v", c.what, got, err)
		}
	}
}

// TestNextEnds: whatever the cursor, a server that answers well is read to its end in a bounded number of requests.
func TestNextEnds(t *testing.T) {
	now := time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)
	for _, from := range []feed.Cursor{"", "since 2015-01-01T00:00:00Z", "since 2026-11-25T09:00:00Z", "since 2030-01-01T00:00:00Z", "page 2026-11-01T00:00:00Z 2026-11-02T00:00:00Z 0 -1"} {
		for _, urls := range [][]string{{filesURL, apiURL}, {filesURL}} {
			b, err := Source{}.Next(feed.Fetching{At: from, URLs: urls, Now: now})
			n := 0
			for ; err == nil && len(b.Requests) > 0 && n < 200; n++ {
				var at feed.Cursor
				if at, err = answered(b.At, now.Add(-time.Hour), 0, 3, 3); err == nil {
					b, err = Source{}.Next(feed.Fetching{At: at, URLs: urls, Now: now, Before: &b})
				}
			}
			if err != nil || n == 200 {
				t.Errorf("from %q: %d requests, %v", from, n, err)
			}
		}
	}
}
