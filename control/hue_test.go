package control_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/audit"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/lab"
	"github.com/firmward/firmward/store"
)

// hueHouse is a house with a bridge and three lamps behind it, known with the owner's key.
func hueHouse(t *testing.T, manual bool) (b bubble, l *lab.Lab, bridge firmward.Device, lamps []firmward.Device) {
	t.Helper()
	l = newLab(t)
	if _, err := l.AddHue(lab.HueSpec{
		Place: lab.Place{Name: "hue-1"}, Key: lab.HueKey, Manual: manual,
		Lamps: []lab.HueLamp{{Name: "Sofa"}, {Name: "Desk", Model: "LWB010"}, {Name: "Hall"}},
	}); err != nil {
		t.Fatal(err)
	}
	b = live(t, l.Attach("home"), "home", map[netip.Prefix]firmward.Profile{home: firmward.ProfileHome})
	found := b.scan(home)
	if len(found) != 1 || found[0].Model != "BSB002" {
		t.Fatalf("without a key: %+v", found)
	}
	if err := b.SetCredential(b.ctx, anna, control.Credential{Device: found[0].ID, Password: lab.HueKey}); err != nil {
		t.Fatal(err)
	}
	for _, d := range b.scan(home) {
		if d.Family == "hue" {
			bridge = d
		} else {
			lamps = append(lamps, d)
		}
	}
	if len(lamps) != 3 {
		t.Fatalf("%d lamps: %+v", len(lamps), lamps)
	}
	slices.SortFunc(lamps, func(x, y firmward.Device) int { return strings.Compare(x.Name, y.Name) })
	return b, l, bridge, lamps
}

// step waits for the decisions and gives the next step of a device.
func (b bubble) step(id string) firmward.NextStep {
	b.t.Helper()
	synctest.Wait()
	s, err := b.Store.NextStep(b.ctx, id)
	if err != nil {
		b.t.Fatal(err)
	}
	return s
}

// leaves lists the record of one kind of act.
func (b bubble) leaves(action string) []audit.Leaf {
	b.t.Helper()
	found, _, err := b.Store.FindLeaves(b.ctx, store.LeafFilter{Action: action}, store.Page{})
	if err != nil {
		b.t.Fatal(err)
	}
	return found
}

func TestLampsBehindTheirBridge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _, bridge, lamps := hueHouse(t, false)
		for i, want := range []string{"Desk", "Hall", "Sofa"} {
			d := lamps[i]
			if d.Name != want || d.Family != "hue-lamp" || d.Firmware != "1.50.2_r30933" || len(d.Addrs) != 0 || d.Network != home.String() {
				t.Errorf("%+v", d)
			}
			edges, err := b.Store.RelationsOf(b.ctx, d.ID)
			if err != nil || len(edges) != 1 || edges[0].To != bridge.ID || edges[0].Kind != firmward.Behind {
				t.Errorf("%s hangs on %+v, %v", d.Name, edges, err)
			}
		}
		again := b.scan(home)
		if len(again) != 4 {
			t.Errorf("a second scan makes %d devices of 4", len(again))
		}
	})
}

// TestSilentBridge: when the bridge is gone, one device asks to be looked after, not four; when it is back, none does.
func TestSilentBridge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, l, bridge, lamps := hueHouse(t, false)
		if err := l.Fault("hue-1", lab.FaultOffline); err != nil {
			t.Fatal(err)
		}
		time.Sleep(13 * time.Hour)
		b.scan(home)
		if s := b.step(bridge.ID); s.Now.Kind != firmward.StepAsk || !strings.Contains(s.Now.Action, "silent") {
			t.Errorf("the bridge: %+v", s.Now)
		}
		for _, d := range lamps {
			if s := b.step(d.ID); s.Now.Kind != firmward.StepWait || s.BlockerCode != "gateway-silent" {
				t.Errorf("%s: %+v %s", d.Name, s.Now, s.BlockerCode)
			}
		}
		if err := l.ClearFaults("hue-1"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		b.scan(home)
		for _, d := range append(lamps, bridge) {
			if s := b.step(d.ID); strings.Contains(s.Now.Action, "silent") {
				t.Errorf("%s after its return: %+v", d.Name, s.Now)
			}
		}
	})
}

// TestChangedByItself: the maker brings a new version in the night; nobody here ordered it, and the record says so.
func TestChangedByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, l, bridge, _ := hueHouse(t, false)
		dev, _ := l.Device("hue-1")
		dev.Offer("1948086000", nil)
		time.Sleep(25 * time.Hour)
		b.scan(home)
		d, err := b.Find(b.ctx, bridge.ID)
		if err != nil || d.Firmware != "1948086000" {
			t.Fatalf("%+v, %v", d, err)
		}
		if got := b.leaves("changed-by-itself"); len(got) != 1 || got[0].Subject != bridge.ID || got[0].Detail["after"] != "1948086000" {
			t.Errorf("%+v", got)
		}
		if got := b.leaves("firmware-changed"); len(got) != 0 {
			t.Errorf("%+v", got)
		}
	})
}

// TestSetAutoUpdates: switched, asked again, in the record, evidence; and a device that says yes and does nothing is no success.
func TestSetAutoUpdates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, l, bridge, lamps := hueHouse(t, true)
		if is, err := b.AutoUpdates(b.ctx, bridge.ID); err != nil || is.On {
			t.Errorf("%+v, %v", is, err)
		}
		if err := l.Fault("hue-1", lab.FaultAcceptedAndNothing); err != nil {
			t.Fatal(err)
		}
		if _, err := b.SetAutoUpdates(b.ctx, anna, bridge.ID, true); firmward.CodeOf(err) != firmward.Unavailable || !strings.Contains(err.Error(), "still off") {
			t.Errorf("%v", err)
		}
		if err := l.ClearFaults("hue-1"); err != nil {
			t.Fatal(err)
		}
		if is, err := b.SetAutoUpdates(b.ctx, anna, bridge.ID, true); err != nil || !is.On || is.At != "03:00" {
			t.Errorf("%+v, %v", is, err)
		}
		id, err := b.Store.Identity(b.ctx, bridge.ID)
		if c, ok := id.Best(firmward.FieldAuto); err != nil || !ok || c.Value != "on" {
			t.Errorf("evidence %+v, %v", c, err)
		}
		if got := b.leaves("auto-updates-set"); len(got) != 2 {
			t.Errorf("%+v", got)
		}
		if _, err := b.SetAutoUpdates(b.ctx, anna, lamps[0].ID, true); firmward.CodeOf(err) != firmward.NotSupported {
			t.Errorf("a lamp: %v", err)
		}
		if err := b.StopAll(b.ctx, anna, true, "fire drill"); err != nil {
			t.Fatal(err)
		}
		if _, err := b.SetAutoUpdates(b.ctx, anna, bridge.ID, false); firmward.CodeOf(err) != firmward.Refused {
			t.Errorf("under the red button: %v", err)
		}
	})
}

// TestLink: a person says what hangs on what; a circle and a stranger are refused.
func TestLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _, bridge, lamps := hueHouse(t, false)
		desk, hall := lamps[0], lamps[1]
		if _, err := b.LinkDevices(b.ctx, anna, desk.ID, firmward.PoweredBy, hall.ID); err != nil {
			t.Error(err)
		}
		if _, err := b.LinkDevices(b.ctx, anna, bridge.ID, firmward.Behind, desk.ID); firmward.CodeOf(err) != firmward.Conflict || !strings.Contains(err.Error(), "firmward devices link Desk --behind "+bridge.Name+" --remove") {
			t.Errorf("a circle: %v", err)
		}
		if _, err := b.LinkDevices(b.ctx, anna, bridge.ID, firmward.PoweredBy, desk.ID); firmward.CodeOf(err) != firmward.Conflict || !strings.Contains(err.Error(), "Desk gets its power from Hall, Hall is reached through") &&
			!strings.Contains(err.Error(), "Desk is reached through "+bridge.Name) {
			t.Errorf("a circle of power and reach: %v", err)
		}
		if _, err := b.LinkDevices(b.ctx, anna, bridge.ID, firmward.RedundantWith, desk.ID); err != nil {
			t.Errorf("what depends on nothing closes no circle: %v", err)
		}
		if _, err := b.LinkDevices(b.ctx, anna, desk.ID, "beside", hall.ID); firmward.CodeOf(err) != firmward.Invalid {
			t.Errorf("%v", err)
		}
		if _, err := b.UnlinkDevices(b.ctx, anna, desk.ID, firmward.PoweredBy, hall.ID); err != nil {
			t.Error(err)
		}
		if _, err := b.UnlinkDevices(b.ctx, anna, desk.ID, firmward.PoweredBy, hall.ID); firmward.CodeOf(err) != firmward.NotFound {
			t.Errorf("twice: %v", err)
		}
	})
}
