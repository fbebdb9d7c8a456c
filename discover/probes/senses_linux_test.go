package probes_test

import (
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/store"
	"github.com/firmward/firmward/wire/wiretest"
)

// daemon is one of Debian's in a namespace of its own, with what must be found of it and what must not be believed.
type daemon struct {
	name, addr string
	start      func(s *wiretest.Space, dir string)
	want       map[firmward.Field]string // the beginning of one claim's value
	never      map[firmward.Field]string // a value that no claim may hold
}

// at writes a file below dir.
func at(t *testing.T, dir, name, text string) string {
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

const avahiConf = `[server]
host-name=shelly
use-ipv6=no
enable-dbus=no
[publish]
publish-workstation=no
`

const avahiService = `<service-group><name>shellyplus1-a8032ab12c3d</name>
<service><type>_shelly._tcp</type><port>80</port><txt-record>gen=2</txt-record><txt-record>ver=1.0.8</txt-record></service></service-group>`

const avahiDotted = `<service-group><name>Bridge 1.2</name>
<service><type>_hap._tcp</type><port>8080</port><txt-record>md=BSB002</txt-record><txt-record>id=EC:B5:FA:00:11:22</txt-record></service></service-group>`

func daemons(t *testing.T) []daemon {
	avahi := wiretest.Tool(t, "avahi-daemon", "avahi-daemon")
	return []daemon{
		{
			name: "avahi-daemon", addr: "10.99.6.10",
			start: func(s *wiretest.Space, dir string) {
				at(t, dir, "services/shelly.service", avahiService)
				at(t, dir, "services/bridge.service", avahiDotted)
				// ip netns exec gives a mount namespace too: what is mounted is seen by the daemon alone.
				s.Start(nil, "sh", "-c", "mount -t tmpfs none /run && mkdir /run/avahi-daemon && mount --bind "+filepath.Join(dir, "services")+
					" /etc/avahi/services && exec "+avahi+" --no-chroot --no-drop-root --no-rlimits -f "+at(t, dir, "avahi.conf", avahiConf))
			},
			want: map[firmward.Field]string{
				firmward.FieldVendor: "Shelly", firmward.FieldFirmware: "1.0.8", firmward.FieldModel: "BSB002",
				firmward.FieldUUID: "hap:EC:B5:FA:00:11:22", firmward.FieldMAC: "A8:03:2A:B1:2C:3D",
			},
		},
	}
}

// TestSenses scans a home of Debian's daemons, each in a namespace of its own, and prints what was found and missed.
func TestSenses(t *testing.T) {
	all := daemons(t)
	scanner, sw := wiretest.New(t, "scanner"), wiretest.New(t, "sw")
	ports := map[*wiretest.Space][]string{scanner: {"10.99.6.2/24"}}
	spaces := make([]*wiretest.Space, len(all))
	for i, d := range all {
		spaces[i] = wiretest.New(t, fmt.Sprint("d", i))
		ports[spaces[i]] = []string{d.addr + "/24"}
	}
	sw.Switch(ports)
	for i, d := range all {
		d.start(spaces[i], filepath.Join(t.TempDir(), d.name))
	}
	inside := netip.MustParsePrefix("10.99.6.0/24")
	c, st := loops(t, scanner, netip.MustParseAddr("10.99.6.2"))
	ctx, anna := t.Context(), firmward.Person{Name: "anna"}
	if _, err := c.NameNetwork(ctx, anna, control.AddNetwork{Prefix: inside, Site: "home", Profile: firmward.ProfileHome}); err != nil {
		t.Fatal(err)
	}
	// A daemon needs its time to start: what matters is what a scan finds once all are up.
	var table []string
	missed := 0
	for deadline := time.Now().Add(90 * time.Second); ; {
		scan, err := c.StartScan(ctx, anna, inside)
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
		if table, missed = compare(t, st, all); missed == 0 || time.Now().After(deadline) {
			break
		}
	}
	t.Logf("\n%s", strings.Join(table, "\n"))
	if missed > 0 {
		t.Errorf("%d facts were missed or believed wrongly", missed)
	}
}

// compare gives a table of what was found, and how much is missing or wrong.
func compare(t *testing.T, st *store.Store, all []daemon) (table []string, missed int) {
	t.Helper()
	line := func(d daemon, f firmward.Field, value, verdict string) {
		table = append(table, fmt.Sprintf("%-14s %-18s %-40.40s %s", d.name, f, value, verdict))
	}
	for _, d := range all {
		found, err := st.FindDevices(t.Context(), d.addr)
		if err != nil || len(found) != 1 {
			missed++
			line(d, "device", d.addr, fmt.Sprintf("MISSED: %d devices, %v", len(found), err))
			continue
		}
		id, err := st.Identity(t.Context(), found[0].ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range slices.Sorted(maps.Keys(d.want)) {
			i := slices.IndexFunc(id.Claims, func(c firmward.Claim) bool { return c.Field == f && strings.HasPrefix(c.Value, d.want[f]) })
			if i < 0 {
				missed++
				line(d, f, d.want[f], "MISSED")
				continue
			}
			line(d, f, id.Claims[i].Value, "found by "+id.Claims[i].Rule)
		}
		for _, f := range slices.Sorted(maps.Keys(d.never)) {
			if slices.ContainsFunc(id.Claims, func(c firmward.Claim) bool { return c.Field == f && strings.HasPrefix(c.Value, d.never[f]) }) {
				missed++
				line(d, f, d.never[f], "BELIEVED, and it misleads")
				continue
			}
			line(d, f, d.never[f], "not believed")
		}
	}
	return table, missed
}
