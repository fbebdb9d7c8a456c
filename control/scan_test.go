package control_test

import (
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/lab"
	"github.com/firmward/firmward/wire"
)

// TestScansBesideEachOther: a careful zone, where every question waits for its time, does not hold up a home.
func TestScansBesideEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t)
		plant, small := netip.MustParsePrefix("10.40.0.0/24"), netip.MustParsePrefix("192.168.20.0/28")
		if _, err := l.AddPLC(lab.PLCSpec{Place: lab.Place{Name: "plc", Site: "clinic"}}); err != nil {
			t.Fatal(err)
		}
		if _, err := l.AddPlug(lab.PlugSpec{Place: lab.Place{Name: "plug"}}); err != nil {
			t.Fatal(err)
		}
		b := live(t, l.Attach("home"), "places", map[netip.Prefix]firmward.Profile{small: firmward.ProfileHome, plant: firmward.ProfileOT})
		for _, step := range []firmward.Safety{firmward.Polite, firmward.Stateful} {
			if _, err := b.AllowNetwork(b.ctx, anna, plant, step); err != nil {
				t.Fatal(err)
			}
		}
		at := netip.MustParseAddr("10.40.0.3")
		if _, err := b.AddDevice(b.ctx, anna, control.DeviceFacts{Name: new("plc"), Addr: &at}); err != nil {
			t.Fatal(err)
		}
		slow, err := b.StartScan(b.ctx, anna, plant)
		if err != nil {
			t.Fatal(err)
		}
		b.scan(small)
		if slow, err = b.ScanByID(slow.ID); err != nil || !slow.Ended.IsZero() {
			t.Errorf("the plant was looked at in %s, %v", slow.Ended.Sub(slow.Started), err)
		}
		wait(t, func() bool {
			slow, err = b.ScanByID(slow.ID)
			return err == nil && !slow.Ended.IsZero()
		})
		if slow.Answered != 1 || slow.Error != "" {
			t.Errorf("%+v", slow)
		}
	})
}

// TestBlindScan: where nobody is seen, nobody of a careful zone is asked who is not in the inventory, and the receipt says so.
func TestBlindScan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nobody, err := wire.ReadPortMap(strings.NewReader("[]"))
		if err != nil {
			t.Fatal(err)
		}
		clinic := netip.MustParsePrefix("10.40.0.0/24")
		b := live(t, nobody, "clinic", map[netip.Prefix]firmward.Profile{clinic: firmward.ProfileMedical})
		if _, err := b.AllowNetwork(b.ctx, anna, clinic, firmward.Polite); err != nil {
			t.Fatal(err)
		}
		s, err := b.StartScan(b.ctx, anna, clinic)
		if err != nil {
			t.Fatal(err)
		}
		wait(t, func() bool {
			s, err = b.ScanByID(s.ID)
			return err == nil && !s.Ended.IsZero()
		})
		if s.Targets != 0 || !strings.Contains(s.Withheld, "a careful zone is not swept") {
			t.Errorf("%+v", s)
		}
	})
}
