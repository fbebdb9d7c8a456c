package demo_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

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
	"github.com/firmward/firmward/lab"
	"github.com/firmward/firmward/policy"
	"github.com/firmward/firmward/secrets"
	"github.com/firmward/firmward/store"
)

// house builds a whole firmward beside the standard lab.
func house(t *testing.T, ctx context.Context, dir string) demo.House {
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
	return demo.House{Control: c, Store: st, Lab: l}
}

func TestStory(t *testing.T) {
	began := time.Now()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)))
		ctx, cancel := context.WithCancel(t.Context())
		h := house(t, ctx, t.TempDir())
		done := make(chan error, 1)
		go func() { done <- h.Control.Run(ctx) }()
		s := demo.New(h, func(line string) { fmt.Println(line) })
		if err := s.Play(ctx); err != nil {
			t.Error(err)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		bad := 0
		for _, o := range s.Outcomes() {
			if !o.OK {
				bad++
				t.Errorf("line %d: %s: %s", o.Line, o.Text, o.Seen)
			}
		}
		t.Logf("%d outcomes, %d commits, house time %s", len(s.Outcomes()), h.Store.Commits(), time.Now().Format(time.RFC3339))
	})
	fmt.Println("wall", time.Since(began))
}
