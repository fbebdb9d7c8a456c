package control_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/store"
)

// nvdRecord is one vulnerability of a page.
func nvdRecord(id string) json.RawMessage {
	return json.RawMessage(`{"cve":{"id":"` + id + `","published":"2026-01-02T03:04:05.000","lastModified":"2026-11-25T00:00:00.000","vulnStatus":"Analyzed","descriptions":[{"lang":"en","value":"A door stands open."}]}}`)
}

func nvdDocument(start, total int, stamp time.Time, records []json.RawMessage) string {
	b, _ := json.Marshal(map[string]any{
		"resultsPerPage": len(records), "startIndex": start, "totalResults": total, "format": "NVD_CVE", "version": "2.0",
		"timestamp": stamp.Format("2006-01-02T15:04:05.000"), "vulnerabilities": append([]json.RawMessage{}, records...),
	})
	// The format's mark stands first in real documents.
	return `{"format":"NVD_CVE","version":"2.0","vulnerabilities_":0,` + string(b[1:])
}

// nvdServer plays NVD: yearly files with one record each, made the day before, and the API on changed records. It fails where
// break says so.
func nvdServer(breaks func(r *http.Request) bool, changed ...json.RawMessage) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if breaks != nil && breaks(r) {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		if file, ok := strings.CutPrefix(r.URL.Path, "/files/nvdcve-2.0-"); ok {
			year := strings.TrimSuffix(file, ".json.gz")
			fmt.Fprint(w, nvdDocument(0, 1, fetchDay.AddDate(0, 0, -1), []json.RawMessage{nvdRecord("CVE-" + strings.Replace(year, "modified", "2026", 1) + "-0001")}))
			return
		}
		q := r.URL.Query()
		at, err := strconv.Atoi(q.Get("startIndex"))
		size, err2 := strconv.Atoi(q.Get("resultsPerPage"))
		if err != nil || err2 != nil || size > 2000 || at > len(changed) {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		fmt.Fprint(w, nvdDocument(at, len(changed), fetchDay, changed[at:min(len(changed), at+size)]))
	}
}

// TestFetchNVD: the years first, then what changed, page by page and at the public rate; after a failure it goes on where it was.
func TestFetchNVD(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var changed []json.RawMessage
		for i := range 4500 {
			changed = append(changed, nvdRecord(fmt.Sprintf("CVE-2026-%d", 10000+i)))
		}
		n := newInternet(t, nvdServer(func(r *http.Request) bool { return strings.Contains(r.URL.Path, "2010") }, changed...))
		c := fetchHouse(t, n)
		from(t, c, "nvd", "http://nvd.example/files/", "http://api.example/cves")
		key := "k3y-that-is-not-told"
		if _, err := c.SetFeed(t.Context(), anna, "nvd", control.SetFeed{Key: &key}); err != nil {
			t.Fatal(err)
		}
		_, err := c.FetchFeed(t.Context(), anna, "nvd")
		if s := status(t, c, "nvd"); err == nil || s.Records != 8 || s.Fetch.Cursor != "fill 2010 2026-11-24T09:00:00Z" {
			t.Fatalf("%v, %+v, %+v", err, s, s.Fetch)
		}
		n.take()
		n.answer(nvdServer(func(r *http.Request) bool { return r.URL.Query().Get("startIndex") == "2000" }, changed...))
		_, err = c.FetchFeed(t.Context(), anna, "nvd")
		s := status(t, c, "nvd")
		if err == nil || s.Records != 2025 || !strings.HasPrefix(s.Fetch.Cursor, "page 2026-11-24T03:00:00Z 2026-11-25T09:") || !strings.HasSuffix(s.Fetch.Cursor, " 2000 4500") {
			t.Fatalf("%v, %+v, %+v", err, s, s.Fetch)
		}
		for _, r := range n.asked {
			if got := r.Header.Get("apiKey"); r.Host == "api.example" && got != key || r.Host != "api.example" && got != "" {
				t.Errorf("key %q to %s", got, r.Host)
			}
		}
		if got := n.take(); !strings.Contains(got[0], "2.0-2010.json.gz") || len(got) != 2026-2010+1+1+5 { // years, a page, five tries
			t.Errorf("asked %d: %v", len(got), got)
		}
		none := ""
		if _, err := c.SetFeed(t.Context(), anna, "nvd", control.SetFeed{Key: &none}); err != nil {
			t.Fatal(err)
		}
		n.answer(nvdServer(nil, changed...))
		if s, err = c.FetchFeed(t.Context(), anna, "nvd"); err != nil || s.Records != 4525 || !strings.HasPrefix(s.Fetch.Cursor, "since 2026-11-25T09:") {
			t.Errorf("%v, %+v, %+v", err, s, s.Fetch)
		}
		for i := 1; i < len(n.at); i++ {
			if gap := n.at[i].Sub(n.at[i-1]); gap < 6*time.Second {
				t.Errorf("%s between two requests: five in 30 seconds are allowed", gap)
			}
		}
		if got := n.take(); len(got) < 2 || !strings.Contains(got[0], "startIndex=2000") {
			t.Errorf("asked %v", got)
		}
		leaves, _, err := c.Store.FindLeaves(t.Context(), store.LeafFilter{Subject: "nvd"}, store.Page{Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		if text := fmt.Sprint(leaves); strings.Contains(text, key) || !strings.Contains(text, "feed-set") {
			t.Errorf("the audit log: %s", text)
		}
	})
}

// TestFetchNVDWindows: what changed in more than 120 days is asked for in spans that leave nothing out.
func TestFetchNVDWindows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newInternet(t, nvdServer(nil, nvdRecord("CVE-2026-0001")))
		c := fetchHouse(t, n)
		from(t, c, "nvd", "http://nvd.example/files/", "http://api.example/cves")
		last := fetchDay.AddDate(-1, 0, 0)
		mark(t, c, "nvd", "since "+last.Format(time.RFC3339))
		if _, err := c.FetchFeed(t.Context(), anna, "nvd"); err != nil {
			t.Fatal(err)
		}
		for _, r := range n.asked {
			q := r.URL.Query()
			from, err := time.Parse(time.RFC3339, q.Get("lastModStartDate"))
			to, err2 := time.Parse(time.RFC3339, q.Get("lastModEndDate"))
			if err != nil || err2 != nil || from.After(last) || to.Sub(from) > 120*24*time.Hour || !to.After(last) {
				t.Errorf("%v: read until %s", q, last)
			}
			last = to
		}
		if len(n.asked) != 4 || !last.Equal(fetchDay) {
			t.Errorf("%d requests, until %s", len(n.asked), last)
		}
	})
}

// TestFetchNVDRepeats: a server that gives the first page again and again is found out.
func TestFetchNVDRepeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all []json.RawMessage
		for i := range 2000 {
			all = append(all, nvdRecord(fmt.Sprintf("CVE-2026-%d", 10000+i)))
		}
		n := newInternet(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, nvdDocument(0, 5000, fetchDay, all)) })
		c := fetchHouse(t, n)
		from(t, c, "nvd", "http://nvd.example/files/", "http://api.example/cves")
		mark(t, c, "nvd", "since 2026-11-24T09:00:00Z")
		_, err := c.FetchFeed(t.Context(), anna, "nvd")
		s := status(t, c, "nvd")
		if err == nil || !strings.Contains(err.Error(), "from 2000 on were asked for") || len(n.take()) != 2 || s.Records != 2000 || !strings.HasSuffix(s.Fetch.Cursor, " 2000 5000") {
			t.Errorf("%v, %+v", err, s.Fetch)
		}
	})
}

// TestFetchNVDMirror: with a folder of files alone, changes come from the file "modified" as long as that holds them all.
func TestFetchNVDMirror(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newInternet(t, nvdServer(nil))
		c := fetchHouse(t, n)
		from(t, c, "nvd", "http://nvd.example/files/")
		for _, want := range []int{25, 1, 1} {
			if _, err := c.FetchFeed(t.Context(), anna, "nvd"); err != nil {
				t.Fatal(err)
			}
			if got := n.take(); len(got) != want || want == 1 && !strings.HasSuffix(got[0], "/files/nvdcve-2.0-modified.json.gz") {
				t.Errorf("asked %v", got)
			}
		}
		time.Sleep(8 * 24 * time.Hour)
		if _, err := c.FetchFeed(t.Context(), anna, "nvd"); err != nil {
			t.Fatal(err)
		}
		if got := n.take(); len(got) != 25 || slices.ContainsFunc(got, func(u string) bool { return strings.Contains(u, "modified") }) {
			t.Errorf("after eight days: %v", got)
		}
	})
}

// mark sets how far a feed was read.
func mark(t *testing.T, c *control.Control, name, cursor string) {
	t.Helper()
	err := c.Store.Tx(t.Context(), func(tx *store.Tx) error {
		row, err := tx.FeedFetch(t.Context(), name)
		if err != nil && firmward.CodeOf(err) != firmward.NotFound {
			return err
		}
		row.Cursor = cursor
		return tx.PutFeedFetch(t.Context(), row)
	})
	if err != nil {
		t.Fatal(err)
	}
}
