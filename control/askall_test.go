package control_test

import (
	"net/netip"
	"testing"
	"testing/synctest"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/lab"
)

// TestAllAreAskedAtOnce: a home is asked by multicast, but not while a ward is named inside it, whose devices would hear
// it too.
func TestAllAreAskedAtOnce(t *testing.T) {
	for name, ward := range map[string]bool{"a home": false, "a home around a ward": true} {
		synctest.Test(t, func(t *testing.T) {
			l := newLab(t)
			plug, err := l.AddPlug(lab.PlugSpec{Place: lab.Place{Name: "plug", Addr: netip.MustParseAddr("192.168.20.11")}})
			if err != nil {
				t.Fatal(err)
			}
			printer, err := l.AddPrinter(lab.PrinterSpec{Place: lab.Place{Name: "printer", Addr: netip.MustParseAddr("192.168.20.129")}})
			if err != nil {
				t.Fatal(err)
			}
			networks := map[netip.Prefix]firmward.Profile{home: firmward.ProfileHome}
			if ward {
				networks[netip.MustParsePrefix("192.168.20.128/28")] = firmward.ProfileMedical
			}
			b := live(t, l.Attach("home"), "home", networks)
			preview, err := b.PreviewScan(b.ctx, home, "")
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range preview.Probes {
				if p.Name == "mdns" && p.AtOnce == ward {
					t.Errorf("%s: the preview says of mdns: %v, %q", name, p.When, p.Withheld)
				}
			}
			b.scan(home)
			if heard := plug.Facts().Ports["udp/5353"].Conns > 0; heard == ward {
				t.Errorf("%s: the plug heard multicast: %v", name, heard)
			}
			if ports := printer.Facts().Ports; ward && len(ports) > 0 {
				t.Errorf("%s: the ward was touched: %v", name, ports)
			}
		})
	}
}
