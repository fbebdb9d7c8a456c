package feed

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/firmward/firmward"
)

// Fetcher is the ability of a source to be fetched over the network. It says what is to be requested and does no I/O; the
// runner (control) asks, keeps the pace, tries again and hands each document to the same Sync that reads a file.
//
// A Fetching holds no more than the feed itself: no request can name a device, a serial number or a version that stands
// somewhere.
type Fetcher interface {
	// Next gives what is requested next. A batch without requests ends the run: all is read.
	Next(Fetching) (Batch, error)
}

// Fetching is how far a run has come.
type Fetching struct {
	At   Cursor    // the stored one at the begin of a run; after a single document what Sync gave
	URLs []string  // Info.URLs, or those that the operator named in their place
	Now  time.Time // begin of the run

	Before  *Batch   // was just read; nil at the begin of a run
	Answers [][]byte // to its requests when it was an index; nil: unchanged since the last time, or refused
	Refused []string // URLs of what could not be used of it
}

// Batch is what is requested together: one document, several that are imported in one transaction, or indexes.
type Batch struct {
	At       Cursor // how far the feed is read before it: stored with the import of the batch before
	Requests []Request
	Index    bool // the answers are no documents: they go back to the source
	Many     bool // documents or indexes that stand for themselves: one that is missing or broken is left out alone
	Refused  int  // entries of the index before that name nothing that can be asked for: counted
	Memo     any  // the source's own, found again in Fetching.Before; lost when the run ends
}

// Request is one HTTP GET.
type Request struct {
	URL         string
	Name        string   // of the document, for people
	Conditional bool     // nothing is sent when it is as it was the last time
	Archive     bool     // of many documents: read as a file of many is
	Want        Cursor   // given to Sync in place of Batch.At: what this document of many has to be
	Hashes      []string // URLs of its SHA-256 or SHA-512: the first that is there is checked
	Signature   string   // URL of its detached OpenPGP signature; empty: the source knows of none
	Keys        Keys     // by one of which it must be signed; none: it need not, unless the operator named keys
	KeyHeader   string   // header in which the operator's key goes, if there is one

	Pace, PaceKeyed time.Duration // least time between two requests, without and with a key
}

// The bounds of a run.
const (
	MaxBatches  = 20_000   // of one run: a server that never comes to an end is broken
	MaxDownload = 2 << 30  // bytes of one document as it is sent; the CVE list has 0.6 GB
	MaxIndex    = 64 << 20 // bytes of one index
	MaxTries    = 5        // of one request within a run
	MaxWait     = 5 * time.Minute
)

// Transient reports whether the same request may well succeed a little later. NVD answers 403 to those who ask too often.
func Transient(status int) bool {
	switch status {
	case http.StatusForbidden, http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	}
	return status >= 500 && status != http.StatusNotImplemented
}

// Again is how long to wait within a run after so many tries of one request: two seconds, doubled each time, a part of it left
// to chance (0 … 1) so that not everybody comes back at once.
func Again(tries int, chance float64) time.Duration {
	wait := 2 * time.Second << min(max(0, tries-1), 6)
	return wait/2 + time.Duration(chance*float64(wait/2))
}

// RetryAfter reads the header of that name: seconds or a date (RFC 9110 §10.2.3). Zero when it says nothing.
func RetryAfter(header string, now time.Time) time.Duration {
	if n, err := strconv.Atoi(strings.TrimSpace(header)); err == nil {
		return time.Duration(min(max(n, 0), 7*24*3600)) * time.Second
	}
	if at, err := http.ParseTime(header); err == nil && at.After(now) {
		return min(at.Sub(now), 7*24*time.Hour)
	}
	return 0
}

// Due is when a followed feed is fetched next after a run. After a failure that is sooner, and later each time: five minutes,
// doubled, up to the period. chance (0 … 1) moves it by up to a tenth.
func (i Info) Due(failures int, now time.Time, chance float64) time.Time {
	wait := i.Period
	if wait <= 0 {
		wait = 24 * time.Hour
	}
	if failures > 0 {
		wait = min(wait, 5*time.Minute<<min(failures-1, 10))
	}
	return now.Add(wait + time.Duration(chance*float64(wait/10)))
}

// Stale reports whether what is held is older than it may be.
func (i Info) Stale(s firmward.FeedStatus, now time.Time) bool {
	at := i.StaleAt(s)
	return !at.IsZero() && now.After(at)
}

// StaleAt is until when what is held may be relied on as things are; zero: for ever, or its date is not known. A source that is
// fetched well may be silent for Quiet; then it counts as dead, because a mirror that died gives its last state for ever.
func (i Info) StaleAt(s firmward.FeedStatus) time.Time {
	if i.StaleAfter <= 0 || s.Dated.IsZero() {
		return time.Time{}
	}
	at := s.Dated.Add(i.StaleAfter)
	if s.Fetch == nil || s.Fetch.Good.IsZero() {
		return at
	}
	silent := s.Dated.Add(i.Quiet)
	if checked := s.Fetch.Good.Add(i.StaleAfter); checked.Before(silent) {
		silent = checked
	}
	if silent.After(at) {
		return silent
	}
	return at
}

// Trouble says why nobody should rely on a feed being new, or nothing. Alarm reports whether people are to be told at once: a
// followed feed is stale, or failed for two periods.
func (i Info) Trouble(s firmward.FeedStatus, now time.Time) (why string, alarm bool) {
	f := s.Fetch
	switch stale := i.Stale(s, now); {
	case f != nil && f.Failures > 0 && (f.Follow || !s.Imported.After(f.Tried)): // a newer document came by hand
		since := f.Good
		if since.IsZero() {
			since = f.Since
		}
		why = fmt.Sprintf("fetching failed %d times in a row: %s", f.Failures, f.LastError)
		if f.Failures == 1 {
			why = "fetching failed: " + f.LastError
		}
		alarm = f.Follow && (stale || now.Sub(since) > max(2*i.Period, 24*time.Hour))
	case stale && f != nil && !f.Good.IsZero() && now.Sub(f.Good) <= i.StaleAfter:
		why, alarm = "stale: its server has had nothing newer for too long, and may be dead", f.Follow
	case stale:
		why, alarm = "stale: newer facts are missing", f != nil && f.Follow
	}
	return why, alarm
}

// CheckURLs refuses addresses that no feed can be fetched from. Plain http is for a mirror of one's own.
func CheckURLs(urls []string) error {
	for _, text := range urls {
		u, err := url.Parse(text)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil || u.Fragment != "" || u.RawQuery != "" {
			return firmward.Errorf(firmward.Invalid, fmt.Sprintf("%q is no address of a feed: want https://host/path, without password and query", Clip(text)))
		}
	}
	return nil
}

// Hosts gives the hosts of addresses with their ports: the only ones that may be dialled.
func Hosts(urls []string) []string {
	var out []string
	for _, text := range urls {
		u, err := url.Parse(text)
		if err != nil {
			continue
		}
		port := u.Port()
		switch {
		case port != "":
		case u.Scheme == "http":
			port = "80"
		default:
			port = "443"
		}
		out = append(out, joinHost(u.Hostname(), port))
	}
	return Unique(out)
}

func joinHost(host, port string) string {
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return host + ":" + port
}

// One is the plan of a source of which one document is all: its first address, given again only when it has changed.
func One(f Fetching, name string) Batch {
	if f.Before != nil || len(f.URLs) == 0 {
		return Batch{At: f.At}
	}
	return Batch{At: f.At, Requests: []Request{{URL: f.URLs[0], Name: name, Conditional: true}}}
}

// Each is the plan of a source whose documents stand for themselves: one document, or one archive of many, at each address, given again only when it has
// changed. An archive is known by its address.
func Each(f Fetching) (Batch, error) {
	if len(f.URLs) == 0 {
		return Batch{}, errors.New("it has no address of its own: name where its documents or archives of them lie (firmward feeds set FEED --url URL)")
	}
	next := 0
	if f.Before != nil {
		next, _ = f.Before.Memo.(int)
		next++
	}
	if next >= len(f.URLs) {
		return Batch{At: f.At}, nil
	}
	at := f.URLs[next]
	name := at[strings.LastIndex(at, "/")+1:]
	if name == "" {
		return Batch{}, fmt.Errorf("%q is a folder: name a document in it, or an archive", Clip(at))
	}
	q := Request{URL: at, Name: name, Conditional: true, Archive: archived.MatchString(at), Signature: at + ".asc"}
	return Batch{At: f.At, Requests: []Request{q}, Memo: next}, nil
}

// archived knows an archive by its address, one that a host makes of a repository too (…/zip/refs/heads/main).
var archived = regexp.MustCompile(`(?i)\.(zip|tar|tgz|tar\.gz)$|/(zip|tar\.gz|tarball|zipball)/`)
