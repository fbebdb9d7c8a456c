package probes_test

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/discover"
	"github.com/firmward/firmward/store"
	"github.com/firmward/firmward/wire/wiretest"
)

// housed is a daemon at its address.
type housed struct {
	daemon
	name, addr string
}

// TestSenses scans a home of Debian's daemons and a plant's one controller, each in a namespace of its own, and prints what
// was found of what must be, and what misleads and was not believed.
func TestSenses(t *testing.T) {
	scanner, sw := wiretest.New(t, "scanner"), wiretest.New(t, "sw")
	home, plant := netip.MustParsePrefix("10.99.6.0/24"), netip.MustParsePrefix("10.99.7.0/24")
	ports := map[*wiretest.Space][]string{scanner: {"10.99.6.2/24"}}
	dir := t.TempDir()
	var all []housed
	spaces := map[string]*wiretest.Space{}
	for i, d := range debian {
		h := housed{name: d.name, addr: fmt.Sprint("10.99.6.", 10+i)}
		if !t.Run(d.name, func(t *testing.T) {
			h.daemon = d.make(t, filepath.Join(dir, d.name))
		}) || h.start == nil {
			continue // it said why
		}
		s := wiretest.New(t, fmt.Sprint("d", i))
		if spaces[d.name] = s; d.name == "pymodbus" {
			h.addr = "10.99.7.10"
			scanner.Link([]string{"10.99.7.2/24"}, s, []string{h.addr + "/24"})
		} else {
			ports[s] = []string{h.addr + "/24"}
		}
		all = append(all, h)
	}
	sw.Switch(ports)
	for _, d := range all {
		d.start(t, spaces[d.name])
	}
	c, st := loops(t, scanner, netip.MustParseAddr("10.99.6.2"))
	ctx, anna := t.Context(), firmward.Person{Name: "anna"}
	for prefix, profile := range map[netip.Prefix]firmward.Profile{home: firmward.ProfileHome, plant: firmward.ProfileOT} {
		if _, err := c.NameNetwork(ctx, anna, control.AddNetwork{Prefix: prefix, Site: string(profile), Profile: profile}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.AllowNetwork(ctx, anna, plant, firmward.Stateful); err != nil {
		t.Fatal(err)
	}
	if spaces["pymodbus"] != nil {
		wiretest.Await(t, 30*time.Second, "pymodbus", func() bool { // a plant is not swept: now its controller is a neighbour
			conn, err := scanner.DialContext(ctx, "tcp", "10.99.7.10:502")
			return err == nil && conn.Close() == nil
		})
		scanned(t, c, plant)
	}
	// A daemon needs its time to start: what matters is what a scan finds once all are up.
	var table []string
	missed := 0
	for deadline := time.Now().Add(90 * time.Second); ; {
		scanned(t, c, home)
		if table, missed = compare(t, st, all); missed == 0 || time.Now().After(deadline) {
			break
		}
	}
	t.Logf("\n%s", strings.Join(table, "\n"))
	if missed > 0 {
		t.Errorf("%d facts were missed or believed wrongly", missed)
	}
}

// scanned scans a network to its end.
func scanned(t *testing.T, c *control.Control, prefix netip.Prefix) control.Scan {
	t.Helper()
	scan, err := c.StartScan(t.Context(), firmward.Person{Name: "anna"}, prefix)
	if err != nil {
		t.Fatal(err)
	}
	wiretest.Await(t, 90*time.Second, "the scan", func() bool {
		s, err := c.ScanByID(scan.ID)
		scan = s
		return err == nil && !s.Ended.IsZero()
	})
	if scan.Error != "" {
		t.Fatalf("scan %+v", scan)
	}
	return scan
}

// compare gives a table of what was found, and how much is missing or wrong.
func compare(t *testing.T, st *store.Store, all []housed) (table []string, missed int) {
	t.Helper()
	const form = "%-14s %-9s %-8s %-38.38s %-38.38s %s"
	table = append(table, fmt.Sprintf(form, "DAEMON", "FIELD", "", "VALUE", "FOUND", ""))
	line := func(name string, f firmward.Field, must, value, found, verdict string) {
		table = append(table, fmt.Sprintf(form, name, f, must, value, found, verdict))
	}
	for _, d := range all {
		at, err := st.FindDevices(t.Context(), d.addr)
		if err != nil || len(at) != 1 {
			missed++
			line(d.name, "device", "want", d.addr, fmt.Sprint(len(at), " devices"), fmt.Sprintf("MISSED %v", err))
			continue
		}
		id, err := st.Identity(t.Context(), at[0].ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range slices.Sorted(maps.Keys(d.want)) {
			c, ok := winner(id, f, d.want[f])
			verdict := "found by " + c.Rule
			if !ok {
				missed++
				verdict = "MISSED"
			}
			line(d.name, f, "want", d.want[f], c.Value, verdict)
		}
		for _, f := range slices.Sorted(maps.Keys(d.never)) {
			verdict, believed := "not believed", ""
			if i := slices.IndexFunc(id.Claims, func(c firmward.Claim) bool { return c.Field == f && strings.HasPrefix(c.Value, d.never[f]) }); i >= 0 {
				missed++
				verdict, believed = "BELIEVED by "+id.Claims[i].Rule, id.Claims[i].Value
			}
			line(d.name, f, "never", cmp.Or(d.never[f], "(anything)"), believed, verdict)
		}
	}
	return table, missed
}

// winner gives the claim that holds a field: of fields that may have many values the one that begins as wanted.
func winner(id firmward.Identity, f firmward.Field, want string) (firmward.Claim, bool) {
	c, _ := id.Best(f)
	for _, other := range id.Claims {
		many := f.Key() || f == firmward.FieldSoftware
		if many && other.Field == f && strings.HasPrefix(other.Value, want) {
			return other, true
		}
	}
	return c, c.Rule != "" && strings.HasPrefix(c.Value, want)
}

// TestModbusServer asks a server of another implementation for all that it says.
func TestModbusServer(t *testing.T) {
	server := pymodbus(t, "")
	scanner, plc := wiretest.New(t, "scanner"), wiretest.New(t, "plc")
	scanner.Link([]string{"10.99.7.2/24"}, plc, []string{"10.99.7.1/24"})
	server.start(t, plc)
	o := answer(t, "modbus", discover.Target{Network: scanner, Addr: netip.MustParseAddr("10.99.7.1")})
	for name, want := range map[string]string{
		"modbus.VendorName": "Schneider Electric", "modbus.ProductCode": "BMX P34 2020", "modbus.MajorMinorRevision": "v2.8",
		"modbus.ProductName": "Modicon M340", "modbus.ModelName": "BMX P34 2020", "modbus.unit": "255",
	} {
		v, _ := o.Get(name)
		t.Logf("%-14s %-26s %s", "pymodbus", name, v)
		if v != want {
			t.Errorf("%s is %q, want %q", name, v, want)
		}
	}
}

// TestPrivateBroker asks a broker at the port where it lets in nobody without a name.
func TestPrivateBroker(t *testing.T) {
	server := mosquitto(t, t.TempDir())
	scanner, box := wiretest.New(t, "scanner"), wiretest.New(t, "broker")
	scanner.Link([]string{"10.99.7.2/24"}, box, []string{"10.99.7.1/24"})
	server.start(t, box)
	o := answer(t, "mqtt", discover.Target{Network: scanner, Addr: netip.MustParseAddr("10.99.7.1"), Port: 1884})
	if v, _ := o.Get("mqtt.connack"); v != "not-authorized" || len(o.Readings) != 1 {
		t.Errorf("%v: %s", o.Readings, o.Note)
	}
}

// answer looks until a daemon that was just started answers.
func answer(t *testing.T, probe string, target discover.Target) (o firmward.Observation) {
	t.Helper()
	wiretest.Await(t, 30*time.Second, "an answer to "+probe, func() bool {
		o = look(t, probe, target)
		return o.Outcome == firmward.Answered
	})
	return o
}
