package feed_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/feed"
)

var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

func TestAgain(t *testing.T) {
	for tries, want := range map[int]time.Duration{1: 2 * time.Second, 2: 4 * time.Second, 5: 32 * time.Second, 1000: 128 * time.Second} {
		if least, most := feed.Again(tries, 0), feed.Again(tries, 1); least != want/2 || most != want {
			t.Errorf("try %d: %s to %s", tries, least, most)
		}
	}
	for header, want := range map[string]time.Duration{
		"": 0, "40": 40 * time.Second, " 5 ": 5 * time.Second, "-1": 0, "soon": 0, "99999999": 7 * 24 * time.Hour,
		noon.Add(time.Hour).Format(http.TimeFormat): time.Hour, noon.Add(-time.Hour).Format(http.TimeFormat): 0, noon.AddDate(9, 0, 0).Format(http.TimeFormat): 7 * 24 * time.Hour,
	} {
		if got := feed.RetryAfter(header, noon); got != want {
			t.Errorf("Retry-After %q: %s", header, got)
		}
	}
	for status, want := range map[int]bool{403: true, 429: true, 500: true, 503: true, 404: false, 401: false, 501: false} {
		if feed.Transient(status) != want {
			t.Errorf("status %d", status)
		}
	}
}

func TestDue(t *testing.T) {
	i := feed.Info{Period: 12 * time.Hour}
	for failures, want := range map[int]time.Duration{0: 12 * time.Hour, 1: 5 * time.Minute, 2: 10 * time.Minute, 7: 320 * time.Minute, 8: 640 * time.Minute, 9: 12 * time.Hour, 1000: 12 * time.Hour} {
		if least, most := i.Due(failures, noon, 0).Sub(noon), i.Due(failures, noon, 1).Sub(noon); least != want || most != want+want/10 {
			t.Errorf("after %d failures: %s to %s", failures, least, most)
		}
	}
	if got := (feed.Info{}).Due(0, noon, 0).Sub(noon); got != 24*time.Hour {
		t.Errorf("without a period: %s", got)
	}
}

// TestTrouble: what is old, what fails and what comes from a server that died is never without a word.
func TestTrouble(t *testing.T) {
	const day = 24 * time.Hour
	i := feed.Info{Period: 12 * time.Hour, StaleAfter: 4 * day, Quiet: 14 * day}
	ago := func(d time.Duration) time.Time { return noon.Add(-d) }
	followed := func(good time.Duration, failures int) *firmward.FeedFetch {
		return &firmward.FeedFetch{Follow: true, Good: ago(good), Since: ago(90 * day), Failures: failures, LastError: "x answers with HTTP status 500"}
	}
	for what, c := range map[string]struct {
		s     firmward.FeedStatus
		why   string // part of it; empty: none
		alarm bool
	}{
		"by hand, new":                     {firmward.FeedStatus{Dated: ago(day)}, "", false},
		"by hand, old":                     {firmward.FeedStatus{Dated: ago(5 * day)}, "stale", false},
		"followed, new":                    {firmward.FeedStatus{Dated: ago(day), Fetch: followed(time.Hour, 0)}, "", false},
		"followed, a quiet week":           {firmward.FeedStatus{Dated: ago(7 * day), Fetch: followed(time.Hour, 0)}, "", false},
		"followed, a dead mirror":          {firmward.FeedStatus{Dated: ago(15 * day), Fetch: followed(time.Hour, 0)}, "may be dead", true},
		"followed, the server was off":     {firmward.FeedStatus{Dated: ago(7 * day), Fetch: followed(5*day, 0)}, "newer facts are missing", true},
		"failed once":                      {firmward.FeedStatus{Dated: ago(day), Fetch: followed(time.Hour, 1)}, "fetching failed: x", false},
		"fails for two days":               {firmward.FeedStatus{Dated: ago(day), Fetch: followed(2*day, 9)}, "9 times in a row", true},
		"failed from the first day on":     {firmward.FeedStatus{Fetch: &firmward.FeedFetch{Follow: true, Since: ago(2 * day), Failures: 9}}, "9 times", true},
		"just begun, failed":               {firmward.FeedStatus{Fetch: &firmward.FeedFetch{Follow: true, Since: ago(time.Hour), Failures: 3}}, "3 times", false},
		"failed by hand, then imported":    {firmward.FeedStatus{Dated: ago(day), Imported: ago(time.Hour), Fetch: &firmward.FeedFetch{Failures: 2, Tried: ago(day)}}, "", false},
		"fetched by hand, failed for long": {firmward.FeedStatus{Dated: ago(9 * day), Fetch: &firmward.FeedFetch{Failures: 2, Good: ago(9 * day)}}, "2 times", false},
	} {
		why, alarm := i.Trouble(c.s, noon)
		if (c.why == "") != (why == "") || !strings.Contains(why, c.why) || alarm != c.alarm {
			t.Errorf("%s: %q, %t", what, why, alarm)
		}
	}
}

// TestStaleAt: a feed turns stale at the moment that is told beforehand, and not before.
func TestStaleAt(t *testing.T) {
	const day = 24 * time.Hour
	good := func(days int) *firmward.FeedFetch {
		return &firmward.FeedFetch{Good: noon.Add(time.Duration(days) * day)}
	}
	for what, c := range map[string]struct {
		fetch *firmward.FeedFetch
		quiet time.Duration
		want  int // days after its date
	}{
		"by hand":                        {nil, 14 * day, 4},
		"never fetched well":             {&firmward.FeedFetch{Failures: 3}, 14 * day, 4},
		"fetched well, never silent":     {good(5), 0, 4},
		"fetched well once":              {good(5), 14 * day, 9},
		"fetched well before its limit":  {good(-9), 14 * day, 4},
		"fetched well, silent for long":  {good(12), 14 * day, 14},
		"fetched well, a mirror is dead": {good(40), 14 * day, 14},
	} {
		i := feed.Info{StaleAfter: 4 * day, Quiet: c.quiet}
		s := firmward.FeedStatus{Dated: noon, Fetch: c.fetch}
		at := i.StaleAt(s)
		if want := noon.Add(time.Duration(c.want) * day); !at.Equal(want) || i.Stale(s, at) || !i.Stale(s, at.Add(time.Second)) {
			t.Errorf("%s: at %s, want %s", what, at, want)
		}
	}
	for what, at := range map[string]time.Time{
		"no date": (feed.Info{StaleAfter: day}).StaleAt(firmward.FeedStatus{Fetch: good(0)}), "no limit": (feed.Info{}).StaleAt(firmward.FeedStatus{Dated: noon}),
	} {
		if !at.IsZero() {
			t.Errorf("%s: %s", what, at)
		}
	}
}

func TestHosts(t *testing.T) {
	got := strings.Join(feed.Hosts([]string{"https://a.example/x", "https://a.example/y", "http://a.example:8080/", "http://[::1]/", "https://b.example:9/"}), " ")
	if want := "a.example:443 a.example:8080 [::1]:80 b.example:9"; got != want {
		t.Error(got)
	}
}
