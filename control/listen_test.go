package control_test

import (
	"context"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/lab"
	"github.com/firmward/firmward/store"
	"github.com/firmward/firmward/wire"
)

// heard gives what the listening probe saw of the one device at an address; nothing when none is known there.
func (b bubble) heard(addr string) (d firmward.Device, seen []string) {
	b.t.Helper()
	synctest.Wait()
	found, err := b.Store.DevicesAt(b.ctx, "", netip.MustParseAddr(addr))
	if err != nil || len(found) > 1 {
		b.t.Fatal(found, err)
	}
	if len(found) == 0 {
		return d, nil
	}
	history, _, err := b.Store.ObservationHistory(b.ctx, found[0].ID, "listen", store.Page{})
	if err != nil {
		b.t.Fatal(err)
	}
	for _, o := range history {
		for _, r := range o.Readings {
			seen = append(seen, fmt.Sprintf("%s=%s", r.Name, r.Value))
		}
	}
	slices.Sort(seen)
	return found[0], seen
}

// events counts what was told of a kind.
func (b bubble) events(kind string) int {
	b.t.Helper()
	all, err := b.Store.EventsAfter(b.ctx, 0, 1000)
	if err != nil {
		b.t.Fatal(err)
	}
	n := 0
	for _, e := range all {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

// TestDevicesAreHeard: in a ward where nothing may be sent, what devices say to everybody is enough to know them. Nothing
// reaches them, nothing is kept twice in an hour, and nobody outside of what is named becomes a device.
func TestDevicesAreHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t)
		ward := netip.MustParsePrefix("10.40.0.0/24")
		cam, err := l.AddCamera(lab.CameraSpec{Place: lab.Place{Name: "cam", Site: "clinic", Addr: netip.MustParseAddr("10.40.0.11")}})
		if err != nil {
			t.Fatal(err)
		}
		plug, err := l.AddPlug(lab.PlugSpec{Place: lab.Place{Name: "plug", Addr: netip.MustParseAddr("192.168.20.11")}})
		if err != nil {
			t.Fatal(err)
		}
		b := live(t, l.Attach("clinic"), "clinic", map[netip.Prefix]firmward.Profile{ward: firmward.ProfileMedical})
		synctest.Wait()
		if yes, why := b.Listening(ward); !yes {
			t.Errorf("nobody listens in the ward: %s", why)
		}
		if d, _ := b.heard("10.40.0.11"); d.ID != "" {
			t.Errorf("nobody spoke, and %s is known", d.Name)
		}
		plug.Announce()
		for range 5 {
			cam.Announce()
		}
		d, seen := b.heard("10.40.0.11")
		if want := []string{"arp.mac=" + cam.Facts().MACs[0]}; !slices.EqualFunc(seen, want, strings.EqualFold) || d.Origin != firmward.OriginSeen {
			t.Errorf("one ARP five times: %+v %v, want %v", d, seen, want)
		}
		words := lab.Client{Hostname: "ward-cam", VendorClass: "AXIS,Network Camera,P3265-LV,10.12.206", Parameters: []byte{1, 3, 6, 42}}
		for range 5 {
			cam.AskForAddress(words)
		}
		d, seen = b.heard("10.40.0.11")
		if d.Name != "ward-cam" || d.Model != "AXIS P3265-LV" || d.Firmware != "10.12.206" || d.Network != ward.String() {
			t.Errorf("it said who it is: %+v", d)
		}
		if !slices.Contains(seen, "dhcp.parameters=1,3,6,42") || len(seen) != 5 {
			t.Errorf("what was kept: %v", seen)
		}
		first := d.LastSeen
		time.Sleep(time.Hour + time.Minute) // the ear opens anew at the full hour: nobody speaks just then
		cam.Announce()
		if d, _ = b.heard("10.40.0.11"); d.LastSeen.Sub(first) < time.Hour {
			t.Errorf("an hour later it is still there, and was last seen at %s", d.LastSeen)
		}
		for i := range 100 { // somebody says other words each time
			cam.AskForAddress(lab.Client{Hostname: fmt.Sprint("x", i)})
		}
		if _, seen = b.heard("10.40.0.11"); len(seen) > 20 {
			t.Errorf("a hundred names in a second made %d readings", len(seen))
		}
		if found, err := b.Store.DevicesAt(b.ctx, "", netip.MustParseAddr("192.168.20.11")); err != nil || len(found) > 0 || b.events("device") == 0 {
			t.Errorf("from outside: %v, %v; %d events", found, err, b.events("device"))
		}
		if ports := cam.Facts().Ports; len(ports) > 0 {
			t.Errorf("the camera was touched: %v", ports)
		}
	})
}

// TestListeningFollowsTheNames: a network is listened to while it is named, and a ward inside has ears of its own.
func TestListeningFollowsTheNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t)
		ward := netip.MustParsePrefix("192.168.20.128/28")
		near, err := l.AddPlug(lab.PlugSpec{Place: lab.Place{Name: "near", Addr: netip.MustParseAddr("192.168.20.131")}})
		if err != nil {
			t.Fatal(err)
		}
		b := live(t, l.Attach("home"), "home", map[netip.Prefix]firmward.Profile{home: firmward.ProfileHome, ward: firmward.ProfileMedical})
		synctest.Wait()
		near.Announce()
		if d, seen := b.heard("192.168.20.131"); d.Network != ward.String() || d.Zone != firmward.ZoneClinical || len(seen) != 1 {
			t.Errorf("heard in the ward: %+v, %v", d, seen)
		}
		office := netip.MustParsePrefix("10.40.0.0/24")
		far, err := l.AddPlug(lab.PlugSpec{Place: lab.Place{Name: "far", Site: "clinic", Addr: netip.MustParseAddr("10.40.0.9")}})
		if err != nil {
			t.Fatal(err)
		}
		far.Announce()
		if d, _ := b.heard("10.40.0.9"); d.ID != "" {
			t.Error("heard before it was named")
		}
		if _, err := b.NameNetwork(b.ctx, anna, control.AddNetwork{Prefix: office, Site: "office", Profile: firmward.ProfileOffice}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if err := b.RemoveNetwork(b.ctx, anna, office); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		far.Announce()
		if d, _ := b.heard("10.40.0.9"); d.ID != "" {
			t.Error("heard after its name was taken back")
		}
		if yes, why := b.Listening(office); yes || why != "" {
			t.Errorf("listening to a network that nobody named: %v %q", yes, why)
		}
		if _, err := b.NameNetwork(b.ctx, anna, control.AddNetwork{Prefix: office, Site: "office", Profile: firmward.ProfileOffice}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		far.Announce()
		if d, _ := b.heard("10.40.0.9"); d.Network != office.String() {
			t.Errorf("named again and not heard: %+v", d)
		}
	})
}

// deaf is a network that may not be listened to until it is allowed.
type deaf struct {
	*lab.Stack
	allowed atomic.Bool
	tried   atomic.Int64
}

func (d *deaf) Overhear(ctx context.Context, prefix netip.Prefix, hear func([]byte)) error {
	if d.tried.Add(1); !d.allowed.Load() {
		return &firmward.Error{Code: firmward.NotSupported, Message: "no right to listen", Err: fs.ErrPermission}
	}
	return d.Stack.Overhear(ctx, prefix, hear)
}

var _ wire.Overhearing = (*deaf)(nil)

// TestNotAllowedToListen: it is tried again, and told.
func TestNotAllowedToListen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &deaf{Stack: newLab(t).Attach("home")}
		b := live(t, n, "home", map[netip.Prefix]firmward.Profile{home: firmward.ProfileHome})
		synctest.Wait()
		if yes, why := b.Listening(home); yes || !strings.Contains(why, "no right to listen") {
			t.Errorf("listening %v, %q", yes, why)
		}
		time.Sleep(10*time.Minute + time.Second)
		if n := n.tried.Load(); n != 11 {
			t.Errorf("tried %d times in ten minutes", n)
		}
		n.allowed.Store(true)
		time.Sleep(time.Minute)
		if yes, why := b.Listening(home); !yes {
			t.Errorf("allowed, and not listening: %s", why)
		}
	})
}
