package control_test

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/store"
)

const (
	cveFolder  = "http://raw.example/main/"
	cveArchive = "http://load.example/zip/main"
	cveLog     = "raw.example/main/cves/deltaLog.json"
)

// cveState is a record as the list has it at a time.
func cveState(id, state string, updated time.Time) string {
	return `{"dataType":"CVE_RECORD","dataVersion":"5.1","cveMetadata":{"cveId":"` + id + `","state":"` + state + `","datePublished":"2024-04-04T10:00:00Z","dateUpdated":"` + updated.Format(time.RFC3339) + `"},` +
		`"containers":{"cna":{"descriptions":[{"lang":"en","value":"A door stands open."}],"affected":[{"vendor":"Acme","product":"Door","versions":[{"version":"1.0 through 1.4","status":"affected"}]}]}}}`
}

// cveEntry is an entry of the log of changes. Its links lead elsewhere: they are not followed.
func cveEntry(at time.Time, ids ...string) string {
	var all []string
	for _, id := range ids {
		all = append(all, fmt.Sprintf(`{"cveId":%q,"cveOrgLink":"http://evil.example/","githubLink":%q,"dateUpdated":%q}`, id, "http://evil.example/"+id+".json", at.Add(-time.Minute).Format(time.RFC3339)))
	}
	return fmt.Sprintf(`{"fetchTime":%q,"numberOfChanges":%d,"new":[],"updated":[%s],"error":[]}`, at.Format(time.RFC3339), len(ids), strings.Join(all, ","))
}

// cveHost plays the hosts of the CVE list.
type cveHost struct {
	mu      sync.Mutex
	log     string
	records map[string]string // by id
	archive []byte
	breaks  func(*http.Request) bool
}

// say changes what the hosts have: the entries of the log, and records in pairs of id and text.
func (h *cveHost) say(log []string, records ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.log = "[" + strings.Join(log, ",\n") + "]"
	for i := 0; i < len(records); i += 2 {
		h.records[records[i]] = records[i+1]
	}
}

// pack makes an archive of what the list has, with what else lies in it.
func (h *cveHost) pack(t testing.TB) {
	h.mu.Lock()
	defer h.mu.Unlock()
	files := []string{"README.md", "# The list", "cves/delta.json", "{}", "cves/deltaLog.json", h.log, "cves/recent_activities.json", "[]"}
	for id, text := range h.records {
		files = append(files, "cves/"+id+".json", text)
	}
	h.archive = zipped(t, files...)
}

// zipped makes a zip, as the list's host does, of pairs of path and text.
func zipped(t testing.TB, files ...string) []byte {
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for i := 0; i < len(files); i += 2 {
		w, err := z.Create("cvelistV5-main/" + files[i])
		if err == nil {
			_, err = io.WriteString(w, files[i+1])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func (h *cveHost) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	id := strings.TrimSuffix(r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:], ".json")
	text, ok := h.records[id]
	switch at := r.Host + r.URL.Path; {
	case h.breaks != nil && h.breaks(r):
		w.WriteHeader(http.StatusBadGateway)
	case at == cveLog && h.log != "":
		tagged(fmt.Sprintf(`"%x"`, sha256.Sum256([]byte(h.log))), h.log)(w, r)
	case at == "load.example/zip/main":
		tagged(fmt.Sprintf(`"%x"`, sha256.Sum256(h.archive)), string(h.archive))(w, r)
	case ok && strings.HasPrefix(at, "raw.example/main/cves/"):
		fmt.Fprint(w, text)
	default:
		http.NotFound(w, r)
	}
}

// newCVEHost gives hosts that have a list of some records, the last of them changed shortly before.
func newCVEHost(t *testing.T) *cveHost {
	h := &cveHost{records: map[string]string{}}
	old, shortly := fetchDay.AddDate(0, 0, -9), fetchDay.Add(-2*time.Hour)
	h.say(
		[]string{cveEntry(shortly, "CVE-2026-0003"), cveEntry(old.AddDate(0, 0, 1), "CVE-2026-0002"), cveEntry(old, "CVE-2026-0001")},
		"CVE-2026-0001", cveState("CVE-2026-0001", "PUBLISHED", old), "CVE-2026-0002", cveState("CVE-2026-0002", "PUBLISHED", old), "CVE-2026-0003", cveState("CVE-2026-0003", "PUBLISHED", shortly),
		"CVE-2026-12345", cveState("CVE-2026-12345", "REJECTED", old),
	)
	h.pack(t)
	return h
}

// cveHouse is a house beside such hosts.
func cveHouse(t *testing.T) (*cveHost, *internet, *control.Control) {
	h := newCVEHost(t)
	n := newInternet(t, h.ServeHTTP)
	c := fetchHouse(t, n)
	from(t, c, "cve", cveFolder, cveArchive)
	return h, n, c
}

// heldCVEs gives the ids of the list that are held.
func heldCVEs(t *testing.T, c *control.Control) (out []string) {
	t.Helper()
	all, _, err := c.Store.Advisories(t.Context(), store.AdvisoryFilter{Source: "cve"}, store.Page{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		out = append(out, a.ID)
	}
	slices.Sort(out)
	return out
}

// want compares the requests since the last time.
func (n *internet) want(t *testing.T, what string, want ...string) {
	t.Helper()
	if got := n.take(); !slices.Equal(got, want) {
		t.Errorf("%s: asked\n%s", what, strings.Join(got, "\n"))
	}
	for _, d := range n.dialled {
		if d != "raw.example:80" && d != "load.example:80" {
			t.Errorf("%s: %s was dialled", what, d)
		}
	}
}

// TestFetchCVE: the whole list once, and what changed in the hours before it; later only what changed, at a slow pace. What is
// rejected leaves, and what an archive lacks stays.
func TestFetchCVE(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, n, c := cveHouse(t)
		s, err := c.FetchFeed(t.Context(), anna, "cve")
		if err != nil || s.Refused != 0 || s.Fetch.Cursor != `{"since":"2026-11-25T07:00:00Z"}` || s.Trouble != "" || !s.Dated.Equal(fetchDay.Add(-2*time.Hour)) {
			t.Fatalf("%+v, %+v, %v", s, s.Fetch, err)
		}
		n.want(t, "first", cveLog, "load.example/zip/main", "raw.example/main/cves/2026/0xxx/CVE-2026-0003.json")
		if got := heldCVEs(t, c); !slices.Equal(got, []string{"CVE-2026-0001", "CVE-2026-0002", "CVE-2026-0003"}) {
			t.Errorf("held %v", got)
		}
		time.Sleep(time.Hour)
		if _, err = c.FetchFeed(t.Context(), anna, "cve"); err != nil {
			t.Error(err)
		}
		if got := n.asked[0].Header.Get("If-None-Match"); got == "" {
			t.Error("the log is asked for without a condition")
		}
		n.want(t, "nothing new", cveLog)

		time.Sleep(time.Hour)
		at := c.Clock.Now().Add(-10 * time.Minute)
		h.say(
			[]string{cveEntry(fetchDay.AddDate(0, 0, -9), "CVE-2026-0001"), cveEntry(at, "CVE-2026-0002", "CVE-2026-54321"), cveEntry(at.Add(-time.Hour), "CVE-2026-0002", "CVE-1999-0004")},
			"CVE-2026-0002", cveState("CVE-2026-0002", "REJECTED", at), "CVE-2026-54321", cveState("CVE-2026-54321", "PUBLISHED", at),
		)
		if s, err = c.FetchFeed(t.Context(), anna, "cve"); err != nil || s.Refused != 1 { // there is none of 1999
			t.Errorf("%+v, %v", s, err)
		}
		for i := 1; i < len(n.at); i++ {
			if gap := n.at[i].Sub(n.at[i-1]); gap < 700*time.Millisecond {
				t.Errorf("%s between two requests", gap)
			}
		}
		n.want(t, "changes", cveLog, "raw.example/main/cves/1999/0xxx/CVE-1999-0004.json", "raw.example/main/cves/2026/0xxx/CVE-2026-0002.json", "raw.example/main/cves/2026/54xxx/CVE-2026-54321.json")
		if got := heldCVEs(t, c); !slices.Equal(got, []string{"CVE-2026-0001", "CVE-2026-0003", "CVE-2026-54321"}) {
			t.Errorf("held %v", got)
		}

		// The log no longer reaches back: the whole list again, which is of a state before the one that is held.
		time.Sleep(40 * 24 * time.Hour)
		at = c.Clock.Now().AddDate(0, 0, -2)
		h.say([]string{cveEntry(at, "CVE-2026-0001")})
		delete(h.records, "CVE-2026-54321")
		h.records["CVE-2026-0002"] = cveState("CVE-2026-0002", "PUBLISHED", fetchDay.AddDate(0, 0, -9))
		h.pack(t)
		if s, err = c.FetchFeed(t.Context(), anna, "cve"); err != nil {
			t.Error(err)
		}
		n.want(t, "whole again", cveLog, "load.example/zip/main", "raw.example/main/cves/2026/0xxx/CVE-2026-0001.json")
		if got := heldCVEs(t, c); !slices.Equal(got, []string{"CVE-2026-0001", "CVE-2026-0003", "CVE-2026-54321"}) {
			t.Errorf("held %v", got)
		}
		leaves, _, err := c.Store.FindLeaves(t.Context(), store.LeafFilter{Subject: "cve"}, store.Page{Limit: 1000})
		if text := fmt.Sprint(leaves); err != nil || !strings.Contains(text, "does not reach back to 2026-11-25") || !strings.Contains(text, "fetched from") {
			t.Errorf("%v: %s", err, text)
		}
	})
}

// TestFetchCVEStops: after a failure in the middle of an entry it goes on where it was, and nothing is asked for twice that was
// imported.
func TestFetchCVEStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, n, c := cveHouse(t)
		if _, err := c.FetchFeed(t.Context(), anna, "cve"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(24 * time.Hour)
		at := c.Clock.Now().Add(-time.Hour)
		var ids, changed []string
		for i := range 450 {
			id := fmt.Sprintf("CVE-2026-%d", 20000+i)
			ids, changed = append(ids, id), append(changed, id, cveState(id, "PUBLISHED", at))
		}
		log := []string{cveEntry(fetchDay.Add(-2*time.Hour), "CVE-2026-0003"), cveEntry(at, ids...)}
		h.say(log, changed...)
		h.breaks = func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "-20250.json") }
		n.take()
		if _, err := c.FetchFeed(t.Context(), anna, "cve"); err == nil {
			t.Error("the failure is not told")
		}
		if s := status(t, c, "cve"); s.Trouble == "" || !strings.Contains(s.Fetch.Cursor, `"id":"CVE-2026-20199"`) || len(heldCVEs(t, c)) != 203 {
			t.Errorf("%+v, %d held", s.Fetch, len(heldCVEs(t, c)))
		}
		h.mu.Lock()
		h.breaks = nil
		h.mu.Unlock()
		later := at.Add(time.Minute)
		h.say(append(log, cveEntry(later, "CVE-2026-20449")), "CVE-2026-20449", cveState("CVE-2026-20449", "PUBLISHED", later))
		n.take()
		s, err := c.FetchFeed(t.Context(), anna, "cve")
		if got := n.take(); err != nil || len(got) != 1+250 || !strings.HasSuffix(got[1], "-20200.json") || s.Fetch.Cursor != `{"since":"`+later.Format(time.RFC3339)+`"}` {
			t.Errorf("%v, %d requests, %s", err, len(got), s.Fetch.Cursor)
		}
		if got := len(heldCVEs(t, c)); got != 453 {
			t.Errorf("%d held", got)
		}
	})
}

// TestFetchCVEOwed: a record that is not there, is another one, is of an older state or is broken is refused and counted, keeps
// none of the others, and is asked for again in the next runs, but not for ever.
func TestFetchCVEOwed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, n, c := cveHouse(t)
		if _, err := c.FetchFeed(t.Context(), anna, "cve"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(24 * time.Hour)
		at := c.Clock.Now().Add(-time.Hour)
		bad := []string{"CVE-2026-1001", "CVE-2026-1002", "CVE-2026-1003", "CVE-2026-1004", "CVE-2026-1005"}
		log := []string{cveEntry(fetchDay.Add(-2*time.Hour), "CVE-2026-0003"), cveEntry(at, append([]string{"CVE-2026-1000"}, bad...)...)}
		good := cveState("CVE-2026-1000", "PUBLISHED", at)
		h.say(
			log, "CVE-2026-1000", good, "CVE-2026-1001", good, "CVE-2026-1002", cveState("CVE-2026-1002", "PUBLISHED", at.AddDate(0, 0, -3)),
			"CVE-2026-1003", strings.Replace(cveState("CVE-2026-1003", "PUBLISHED", at), "PUBLISHED", "PUBLIC", 1), "CVE-2026-1004", cveState("CVE-2026-1004", "PUBLISHED", at)+good,
		)
		s, err := c.FetchFeed(t.Context(), anna, "cve")
		if err != nil || s.Refused != len(bad) || strings.Count(s.Fetch.Cursor, `"tries":1`) != len(bad) || !slices.Contains(heldCVEs(t, c), "CVE-2026-1000") || len(heldCVEs(t, c)) != 4 {
			t.Errorf("%+v, %+v, %v, %v", s, s.Fetch, err, heldCVEs(t, c))
		}
		n.take()
		h.say(log, "CVE-2026-1001", cveState("CVE-2026-1001", "PUBLISHED", at), "CVE-2026-1002", cveState("CVE-2026-1002", "PUBLISHED", at))
		for i := 2; i < 12; i++ { // the log is as it was
			if s, err = c.FetchFeed(t.Context(), anna, "cve"); err != nil {
				t.Error(err)
			}
			want := []int{2: 1 + 5, 3: 1 + 3, 4: 1 + 3, 5: 1 + 3, 6: 1 + 3, 7: 1 + 3, 8: 1, 11: 1}[i]
			if got := n.take(); want > 0 && len(got) != want {
				t.Errorf("run %d: asked %v", i, got)
			}
		}
		if got := heldCVEs(t, c); len(got) != 6 || strings.Contains(s.Fetch.Cursor, "owed") {
			t.Errorf("held %v, %s", got, s.Fetch.Cursor)
		}
	})
}

// TestFetchCVEHostileLog: whatever the log says, only records of the list are asked for, on the host that was named, in bounded
// numbers.
func TestFetchCVEHostileLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, n, c := cveHouse(t)
		if _, err := c.FetchFeed(t.Context(), anna, "cve"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(24 * time.Hour)
		now := c.Clock.Now()
		n.take()
		ids := []string{"../../../etc/passwd", "CVE-2026-0001/../../x", "CVE-2026-0001?x=1", "http://evil.example/CVE-2026-0001", "CVE-2026-1", "cve-2026-0001", "", "CVE-2026-0001\n"}
		h.say([]string{
			cveEntry(fetchDay.Add(-2*time.Hour), "CVE-2026-0003"), cveEntry(now.Add(-time.Hour), ids...), `7`, `{"fetchTime":7}`,
			`{"fetchTime":"` + now.Add(-time.Hour).Format(time.RFC3339) + `","new":[{"cveId":8},"x",{"cveId":"CVE-2026-0002"}],"updated":null}`,
			cveEntry(now.AddDate(5, 0, 0), "CVE-2026-0001"), // is read, and moves nothing
		})
		delete(h.records, "CVE-2026-0001")
		h.records["CVE-2026-0001"] = cveState("CVE-2026-0001", "PUBLISHED", now)
		s, err := c.FetchFeed(t.Context(), anna, "cve")
		if err != nil || !strings.HasPrefix(s.Fetch.Cursor, `{"since":"`+now.Add(-time.Hour).Format(time.RFC3339)+`"`) {
			t.Errorf("%+v, %v", s.Fetch, err)
		}
		n.want(t, "ids", cveLog, "raw.example/main/cves/2026/0xxx/CVE-2026-0001.json", "raw.example/main/cves/2026/0xxx/CVE-2026-0002.json")
		leaves, _, err := c.Store.FindLeaves(t.Context(), store.LeafFilter{Subject: "cve"}, store.Page{Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		if text := fmt.Sprint(leaves); !strings.Contains(text, "refused:13") { // 8 ids, 4 shapes, and a state of the future that is not there yet
			t.Errorf("%s", text)
		}

		many := make([]string, 10_001)
		for i := range many {
			many[i] = fmt.Sprintf("CVE-2026-%d", 100_000+i)
		}
		h.say([]string{cveEntry(fetchDay.Add(-2*time.Hour), "CVE-2026-0003"), cveEntry(now.Add(-30*time.Minute), many...)})
		h.pack(t)
		if s, err = c.FetchFeed(t.Context(), anna, "cve"); err != nil || !strings.Contains(s.Document, "more than 10000") {
			t.Errorf("%+v, %v", s, err)
		}
		n.want(t, "very many", cveLog, "load.example/zip/main")
		for what, log := range map[string]string{"cut off": h.log[:len(h.log)-9], "a page": "<!doctype html>", "no list": `{"fetchTime":1}`, "gone": "", "too large": "[" + strings.Repeat(" ", 65<<20) + "]"} {
			h.mu.Lock()
			h.log = log
			h.archive = zipped(t, "note.md", what, "cves/a.json", cveState("CVE-2026-0005", "PUBLISHED", now))
			h.mu.Unlock()
			if s, err = c.FetchFeed(t.Context(), anna, "cve"); err != nil || !strings.Contains(s.Document, "its log of changes") {
				t.Errorf("%s: %+v, %v", what, s, err)
			}
			n.want(t, what, cveLog, "load.example/zip/main")
		}
	})
}
