package control_test

import (
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/lab"
)

// TestSplitHolds: two printers whose maker gave both one serial number become one entry by the rules. A person
// says that they are two, and they stay two however often firmward looks.
func TestSplitHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t)
		here, there := netip.MustParseAddr("192.168.20.51"), netip.MustParseAddr("192.168.20.52")
		for name, at := range map[string]netip.Addr{"printer-1": here, "printer-2": there} {
			if _, err := l.AddPrinter(lab.PrinterSpec{Place: lab.Place{Name: name, Addr: at}, Serial: "CNB0000001"}); err != nil {
				t.Fatal(err)
			}
		}
		b := live(t, l.Attach("home"), "home", map[netip.Prefix]firmward.Profile{home: firmward.ProfileHome})
		look := func() []firmward.Device {
			all := b.scan(home)
			slices.SortFunc(all, func(a, b firmward.Device) int { return a.Addrs[0].Compare(b.Addrs[0]) })
			return all
		}
		one := look()
		if len(one) != 1 || len(one[0].Addrs) != 2 {
			t.Fatalf("%d devices: %+v", len(one), one)
		}
		part, err := b.SplitDevice(b.ctx, anna, one[0].ID, "", "two cases, one serial number")
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			began := time.Now()
			two := look()
			if len(two) != 2 || !slices.Equal(two[0].Addrs, []netip.Addr{here}) || !slices.Equal(two[1].Addrs, []netip.Addr{there}) {
				t.Fatalf("after the split: %+v", two)
			}
			for _, d := range two {
				if d.Serial != "CNB0000001" || d.Model == "" {
					t.Errorf("%s is a %s with serial %q", d.Addrs, d.Model, d.Serial)
				}
				seen, err := b.Store.ObservationsOf(b.ctx, d.ID)
				fresh := slices.ContainsFunc(seen, func(o firmward.Observation) bool { return o.Probe == "snmp" && !o.At.Before(began) })
				if err != nil || !fresh {
					t.Errorf("%s: what SNMP said of its serial was not kept: %v", d.Addrs, err)
				}
			}
			if two[0].ID != part.ID && two[1].ID != part.ID {
				t.Errorf("%s is gone", part.ID)
			}
		}
	})
}
