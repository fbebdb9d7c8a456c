package control_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/control/controltest"
	"github.com/firmward/firmward/depot"
	"github.com/firmward/firmward/driver"
	"github.com/firmward/firmward/policy"
	"github.com/firmward/firmward/rollout"
	"github.com/firmward/firmward/store"
	"github.com/firmward/firmward/wire"
)

// plugs are simulated devices without a socket: what stands for the look at one and for the driver answers at once. All that is saved,
// leased and marked between is real. Each image that one was sent is a byte in a file of its own, so that servers share them.
type plugs struct {
	dir   string
	slow  time.Duration // how long an installation takes; the image is in after half of it
	mu    sync.Mutex
	first time.Time // when the first was asked
	last  time.Time // when the last image was sent
}

func newPlugs(t testing.TB) *plugs { return &plugs{dir: t.TempDir()} }

const (
	plugModel = "SNPL-00112EU"
	plugOld   = "1.0.3"
	plugNew   = "1.4.4"
)

// Info is driver.Driver.
func (p *plugs) Info() driver.Info {
	return driver.Info{Name: "shelly-gen2", Path: driver.Push, Rollback: firmward.RollbackNone}
}

// Read is driver.Driver.
func (p *plugs) Read(_ context.Context, c wire.Conn) (driver.State, error) {
	return driver.State{Version: p.version(c.Addr)}, nil
}

// Install is driver.Installer.
func (p *plugs) Install(ctx context.Context, c wire.Conn, img driver.Image) error {
	r, err := img.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	if _, err := io.Copy(io.Discard, r); err != nil {
		return err
	}
	p.pass(ctx)
	f, err := os.OpenFile(p.file(c.Addr), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err := f.WriteString("x"); err != nil {
		return err
	}
	p.mu.Lock()
	p.last = time.Now()
	p.mu.Unlock()
	p.pass(ctx)
	return f.Close()
}

// pass lets half the time of an installation pass.
func (p *plugs) pass(ctx context.Context) {
	if p.slow == 0 {
		return
	}
	timer := time.NewTimer(p.slow / 2)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (p *plugs) file(a netip.Addr) string { return filepath.Join(p.dir, a.String()) }

func (p *plugs) version(a netip.Addr) string {
	p.mu.Lock()
	if p.first.IsZero() {
		p.first = time.Now()
	}
	p.mu.Unlock()
	if p.sent(a) > 0 {
		return plugNew
	}
	return plugOld
}

// sent is how many images a device was sent.
func (p *plugs) sent(a netip.Addr) int64 {
	info, err := os.Stat(p.file(a))
	if err != nil {
		return 0
	}
	return info.Size()
}

func (p *plugs) look(_ context.Context, d firmward.Device) (rollout.Seen, error) {
	return rollout.Seen{Reachable: true, SameDevice: true, Version: p.version(d.Addrs[0])}, nil
}

// once checks that none of the first n devices was sent more than one image.
func (p *plugs) once(t testing.TB, n int) {
	t.Helper()
	for i := range n {
		if sent := p.sent(fleetAddr(i)); sent > 1 {
			t.Errorf("%s was sent %d images", fleetAddr(i), sent)
		}
	}
}

const fleetPolicy = `
rollout-policies:
  - name: fast
    waves: [100]
    canary-soak: 1m
    wave-soak: 1m
    max-in-flight: 200
    canary-in-flight: 1
    failure-budget-percent: 50
    failure-floor: 5
    approvals: 0
    deadline: 600m
    commit-within: 0m
    window: always
    require-owner: false
risk-policies:
  - {name: r, exploited-and-exposed: 1d, exploited: 1d, critical: 1d, high: 1d, other: 1d, contain-within: 1d, replace-within: 1d, look-every: 7d}
`

// nowhere is a network on which nobody is: nothing leaves this process.
type nowhere struct{}

var errNowhere = errors.New("no packet leaves this test")

// DialContext is wire.Network.
func (nowhere) DialContext(context.Context, string, string) (net.Conn, error) { return nil, errNowhere }

// ListenPacket is wire.Network.
func (nowhere) ListenPacket(context.Context, string, string) (net.PacketConn, error) {
	return nil, errNowhere
}

// Listen is wire.Network.
func (nowhere) Listen(context.Context, string, string) (net.Listener, error) { return nil, errNowhere }

// openFleet is a control over n plugs of one model. Each has an identity, keys and an address, as if it had been seen by probes.
func openFleet(t testing.TB, url string, n int, p *plugs, change ...func(*control.Config)) *control.Control {
	t.Helper()
	c := fleetIn(t, url, p, change...)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	d := firmward.Device{
		ID: "dev-1000000", Name: "plug-1000000", Site: "hall", Network: "10.0.0.0/8", Family: "shelly-gen2", Vendor: "Shelly", Model: plugModel, Hardware: "gen2",
		Class: firmward.ClassPlug, Firmware: plugOld, Serial: "plug-1000000", MACs: []string{"02:00:00:00:00:01"}, Addrs: []netip.Addr{fleetAddr(0)}, Lab: true, Origin: firmward.OriginSeen,
		Zone: firmward.ZoneHome, Owner: "anna",
	}
	var id firmward.Identity
	for field, value := range map[firmward.Field]string{
		firmward.FieldVendor: d.Vendor, firmward.FieldModel: d.Model, firmward.FieldFirmware: d.Firmware, firmward.FieldHardware: d.Hardware, firmward.FieldSerial: d.Serial, firmward.FieldMAC: d.MACs[0],
	} {
		id.Claims = append(id.Claims, firmward.Claim{Field: field, Value: value, Confidence: 95, Source: "shelly", Observation: "obs-" + d.ID, Rule: string(field), At: c.Clock.Now()})
	}
	must(c.Store.Tx(t.Context(), func(tx *store.Tx) error {
		if err := tx.PutSetting(t.Context(), "catalogue-digest", c.Catalog.Digest); err != nil { // the identities stand: there is no observation to read them from
			return err
		}
		if err := tx.PutSite(t.Context(), firmward.Site{Name: "hall"}); err != nil {
			return err
		}
		if err := tx.PutNetwork(t.Context(), firmward.Network{Prefix: netip.MustParsePrefix("10.0.0.0/8"), Site: "hall", Profile: firmward.ProfileHome}); err != nil {
			return err
		}
		if err := tx.PutDevice(t.Context(), d, store.Change{Actor: "test"}); err != nil {
			return err
		}
		return tx.PutIdentity(t.Context(), d.ID, id)
	}))
	clone(t, url, n)
	_, err := c.ImportRelease(t.Context(), anna, firmward.Release{Vendor: "Shelly", Models: []string{plugModel}, Hardware: []string{"gen2"}, Version: plugNew, FileName: "p.zip", Origin: "test"}, bytes.NewReader(bytes.Repeat([]byte("image"), 100)))
	must(err)
	return c
}

// fleetIn is a control over the plugs that a database holds already.
func fleetIn(t testing.TB, url string, p *plugs, change ...func(*control.Config)) *control.Control {
	t.Helper()
	pol, err := policy.Parse([]byte(fleetPolicy), "fleet.yaml")
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), store.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	dep, err := depot.Open(filepath.Join(p.dir, "depot"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dep.Close() })
	c := controltest.Open(t, func(cfg *control.Config) {
		cfg.Depot = dep
		cfg.Store, cfg.Policies, cfg.Drivers, cfg.Lab, cfg.Network = s, pol, []driver.Driver{p}, true, nowhere{}
		cfg.Clock = control.Clock{Base: time.Now(), Start: time.Now(), Scale: 600}
		for _, f := range change {
			f(cfg)
		}
	})
	c.SetEyes(p.look)
	return c
}

func fleetFile(t testing.TB) string { return filepath.Join(t.TempDir(), "firmward.db") }

func fleetAddr(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
}

// clone copies the rows of the first device until there are n: through the store that takes minutes for a large fleet.
func clone(t testing.TB, url string, n int) {
	t.Helper()
	engine, number := "sqlite", "CAST(1000000 + i AS TEXT)"
	addr := "'10.' || (i / 65536) || '.' || (i / 256 % 256) || '.' || (i % 256)"
	if strings.HasPrefix(url, "postgres:") {
		engine = "pgx"
	}
	db, err := sql.Open(engine, url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for table, of := range map[string]map[string]string{
		"device":      {"id": "'dev-' || " + number, "name": "'plug-' || " + number, "name_key": "'plug-' || " + number, "serial": "'plug-' || " + number, "serial_key": "'plug-' || " + number, "addrs": addr},
		"device_addr": {"device": "'dev-' || " + number, "addr": addr}, "identity": {"device": "'dev-' || " + number},
		"device_key": {"device": "'dev-' || " + number, "value": "value || i"},
	} {
		rows, err := db.QueryContext(t.Context(), "SELECT * FROM "+table+" WHERE 1 = 0")
		if err != nil {
			t.Fatal(err)
		}
		columns, err := rows.Columns()
		rows.Close()
		if err != nil {
			t.Fatal(err)
		}
		values := slices.Clone(columns)
		for i, c := range columns {
			if v, other := of[c]; other {
				values[i] = v
			}
		}
		_, err = db.ExecContext(t.Context(), fmt.Sprintf("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < %d) INSERT INTO %s (%s) SELECT %s FROM %s, n",
			n, table, strings.Join(columns, ", "), strings.Join(values, ", "), table))
		if err != nil {
			t.Fatalf("%s: %v", table, err)
		}
	}
	if _, err := db.ExecContext(t.Context(), fmt.Sprintf("UPDATE device_count SET n = %d", n)); err != nil {
		t.Fatal(err)
	}
	if engine == "pgx" {
		if _, err := db.ExecContext(t.Context(), "ANALYZE"); err != nil {
			t.Fatal(err)
		}
	}
}

// startFleet plans and starts a rollout to the whole fleet.
func startFleet(t testing.TB, c *control.Control) firmward.Rollout {
	t.Helper()
	plan, err := c.PlanRollout(t.Context(), anna, onlyRelease(t, c).ID, "fast", firmward.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.SteerRollout(t.Context(), anna, plan.Rollout.ID, "start", "")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// running lets the loops of a control run until the returned function is called.
func running(t testing.TB, c *control.Control) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

func onlyRelease(t testing.TB, c *control.Control) firmward.Release {
	t.Helper()
	rels, _, err := c.Store.Releases(t.Context(), store.ReleaseFilter{}, store.Page{})
	if err != nil || len(rels) != 1 {
		t.Fatal(rels, err)
	}
	return rels[0]
}
