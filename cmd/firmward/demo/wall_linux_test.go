package demo_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/cmd/firmward/demo"
	"github.com/firmward/firmward/contain"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/lab"
	"github.com/firmward/firmward/store"
	"github.com/firmward/firmward/wire/netns"
	"github.com/firmward/firmward/wire/wiretest"
)

const boxAddr = "192.168.20.30"

// build makes a wall that goes with the test.
func build(t *testing.T, l *lab.Lab) *demo.Wall {
	t.Helper()
	w, err := demo.Build(t.Context(), l)
	if firmward.CodeOf(err) == firmward.NotSupported {
		wiretest.Missing(t, err.Error())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// made lists the namespaces of this process.
func made(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob(fmt.Sprintf("/run/netns/%s%d-*", netns.Prefix, os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestWall tells the chapter of the storage box with a real wall, at the pace of the demo.
func TestWall(t *testing.T) {
	start := time.Now()
	clock := control.Clock{Base: start, Start: start, Scale: 3600}
	l := standard(t, lab.ScaledClock(start, clock.Scale))
	w := build(t, l)
	h, c := house(t, t.Context(), l, func(cfg *control.Config) {
		cfg.Clock, cfg.Network, cfg.Enforcers, cfg.Witness = clock, w.Network(l.Attach("home")), w.Enforcers(), w.Witness()
	})
	h.Wall = w
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	known(t, c)
	s := demo.New(h, func(line string) { t.Log(line) })
	if err := s.Contain(ctx); err != nil {
		t.Fatal(err)
	}
	for _, o := range s.Outcomes() {
		if !o.OK {
			t.Errorf("line %d: %s: %s", o.Line, o.Text, o.Seen)
		}
	}
	if n := len(s.Outcomes()); n != 8 {
		t.Errorf("%d outcomes", n)
	}
	// The undo time is real time, told in house time.
	held, _, err := c.Store.Containments(ctx, store.ContainmentFilter{State: firmward.ContainReleased}, store.Page{})
	if err != nil || len(held) != 1 {
		t.Fatalf("%d containments, %v", len(held), err)
	}
	if stands := clock.Wall(held[0].ConfirmBy.Sub(held[0].Created)); stands < contain.UndoAfter || stands > contain.UndoAfter+30*time.Second {
		t.Errorf("unconfirmed rules stand for %s of real time, want %s", stands, contain.UndoAfter)
	}
}

// known names the networks, has the storage box looked at, and adds a pump by hand.
func known(t *testing.T, c *control.Control) {
	t.Helper()
	anna := firmward.Person{Name: "anna", Role: firmward.Admin}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	near := netip.MustParsePrefix(boxAddr + "/30")
	_, err := c.NameNetwork(t.Context(), anna, control.AddNetwork{Prefix: near, Site: "home", Profile: firmward.ProfileHome})
	must(err)
	_, err = c.NameNetwork(t.Context(), anna, control.AddNetwork{Prefix: demo.Clinic, Site: "clinic", Profile: firmward.ProfileMedical})
	must(err)
	at := netip.MustParseAddr("10.40.0.52")
	_, err = c.AddDevice(t.Context(), anna, control.DeviceFacts{Name: new("pump-2"), Site: new("clinic"), Class: new("infusion-pump"), Addr: &at})
	must(err)
	_, err = c.StartScan(t.Context(), anna, near)
	must(err)
	wiretest.Await(t, 30*time.Second, "the storage box to be known as attacked", func() bool {
		found, err := c.Store.FindDevices(t.Context(), boxAddr)
		must(err)
		if len(found) != 1 {
			return false
		}
		step, err := c.Store.NextStep(t.Context(), found[0].ID)
		return err == nil && step.Now.Kind == firmward.StepContain
	})
}

// TestTwoWalls: two at once stay apart, and each takes all of its own away.
func TestTwoWalls(t *testing.T) {
	one, two := build(t, standard(t, lab.RealClock())), build(t, standard(t, lab.RealClock()))
	if !one.Open(t.Context()) || !two.Open(t.Context()) {
		t.Fatal("a storage box is not open to everybody at the beginning")
	}
	if err := one.Close(); err != nil {
		t.Error(err)
	}
	if one.Open(t.Context()) || !two.Open(t.Context()) {
		t.Error("the end of one wall is not that of one wall")
	}
	if err := two.Close(); err != nil {
		t.Error(err)
	}
	if left := made(t); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestWallThatFails leaves nothing.
func TestWallThatFails(t *testing.T) {
	build(t, standard(t, lab.RealClock())).Close() // skips without root
	empty := lab.New(lab.Options{})
	defer empty.Close()
	if w, err := demo.Build(t.Context(), empty); err == nil || w != nil {
		t.Error("a wall without a storage box")
	}
	if left := made(t); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestPartReal: firmward reaches the storage box by real packets, everybody else in memory.
func TestPartReal(t *testing.T) {
	l := standard(t, lab.RealClock())
	w := build(t, l)
	network := w.Network(l.Attach("home"))
	neighbours := func() map[netip.Addr]net.HardwareAddr {
		seen, err := network.(interface {
			Neighbors(context.Context, netip.Prefix) (map[netip.Addr]net.HardwareAddr, error)
		}).Neighbors(t.Context(), demo.Home)
		if err != nil {
			t.Fatal(err)
		}
		return seen
	}
	box, plug := netip.MustParseAddr(boxAddr), netip.MustParseAddr("192.168.20.11")
	if seen := neighbours(); seen[box] != nil || seen[plug] == nil {
		t.Errorf("before any packet: %v", seen)
	}
	for at, real := range map[netip.Addr]bool{box: true, plug: false} {
		c, err := network.DialContext(t.Context(), "tcp", netip.AddrPortFrom(at, 80).String())
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := c.(*net.TCPConn); ok != real {
			t.Errorf("%s is reached by a %T", at, c)
		}
		c.Close()
	}
	nas, _ := l.Device("nas-1")
	if got, want := neighbours()[box].String(), nas.Facts().MACs[0]; got != want {
		t.Errorf("the router sees %s, the storage box is %s", got, want)
	}
}
