package demo_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/audit"
	"github.com/firmward/firmward/catalog"
	"github.com/firmward/firmward/cmd/firmward/demo"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/depot"
	"github.com/firmward/firmward/discover/probes"
	"github.com/firmward/firmward/driver/drivers"
	"github.com/firmward/firmward/feed/sources"
	"github.com/firmward/firmward/feed/starter"
	"github.com/firmward/firmward/httpapi"
	"github.com/firmward/firmward/lab"
	"github.com/firmward/firmward/policy"
	"github.com/firmward/firmward/secrets"
	"github.com/firmward/firmward/store"
)

// house builds a whole firmward beside the standard lab: store on disk, loops, API served over the network
// in memory.
func house(t *testing.T, ctx context.Context, dir string) (demo.House, *control.Control) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	l, err := lab.Standard(lab.Options{Clock: lab.RealClock(), Net: lab.NewNet()})
	must(err)
	t.Cleanup(func() { l.Close() })
	st, err := store.Open(ctx, store.Options{URL: filepath.Join(dir, "firmward.db")})
	must(err)
	t.Cleanup(func() { st.Close() })
	cat, err := catalog.Embedded()
	must(err)
	pol, err := policy.Builtin()
	must(err)
	dep, err := depot.Open(filepath.Join(dir, "depot"))
	must(err)
	t.Cleanup(func() { dep.Close() })
	box, err := secrets.Open(filepath.Join(dir, "secrets.key"))
	must(err)
	private, _, err := audit.GenerateKey("test")
	must(err)
	signer, err := audit.NewSigner(private)
	must(err)
	log := slog.New(slog.DiscardHandler)
	if os.Getenv("FIRMWARD_TEST_LOG") != "" {
		log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	stack := l.Attach("home")
	c, err := control.New(control.Config{
		Store: st, Network: stack, Catalog: cat, Policies: pol, Probes: probes.All(), Drivers: drivers.All(), Sources: sources.All(),
		Depot: dep, Serve: netip.MustParseAddrPort("192.168.20.2:8390"), Self: []netip.Addr{netip.MustParseAddr("192.168.20.2"), netip.MustParseAddr("10.40.0.2")},
		Secrets: box, Signer: signer, Log: log, Lab: true,
	})
	must(err)
	file := filepath.Join(dir, starter.Name)
	b, err := io.ReadAll(starter.Document())
	must(err)
	must(os.WriteFile(file, b, 0o600))
	_, err = c.ImportFeed(ctx, firmward.Person{Name: "firmward"}, "", file, starter.Name)
	must(err)
	api := httpapi.New(httpapi.Deps{Control: c, Store: st, Log: log, Version: "test", Origin: signer.Origin(), Hosts: []string{"192.168.20.2"}, TempDir: dir, Alive: func() error { return nil }})
	ln, err := stack.Listen(ctx, "tcp", "192.168.20.2:8099")
	must(err)
	srv := &http.Server{Handler: api.Handler()}
	go srv.Serve(ln)
	t.Cleanup(func() { srv.Close() })
	person := func(name string, role firmward.Role) demo.Person {
		secret, _, err := c.AddToken(ctx, firmward.Person{Name: "setup", Role: firmward.Admin}, name, role, time.Time{})
		must(err)
		return demo.Person{Name: name, Token: secret, Base: "http://192.168.20.2:8099", Client: &http.Client{Transport: &http.Transport{DialContext: stack.DialContext, DisableKeepAlives: true}}}
	}
	return demo.House{Store: st, Lab: l, Anna: person("anna", firmward.Admin), Ben: person("ben", firmward.Approver), Signer: signer}, c
}

// tell plays the story once in a bubble and gives the state of every device at its end.
func tell(t *testing.T, say func(string)) (end []string, commits int64) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)))
		ctx, cancel := context.WithCancel(t.Context())
		h, c := house(t, ctx, t.TempDir())
		done := make(chan error, 1)
		go func() { done <- c.Run(ctx) }()
		s := demo.New(h, say)
		if err := s.Play(ctx); err != nil {
			t.Error(err)
		}
		for _, o := range s.Outcomes() {
			if !o.OK {
				t.Errorf("line %d: %s: %s", o.Line, o.Text, o.Seen)
			}
		}
		var err error
		if end, err = s.End(ctx); err != nil {
			t.Error(err)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		commits = h.Store.Commits()
	})
	return end, commits
}

// TestStory plays the whole story with production timings: days of soak, nightly windows. It plays it
// again and again, and every device ends in the same state. FIRMWARD_STORY_RUNS sets how often.
func TestStory(t *testing.T) {
	runs := 2
	if n, err := strconv.Atoi(os.Getenv("FIRMWARD_STORY_RUNS")); err == nil {
		runs = n
	}
	var first []string
	for i := range runs {
		began := time.Now()
		end, commits := tell(t, func(line string) {
			if i == 0 {
				t.Log(line)
			}
		})
		t.Logf("run %d: %d commits, %s of wall time", i+1, commits, time.Since(began).Round(10*time.Millisecond))
		if first == nil {
			first = end
		}
		if diff := cmp.Diff(first, end); diff != "" {
			t.Fatalf("run %d ended differently (-first +now):\n%s", i+1, diff)
		}
	}
}
