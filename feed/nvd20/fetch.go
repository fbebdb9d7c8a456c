package nvd20

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/firmward/firmward/feed"
)

// The addresses, in the order of Info.URLs: the folder of the yearly files, and the API. With the folder alone, as a mirror
// has it, changes come from the file "modified".
//
// Check: nvd.nist.gov/vuln/data-feeds for the files, nvd.nist.gov/developers/vulnerabilities for the API.
const (
	filesURL = "https://nvd.nist.gov/feeds/json/cve/2.0/"
	apiURL   = "https://services.nvd.nist.gov/rest/json/cves/2.0"
)

const (
	firstYear = 2002
	perPage   = 2000                 // the API's largest page
	window    = 120 * 24 * time.Hour // the API's longest span of lastModStartDate to lastModEndDate
	modified  = 7 * 24 * time.Hour   // the file "modified" holds eight days

	// overlap is asked for once more: records that changed while the last answer was made, and clocks that differ.
	overlap = 6 * time.Hour

	// Five requests in 30 seconds, 50 with a key (nvd.nist.gov/developers/start-here, "Rate Limits").
	pace, paceKeyed = 6500 * time.Millisecond, 700 * time.Millisecond
	keyHeader       = "apiKey"

	apiTime = "2006-01-02T15:04:05.000Z07:00"
)

// mark is the cursor of a feed that is fetched, one of
//
//	fill 2009 2026-11-25T08:00:00Z                                  the years before 2009 are read, the oldest file is of that time
//	since 2026-11-25T08:00:00Z                                      all that changed until then is read
//	page 2026-08-01T00:00:00Z 2026-11-25T09:00:00Z 4000 11234       the first 4000 of 11234 records that changed in between are read
//
// An empty one is the begin of the fill.
type mark struct {
	what      string
	year      int
	since     time.Time // of fill and since: the zero time when no file was read yet
	to        time.Time
	at, total int // total is -1 before the first page
}

func (m mark) String() string {
	since := m.since.UTC().Format(time.RFC3339)
	switch m.what {
	case "fill":
		return fmt.Sprintf("fill %d %s", m.year, since)
	case "page":
		return fmt.Sprintf("page %s %s %d %d", since, m.to.UTC().Format(time.RFC3339), m.at, m.total)
	}
	return "since " + since
}

func parseMark(c feed.Cursor) (mark, error) {
	if c == "" {
		return mark{what: "fill", year: firstYear}, nil
	}
	part := strings.Fields(string(c))
	m := mark{what: part[0]}
	var err error
	times := func(texts ...string) (out [2]time.Time) {
		for i, text := range texts {
			if err == nil {
				out[i], err = time.Parse(time.RFC3339, text)
			}
		}
		return out
	}
	number := func(text string) (n int) {
		if err == nil {
			n, err = strconv.Atoi(text)
		}
		return n
	}
	switch {
	case m.what == "fill" && len(part) == 3:
		m.year, m.since = number(part[1]), times(part[2])[0]
	case m.what == "since" && len(part) == 2:
		m.since = times(part[1])[0]
	case m.what == "page" && len(part) == 5:
		span := times(part[1:3]...)
		m.since, m.to, m.at, m.total = span[0], span[1], number(part[3]), number(part[4])
	default:
		err = fmt.Errorf("it is none")
	}
	if err != nil {
		return m, fmt.Errorf("cursor %q: %w", c, err)
	}
	return m, nil
}

// Next asks for the yearly files first, then for what changed.
func (Source) Next(f feed.Fetching) (feed.Batch, error) {
	m, err := parseMark(f.At)
	if err != nil || len(f.URLs) == 0 {
		return feed.Batch{}, err
	}
	files := f.URLs[0]
	if m.what == "fill" && m.year > f.Now.Year() {
		m = mark{what: "since", since: m.since}
		if m.since.IsZero() {
			return feed.Batch{}, fmt.Errorf("no yearly file has a time stamp")
		}
	}
	if m.what == "page" && len(f.URLs) == 1 {
		m = mark{what: "since", since: m.since} // the API is no longer asked
	}
	if m.what == "since" && len(f.URLs) == 1 {
		switch {
		case f.Before != nil:
			return feed.Batch{At: cursor(m)}, nil
		case f.Now.Sub(m.since) > modified:
			m = mark{what: "fill", year: firstYear} // what the file "modified" no longer holds may have changed
		default:
			return file(m, files, "modified", true)
		}
	}
	switch {
	case m.what == "fill":
		return file(m, files, strconv.Itoa(m.year), false)
	case m.what == "since" && !m.since.Before(f.Now.Truncate(time.Second)):
		return feed.Batch{At: cursor(m)}, nil
	case m.what == "since":
		m.since = m.since.Add(-overlap)
		m = mark{what: "page", since: m.since, to: earlier(f.Now.Truncate(time.Second), m.since.Add(window)), total: -1}
	}
	q := url.Values{
		"lastModStartDate": {m.since.UTC().Format(apiTime)}, "lastModEndDate": {m.to.UTC().Format(apiTime)},
		"startIndex": {strconv.Itoa(m.at)}, "resultsPerPage": {strconv.Itoa(perPage)},
	}
	return feed.Batch{At: cursor(m), Requests: []feed.Request{{
		URL: f.URLs[1] + "?" + q.Encode(), Name: fmt.Sprintf("changes of NVD until %s, from %d on", m.to.Format(time.DateOnly), m.at),
		KeyHeader: keyHeader, Pace: pace, PaceKeyed: paceKeyed,
	}}}, nil
}

func file(m mark, folder, which string, conditional bool) (feed.Batch, error) {
	name := "nvdcve-2.0-" + which + ".json.gz"
	at, err := url.JoinPath(folder, name)
	return feed.Batch{At: cursor(m), Requests: []feed.Request{{URL: at, Name: name, Conditional: conditional}}}, err
}

func cursor(m mark) feed.Cursor { return feed.Cursor(m.String()) }

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// answered is how far the feed is read after a document that was asked for at a cursor.
//
// Records that change while a window is paged leave it, and those behind move up: as many as the total shrank by may
// have slipped before the page, so paging goes back by that many.
func answered(from feed.Cursor, stamp time.Time, start, total, records int) (feed.Cursor, error) {
	m, err := parseMark(from)
	if err != nil {
		return "", err
	}
	switch m.what {
	case "fill":
		m.year++
		if m.since.IsZero() || stamp.Before(m.since) {
			m.since = stamp
		}
	case "since":
		if stamp.After(m.since) {
			m.since = stamp
		}
	case "page":
		shrunk := m.total - total
		switch {
		case start != m.at:
			return "", fmt.Errorf("records from %d on were asked for, and the answer has those from %d on", m.at, start)
		case m.total >= 0 && shrunk > 0 && m.at > 0:
			m.at = max(0, m.at-shrunk)
		case m.at+records >= total:
			m = mark{what: "since", since: m.to}
		case records == 0:
			return "", fmt.Errorf("the answer has no records, and %d of %d were read", m.at, total)
		default:
			m.at += records
		}
		m.total = total
	}
	return cursor(m), nil
}
