package probes_test

import (
	"net/netip"
	"testing"

	"github.com/firmward/firmward/discover"
	"github.com/firmward/firmward/discover/discovertest"
	"github.com/firmward/firmward/discover/probes"
	"github.com/firmward/firmward/lab"
	"github.com/firmward/firmward/wire"
)

func TestConformance(t *testing.T) {
	camera := wire.Secret{User: "root", Password: lab.CameraPassword}
	bmc := wire.Secret{User: "root", Password: lab.RedfishPassword, Key: lab.KeyOf("bmc-1")}
	devices := map[string]struct {
		device, addr, reading string
		secret                wire.Secret
	}{
		"ports":         {"cam-1", "10.40.0.11", "ports.open", wire.Secret{}},
		"http":          {"plug-1", "192.168.20.11", "http.status", wire.Secret{}},
		"snmp":          {"printer-1", "192.168.20.40", "snmp.sysDescr", wire.Secret{}},
		"shelly":        {"plug-1", "192.168.20.11", "shelly.model", wire.Secret{}},
		"shelly-switch": {"plug-1", "192.168.20.11", "shelly-switch.output", wire.Secret{}},
		"axis":          {"cam-1", "10.40.0.11", "axis.ProdNbr", camera},
		"openwrt":       {"ap-1", "192.168.20.5", "openwrt.board_name", wire.Secret{User: "root", Password: "ap-secret"}},
		"tasmota":       {"relay-1", "192.168.20.6", "tasmota.build", wire.Secret{Password: "relay-secret"}},
		"ipp":           {"printer-1", "192.168.20.40", "ipp.printer-make-and-model", wire.Secret{}},
		"mdns":          {"plug-1", "192.168.20.11", "mdns._shelly.ver", wire.Secret{}},
		"upnp":          {"gateway-1", "192.168.20.3", "upnp.modelName", wire.Secret{}},
		"tls":           {"gateway-1", "192.168.20.3", "tls.key", wire.Secret{}},
		"redfish":       {"bmc-1", "192.168.20.9", "redfish.uuid", bmc},
		"ssh":           {"gateway-1", "192.168.20.3", "ssh.key", wire.Secret{}},
		"modbus":        {"plc-1", "192.168.20.4", "modbus.ProductName", wire.Secret{}},
		"hue":           {"hue-1", "192.168.20.7", "hue.autoinstall", wire.Secret{Password: lab.HueKey}},
		"hikvision":     {"gate-1", "192.168.20.8", "hikvision.firmwareVersion", wire.Secret{User: "admin", Password: lab.HikvisionPassword}},
		"mqtt":          {"broker-1", "192.168.20.10", "mqtt.version", wire.Secret{}},
		"rtsp":          {"cam-1", "10.40.0.11", "rtsp.media", camera},
	}
	at := func(name, addr string) lab.Place { return lab.Place{Name: name, Addr: netip.MustParseAddr(addr)} }
	for _, p := range probes.All() {
		name := p.Info().Name
		d, ok := devices[name]
		switch {
		case name == "neighbor", name == "listen": // send nothing and see many: TestNeighbor, TestListen
			continue
		case !ok:
			t.Errorf("probe %s has no device here to be tried on", name)
			continue
		}
		t.Run(name, func(t *testing.T) {
			discovertest.Run(t, discovertest.Case{Probe: p, Reading: d.reading, New: func(t *testing.T, fault string) (discover.Target, func()) {
				l, err := lab.Standard(lab.Options{Clock: lab.RealClock(), Net: lab.NewNet()})
				if err != nil {
					t.Fatal(err)
				}
				if _, err := l.AddGateway(lab.GatewaySpec{Place: at("gateway-1", "192.168.20.3")}); err != nil {
					t.Fatal(err)
				}
				if _, err := l.AddPLC(lab.PLCSpec{Place: at("plc-1", "192.168.20.4")}); err != nil {
					t.Fatal(err)
				}
				if _, err := l.AddHikvision(lab.HikvisionSpec{Place: at("gate-1", "192.168.20.8")}); err != nil {
					t.Fatal(err)
				}
				if _, err := l.AddRedfish(lab.RedfishSpec{Place: at("bmc-1", "192.168.20.9")}); err != nil {
					t.Fatal(err)
				}
				if _, err := l.AddOpenWrt(lab.OpenWrtSpec{Place: at("ap-1", "192.168.20.5"), Password: "ap-secret"}); err != nil {
					t.Fatal(err)
				}
				if _, err := l.AddTasmota(lab.TasmotaSpec{Place: at("relay-1", "192.168.20.6"), Password: "relay-secret"}); err != nil {
					t.Fatal(err)
				}
				if _, err := l.AddHue(lab.HueSpec{Place: at("hue-1", "192.168.20.7"), Key: lab.HueKey}); err != nil {
					t.Fatal(err)
				}
				if _, err := l.AddBroker(lab.BrokerSpec{Place: at("broker-1", "192.168.20.10")}); err != nil {
					t.Fatal(err)
				}
				if fault != "" {
					if err := l.Fault(d.device, fault); err != nil {
						t.Fatal(err)
					}
				}
				target := discover.Target{Network: l.Attach("home"), Addr: netip.MustParseAddr(d.addr), Secret: d.secret}
				return target, func() { l.Close() }
			}})
		})
	}
}

// TestConformanceWithPaths runs the http probe as a family's file asks for: with a path beside the start page.
func TestConformanceWithPaths(t *testing.T) {
	p, _ := probes.Named("http")
	discovertest.Run(t, discovertest.Case{Probe: p, Reading: "http:/json/info", New: func(t *testing.T, fault string) (discover.Target, func()) {
		l := lab.New(lab.Options{Clock: lab.RealClock(), Net: lab.NewNet()})
		d, err := l.AddWLED(lab.WLEDSpec{Place: lab.Place{Name: "strip"}})
		if err != nil {
			t.Fatal(err)
		}
		if fault != "" {
			if err := l.Fault("strip", fault); err != nil {
				t.Fatal(err)
			}
		}
		return discover.Target{Network: l.Attach("home"), Addr: d.Facts().Addrs[0], Paths: []string{"/json/info"}}, func() { l.Close() }
	}})
}
