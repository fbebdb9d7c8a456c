package lab

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/firmward/firmward/wire/wiretest/needs"
)

// modbusClient asks as pymodbus does: its own code for the frame, the message and the objects in the answer.
const modbusClient = `
import sys
from pymodbus.client import ModbusTcpClient
from pymodbus.mei_message import ReadDeviceInformationRequest
c = ModbusTcpClient(sys.argv[1], port=int(sys.argv[2]))
c.connect()
r = c.execute(ReadDeviceInformationRequest(read_code=1, object_id=0, unit=255))
print("|".join(r.information[i].decode() for i in sorted(r.information)))
c.close()
`

// wrtClient logs in and asks the board; /bin/sh and curl, as scripts for OpenWrt do.
const wrtClient = `
call() { curl -sS -d '{"jsonrpc":"2.0","id":1,"method":"call","params":["'"$1"'",'"$2"']}' "$at"; }
at=$1
session=$(call 00000000000000000000000000000000 '"session","login",{"username":"root","password":"'"$2"'"}' | grep -o '"ubus_rpc_session":"[0-9a-f]*"' | cut -d '"' -f 4)
call "$session" '"system","board",{}'
`

// ippScript is what ipptool asks.
const ippScript = `{
	OPERATION Get-Printer-Attributes
	GROUP operation-attributes-tag
	ATTR charset attributes-charset utf-8
	ATTR naturalLanguage attributes-natural-language en
	ATTR uri printer-uri $uri
	STATUS successful-ok
	DISPLAY printer-make-and-model
}
`

const (
	httpd = "80/tcp"
	rtspd = "554/tcp"
	mdnsd = "5353/udp"
	sink  = "" // no client: it takes connections and says nothing
)

// readers names, for each service of each kind of device, a client that nobody of this project wrote, and what it must read.
// In args, {at} is the socket, {host} and {port} are its parts; in args and wants {model}, {version} and {serial} are the truth.
//
// nmap's modbus-discover is left out: its connect that asks nothing comes first, and these controllers freeze of that, which is what
// they are here for. The plus sign lets upnp-info ask at another port than 1900.
var readers = []struct {
	kind, service, client, debian string
	args                          []string
	wants                         []string
}{
	{"plug", httpd, "curl", "curl", []string{"-sS", "http://{at}/shelly"}, []string{`"model":"{model}"`, `"ver":"{version}"`}},
	{"plug", mdnsd, "dig", "bind9-dnsutils", []string{"@{host}", "-p", "{port}", "+short", "_shelly._tcp.local", "PTR"}, []string{"shellyplusplugs-", "._shelly._tcp.local."}},
	{
		"camera", httpd, "curl", "curl",
		[]string{"-sS", "--json", `{"apiVersion":"1.0","method":"getAllUnrestrictedProperties"}`, "http://{at}" + info},
		[]string{`"ProdNbr":"{model}"`, `"Version":"{version}"`},
	},
	{
		"camera", rtspd, "ffprobe", "ffmpeg",
		[]string{
			"-v", "error", "-rtsp_transport", "tcp", "-show_entries", "stream=codec_name,width,height,profile", "-show_frames", "-read_intervals", "%+#5",
			"-of", "flat", "rtsp://{at}/axis-media/media.amp",
		},
		[]string{`codec_name="h264"`, "width=320", "height=240", `profile="Constrained Baseline"`, `pict_type="I"`},
	},
	{"nas", httpd, "curl", "curl", []string{"-sS", "http://{at}/xml/info.xml"}, []string{"<device>{model}</device>", "<version>{version}</version>", "<serial>{serial}</serial>"}},
	{"nas", "445/tcp", sink, "", nil, nil},
	{"printer", httpd, "curl", "curl", []string{"-sS", "-i", "http://{at}/"}, []string{"Server: HP HTTP Server; {model}", "Serial Number: {serial}"}},
	{"printer", "161/udp", "snmpget", "snmp", []string{"-v2c", "-cpublic", "-On", "udp:{at}", "1.3.6.1.2.1.47.1.1.1.1.10.1", "1.3.6.1.2.1.25.3.2.1.3.1"}, []string{`"{version}"`, "{model}"}},
	{"printer", "631/tcp", "ipptool", "cups-ipp-utils", []string{"-tv", "ipp://{at}/ipp/print", "{dir}/ask.test"}, []string{"[PASS]", "printer-make-and-model (textWithoutLanguage) = {model}"}},
	{"printer", mdnsd, "dig", "bind9-dnsutils", []string{"@{host}", "-p", "{port}", "+short", "_ipp._tcp.local", "PTR"}, []string{`HP\032Color\032LaserJet`}},
	{"printer", "9100/tcp", sink, "", nil, nil},
	{"pump", httpd, "curl", "curl", []string{"-sS", "http://{at}/"}, []string{"<td>{model}</td>", "<td>{version}</td>", "<td>{serial}</td>"}},
	{"gateway", httpd, "curl", "curl", []string{"-sS", "http://{at}/"}, []string{"<title>ASUS Login</title>", "{model}"}},
	{"gateway", "443/tcp", "openssl", "openssl", []string{"s_client", "-connect", "{at}", "-brief"}, []string{"CN = router.asus.com", "TLSv1.3"}},
	{"gateway", "22/tcp", "ssh-keyscan", "openssh-client", []string{"-p", "{port}", "{host}"}, []string{"SSH-2.0-dropbear_2019.78", " ssh-ed25519 "}},
	{"gateway", "5000/tcp", "curl", "curl", []string{"-sS", "http://{at}/rootDesc.xml"}, []string{"<modelName>{model}</modelName>", "<modelNumber>{version}</modelNumber>"}},
	{"gateway", "1900/udp", "nmap", "nmap", []string{"-sU", "-Pn", "-n", "-p", "{port}", "--script", "+upnp-info", "{host}"}, []string{"MiniUPnPd/2.0", "rootDesc.xml"}},
	{"hue", httpd, "curl", "curl", []string{"-sS", "http://{at}/api/config"}, []string{`"modelid":"{model}"`, `"swversion":"{version}"`, `"bridgeid":"{serial}"`}},
	{"hue", mdnsd, "dig", "bind9-dnsutils", []string{"@{host}", "-p", "{port}", "+short", "_hue._tcp.local", "PTR"}, []string{`Hue\032Bridge`}},
	{"lamp", httpd, "curl", "curl", []string{"-sS", "http://{at}/api/" + HueKey + "/lights"}, []string{`"name":"{name}"`, `"modelid":"{model}"`, `"swversion":"{version}"`}},
	{"light", httpd, "curl", "curl", []string{"-sS", "http://{at}/json/info"}, []string{`"ver":"{version}"`, `"mac":"{serial}"`}},
	{"relay", httpd, "curl", "curl", []string{"-sS", "http://{at}/cm?cmnd=Status%200"}, []string{`"Version":"{version}(`, `"Mac":"{serial}"`}},
	{"bmc", httpd, "curl", "curl", []string{"-sS", "-i", "http://{at}/redfish/v1/"}, []string{"Location: https://"}},
	{
		"bmc", "443/tcp", "redfishtool", "redfishtool",
		[]string{"-r", "{at}", "-S", "Always", "-A", "Basic", "-u", "root", "-p", RedfishPassword, "Managers", "-1"},
		[]string{`"FirmwareVersion": "{version}"`},
	},
	{
		"bmc", "443/tcp", "redfishtool", "redfishtool",
		[]string{"-r", "{at}", "-S", "Always", "-A", "Session", "-u", "root", "-p", RedfishPassword, "Systems", "-1"},
		[]string{`"Model": "{model}"`},
	},
	{"bmc", "443/tcp", "openssl", "openssl", []string{"s_client", "-connect", "{at}", "-brief"}, []string{"TLSv1.3"}},
	{
		"ip-camera", httpd, "curl", "curl",
		[]string{"-sS", "--digest", "-u", "admin:" + HikvisionPassword, "http://{at}/ISAPI/System/deviceInfo"},
		[]string{"<model>{model}</model>", "<serialNumber>{serial}"},
	},
	{
		"ip-camera", rtspd, "ffprobe", "ffmpeg",
		[]string{"-v", "error", "-rtsp_transport", "tcp", "-show_entries", "stream=codec_name", "-of", "flat", "rtsp://admin:" + HikvisionPassword + "@{at}/Streaming/Channels/101"},
		[]string{`codec_name="h264"`},
	},
	{"router", httpd, "sh", "dash", []string{"-c", wrtClient, "sh", "http://{at}/ubus", RouterPassword}, []string{`"board_name":"{model}"`, `"version":"{version}"`}},
	{"plc", "502/tcp", "/usr/bin/python3", "python3-pymodbus", []string{"-c", modbusClient, "{host}", "{port}"}, []string{"Schneider Electric|{model}|{version}"}},
}

// TestIndependentClients lets a client that is not of this project read each service of each kind of device: a kind or a service
// without a line in [readers] fails.
func TestIndependentClients(t *testing.T) {
	l, err := ThreeSites(Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	ports, err := l.ServeLoopback(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "ask.test"), []byte(ippScript), 0o600); err != nil {
		t.Fatal(err)
	}
	used := make([]bool, len(readers))
	seen := map[string]bool{}
	read := func(kind, service string, at netip.AddrPort, truth *strings.Replacer) {
		if seen[kind+service] {
			return
		}
		seen[kind+service] = true
		found := false
		for i, r := range readers {
			if r.kind != kind || r.service != service {
				continue
			}
			used[i], found = true, true
			if r.client == sink {
				continue
			}
			t.Run(fmt.Sprint(kind, " ", strings.ReplaceAll(service, "/", "-"), " ", filepath.Base(r.client)), func(t *testing.T) {
				client := tool(t, r.client, r.debian)
				switch {
				case r.debian == "python3-pymodbus":
					module(t, "pymodbus.client", r.debian)
				case slices.Contains(r.args, "-sU") && os.Geteuid() != 0:
					needs.Missing(t, "nmap asks UDP ports for root alone")
				}
				place := strings.NewReplacer("{at}", at.String(), "{host}", at.Addr().String(), "{port}", fmt.Sprint(at.Port()), "{dir}", dir)
				var args []string
				for _, a := range r.args {
					args = append(args, truth.Replace(place.Replace(a)))
				}
				out := run(t, client, args...)
				for _, w := range r.wants {
					expectAll(t, out, truth.Replace(w))
				}
				if r.client == "ffprobe" && contains(out, "error") {
					t.Errorf("ffprobe complains:\n%s", out)
				}
			})
		}
		if !found {
			t.Errorf("no independent client reads %s of a %s: give it a line in readers", service, kind)
		}
	}
	for _, d := range l.Devices() {
		f := d.Facts()
		truth := strings.NewReplacer("{model}", f.Model, "{version}", f.InstalledVersion, "{serial}", f.Serial)
		for _, p := range ports {
			if p.Device == f.Name {
				read(f.Kind, fmt.Sprintf("%d/%s", p.Virtual.Port(), p.Network), p.Real, truth)
			}
		}
		for _, lamp := range d.Lamps() {
			at := ports[slices.IndexFunc(ports, func(p PortMapping) bool { return p.Device == f.Name && p.Virtual.Port() == 80 })].Real
			read("lamp", httpd, at, strings.NewReplacer("{name}", lamp.Name, "{model}", lamp.Model, "{version}", lamp.Version))
		}
	}
	for i, r := range readers {
		if !used[i] {
			t.Errorf("nobody in the lab is a %s with %s: %s has nothing to read", r.kind, r.service, r.client)
		}
	}
	for _, d := range l.Devices() {
		if f := d.Facts(); f.Frozen {
			t.Errorf("%s froze: %s", f.Name, f.FrozenBy)
		}
	}
}
