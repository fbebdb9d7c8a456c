package control_test

import (
	"context"
	"net/netip"
	"testing"
	"testing/synctest"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/control/controltest"
	"github.com/firmward/firmward/lab"
)

// TestAllAreAskedAtOnce: a home is asked by multicast, but not while a ward is named inside it, whose devices would hear
// it too.
func TestAllAreAskedAtOnce(t *testing.T) {
	for name, ward := range map[string]bool{"a home": false, "a home around a ward": true} {
		synctest.Test(t, func(t *testing.T) {
			l := lab.New(lab.Options{})
			defer l.Close()
			plug, err := l.AddPlug(lab.PlugSpec{Place: lab.Place{Name: "plug", Addr: netip.MustParseAddr("192.168.20.11")}})
			if err != nil {
				t.Fatal(err)
			}
			printer, err := l.AddPrinter(lab.PrinterSpec{Place: lab.Place{Name: "printer", Addr: netip.MustParseAddr("192.168.20.129")}})
			if err != nil {
				t.Fatal(err)
			}
			c := controltest.Open(t, func(cfg *control.Config) {
				cfg.Network, cfg.Lab, cfg.Self = l.Attach("home"), true, []netip.Addr{netip.MustParseAddr("192.168.20.2")}
			})
			anna := firmward.Person{Name: "anna", Role: firmward.Admin}
			home := netip.MustParsePrefix("192.168.20.0/24")
			networks := map[netip.Prefix]firmward.Profile{home: firmward.ProfileHome}
			if ward {
				networks[netip.MustParsePrefix("192.168.20.128/28")] = firmward.ProfileMedical
			}
			for prefix, profile := range networks {
				if _, err := c.NameNetwork(t.Context(), anna, control.AddNetwork{Prefix: prefix, Site: "home", Profile: profile}); err != nil {
					t.Fatal(err)
				}
			}
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- c.Run(ctx) }()
			preview, err := c.PreviewScan(ctx, home, "")
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range preview.Probes {
				if p.Name == "mdns" && p.AtOnce == ward {
					t.Errorf("%s: the preview says of mdns: %v, %q", name, p.When, p.Withheld)
				}
			}
			scan, err := c.StartScan(ctx, anna, home)
			if err != nil {
				t.Fatal(err)
			}
			wait(t, func() bool {
				s, err := c.ScanByID(scan.ID)
				return err == nil && !s.Ended.IsZero()
			})
			if heard := plug.Facts().Ports["udp/5353"].Conns > 0; heard == ward {
				t.Errorf("%s: the plug heard multicast: %v", name, heard)
			}
			if ports := printer.Facts().Ports; ward && len(ports) > 0 {
				t.Errorf("%s: the ward was touched: %v", name, ports)
			}
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
}
