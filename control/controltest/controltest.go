// Package controltest builds a whole control for tests of other rooms: a store on disk, the embedded
// catalogue and policies, every probe, driver and feed, in a directory that ends with the test.
package controltest

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/audit"
	"github.com/firmward/firmward/catalog"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/depot"
	"github.com/firmward/firmward/discover/probes"
	"github.com/firmward/firmward/driver/drivers"
	"github.com/firmward/firmward/feed/sources"
	"github.com/firmward/firmward/feed/starter"
	"github.com/firmward/firmward/policy"
	"github.com/firmward/firmward/secrets"
	"github.com/firmward/firmward/store"
	"github.com/firmward/firmward/wire"
)

// Open builds a control that change may alter before it is made; the default network is the operating
// system's, so tests that let it look around must bring their own. Nothing runs yet.
func Open(tb testing.TB, change func(*control.Config)) *control.Control {
	tb.Helper()
	must := func(err error) {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
	}
	dir := tb.TempDir()
	cat, err := catalog.Embedded()
	must(err)
	pol, err := policy.Builtin()
	must(err)
	dep, err := depot.Open(filepath.Join(dir, "depot"))
	must(err)
	tb.Cleanup(func() { dep.Close() })
	box, err := secrets.Open(filepath.Join(dir, "secrets.key"))
	must(err)
	private, _, err := audit.GenerateKey("test")
	must(err)
	signer, err := audit.NewSigner(private)
	must(err)
	cfg := control.Config{
		Network: &wire.OS{}, Catalog: cat, Policies: pol, Probes: probes.All(), Drivers: drivers.All(), Sources: sources.All(),
		Depot: dep, Secrets: box, Signer: signer,
	}
	if change != nil {
		change(&cfg)
	}
	if cfg.Store == nil {
		cfg.Store, err = store.Open(tb.Context(), store.Options{URL: filepath.Join(dir, "firmward.db")})
		must(err)
		tb.Cleanup(func() { cfg.Store.Close() })
	}
	c, err := control.New(cfg)
	must(err)
	return c
}

// Starter imports the starter set.
func Starter(tb testing.TB, c *control.Control) {
	tb.Helper()
	b, err := io.ReadAll(starter.Document())
	if err != nil {
		tb.Fatal(err)
	}
	path := filepath.Join(tb.TempDir(), starter.Name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		tb.Fatal(err)
	}
	if _, err := c.ImportFeed(tb.Context(), firmward.Person{Name: "test", Role: firmward.Admin}, "starter", path, starter.Name); err != nil {
		tb.Fatal(err)
	}
}
