package probes_test

import (
	"fmt"
	"maps"
	"net/netip"
	"os"
	"os/exec"
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

const miniupnpdConf = `ext_ifname=wan
ext_ip=8.0.0.1
listening_ip=e0
http_port=5000
enable_natpmp=no
enable_upnp=yes
uuid=3ddcd1d3-2380-45f5-b069-2cfda1b2c3d4
friendly_name=Home
manufacturer_name=ASUSTeK
model_name=RT-AC68U
model_number=3.0.0.4
serial=QF1234987
upnp_forward_chain=miniupnpd
upnp_nat_chain=prerouting_miniupnpd
upnp_nat_postrouting_chain=postrouting_miniupnpd
`

// minidlnadConf leaves the maker's name as the author built it in.
const minidlnadConf = `port=8200
media_dir=%[1]s/media
db_dir=%[1]s/db
log_dir=%[1]s/log
friendly_name=films
inotify=no
`

// pymodbusServer identifies itself as a Modicon M340 does.
const pymodbusServer = `
from pymodbus.datastore import ModbusServerContext, ModbusSlaveContext
from pymodbus.device import ModbusDeviceIdentification
from pymodbus.server import StartTcpServer
who = ModbusDeviceIdentification(info_name={"VendorName": "Schneider Electric", "ProductCode": "BMX P34 2020",
    "MajorMinorRevision": "v2.8", "ProductName": "Modicon M340", "ModelName": "BMX P34 2020"})
StartTcpServer(context=ModbusServerContext(slaves=ModbusSlaveContext(), single=True), identity=who, address=("0.0.0.0", 502))
`

const lighttpdTLS = `server.document-root = %[1]q
server.port = 80
server.modules = ( "mod_openssl" )
$SERVER["socket"] == ":443" { ssl.engine = "enable" ssl.pemfile = "%[1]s/both.pem" }
`

// told runs a program here and gives what follows the word in its output.
func told(t *testing.T, after, program string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", program, err, out)
	}
	_, rest, ok := strings.Cut(string(out), after)
	if !ok {
		t.Fatalf("%s does not say %q: %s", program, after, out)
	}
	word, _, _ := strings.Cut(strings.TrimSpace(rest), "\n")
	return strings.TrimRight(word, "=")
}

func daemons(t *testing.T) []daemon {
	avahi := wiretest.Tool(t, "avahi-daemon", "avahi-daemon")
	miniupnpd, minidlnad := wiretest.Tool(t, "miniupnpd", "miniupnpd-nftables"), wiretest.Tool(t, "minidlnad", "minidlna")
	dropbear, dropbearkey := wiretest.Tool(t, "dropbear", "dropbear-bin"), wiretest.Tool(t, "dropbearkey", "dropbear-bin")
	lighttpd, openssl := wiretest.Tool(t, "lighttpd", "lighttpd"), wiretest.Tool(t, "openssl", "openssl")
	if _, err := os.Stat("/usr/lib/lighttpd/mod_openssl.so"); err != nil {
		wiretest.Missing(t, "lighttpd has no TLS (Debian package lighttpd-mod-openssl)")
	}
	keys := t.TempDir()
	hostKey := told(t, "Fingerprint: ", dropbearkey, "-t", "ed25519", "-f", filepath.Join(keys, "host"))
	told(t, "", openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "10", "-subj", "/O=Acme/CN=cam-1",
		"-keyout", filepath.Join(keys, "key.pem"), "-out", filepath.Join(keys, "cert.pem"))
	tlsKey := told(t, "", "sh", "-c", "cd "+keys+" && cat key.pem cert.pem >both.pem && openssl x509 -in cert.pem -noout -pubkey | "+
		"openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | base64")
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
				firmward.FieldUUID: "hap:ec:b5:fa:00:11:22", firmward.FieldMAC: "A8:03:2A:B1:2C:3D",
			},
		},
		{
			name: "miniupnpd", addr: "10.99.6.11",
			start: func(s *wiretest.Space, dir string) {
				// It wants an address that is public; this one is never asked and has no way out.
				s.IP("link", "add", "wan", "type", "veth", "peer", "name", "isp")
				s.IP("addr", "add", "8.0.0.1/24", "dev", "wan")
				s.IP("link", "set", "wan", "up")
				s.IP("link", "set", "isp", "up")
				s.Start(nil, miniupnpd, "-d", "-f", at(t, dir, "miniupnpd.conf", miniupnpdConf), "-P", filepath.Join(dir, "pid"))
			},
			want: map[firmward.Field]string{
				firmward.FieldVendor: "ASUSTeK", firmward.FieldModel: "RT-AC68U", firmward.FieldSerial: "QF1234987", firmward.FieldClass: "router",
				firmward.FieldUUID: "uuid:3ddcd1d3-2380-45f5-b069-2cfda1b2c3d4", firmward.FieldSoftware: "MiniUPnPd 2.3.1",
			},
			never: map[firmward.Field]string{firmward.FieldVendor: "MiniUPnP", firmward.FieldModel: "WAN Device"}, // the embedded device
		},
		{
			name: "minidlna", addr: "10.99.6.12",
			start: func(s *wiretest.Space, dir string) {
				for _, sub := range []string{"media", "db", "log"} {
					at(t, dir, filepath.Join(sub, ".keep"), "")
				}
				s.Start(nil, minidlnad, "-S", "-f", at(t, dir, "minidlna.conf", fmt.Sprintf(minidlnadConf, dir)), "-P", filepath.Join(dir, "pid"))
			},
			want: map[firmward.Field]string{firmward.FieldSoftware: "MiniDLNA 1.3.0", firmward.FieldUUID: "uuid:4d696e69-444c-164e-9d41-"},
			// The author of the software is not the maker of the box.
			never: map[firmward.Field]string{firmward.FieldVendor: "Justin Maggard", firmward.FieldModel: "Windows Media Connect"},
		},
		{
			name: "dropbear", addr: "10.99.6.13",
			start: func(s *wiretest.Space, dir string) {
				s.Start(nil, dropbear, "-F", "-E", "-p", "22", "-r", filepath.Join(keys, "host"), "-P", at(t, dir, "pid", ""))
			},
			want: map[firmward.Field]string{firmward.FieldSoftware: "dropbear 2022.83", firmward.FieldHostKey: "ssh " + hostKey},
		},
		{
			name: "lighttpd", addr: "10.99.6.14",
			start: func(s *wiretest.Space, dir string) {
				s.Start(nil, lighttpd, "-D", "-f", at(t, dir, "lighttpd.conf", fmt.Sprintf(lighttpdTLS, keys)))
			},
			want: map[firmward.Field]string{firmward.FieldSoftware: "lighttpd 1.4", firmward.FieldHostKey: "tls SHA256:" + tlsKey},
		},
	}
}

// TestModbusServer asks a server of another implementation.
func TestModbusServer(t *testing.T) {
	python := "/usr/bin/python3"
	if err := exec.CommandContext(t.Context(), python, "-c", "import pymodbus.server, serial").Run(); err != nil {
		wiretest.Missing(t, "pymodbus is not here (Debian packages python3-pymodbus, python3-serial and python3-serial-asyncio)")
	}
	scanner, plc := wiretest.New(t, "scanner"), wiretest.New(t, "plc")
	scanner.Link([]string{"10.99.7.2/24"}, plc, []string{"10.99.7.1/24"})
	plc.Start(nil, python, "-c", pymodbusServer)
	var o firmward.Observation
	wiretest.Await(t, 30*time.Second, "pymodbus", func() bool {
		o = look(t, "modbus", discover.Target{Network: scanner, Addr: netip.MustParseAddr("10.99.7.1")})
		return o.Outcome == firmward.Answered
	})
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
