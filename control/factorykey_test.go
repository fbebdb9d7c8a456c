package control_test

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/lab"
	"github.com/firmward/firmward/wire"
)

// routed is a network behind a router: no neighbour table and no multicast.
type routed struct{ wire.Network }

// TestFactoryKey: two routers whose maker gave both one host key, seen across a router so that no MAC tells them apart,
// stay two, day after day.
func TestFactoryKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t)
		for name, last := range map[string]byte{"gateway-1": 51, "gateway-2": 52} {
			place := lab.Place{Name: name, Addr: netip.AddrFrom4([4]byte{192, 168, 20, last})}
			if _, err := l.AddGateway(lab.GatewaySpec{Place: place, KeySeed: "one for all"}); err != nil {
				t.Fatal(err)
			}
		}
		b := live(t, routed{l.Attach("home")}, "home", map[netip.Prefix]firmward.Profile{home: firmward.ProfileHome})
		keys := map[string]string{}
		for day := range 3 {
			all := b.scan(home)
			if len(all) != 2 {
				t.Fatalf("day %d: %d devices: %+v", day, len(all), all)
			}
			for _, d := range all {
				id, err := b.Store.Identity(b.ctx, d.ID)
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
	})
}
