package control_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/control/controltest"
	"github.com/firmward/firmward/store"
	"github.com/firmward/firmward/wire"
)

// internet is a network in memory on which every name is one server. It notes what was dialled and asked.
type internet struct {
	wire.Network
	serve http.HandlerFunc
	conns chan net.Conn

	mu      sync.Mutex
	dialled []string
	asked   []*http.Request
	at      []time.Time // when
}

func newInternet(t testing.TB, serve http.HandlerFunc) *internet {
	n := &internet{serve: serve, conns: make(chan net.Conn)}
	srv := &http.Server{Handler: n, ReadHeaderTimeout: time.Minute}
	go srv.Serve(n)
	t.Cleanup(func() { srv.Close() })
	return n
}

func (n *internet) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n.mu.Lock()
	n.asked, n.at = append(n.asked, r), append(n.at, time.Now())
	serve := n.serve
	n.mu.Unlock()
	serve(w, r)
}

func (n *internet) DialContext(ctx context.Context, _, address string) (net.Conn, error) {
	n.mu.Lock()
	n.dialled = append(n.dialled, address)
	n.mu.Unlock()
	here, there := net.Pipe()
	select {
	case n.conns <- there:
		return here, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (n *internet) Accept() (net.Conn, error) {
	c, ok := <-n.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}

func (n *internet) Close() error   { close(n.conns); return nil }
func (n *internet) Addr() net.Addr { return &net.TCPAddr{} }

// answer changes what the server does.
func (n *internet) answer(serve http.HandlerFunc) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.serve = serve
}

// take gives the requests since the last time, as host and path with the query.
func (n *internet) take() (out []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, r := range n.asked {
		out = append(out, r.Host+r.URL.String())
	}
	n.asked, n.at = nil, nil
	return out
}

// fetchDay is the time at which these tests begin.
var fetchDay = time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)

func fetchHouse(t *testing.T, n *internet) *control.Control {
	t.Helper()
	return controltest.Open(t, func(cfg *control.Config) {
		cfg.Network, cfg.Version, cfg.Clock = n, "1.2", control.Clock{Base: fetchDay, Start: time.Now(), Scale: 1}
	})
}

// from lets a feed be fetched from addresses on the network in memory.
func from(t *testing.T, c *control.Control, name string, urls ...string) {
	t.Helper()
	if _, err := c.SetFeed(t.Context(), anna, name, control.SetFeed{URLs: &urls}); err != nil {
		t.Fatal(err)
	}
}

func kevDocument(day string, ids ...string) string {
	var all []string
	for _, id := range ids {
		all = append(all, fmt.Sprintf(`{"cveID":%q,"dateAdded":"2026-01-02"}`, id))
	}
	return fmt.Sprintf(`{"catalogVersion":%q,"dateReleased":"%sT08:00:00Z","count":%d,"vulnerabilities":[%s]}`, day, day, len(ids), strings.Join(all, ","))
}

// tagged serves a document under an ETag.
func tagged(tag, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", tag)
		if r.Header.Get("If-None-Match") == tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		fmt.Fprint(w, text)
	}
}

func status(t *testing.T, c *control.Control, name string) firmward.FeedStatus {
	t.Helper()
	all, err := c.FeedStatuses(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(s firmward.FeedStatus) bool { return s.Name == name })
	if i < 0 {
		t.Fatalf("no status of %s", name)
	}
	return all[i]
}

const kevURL = "http://kev.example/kev.json"

// TestFetch: a document comes once, again only when it changed, and after every trouble what was there stays and the status
// says what happened.
func TestFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newInternet(t, tagged(`"a"`, kevDocument("2026-11-24", "CVE-2026-0001", "CVE-2026-0002")))
		c := fetchHouse(t, n)
		from(t, c, "kev", kevURL)
		s, err := c.FetchFeed(t.Context(), anna, "kev")
		if err != nil || s.Records != 2 || s.Trouble != "" || s.Fetch == nil || !s.Fetch.Good.Equal(fetchDay) {
			t.Fatalf("%+v, %+v, %v", s, s.Fetch, err)
		}
		if got := n.asked[0].Header.Get("User-Agent"); got != "firmward/1.2" {
			t.Errorf("User-Agent %q", got)
		}
		time.Sleep(time.Hour)
		n.take()
		again, err := c.FetchFeed(t.Context(), anna, "kev")
		if err != nil || !again.Imported.Equal(s.Imported) || !again.Fetch.Good.Equal(fetchDay.Add(time.Hour)) || again.Trouble != "" {
			t.Errorf("unchanged: %+v, %+v, %v", again, again.Fetch, err)
		}
		if got := n.asked[0].Header.Get("If-None-Match"); got != `"a"` {
			t.Errorf("asked with the tag %q", got)
		}

		tries := 0
		n.answer(func(w http.ResponseWriter, r *http.Request) {
			if tries++; tries == 1 {
				w.Header().Set("Retry-After", "40")
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			tagged(`"b"`, kevDocument("2026-11-25", "CVE-2026-0001", "CVE-2026-0002", "CVE-2026-0003"))(w, r)
		})
		begun := time.Now()
		if s, err = c.FetchFeed(t.Context(), anna, "kev"); err != nil || s.Records != 3 || tries != 2 || time.Since(begun) < 40*time.Second {
			t.Errorf("after 503: %+v, %v, %d tries in %s", s, err, tries, time.Since(begun))
		}

		whole := kevDocument("2026-11-26", "CVE-2026-0009")
		for what, bad := range map[string]struct {
			serve http.HandlerFunc
			want  string
		}{
			"cut off": {func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", fmt.Sprint(len(whole)))
				fmt.Fprint(w, whole[:len(whole)-9])
			}, "ends in the middle"},
			"half a document": {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, whole[:len(whole)-9]) }, "ends in the middle"},
			"another host": {func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "http://evil.example/kev.json", http.StatusFound)
			}, "another host"},
			"an open line": {func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "https://kev.example/kev.json", http.StatusFound)
			}, "another host"},
			"a login page": {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<!doctype html><title>Log in") }, "a login page"},
			"gone":         {http.NotFound, "status 404"},
			"round and round": {func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, r.URL.Path, http.StatusFound)
			}, "again and again"},
			"silence": {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "kev.example"},
			"a page that drips": {func(w http.ResponseWriter, r *http.Request) {
				fmt.Fprint(w, `{"catalogVersion":`)
				w.(http.Flusher).Flush()
				<-r.Context().Done()
			}, "no byte came"},
		} {
			n.answer(bad.serve)
			n.dialled = nil
			before := status(t, c, "kev")
			_, err := c.FetchFeed(t.Context(), anna, "kev")
			after := status(t, c, "kev")
			if err == nil || !strings.Contains(err.Error(), bad.want) || after.Records != 3 || !after.Dated.Equal(before.Dated) {
				t.Errorf("%s: %v, %+v", what, err, after)
			}
			if !strings.Contains(after.Trouble, "fetching failed") || after.Fetch.Failures != before.Fetch.Failures+1 || !strings.Contains(after.Fetch.LastError, bad.want) {
				t.Errorf("%s: the status says %q, %+v", what, after.Trouble, after.Fetch)
			}
			for _, d := range n.dialled {
				if d != "kev.example:80" {
					t.Errorf("%s: %s was dialled", what, d)
				}
			}
		}

		n.answer(tagged(`"c"`, kevDocument("2026-11-20", "CVE-2026-0001"))) // a server that is behind
		if s, err = c.FetchFeed(t.Context(), anna, "kev"); err != nil || s.Records != 3 || s.Trouble != "" || s.LastError != "" || s.Fetch.Failures != 0 {
			t.Errorf("older: %+v, %+v, %v", s, s.Fetch, err)
		}
		if _, err := c.FetchFeed(t.Context(), anna, "fda"); firmward.CodeOf(err) != firmward.NotSupported {
			t.Errorf("from files only: %v", err)
		}
		for _, bad := range []string{"ftp://x.example/", "https://u:p@x.example/", "https://x.example/?key=1", "x"} {
			if _, err := c.SetFeed(t.Context(), anna, "kev", control.SetFeed{URLs: &[]string{bad}}); firmward.CodeOf(err) != firmward.Invalid {
				t.Errorf("%s: %v", bad, err)
			}
		}
	})
}

// TestFetchBomb: what expands without end is refused, and nothing of it is kept.
func TestFetchBomb(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bomb bytes.Buffer
		z := gzip.NewWriter(&bomb)
		fmt.Fprint(z, "#model_version:v2025.03.14,score_date:2026-11-25T00:00:00Z\ncve,epss,percentile\n")
		rows := strings.Repeat("CVE-2020-0001,0.1,0.2\n", 10_000)
		for range 300 {
			fmt.Fprint(z, rows)
		}
		z.Close()
		n := newInternet(t, func(w http.ResponseWriter, _ *http.Request) { w.Write(bomb.Bytes()) })
		c := fetchHouse(t, n)
		from(t, c, "epss", "http://epss.example/scores.csv.gz")
		_, err := c.FetchFeed(t.Context(), anna, "epss")
		if s := status(t, c, "epss"); firmward.CodeOf(err) != firmward.TooLarge || s.Records != 0 || s.Trouble == "" || len(n.take()) != 1 {
			t.Errorf("%+v, %v", s, err)
		}
	})
}

// TestFollow: a followed feed is fetched when it is due and tried again after an error; when it is dead for long people are
// told at once, and it is never fresh.
func TestFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newInternet(t, tagged(`"a"`, kevDocument("2026-11-25", "CVE-2026-0001")))
		c := fetchHouse(t, n)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- c.Run(ctx) }()
		defer func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}()
		from(t, c, "kev", kevURL)
		time.Sleep(24 * time.Hour)
		if got := n.take(); len(got) != 0 {
			t.Fatalf("nobody asked for it: %v", got)
		}
		if _, _, err := c.AddRecipient(ctx, anna, control.AddRecipient{Name: "ops", Address: "http://hook.example/", Digest: firmward.DigestOff, Urgent: true}); err != nil {
			t.Fatal(err)
		}
		follow := true
		if _, err := c.SetFeed(ctx, anna, "kev", control.SetFeed{Follow: &follow}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(15 * time.Hour)
		if got := n.take(); len(got) != 2 { // at once, and after 12 to 13.2 hours
			t.Errorf("in 15 hours: %v", got)
		}
		var mu sync.Mutex
		var sent []string
		told := func() []string {
			mu.Lock()
			defer mu.Unlock()
			return slices.Clone(sent)
		}
		n.answer(func(w http.ResponseWriter, r *http.Request) {
			if r.Host == "hook.example" {
				var b bytes.Buffer
				b.ReadFrom(r.Body)
				mu.Lock()
				sent = append(sent, b.String())
				mu.Unlock()
				return
			}
			w.WriteHeader(http.StatusInternalServerError)
		})
		time.Sleep(15 * time.Hour)
		s := status(t, c, "kev")
		if len(told()) != 0 || s.Trouble == "" || s.Fetch.Failures < 3 || s.Fetch.Next.IsZero() {
			t.Errorf("failing for some hours: told %v, %+v, %+v", told(), s, s.Fetch)
		}
		time.Sleep(24 * time.Hour)
		s = status(t, c, "kev")
		if len(told()) != 1 || !strings.Contains(told()[0], "a feed is dead") || s.Fetch.Alarmed.IsZero() || s.Records != 1 {
			t.Errorf("failing for two days: told %v, %+v", told(), s.Fetch)
		}
		if asked := len(n.take()); asked > 150 { // five tries in a run, the runs 5, 10, 20 … minutes and then 12 hours apart
			t.Errorf("%d requests to a dead server", asked)
		}
		n.answer(tagged(`"b"`, kevDocument(c.Clock.Now().Format(time.DateOnly), "CVE-2026-0001", "CVE-2026-0002")))
		time.Sleep(14 * time.Hour)
		if s = status(t, c, "kev"); s.Trouble != "" || s.Records != 2 || !s.Fetch.Alarmed.IsZero() {
			t.Errorf("well again: %+v, %+v", s, s.Fetch)
		}
		time.Sleep(20 * 24 * time.Hour) // it answers, and gives nothing new: a mirror that died
		if s = status(t, c, "kev"); !s.Stale || !strings.Contains(s.Trouble, "may be dead") || s.Fetch.Alarmed.IsZero() || s.Fetch.Failures != 0 {
			t.Errorf("a mirror that died: %+v, %+v", s, s.Fetch)
		}
		off := false
		if _, err := c.SetFeed(ctx, anna, "kev", control.SetFeed{Follow: &off}); err != nil {
			t.Fatal(err)
		}
		n.take()
		time.Sleep(48 * time.Hour)
		if got := n.take(); len(got) != 0 {
			t.Errorf("followed no more, and asked: %v", got)
		}
	})
}

// TestFetchNamesNoDevice: what is asked for is the same with an empty and with a full inventory.
func TestFetchNamesNoDevice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ask := func(devices int) []string {
			nvd := nvdServer(nil)
			list := newCVEHost(t)
			n := newInternet(t, func(w http.ResponseWriter, r *http.Request) {
				switch r.Host {
				case "kev.example":
					fmt.Fprint(w, kevDocument("2026-11-24", "CVE-2026-0001"))
				case "raw.example", "load.example":
					list.ServeHTTP(w, r)
				default:
					nvd(w, r)
				}
			})
			c := fetchHouse(t, n)
			for i := range devices {
				err := c.Store.Tx(t.Context(), func(tx *store.Tx) error {
					return tx.PutDevice(t.Context(), firmward.Device{
						ID: fmt.Sprintf("dev-%d", i), Name: "secret-camera", Site: "home", Vendor: "Axis", Model: "M3045", Serial: "ACCC8E000001", Firmware: "9.80.1",
						Class: firmward.ClassCamera, Zone: firmward.ZoneHome, Origin: firmward.OriginImported,
					}, store.Change{Actor: "test", Source: "test", At: fetchDay})
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			from(t, c, "nvd", "http://nvd.example/files/", "http://api.example/cves")
			from(t, c, "kev", kevURL)
			from(t, c, "cve", cveFolder, cveArchive)
			for _, name := range []string{"nvd", "kev", "cve"} {
				if _, err := c.FetchFeed(t.Context(), anna, name); err != nil {
					t.Fatal(err)
				}
			}
			var all []string
			for _, r := range n.asked {
				all = append(all, fmt.Sprint(r.Method, r.Host, r.URL, r.Header))
			}
			return all
		}
		empty, full := ask(0), ask(3)
		if diff := cmp.Diff(empty, full); diff != "" || len(full) != 30 { // the years, the API, KEV, the CVE list and a change of it
			t.Errorf("%d requests: %s", len(full), diff)
		}
		for _, r := range full {
			for _, word := range []string{"Axis", "M3045", "ACCC8E", "9.80", "secret"} {
				if strings.Contains(strings.ToLower(r), strings.ToLower(word)) {
					t.Errorf("%q in %s", word, r)
				}
			}
		}
	})
}
