package control_test

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firmward/firmward/feed/feedtest"
)

// provider plays a CSAF provider out of files by path. Lists have an ETag.
type provider struct {
	mu    sync.Mutex
	files map[string]string
}

func (p *provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	text, ok := p.files[r.Host+r.URL.Path]
	p.mu.Unlock()
	switch {
	case !ok:
		http.NotFound(w, r)
	case strings.HasSuffix(r.URL.Path, ".csv"), strings.HasSuffix(r.URL.Path, "feed.json"):
		tagged(fmt.Sprintf(`"%x"`, sha256.Sum256([]byte(text))), text)(w, r)
	default:
		fmt.Fprint(w, text)
	}
}

func (p *provider) put(pairs ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := 0; i < len(pairs); i += 2 {
		p.files[pairs[i]] = pairs[i+1]
	}
}

func sum(text string) string { return fmt.Sprintf("%x  x.json\n", sha256.Sum256([]byte(text))) }

// TestFetchCSAF: a provider's documents come once; later only those that changed. One that does not fit its hash is left out,
// counted, and tried again.
func TestFetchCSAF(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, two := csafDocument("AC-1", "CVE-2026-0001", "2026-03-01T10:00:00Z"), csafDocument("AC-2", "CVE-2026-0002", "2026-11-20T10:00:00Z")
		three := csafDocument("AC-3", "CVE-2026-0003", "2026-11-20T10:00:00Z")
		p := &provider{files: map[string]string{}}
		p.put(
			"acme.example/csaf/provider-metadata.json", `{"distributions":[{"directory_url":"http://acme.example/csaf/white"}]}`,
			"acme.example/csaf/white/changes.csv", "2026/ac-2.json,2026-11-20T10:00:00Z\n2026/ac-3.json,2026-11-20T10:00:00Z\n2026/ac-4.json,2026-04-01T10:00:00Z\n\"2026/ac-1.json\",\"2026-03-01T10:00:00Z\"\n",
			"acme.example/csaf/white/2026/ac-1.json", one, "acme.example/csaf/white/2026/ac-1.json.sha256", sum(one),
			"acme.example/csaf/white/2026/ac-2.json", two, // without a hash
			"acme.example/csaf/white/2026/ac-3.json", three, "acme.example/csaf/white/2026/ac-3.json.sha256", strings.Repeat("0", 64),
		)
		n := newInternet(t, p.ServeHTTP)
		c := fetchHouse(t, n)
		if _, err := c.FetchFeed(t.Context(), anna, "csaf"); err == nil || !strings.Contains(err.Error(), "feeds set csaf --url") {
			t.Errorf("without a provider: %v", err)
		}
		from(t, c, "csaf", "http://acme.example/csaf/provider-metadata.json")
		s, err := c.FetchFeed(t.Context(), anna, "csaf")
		if err != nil || s.Records != 2 || s.Refused != 2 {
			t.Fatalf("%+v, %v", s, err)
		}
		got := n.take()
		if want := "acme.example/csaf/white/2026/ac-1.json"; got[2] != want { // the oldest first
			t.Errorf("asked %v", got)
		}
		p.put("acme.example/csaf/white/2026/ac-3.json.sha256", sum(three))
		if s, err = c.FetchFeed(t.Context(), anna, "csaf"); err != nil || s.Records != 3 {
			t.Errorf("mended: %+v, %v", s, err)
		}
		if got = n.take(); len(got) != 5 || slices.ContainsFunc(got, func(u string) bool { return strings.Contains(u, "ac-1") || strings.Contains(u, "ac-2") }) {
			t.Errorf("asked %v", got)
		}
		four := csafDocument("AC-4", "CVE-2026-0004", "2026-11-25T08:00:00Z")
		p.put("acme.example/csaf/white/2026/ac-4.json", four, "acme.example/csaf/white/2026/ac-4.json.sha256", sum(four),
			"acme.example/csaf/white/changes.csv", "2026/ac-4.json,2026-11-25T08:00:00Z\n2026/ac-2.json,2026-11-20T10:00:00Z\n2026/ac-3.json,2026-11-20T10:00:00Z\n2026/ac-1.json,2026-03-01T10:00:00Z\n")
		if s, err = c.FetchFeed(t.Context(), anna, "csaf"); err != nil || s.Records != 4 {
			t.Errorf("a change: %+v, %v", s, err)
		}
		if got = n.take(); len(got) != 4 { // metadata, list, document, hash
			t.Errorf("asked %v", got)
		}
		if s, err = c.FetchFeed(t.Context(), anna, "csaf"); err != nil || len(n.take()) != 2 || s.Trouble != "" {
			t.Errorf("nothing new: %+v, %v", s, err)
		}
	})
}

// TestFetchCSAFRolie: documents of a ROLIE feed, of which one lies on a host that nobody named: it is not asked. A list on
// another host ends the fetch.
func TestFetchCSAFRolie(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one := csafDocument("AC-1", "CVE-2026-0001", "2026-11-01T10:00:00Z")
		entry := func(host string) string {
			return `{"updated":"2026-11-01T10:00:00Z","content":{"src":"http://` + host + `/ac-1.json"},"link":[{"rel":"hash","href":"http://` + host + `/ac-1.json.sha256"}]}`
		}
		p := &provider{files: map[string]string{}}
		p.put(
			"acme.example/pm.json", `{"distributions":[{"rolie":{"feeds":[{"url":"http://acme.example/feed.json"}]}}]}`,
			"acme.example/feed.json", `{"feed":{"entry":[`+entry("acme.example")+`,`+entry("evil.example")+`]}}`,
			"acme.example/ac-1.json", one, "acme.example/ac-1.json.sha256", sum(one),
		)
		n := newInternet(t, p.ServeHTTP)
		c := fetchHouse(t, n)
		from(t, c, "csaf", "http://acme.example/pm.json")
		if s, err := c.FetchFeed(t.Context(), anna, "csaf"); err != nil || s.Records != 1 || s.Refused != 1 {
			t.Errorf("%+v, %v", s, err)
		}
		p.put("acme.example/pm.json", `{"distributions":[{"directory_url":"http://evil.example/"}]}`)
		if _, err := c.FetchFeed(t.Context(), anna, "csaf"); err == nil || !strings.Contains(err.Error(), "on another host") {
			t.Errorf("%v", err)
		}
		for _, d := range n.dialled {
			if d != "acme.example:80" {
				t.Errorf("%s was dialled", d)
			}
		}
	})
}

// TestFetchCSAFMany: more documents than go into one import; after a failure in the middle those that were read are not asked
// for again.
func TestFetchCSAFMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &provider{files: map[string]string{}}
		p.put("acme.example/pm.json", `{"distributions":[{"directory_url":"http://acme.example/d/"}]}`)
		list := ""
		for i := range 250 {
			at := time.Date(2026, 1, 1, i/2, 0, 0, 0, time.UTC).Format(time.RFC3339) // two of each time
			p.put(fmt.Sprintf("acme.example/d/%d.json", i), csafDocument(fmt.Sprintf("AC-%d", i), fmt.Sprintf("CVE-2026-%04d", i), at))
			list = fmt.Sprintf("%d.json,%s\n", i, at) + list
		}
		p.put("acme.example/d/changes.csv", list)
		n := newInternet(t, func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/150.json") {
				w.WriteHeader(http.StatusInternalServerError)
				return
			}
			p.ServeHTTP(w, r)
		})
		c := fetchHouse(t, n)
		from(t, c, "csaf", "http://acme.example/pm.json")
		if _, err := c.FetchFeed(t.Context(), anna, "csaf"); err == nil {
			t.Fatal("the failure is not told")
		}
		if s := status(t, c, "csaf"); s.Records != 100 || s.Trouble == "" {
			t.Errorf("%+v", s)
		}
		n.take()
		n.answer(p.ServeHTTP)
		s, err := c.FetchFeed(t.Context(), anna, "csaf")
		if got := n.take(); err != nil || s.Records != 250 || len(got) != 2+3*150 {
			t.Errorf("%+v, %v, %d requests", s, err, len(got))
		}
	})
}

// TestFetchRealProvider reads a real provider whole, with its own list, hashes and documents.
func TestFetchRealProvider(t *testing.T) {
	t.Parallel()
	const root = "raw.example/cisagov/CSAF/develop/"
	p := &provider{files: map[string]string{root + "pm.json": `{"distributions":[{"directory_url":"http://` + root + `csaf_files/OT/white"}]}`}}
	for name, text := range feedtest.Files(t, feedtest.Tar(t, "csaf-cisa-ot/cisagov-csaf-2024-10-24.tar.xz")) {
		p.put(root+name, string(text))
	}
	synctest.Test(t, func(t *testing.T) {
		n := newInternet(t, p.ServeHTTP)
		c := fetchHouse(t, n)
		from(t, c, "csaf", "http://"+root+"pm.json")
		s, err := c.FetchFeed(t.Context(), anna, "csaf")
		if err != nil || s.Records < 7900 || s.Refused > 20 {
			t.Errorf("%+v, %v", s, err)
		}
		t.Logf("%d records of %d requests, %d refused", s.Records, len(n.take()), s.Refused)
		if s, err = c.FetchFeed(t.Context(), anna, "csaf"); err != nil {
			t.Errorf("%+v, %v", s, err)
		}
		t.Logf("the second time %d requests", len(n.take()))
	})
}
