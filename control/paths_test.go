package control_test

import (
	"context"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/control/controltest"
	"github.com/firmward/firmward/lab"
)

// TestScanFollowsDeclaredPaths: nothing but its start page tells that a light controller is one. The scan then asks the
// path that the family's file declares, and a family without a probe of its own is known with its build and version.
func TestScanFollowsDeclaredPaths(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := lab.New(lab.Options{})
		defer l.Close()
		home := netip.MustParsePrefix("192.168.20.8/30")
		strip, err := l.AddWLED(lab.WLEDSpec{Place: lab.Place{Name: "strip", Addr: netip.MustParseAddr("192.168.20.9")}})
		if err != nil {
			t.Fatal(err)
		}
		c := controltest.Open(t, func(cfg *control.Config) { cfg.Network, cfg.Lab = l.Attach("home"), true })
		anna := firmward.Person{Name: "anna", Role: firmward.Admin}
		if _, err := c.NameNetwork(t.Context(), anna, control.AddNetwork{Prefix: home, Site: "home", Profile: firmward.ProfileHome}); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- c.Run(ctx) }()
		defer func() { stop(); <-ended }()
		scan, err := c.StartScan(ctx, anna, home)
		if err != nil {
			t.Fatal(err)
		}
		for range 600 {
			time.Sleep(time.Second)
			if scan, err = c.ScanByID(scan.ID); err != nil || !scan.Ended.IsZero() {
				break
			}
		}
		if err != nil || scan.Ended.IsZero() || scan.Error != "" {
			t.Fatal(scan, err)
		}
		found, err := c.Store.FindDevices(t.Context(), "192.168.20.9")
		if err != nil || len(found) != 1 {
			t.Fatalf("%d devices, %v", len(found), err)
		}
		f := strip.Facts()
		if d := found[0]; d.Family != "wled" || d.Model != f.Model || d.Firmware != f.InstalledVersion || d.Hardware != f.HardwareRev || d.Serial != f.Serial {
			t.Errorf("%+v", d)
		}
	})
}
