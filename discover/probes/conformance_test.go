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
		"ipp":           {"printer-1", "192.168.20.40", "ipp.printer-make-and-model", wire.Secret{}},
		"mdns":          {"plug-1", "192.168.20.11", "mdns._shelly.ver", wire.Secret{}},
		"upnp":          {"gateway-1", "192.168.20.3", "upnp.modelName", wire.Secret{}},
		"tls":           {"gateway-1", "192.168.20.3", "tls.key", wire.Secret{}},
		"ssh":           {"gateway-1", "192.168.20.3", "ssh.key", wire.Secret{}},
		"modbus":        {"plc-1", "192.168.20.4", "modbus.ProductName", wire.Secret{}},
		"mqtt":          {"broker-1", "192.168.20.6", "mqtt.version", wire.Secret{}},
		"hue":           {"hue-1", "192.168.20.5", "hue.autoinstall", wire.Secret{Password: lab.HueKey}},
		"rtsp":          {"cam-1", "10.40.0.11", "rtsp.media", camera},
	}
	for _, p := range probes.All() {
		name := p.Info().Name
		d, ok := devices[name]
		switch {
		case name == "neighbor": // sends nothing and sees many: TestNeighbor
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
				if _, err := l.AddGateway(lab.GatewaySpec{Place: lab.Place{Name: "gateway-1"}}); err != nil {
					t.Fatal(err)
				}
				if _, err := l.AddPLC(lab.PLCSpec{Place: lab.Place{Name: "plc-1"}}); err != nil {
					t.Fatal(err)
				}
				if _, err := l.AddHue(lab.HueSpec{Place: lab.Place{Name: "hue-1"}, Key: lab.HueKey}); err != nil {
					t.Fatal(err)
				}
				if _, err := l.AddBroker(lab.BrokerSpec{Place: lab.Place{Name: "broker-1"}}); err != nil {
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
