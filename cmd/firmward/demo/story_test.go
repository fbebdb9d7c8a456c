package demo_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/cmd/firmward/demo"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/control/controltest"
	"github.com/firmward/firmward/httpapi"
	"github.com/firmward/firmward/lab"
	"github.com/firmward/firmward/store"
)

// standard is the lab of the story.
func standard(t *testing.T, clock *lab.Clock) *lab.Lab {
	t.Helper()
	l, err := lab.ThreeSites(lab.Options{Clock: clock, Net: lab.NewNet()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// house builds a whole firmward beside the lab: a store, loops, an API served over the network in memory.
// change alters what stands around it.
func house(t *testing.T, ctx context.Context, l *lab.Lab, change func(*control.Config)) (demo.House, *control.Control) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	log := slog.New(slog.DiscardHandler)
	if os.Getenv("FIRMWARD_TEST_LOG") != "" {
		log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	stack := l.Attach("home")
	// The disk is no part of the bubble: SQLite without waiting for it.
	st, err := store.Open(ctx, store.Options{URL: "memory:"})
	must(err)
	t.Cleanup(func() { st.Close() })
	c := controltest.Open(t, func(cfg *control.Config) {
		cfg.Store = st
		cfg.Network, cfg.Log, cfg.Lab = stack, log, true
		cfg.Serve = netip.MustParseAddrPort("192.168.20.2:8390")
		cfg.Self = demo.Self
		if change != nil {
			change(cfg)
		}
	})
	controltest.Starter(t, c)
	api := httpapi.New(httpapi.Deps{Control: c, Store: c.Store, Log: log, Version: "test", Origin: c.Signer.Origin(), Hosts: []string{"192.168.20.2"}, TempDir: t.TempDir(), Alive: func() error { return nil }})
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
	return demo.House{Store: c.Store, Lab: l, Clock: c.Clock, Anna: person("anna", firmward.Admin), Ben: person("ben", firmward.Approver), Signer: c.Signer}, c
}

// tell plays the story once in a bubble and gives the state of every device at its end.
func tell(t *testing.T, say func(string)) (end []string, commits int64) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)))
		ctx, cancel := context.WithCancel(t.Context())
		h, c := house(t, ctx, standard(t, lab.RealClock()), nil)
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
