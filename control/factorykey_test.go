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
	"github.com/firmward/firmward/store"
	"github.com/firmward/firmward/wire"
)

// routed is a network behind a router: no neighbour table and no multicast.
type routed struct{ wire.Network }

// TestFactoryKey: two routers whose maker gave both one host key, seen across a router so that no MAC tells them apart,
// stay two, day after day.
func TestFactoryKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := lab.New(lab.Options{})
		defer l.Close()
		for name, last := range map[string]byte{"gateway-1": 51, "gateway-2": 52} {
			place := lab.Place{Name: name, Addr: netip.AddrFrom4([4]byte{192, 168, 20, last})}
			if _, err := l.AddGateway(lab.GatewaySpec{Place: place, KeySeed: "one for all"}); err != nil {
				t.Fatal(err)
			}
		}
		c := controltest.Open(t, func(cfg *control.Config) {
			cfg.Network, cfg.Lab, cfg.Self = routed{l.Attach("home")}, true, []netip.Addr{netip.MustParseAddr("192.168.20.2")}
		})
		anna := firmward.Person{Name: "anna", Role: firmward.Admin}
		home := netip.MustParsePrefix("192.168.20.0/24")
		if _, err := c.NameNetwork(t.Context(), anna, control.AddNetwork{Prefix: home, Site: "home", Profile: firmward.ProfileHome}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- c.Run(ctx) }()
		keys := map[string]string{}
		for day := range 3 {
			scan, err := c.StartScan(ctx, anna, home)
			if err != nil {
				t.Fatal(err)
			}
			wait(t, func() bool {
				s, err := c.ScanByID(scan.ID)
				return err == nil && !s.Ended.IsZero()
			})
			all, _, err := c.Store.Devices(ctx, store.DeviceFilter{}, store.Page{})
			if err != nil || len(all) != 2 {
				t.Fatalf("day %d: %d devices, %v: %+v", day, len(all), err, all)
			}
			for _, d := range all {
				id, err := c.Store.Identity(ctx, d.ID)
				if err != nil {
					t.Fatal(err)
				}
				k, _ := id.Best(firmward.FieldHostKey)
				if len(d.Addrs) != 1 || k.Value == "" {
					t.Errorf("day %d: %s at %v with host key %q", day, d.ID, d.Addrs, k.Value)
				}
				keys[d.ID] = k.Value
			}
			time.Sleep(25 * time.Hour)
		}
		if len(keys) != 2 {
			t.Errorf("devices came and went: %v", keys)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
