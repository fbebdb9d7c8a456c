package probes_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/wire/wiretest"
)

// daemon is one of Debian's in a namespace of its own, with what must be found of it and what must not be believed.
type daemon struct {
	start func(t *testing.T, s *wiretest.Space)
	want  map[firmward.Field]string // the beginning of the value that must win; of fields that may have many, of one
	never map[firmward.Field]string // the beginning of a value that nothing may claim; empty: nothing may claim any
}

// debian makes each daemon ready below a directory of its own. What a daemon needs and is not there skips t.
var debian = []struct {
	name string
	make func(t *testing.T, dir string) daemon
}{
	{"snmpd", snmpd},
	{"avahi-daemon", avahiDaemon},
	{"miniupnpd", miniupnpd},
	{"minidlna", minidlna},
	{"ippeveprinter", ippeveprinter},
	{"dropbear", dropbear},
	{"lighttpd", lighttpd},
	{"mosquitto", mosquitto},
	{"pymodbus", pymodbus},
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

const snmpdConf = `agentaddress udp:161
rocommunity public
sysdescr RouterOS RB750Gr3
sysobjectid 1.3.6.1.4.1.14988.1
sysname gw
syslocation lab
`

func snmpd(t *testing.T, dir string) daemon {
	program, conf := wiretest.Tool(t, "snmpd", "snmpd"), at(t, dir, "snmpd.conf", snmpdConf)
	return daemon{
		start: func(_ *testing.T, s *wiretest.Space) {
			s.Start([]string{"SNMP_PERSISTENT_DIR=" + filepath.Join(dir, "snmp"), "MIBS="},
				program, "-f", "-Lo", "-C", "-c", conf, "-I", "-smux", "-p", filepath.Join(dir, "snmpd.pid"))
		},
		want: map[firmward.Field]string{
			firmward.FieldVendor: "MikroTik", firmward.FieldModel: "RB750Gr3", firmward.FieldClass: "router", firmward.FieldName: "gw",
		},
		never: map[firmward.Field]string{firmward.FieldFirmware: ""}, // it names its system and no version
	}
}

const avahiConf = `[server]
host-name=%s
use-ipv6=no
enable-dbus=%s
[publish]
publish-workstation=no
`

const avahiService = `<service-group><name>shellyplus1-a8032ab12c3d</name>
<service><type>_shelly._tcp</type><port>80</port><txt-record>gen=2</txt-record><txt-record>ver=1.0.8</txt-record></service></service-group>`

const avahiDotted = `<service-group><name>Bridge 1.2</name>
<service><type>_hap._tcp</type><port>8080</port><txt-record>md=BSB002</txt-record><txt-record>id=EC:B5:FA:00:11:22</txt-record></service></service-group>`

// startAvahi runs avahi-daemon with the services of a directory. ip netns exec gives a mount namespace too: what is mounted
// is seen by the daemon alone.
func startAvahi(s *wiretest.Space, program, conf, services string, env ...string) {
	s.Start(env, "sh", "-c", "mount -t tmpfs none /run && mkdir /run/avahi-daemon && mount --bind "+services+
		" /etc/avahi/services && exec "+program+" --no-chroot --no-drop-root --no-rlimits -f "+conf)
}

func avahiDaemon(t *testing.T, dir string) daemon {
	program, conf := wiretest.Tool(t, "avahi-daemon", "avahi-daemon"), at(t, dir, "avahi.conf", fmt.Sprintf(avahiConf, "shelly", "no"))
	at(t, dir, "services/shelly.service", avahiService)
	at(t, dir, "services/bridge.service", avahiDotted)
	return daemon{
		start: func(_ *testing.T, s *wiretest.Space) { startAvahi(s, program, conf, filepath.Join(dir, "services")) },
		want: map[firmward.Field]string{
			firmward.FieldVendor: "Shelly", firmward.FieldFirmware: "1.0.8", firmward.FieldModel: "BSB002",
			firmward.FieldUUID: "hap:ec:b5:fa:00:11:22", firmward.FieldMAC: "A8:03:2A:B1:2C:3D",
		},
	}
}

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

func miniupnpd(t *testing.T, dir string) daemon {
	program, conf := wiretest.Tool(t, "miniupnpd", "miniupnpd-nftables"), at(t, dir, "miniupnpd.conf", miniupnpdConf)
	return daemon{
		start: func(_ *testing.T, s *wiretest.Space) {
			// It wants an address that is public; this one is never asked and has no way out.
			s.IP("link", "add", "wan", "type", "veth", "peer", "name", "isp")
			s.IP("addr", "add", "8.0.0.1/24", "dev", "wan")
			s.IP("link", "set", "wan", "up")
			s.IP("link", "set", "isp", "up")
			s.Start(nil, program, "-d", "-f", conf, "-P", filepath.Join(dir, "pid"))
		},
		want: map[firmward.Field]string{
			firmward.FieldVendor: "ASUSTeK", firmward.FieldModel: "RT-AC68U", firmward.FieldSerial: "QF1234987", firmward.FieldClass: "router",
			firmward.FieldUUID: "uuid:3ddcd1d3-2380-45f5-b069-2cfda1b2c3d4", firmward.FieldSoftware: "MiniUPnPd 2.3.1",
		},
		never: map[firmward.Field]string{firmward.FieldVendor: "MiniUPnP", firmward.FieldModel: "WAN Device"}, // the embedded device
	}
}

// minidlnaConf leaves the maker's name as the author built it in.
const minidlnaConf = `port=8200
media_dir=%[1]s/media
db_dir=%[1]s/db
log_dir=%[1]s/log
friendly_name=films
inotify=no
`

func minidlna(t *testing.T, dir string) daemon {
	program, conf := wiretest.Tool(t, "minidlnad", "minidlna"), at(t, dir, "minidlna.conf", fmt.Sprintf(minidlnaConf, dir))
	for _, sub := range []string{"media", "db", "log"} {
		at(t, dir, filepath.Join(sub, ".keep"), "")
	}
	return daemon{
		start: func(_ *testing.T, s *wiretest.Space) {
			s.Start(nil, program, "-S", "-f", conf, "-P", filepath.Join(dir, "pid"))
		},
		want: map[firmward.Field]string{firmward.FieldSoftware: "MiniDLNA 1.3.0", firmward.FieldUUID: "uuid:4d696e69-444c-164e-9d41-"},
		// The author of the software is not the maker of the box.
		never: map[firmward.Field]string{firmward.FieldVendor: "Justin Maggard", firmward.FieldModel: "Windows Media Connect"},
	}
}

// printerConf is what a printer tells that ippeveprinter would not make up.
const printerConf = `ATTR text printer-make-and-model "EPSON WF-2860 Series"
ATTR text printer-device-id "MFG:EPSON;CMD:ESCPL2,BDC;MDL:WF-2860 Series;CLS:PRINTER;"
ATTR name printer-firmware-name "WF-2860"
ATTR text printer-firmware-string-version "LH05H7"
ATTR mimeMediaType document-format-supported application/octet-stream,image/pwg-raster
ATTR mimeMediaType document-format-default application/octet-stream
`

const busConf = `<busconfig><type>custom</type><listen>%s</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/></policy></busconfig>
`

// ippeveprinter prints nothing and starts only where it can announce itself: by avahi-daemon, over a bus.
func ippeveprinter(t *testing.T, dir string) daemon {
	program, avahi := wiretest.Tool(t, "ippeveprinter", "cups-ipp-utils"), wiretest.Tool(t, "avahi-daemon", "avahi-daemon")
	bus, ask := wiretest.Tool(t, "dbus-daemon", "dbus-daemon"), wiretest.Tool(t, "dbus-send", "dbus-bin")
	address := "unix:path=" + filepath.Join(dir, "bus")
	busFile, avahiFile := at(t, dir, "bus.conf", fmt.Sprintf(busConf, address)), at(t, dir, "avahi.conf", fmt.Sprintf(avahiConf, "printer", "yes"))
	printerFile := at(t, dir, "printer.conf", printerConf)
	at(t, dir, "services/.keep", "")
	return daemon{
		start: func(t *testing.T, s *wiretest.Space) {
			env := []string{"DBUS_SYSTEM_BUS_ADDRESS=" + address, "HOME=" + dir}
			s.Start(nil, bus, "--config-file="+busFile, "--nofork", "--nopidfile")
			wiretest.Await(t, 20*time.Second, "the bus", func() bool {
				_, err := os.Stat(filepath.Join(dir, "bus"))
				return err == nil
			})
			startAvahi(s, avahi, avahiFile, filepath.Join(dir, "services"), env...)
			wiretest.Await(t, 20*time.Second, "avahi-daemon", func() bool {
				out, err := exec.CommandContext(t.Context(), ask, "--bus="+address, "--print-reply", "--dest=org.freedesktop.Avahi", "/", "org.freedesktop.Avahi.Server.GetState").Output()
				return err == nil && strings.Contains(string(out), "int32 2") // running
			})
			s.Start(env, program, "-p", "631", "-a", printerFile, "-l", "2nd floor", "-d", filepath.Join(dir, "spool"), "-K", filepath.Join(dir, "keys"), "Office")
		},
		want: map[firmward.Field]string{ // it makes its UUID of the names of host and queue
			firmward.FieldVendor: "EPSON", firmward.FieldModel: "EPSON WF-2860 Series", firmward.FieldFirmware: "LH05H7", firmward.FieldClass: "printer",
			firmward.FieldUUID: "uuid:1d333d51-f638-3010-57ba-bad607e16b37", firmward.FieldLocation: "2nd floor",
		},
		never: map[firmward.Field]string{firmward.FieldModel: "Office", firmward.FieldVendor: "Test"}, // the queue's name, and who it is by default
	}
}

func dropbear(t *testing.T, dir string) daemon {
	program, keygen := wiretest.Tool(t, "dropbear", "dropbear-bin"), wiretest.Tool(t, "dropbearkey", "dropbear-bin")
	pid, key := at(t, dir, "pid", ""), filepath.Join(dir, "host")
	fingerprint := told(t, "Fingerprint: ", keygen, "-t", "ed25519", "-f", key)
	return daemon{
		start: func(_ *testing.T, s *wiretest.Space) {
			s.Start(nil, program, "-F", "-E", "-p", "22", "-r", key, "-P", pid)
		},
		want:  map[firmward.Field]string{firmward.FieldSoftware: "dropbear 2022.83", firmward.FieldHostKey: "ssh " + fingerprint},
		never: map[firmward.Field]string{firmward.FieldClass: "", firmward.FieldVendor: ""}, // it runs on boxes of all kinds
	}
}

const lighttpdTLS = `server.document-root = %[1]q
server.port = 80
server.modules = ( "mod_openssl" )
$SERVER["socket"] == ":443" { ssl.engine = "enable" ssl.pemfile = "%[1]s/both.pem" }
`

func lighttpd(t *testing.T, dir string) daemon {
	program, openssl := wiretest.Tool(t, "lighttpd", "lighttpd"), wiretest.Tool(t, "openssl", "openssl")
	if _, err := os.Stat("/usr/lib/lighttpd/mod_openssl.so"); err != nil {
		wiretest.Missing(t, "lighttpd has no TLS (Debian package lighttpd-mod-openssl)")
	}
	conf := at(t, dir, "lighttpd.conf", fmt.Sprintf(lighttpdTLS, dir))
	told(t, "", openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "10", "-subj", "/O=Acme/CN=cam-1",
		"-keyout", filepath.Join(dir, "key.pem"), "-out", filepath.Join(dir, "cert.pem"))
	key := told(t, "", "sh", "-c", "cd "+dir+" && cat key.pem cert.pem >both.pem && openssl x509 -in cert.pem -noout -pubkey | "+
		"openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | base64")
	return daemon{
		start: func(_ *testing.T, s *wiretest.Space) { s.Start(nil, program, "-D", "-f", conf) },
		want:  map[firmward.Field]string{firmward.FieldSoftware: "lighttpd 1.4", firmward.FieldHostKey: "tls SHA256:" + key},
		never: map[firmward.Field]string{firmward.FieldVendor: "Acme", firmward.FieldName: "cam-1"}, // anybody can write so into his certificate
	}
}

// mosquittoConf lets everybody in at one port and nobody without a name at another.
const mosquittoConf = `per_listener_settings true
listener 1883
allow_anonymous true
listener 1884
allow_anonymous false
`

func mosquitto(t *testing.T, dir string) daemon {
	program := wiretest.Tool(t, "mosquitto", "mosquitto")
	conf := at(t, dir, "mosquitto.conf", mosquittoConf)
	version := told(t, "mosquitto version ", "sh", "-c", program+" -h; true") // its help is no success
	return daemon{
		start: func(_ *testing.T, s *wiretest.Space) { s.Start(nil, program, "-c", conf) },
		want:  map[firmward.Field]string{firmward.FieldSoftware: "mosquitto " + version},
		never: map[firmward.Field]string{firmward.FieldClass: "", firmward.FieldVendor: ""}, // as above
	}
}

// pymodbusServer identifies itself as a Modicon M340 does.
const pymodbusServer = `
from pymodbus.datastore import ModbusServerContext, ModbusSlaveContext
from pymodbus.device import ModbusDeviceIdentification
from pymodbus.server import StartTcpServer
who = ModbusDeviceIdentification(info_name={"VendorName": "Schneider Electric", "ProductCode": "BMX P34 2020",
    "MajorMinorRevision": "v2.8", "ProductName": "Modicon M340", "ModelName": "BMX P34 2020"})
StartTcpServer(context=ModbusServerContext(slaves=ModbusSlaveContext(), single=True), identity=who, address=("0.0.0.0", 502))
`

func pymodbus(t *testing.T, _ string) daemon {
	const python = "/usr/bin/python3"
	if err := exec.CommandContext(t.Context(), python, "-c", "import pymodbus.server, serial").Run(); err != nil {
		wiretest.Missing(t, "pymodbus is not here (Debian packages python3-pymodbus, python3-serial and python3-serial-asyncio)")
	}
	return daemon{
		start: func(_ *testing.T, s *wiretest.Space) { s.Start(nil, python, "-c", pymodbusServer) },
		want: map[firmward.Field]string{
			firmward.FieldVendor: "Schneider Electric", firmward.FieldModel: "BMX P34 2020", firmward.FieldFirmware: "2.8", firmward.FieldClass: "plc",
		},
		never: map[firmward.Field]string{firmward.FieldModel: "Modicon M340"}, // the series; an image must fit the product
	}
}
