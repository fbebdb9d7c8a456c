package control_test

import (
	"net/netip"
	"testing"
	"testing/synctest"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/lab"
)

// TestScanFollowsDeclaredPaths: nothing but its start page tells that a light controller is one. The scan then asks the
// path that the family's file declares, and a family without a probe of its own is known with its build and version.
func TestScanFollowsDeclaredPaths(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t)
		few := netip.MustParsePrefix("192.168.20.8/30")
		strip, err := l.AddWLED(lab.WLEDSpec{Place: lab.Place{Name: "strip", Addr: netip.MustParseAddr("192.168.20.9")}})
		if err != nil {
			t.Fatal(err)
		}
		b := live(t, l.Attach("home"), "home", map[netip.Prefix]firmward.Profile{few: firmward.ProfileHome})
		b.scan(few)
		found, err := b.Store.FindDevices(b.ctx, "192.168.20.9")
		if err != nil || len(found) != 1 {
			t.Fatalf("%d devices, %v", len(found), err)
		}
		f := strip.Facts()
		if d := found[0]; d.Family != "wled" || d.Model != f.Model || d.Firmware != f.InstalledVersion || d.Hardware != f.HardwareRev || d.Serial != f.Serial {
			t.Errorf("%+v", d)
		}
	})
}
