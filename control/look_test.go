package control_test

import (
	"net/netip"
	"testing"
	"testing/synctest"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/control/controltest"
	"github.com/firmward/firmward/lab"
	"github.com/firmward/firmward/store"
)

// TestLookByTheRulesOfEachNetwork: a camera stands at two addresses, the second in a ward's network inside the office's. When
// nobody answers at the first, the second is asked only as far as the ward allows.
func TestLookByTheRulesOfEachNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		first, second := netip.MustParseAddr("10.40.0.12"), netip.MustParseAddr("10.40.0.112")
		l := newLab(t)
		if _, err := l.AddCamera(lab.CameraSpec{Place: lab.Place{Name: "cam", Site: "clinic", Addr: second}}); err != nil {
			t.Fatal(err)
		}
		c := controltest.Open(t, func(cfg *control.Config) { cfg.Network, cfg.Lab = l.Attach("clinic"), true })
		office, ward := netip.MustParsePrefix("10.40.0.0/24"), netip.MustParsePrefix("10.40.0.112/30")
		for prefix, profile := range map[netip.Prefix]firmward.Profile{office: firmward.ProfileOffice, ward: firmward.ProfileMedical} {
			if _, err := c.NameNetwork(ctx, anna, control.AddNetwork{Prefix: prefix, Site: "clinic", Profile: profile}); err != nil {
				t.Fatal(err)
			}
		}
		asked := func() bool {
			t.Helper()
			if _, err := c.ReportWork(ctx, anna, "work-1", "done"); err != nil {
				t.Fatal(err)
			}
			sent, _, err := c.Store.TransmissionsOf(ctx, second, store.Page{})
			if err != nil {
				t.Fatal(err)
			}
			return len(sent) > 0
		}
		err := c.Store.Tx(ctx, func(tx *store.Tx) error {
			d := firmward.Device{
				ID: "dev-1", Name: "cam", Site: "clinic", Network: office.String(), Zone: firmward.ZoneOffice, Family: "axis",
				Vendor: "Axis", Model: "AXIS P3265-LV", Class: firmward.ClassCamera, Addrs: []netip.Addr{first, second},
			}
			if err := tx.PutDevice(ctx, d, store.Change{Actor: "test"}); err != nil {
				return err
			}
			return tx.PutWorkOrder(ctx, firmward.WorkOrder{ID: "work-1", DeviceID: "dev-1", State: firmward.WorkOpen, Want: "11.0"})
		})
		if err != nil {
			t.Fatal(err)
		}
		if asked() {
			t.Error("the ward's address was asked by the office's rules")
		}
		if _, err := c.AllowNetwork(ctx, anna, ward, firmward.Polite); err != nil {
			t.Fatal(err)
		}
		if !asked() {
			t.Error("the ward allows it, and the address was not asked")
		}
	})
}
