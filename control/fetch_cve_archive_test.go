package control_test

import (
	"archive/zip"
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/feed"
	"github.com/firmward/firmward/feed/feedtest"
	"github.com/firmward/firmward/store"
)

// TestFetchCVEBrokenArchive: what is no archive, is cut off or expands without end is not used, and what was there stays.
func TestFetchCVEBrokenArchive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, n, c := cveHouse(t)
		if _, err := c.FetchFeed(t.Context(), anna, "cve"); err != nil {
			t.Fatal(err)
		}
		before := status(t, c, "cve")
		id, other := "CVE-2026-7777", cveState("CVE-2026-7777", "PUBLISHED", fetchDay)
		good := zipped(t, "cves/"+id+".json", other, "cves/x.json", cveState("CVE-2026-7778", "PUBLISHED", fetchDay))
		for what, bad := range map[string]struct {
			archive []byte
			want    string
		}{
			"cut off":       {good[:len(good)-40], "not a valid zip"},
			"a page":        {[]byte("<!doctype html><title>Log in"), "a login page"},
			"one record":    {[]byte(other), "no archive"},
			"empty":         {zipped(t), "0 entries"},
			"another feed":  {zipped(t, "a.json", csafDocument("AC-1", "CVE-2026-0009", "2026-03-01T10:00:00Z"), "b.json", "{}"), "no document of any feed"},
			"all broken":    {zipped(t, "a.json", other[:300], "b.json", other[:200]), "none of its records could be read"},
			"a bomb":        {zipped(t, "a/a.json", other[:len(other)-1]+strings.Repeat(" ", 40<<20)+"}", "a/b.json", strings.Repeat("[", 20<<20)), "expands more than 200 times"},
			"nothing known": {zipped(t, "a/README.md", "x", "a/b.json", "[]"), "no document of any feed"},
		} {
			from(t, c, "cve", cveFolder, cveArchive) // begins anew
			h.mu.Lock()
			h.archive = bad.archive
			h.mu.Unlock()
			_, err := c.FetchFeed(t.Context(), anna, "cve")
			after := status(t, c, "cve")
			if err == nil || !strings.Contains(err.Error(), bad.want) || firmward.CodeOf(err) != firmward.Invalid {
				t.Errorf("%s: %v", what, err)
			}
			if after.Records != before.Records || !after.Dated.Equal(before.Dated) || after.Fetch.Cursor != "" || !strings.Contains(after.Trouble, "fetching failed") {
				t.Errorf("%s: %+v, %+v", what, after, after.Fetch)
			}
		}
		if got := heldCVEs(t, c); slices.Contains(got, id) {
			t.Errorf("held %v", got)
		}
		// A broken record in a sound archive is left out alone.
		h.mu.Lock()
		h.archive = zipped(t, "cves/a.json", other, "cves/b.json", other[:300], "cves/c.json", "", "d.json", csafDocument("AC-1", "CVE-2026-0009", "2026-03-01T10:00:00Z"))
		h.mu.Unlock()
		n.take()
		if s, err := c.FetchFeed(t.Context(), anna, "cve"); err != nil || !slices.Contains(heldCVEs(t, c), id) {
			t.Errorf("%+v, %v", s, err)
		}
		leaves, _, err := c.Store.FindLeaves(t.Context(), store.LeafFilter{Subject: "cve"}, store.Page{Limit: 1000})
		if text := fmt.Sprint(leaves); err != nil || !strings.Contains(text, "documents:1") || !strings.Contains(text, "refused:3") {
			t.Errorf("%v: %s", err, text)
		}
	})
}

// TestFetchCVEMirror: an archive alone is read whole, whenever it has changed. Other addresses are refused with a word.
func TestFetchCVEMirror(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, n, c := cveHouse(t)
		from(t, c, "cve", cveArchive)
		for _, what := range []string{"first", "unchanged"} {
			if s, err := c.FetchFeed(t.Context(), anna, "cve"); err != nil || s.Records != 3 {
				t.Errorf("%s: %+v, %v", what, s, err)
			}
			n.want(t, what, "load.example/zip/main")
		}
		h.say(nil, "CVE-2026-0004", cveState("CVE-2026-0004", "PUBLISHED", fetchDay))
		h.pack(t)
		if s, err := c.FetchFeed(t.Context(), anna, "cve"); err != nil || s.Records != 4 {
			t.Errorf("changed: %+v, %v", s, err)
		}
		n.take()
		for _, urls := range [][]string{{cveFolder}, {cveFolder, "http://b.example/"}, {cveArchive, "http://b.example/a.zip"}, {cveFolder, cveArchive, "http://b.example/"}} {
			from(t, c, "cve", urls...)
			if _, err := c.FetchFeed(t.Context(), anna, "cve"); firmward.CodeOf(err) != firmward.Invalid || !strings.Contains(err.Error(), "feeds set cve --url") {
				t.Errorf("%v: %v", urls, err)
			}
		}
		n.want(t, "wrong addresses")
	})
}

// TestUsual: a large feed is not fetched unless somebody named it once.
func TestUsual(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := fetchHouse(t, newInternet(t, http.NotFound))
		usual := func(want ...string) {
			t.Helper()
			known, err := c.KnownFeeds(t.Context())
			var got []string
			for _, k := range known {
				if k.Usual {
					got = append(got, k.Name)
				}
			}
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("%v, %v, want %v", got, err, want)
			}
		}
		usual("endoflife", "epss", "kev", "nvd")
		follow := true
		if _, err := c.SetFeed(t.Context(), anna, "cve", control.SetFeed{Follow: &follow}); err != nil {
			t.Fatal(err)
		}
		usual("cve", "endoflife", "epss", "kev", "nvd")
	})
}

// TestFetchSlowly: a large document may take as long as a slow line takes for it; what drips does not come to an end and is given up.
func TestFetchSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, n, c := cveHouse(t)
		from(t, c, "cve", cveArchive)
		record := h.records["CVE-2026-0001"]
		slowly := func(piece, pieces int, every time.Duration) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				z := zip.NewWriter(w)
				f, _ := z.Create("list/a.json")
				io.WriteString(f, record)
				f, _ = z.CreateHeader(&zip.FileHeader{Name: "list/README.md", Method: zip.Store})
				for range pieces {
					f.Write(make([]byte, piece))
					z.Flush()
					w.(http.Flusher).Flush()
					select {
					case <-r.Context().Done():
						return
					case <-time.After(every):
					}
				}
				z.Close()
			}
		}
		n.answer(slowly(100<<10, 1400, time.Second+500*time.Millisecond)) // 35 minutes
		begun := time.Now()
		if s, err := c.FetchFeed(t.Context(), anna, "cve"); err != nil || s.Records != 1 || time.Since(begun) < 34*time.Minute {
			t.Errorf("%+v, %v in %s", s, err, time.Since(begun))
		}
		n.take()
		n.answer(slowly(100, 100_000, 30*time.Second))
		_, err := c.FetchFeed(t.Context(), anna, "cve")
		if err == nil || !strings.Contains(err.Error(), "too long for what came") || len(n.take()) != 5 {
			t.Errorf("%v", err)
		}
	})
}

// TestFetchRealCVEs reads real records one by one, with a log that tells of them as the list's does: each is the state that was
// asked for.
func TestFetchRealCVEs(t *testing.T) {
	d, err := feed.Open(filepath.Join(feedtest.Data(t), "cve5-vulnrichment/vulnrichment-2024-10-24-oh-cpes.jsonl.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	h := &cveHost{records: map[string]string{}}
	var named []string
	lines := bufio.NewScanner(d)
	lines.Buffer(nil, 8<<20)
	for lines.Scan() && len(named) < 1000 {
		var r struct {
			Meta struct {
				ID      string `json:"cveId"`
				Updated string `json:"dateUpdated"`
			} `json:"cveMetadata"`
		}
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		h.records[r.Meta.ID] = lines.Text()
		named = append(named, fmt.Sprintf(`{"cveId":%q,"dateUpdated":%q}`, r.Meta.ID, r.Meta.Updated))
	}
	at := fetchDay.Add(-time.Hour).Format(time.RFC3339)
	h.say([]string{`{"fetchTime":"` + at + `","new":[` + strings.Join(named, ",") + `]}`, cveEntry(fetchDay.AddDate(0, 0, -20))})
	synctest.Test(t, func(t *testing.T) {
		n := newInternet(t, h.ServeHTTP)
		c := fetchHouse(t, n)
		from(t, c, "cve", cveFolder, cveArchive)
		mark(t, c, "cve", `{"since":"2026-11-24T00:00:00Z"}`)
		s, err := c.FetchFeed(t.Context(), anna, "cve")
		if err != nil || len(heldCVEs(t, c)) != len(named) || s.Fetch.Cursor != `{"since":"`+at+`"}` {
			t.Errorf("%+v, %+v, %v, %d of %d held", s, s.Fetch, err, len(heldCVEs(t, c)), len(named))
		}
		t.Logf("%d records of %d requests", s.Records, len(n.take()))
	})
}
