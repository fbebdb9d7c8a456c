package control_test

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/lab"
	"github.com/firmward/firmward/wire"
)

// detour is a network behind a router in which another host answers for one address once somebody has seen to that.
type detour struct {
	wire.Network
	from, to netip.Addr
	on       *atomic.Bool
}

func (d detour) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if at, err := netip.ParseAddrPort(address); err == nil && at.Addr() == d.from && d.on.Load() {
		address = netip.AddrPortFrom(d.to, at.Port()).String()
	}
	return d.Network.DialContext(ctx, network, address)
}

// TestPasswordStaysWithItsCertificate: a controller's password goes to nobody until a person entered it for this one device,
// then to the certificate that the device showed by then. Somebody who steps into its place gets none, however often he is
// scanned, until a person enters the password anew.
func TestPasswordStaysWithItsCertificate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t)
		few, at := netip.MustParsePrefix("192.168.20.8/30"), netip.MustParseAddr("192.168.20.9")
		if _, err := l.AddRedfish(lab.RedfishSpec{Place: lab.Place{Name: "bmc", Addr: at}}); err != nil {
			t.Fatal(err)
		}
		impostor, err := l.AddRedfish(lab.RedfishSpec{Place: lab.Place{Name: "impostor"}, Version: "6.6.6"}) // it knows the password, so it answers who sends it
		if err != nil {
			t.Fatal(err)
		}
		on := &atomic.Bool{}
		b := live(t, detour{l.Attach("home"), at, impostor.Facts().Addrs[0], on}, "home", map[netip.Prefix]firmward.Profile{few: firmward.ProfileHome})
		runs := func(want, note string) {
			t.Helper()
			time.Sleep(25 * time.Hour)
			b.scan(few)
			all := b.scan(few) // the first tells its family, the second asks by it
			if len(all) != 1 || all[0].Family != "redfish" || all[0].Firmware != want {
				t.Fatalf("%+v, want one that runs %q", all, want)
			}
			obs, err := b.Store.ObservationsOf(b.ctx, all[0].ID)
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range obs {
				if o.Probe == "redfish" && !strings.Contains(o.Note, note) {
					t.Errorf("the probe notes %q, want %q", o.Note, note)
				}
			}
		}
		enter := func(c control.Credential) {
			t.Helper()
			c.User, c.Password = "root", lab.RedfishPassword
			if err := b.SetCredential(b.ctx, anna, c); err != nil {
				t.Fatal(err)
			}
		}
		runs("", "")
		enter(control.Credential{Family: "redfish", Site: "home"})
		runs("", "does not know the certificate")
		enter(control.Credential{Device: at.String()})
		runs("1.45.0", "")
		on.Store(true)
		for range 3 {
			runs("", "another certificate")
		}
		on.Store(false)
		runs("1.45.0", "")
		on.Store(true)
		runs("", "another certificate")
		enter(control.Credential{Device: at.String()})
		runs("6.6.6", "")
	})
}
