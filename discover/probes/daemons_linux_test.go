package probes_test

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/control/controltest"
	"github.com/firmward/firmward/discover"
	"github.com/firmward/firmward/store"
	"github.com/firmward/firmward/wire"
	"github.com/firmward/firmward/wire/wiretest"
)

const lighttpdConf = `server.document-root = %q
server.port = 80
server.bind = "0.0.0.0"
index-file.names = ( "index.html" )
mimetype.assign = ( ".html" => "text/html" )
`

// TestDaemons scans a network of namespaces with two of Debian's daemons, as a home of two devices:
// nothing in it was written by us, so nothing in it shares our misunderstandings.
func TestDaemons(t *testing.T) {
	snmpd, lighttpd := wiretest.Tool(t, "snmpd", "snmpd"), wiretest.Tool(t, "lighttpd", "lighttpd")
	scanner, sw := wiretest.New(t, "scanner"), wiretest.New(t, "sw")
	router, web := wiretest.New(t, "router"), wiretest.New(t, "web")
	sw.Switch(map[*wiretest.Space][]string{scanner: {"10.99.5.2/24"}, router: {"10.99.5.1/24"}, web: {"10.99.5.80/24"}})
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	router.Start([]string{"SNMP_PERSISTENT_DIR=" + filepath.Join(dir, "snmp"), "MIBS="},
		snmpd, "-f", "-Lo", "-C", "-c", write("snmpd.conf", snmpdConf), "-I", "-smux", "-p", filepath.Join(dir, "snmpd.pid"))
	page := write("www/index.html", "<html><head><title>Heating</title></head><body>warm</body></html>")
	web.Start(nil, lighttpd, "-D", "-f", write("lighttpd.conf", fmt.Sprintf(lighttpdConf, filepath.Dir(page))))
	inside := netip.MustParsePrefix("10.99.5.0/24")
	wiretest.Await(t, 20*time.Second, "lighttpd", func() bool {
		c, err := scanner.DialContext(t.Context(), "tcp", "10.99.5.80:80")
		return err == nil && c.Close() == nil
	})

	wiretest.Await(t, 20*time.Second, "snmpd", func() bool {
		o := look(t, "snmp", discover.Target{Network: scanner, Addr: netip.MustParseAddr("10.99.5.1")})
		return o.Outcome == firmward.Answered
	})

	c, st := loops(t, scanner, netip.MustParseAddr("10.99.5.2"))
	ctx, anna := t.Context(), firmward.Person{Name: "anna"}
	if _, err := c.NameNetwork(ctx, anna, control.AddNetwork{Prefix: inside, Site: "home", Profile: firmward.ProfileHome}); err != nil {
		t.Fatal(err)
	}
	scan, err := c.StartScan(ctx, anna, inside)
	if err != nil {
		t.Fatal(err)
	}
	took := wiretest.Await(t, 90*time.Second, "the scan", func() bool {
		s, err := c.ScanByID(scan.ID)
		if err != nil {
			t.Fatal(err)
		}
		scan = s
		return !s.Ended.IsZero()
	})
	t.Logf("scan of %s in %s: %d addresses, %d answered, %d devices", inside, took.Round(time.Millisecond), scan.Targets, scan.Answered, scan.Devices)
	if scan.Error != "" || scan.Targets != 254 || scan.Devices != 2 {
		t.Errorf("scan %+v", scan)
	}
	expect(t, st, "10.99.5.1", map[firmward.Field]string{
		firmward.FieldVendor: "MikroTik", firmward.FieldModel: "RB750Gr3", firmward.FieldClass: "router", firmward.FieldName: "gw",
	}, "snmp")
	expect(t, st, "10.99.5.80", map[firmward.Field]string{firmward.FieldSoftware: "lighttpd "}, "http")

	// The second look also has the neighbour table: now each has its hardware address.
	again, err := c.StartScan(ctx, anna, inside)
	if err != nil {
		t.Fatal(err)
	}
	wiretest.Await(t, 90*time.Second, "the second scan", func() bool {
		s, err := c.ScanByID(again.ID)
		return err == nil && !s.Ended.IsZero()
	})
	for _, addr := range []string{"10.99.5.1", "10.99.5.80"} {
		expect(t, st, addr, map[firmward.Field]string{firmward.FieldMAC: ""}, "neighbor")
	}
}

// expect checks the winning claims of the one device at an address and prints its evidence. A wanted
// value is the beginning of the one seen.
func expect(t *testing.T, st *store.Store, addr string, want map[firmward.Field]string, source string) {
	t.Helper()
	found, err := st.FindDevices(t.Context(), addr)
	if err != nil || len(found) != 1 {
		t.Fatalf("%d devices at %s, %v", len(found), addr, err)
	}
	d := found[0]
	id, err := st.Identity(t.Context(), d.ID)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s %q: %s %s, class %s, MACs %v", addr, d.Name, d.Vendor, d.Model, d.Class, d.MACs)
	for _, c := range id.Claims {
		t.Logf("  %-10s %-24q from %s by rule %s, raw %.60q", c.Field, c.Value, c.Source, c.Rule, c.Raw)
	}
	for f, v := range want {
		c, ok := id.Best(f)
		if !ok || !strings.HasPrefix(c.Value, v) || c.Source != source || c.Rule == "" || c.Raw == "" || c.Observation == "" {
			t.Errorf("%s: %s is %q from %q by %q with raw %q, want %q from %s", addr, f, c.Value, c.Source, c.Rule, c.Raw, v, source)
		}
	}
	sent, _, err := st.TransmissionsOf(t.Context(), netip.MustParseAddr(addr), store.Page{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, s := range sent {
		n += s.Total
	}
	t.Logf("  sent to it: %d writes, %d bytes", len(sent), n)
}

// loops runs firmward inside a namespace.
func loops(t *testing.T, network wire.Network, me netip.Addr) (*control.Control, *store.Store) {
	t.Helper()
	c := controltest.Open(t, func(cfg *control.Config) {
		cfg.Network, cfg.Self = network, []netip.Addr{me}
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return c, c.Store
}
