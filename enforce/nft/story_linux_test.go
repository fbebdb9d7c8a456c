package nft_test

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/contain"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/control/controltest"
	"github.com/firmward/firmward/enforce"
	"github.com/firmward/firmward/enforce/enforcers"
	"github.com/firmward/firmward/enforce/nft"
	"github.com/firmward/firmward/lab"
	"github.com/firmward/firmward/store"
	"github.com/firmward/firmward/wire"
	"github.com/firmward/firmward/wire/wiretest"
)

// The house of the story: a router on which firmward runs, five abandoned storage boxes behind it, and a
// peer on the other side.
type house struct {
	t      *testing.T
	c      *control.Control
	st     *store.Store
	wall   *nft.Wall
	peer   enforce.Vantage
	router enforce.Vantage
	boxes  *wiretest.Space
}

var (
	homeNet = netip.MustParsePrefix("10.99.7.0/29")
	ward    = netip.MustParsePrefix("10.99.9.0/29")
	anna    = firmward.Person{Name: "anna", Role: "admin"}
)

func newHouse(t *testing.T) *house {
	t.Helper()
	wiretest.Tool(t, "nft", "nftables")
	router, boxes, peer := wiretest.New(t, "router"), wiretest.New(t, "boxes"), wiretest.New(t, "peer")
	var addrs []string
	for n := 2; n <= 6; n++ {
		addrs = append(addrs, fmt.Sprintf("10.99.7.%d/29", n))
	}
	router.Link([]string{"10.99.7.1/29"}, boxes, addrs)
	router.Link([]string{"10.99.8.1/24"}, peer, []string{"10.99.8.9/24"})
	router.Forward()
	boxes.Route("10.99.7.1")
	peer.Route("10.99.8.1")
	h := &house{
		t: t, boxes: boxes, wall: &nft.Wall{Namespace: router.Name},
		peer:   enforce.Vantage{Name: "peer 10.99.8.9", Network: peer},
		router: enforce.Vantage{Name: "firmward 10.99.7.1", Network: router, Allowed: true},
	}
	h.serveBoxes()
	h.start(router)
	return h
}

// serveBoxes lets lab storage boxes answer on real sockets of the namespace, one per address.
func (h *house) serveBoxes() {
	l := lab.New(lab.Options{})
	h.t.Cleanup(func() { l.Close() })
	l.AddSite("home", homeNet)
	for n := 2; n <= 6; n++ {
		box, err := l.AddNAS(lab.NASSpec{Place: lab.Place{Name: fmt.Sprintf("nas-%d", n), Addr: netip.MustParseAddr(h.addr(n))}})
		h.must(err)
		h.must(box.ServeOn(h.t.Context(), h.boxes))
	}
}

func (h *house) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// start builds firmward on the router, scans the boxes and waits until all are known with their finding.
func (h *house) start(router wire.Network) {
	h.t.Helper()
	ctx := h.t.Context()
	h.c = controltest.Open(h.t, func(cfg *control.Config) {
		cfg.Network, cfg.Drivers, cfg.Enforcers = router, nil, enforcers.All(enforcers.Config{Namespace: h.wall.Namespace})
		cfg.Self, cfg.Witness = []netip.Addr{netip.MustParseAddr("10.99.7.1")}, []enforce.Vantage{h.peer, h.router}
	})
	h.st = h.c.Store
	controltest.Starter(h.t, h.c)
	_, err := h.c.NameNetwork(ctx, anna, control.AddNetwork{Prefix: homeNet, Site: "home", Profile: firmward.ProfileHome})
	h.must(err)
	_, err = h.c.NameNetwork(ctx, anna, control.AddNetwork{Prefix: ward, Site: "clinic", Profile: firmward.ProfileMedical})
	h.must(err)
	scan, err := h.c.StartScan(ctx, anna, homeNet)
	h.must(err)
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan error, 1)
	go func() { done <- h.c.Run(ctx) }()
	h.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			h.t.Error(err)
		}
	})
	wiretest.Await(h.t, 60*time.Second, "the scan", func() bool {
		s, err := h.c.ScanByID(scan.ID)
		h.must(err)
		return !s.Ended.IsZero()
	})
	for n := 2; n <= 6; n++ {
		wiretest.Await(h.t, 20*time.Second, "the finding", func() bool { return h.exploited(n) })
	}
}

func (h *house) exploited(n int) bool {
	h.t.Helper()
	findings, err := h.st.FindingsOf(h.t.Context(), h.device(n).ID)
	h.must(err)
	for _, f := range findings {
		if f.AdvisoryID == "CVE-2024-3273" && f.Exploited && f.Open() {
			return true
		}
	}
	return false
}

func (h *house) addr(n int) string { return fmt.Sprintf("10.99.7.%d", n) }

func (h *house) device(n int) firmward.Device {
	h.t.Helper()
	found, err := h.st.FindDevices(h.t.Context(), h.addr(n))
	h.must(err)
	if len(found) != 1 {
		h.t.Fatalf("%d devices at %s", len(found), h.addr(n))
	}
	return found[0]
}

// open reports whether a place reaches a box by HTTP.
func (h *house) open(from enforce.Vantage, n int) bool {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), time.Second)
	defer cancel()
	c, err := from.Network.DialContext(ctx, "tcp", h.addr(n)+":80")
	if err != nil {
		return false
	}
	return c.Close() == nil
}

func (h *house) contain(n int, want firmward.ContainState, code, why string) firmward.Containment {
	h.t.Helper()
	got, err := h.c.Contain(h.t.Context(), anna, h.device(n).ID, "exploited and without a fix")
	h.must(err)
	if got.State != want || got.Code != code || !strings.Contains(got.Why, why) {
		h.t.Fatalf("box %d is %s (%s): %s\nwant %s (%s): …%s…", n, got.State, got.Code, got.Why, want, code, why)
	}
	h.t.Logf("box %d: %s: %s", n, got.State, got.Why)
	return got
}

func (h *house) table() string { return listing(h.t, h.wall) }

func TestStory(t *testing.T) {
	h := newHouse(t)
	d := h.device(2)
	if d.Vendor != "D-Link" || d.Model != "DNS-320L" || d.Class != firmward.ClassNAS || !h.exploited(2) {
		t.Fatalf("the box is %s %s, class %s", d.Vendor, d.Model, d.Class)
	}
	if !h.open(h.peer, 2) || !h.open(h.router, 2) {
		t.Fatal("the box is not open to begin with")
	}

	// Contained, with its proof: the peer is cut, firmward is not, the other boxes are as before.
	began := time.Now()
	got := h.contain(2, firmward.ContainContained, "", "proven by packets: 1 path is cut, 1 stays open as wanted")
	t.Logf("asked, applied, proven and confirmed in %s", time.Since(began).Round(time.Millisecond))
	if len(got.Proof) != 2 || got.Enforcer != "nft" || len(got.Rules) != 4 {
		t.Errorf("proof %+v, enforcer %s, %d rules", got.Proof, got.Enforcer, len(got.Rules))
	}
	if h.open(h.peer, 2) || !h.open(h.router, 2) || !h.open(h.peer, 3) {
		t.Error("the packets say otherwise")
	}
	if l := h.table(); !strings.Contains(l, h.addr(2)) || strings.Contains(l, "expires") {
		t.Errorf("a confirmed cut has an end:\n%s", l)
	}
	if dropped, err := h.wall.Dropped(t.Context()); err != nil || dropped.To == 0 {
		t.Errorf("the wall counts %+v, %v", dropped, err)
	}

	// A storm: the fourth of an hour waits for a person.
	h.contain(3, firmward.ContainContained, "", "proven")
	h.contain(4, firmward.ContainContained, "", "proven")
	if fourth := h.contain(5, firmward.ContainOpen, "storm-cap", "the cap is 3: a person must look first"); !fourth.NextDue.After(time.Now()) {
		t.Errorf("next due %s", fourth.NextDue)
	}
	if !h.open(h.peer, 5) || strings.Contains(h.table(), h.addr(5)) {
		t.Error("the fourth is cut")
	}

	// Release asks for a decision while the hole is open, and leaves the others contained.
	if _, err := h.c.Release(t.Context(), anna, d.ID, ""); firmward.CodeOf(err) != firmward.Refused || !strings.Contains(err.Error(), "CVE-2024-327") {
		t.Errorf("release without a decision: %v", err)
	}
	if h.open(h.peer, 2) {
		t.Error("a refused release opened the box")
	}
	for n := 2; n <= 4; n++ {
		got, err := h.c.Release(t.Context(), anna, h.device(n).ID, "the board took the risk on 2026-11-22")
		h.must(err)
		if got.State != firmward.ContainReleased || got.ReleaseBy != "anna" || !h.open(h.peer, n) || n < 4 && h.open(h.peer, n+1) {
			t.Errorf("box %d: %s by %s, open %t", n, got.State, got.ReleaseBy, h.open(h.peer, n))
		}
	}
	if l := h.table(); l != "" {
		t.Errorf("a table is left:\n%s", l)
	}
	// Those that wait for their place in the log count too.
	leaves, _, err := h.st.FindLeaves(t.Context(), store.LeafFilter{Actor: "anna", Action: "containment-released"}, store.Page{})
	h.must(err)
	decided := 0
	for _, l := range leaves {
		if strings.Contains(l.Detail["why"], "the board took the risk") {
			decided++
		}
	}
	if decided != 3 {
		t.Errorf("%d of 3 decisions stand in the record with their name", decided)
	}
}

// TestGuards: those that keep people alive, or might, are never cut; no packet rule is ever set for them.
func TestGuards(t *testing.T) {
	h := newHouse(t)
	str := func(s string) *string { return &s }
	yes, pumpAt, unknownAt := true, netip.MustParseAddr("10.99.9.2"), netip.MustParseAddr("10.99.9.3")
	pump, err := h.c.AddDevice(t.Context(), anna, control.DeviceFacts{Name: str("pump"), Site: str("clinic"), Class: str("infusion-pump"), Addr: &pumpAt})
	h.must(err)
	unknown, err := h.c.AddDevice(t.Context(), anna, control.DeviceFacts{Name: str("box in ward 3"), Site: str("clinic"), Addr: &unknownAt})
	h.must(err)
	byHand, err := h.c.SetDevice(t.Context(), anna, h.device(2).ID, control.DeviceFacts{NeverContain: &yes})
	h.must(err)
	for code, d := range map[string]firmward.Device{"never-class": pump, "never-unknown": unknown, "never-by-hand": byHand} {
		got, err := h.c.Contain(t.Context(), anna, d.ID, "a test of the guard")
		if firmward.CodeOf(err) != firmward.Refused || got.State != firmward.ContainRefused || got.Code != code {
			t.Errorf("%s: %s (%s) %v, want refused (%s)", d.Name, got.State, got.Code, err, code)
		}
		t.Log(err)
	}
	if l := h.table(); l != "" || !h.open(h.peer, 2) {
		t.Errorf("rules were set:\n%s", l)
	}
}

// TestNotProven: a second path past the wall, or a device that is switched off, and the rules are taken back.
func TestNotProven(t *testing.T) {
	h := newHouse(t)
	h.c.Witness = []enforce.Vantage{{Name: "a host beside the box", Network: h.boxes}, h.router}
	h.contain(2, firmward.ContainUndone, "not-proven", "a host beside the box → 10.99.7.2:80 tcp is still open")
	h.undone(2)

	h.c.Witness = []enforce.Vantage{h.peer, h.router}
	h.boxes.IP("addr", "del", "10.99.7.3/29", "dev", "e0")
	h.contain(3, firmward.ContainUndone, "not-proven", "is closed but must stay open")
	h.undone(4)

	// One that holds stays while another fails.
	h.contain(5, firmward.ContainContained, "", "proven")
	h.c.Witness = []enforce.Vantage{h.peer}
	h.contain(6, firmward.ContainUndone, "not-proven", "switched off is not contained")
	if h.open(h.peer, 5) || !h.open(h.peer, 6) {
		t.Error("the wall does not stand where it should")
	}
}

func (h *house) undone(n int) {
	h.t.Helper()
	if l := h.table(); l != "" {
		h.t.Errorf("rules are left:\n%s", l)
	}
	if !h.open(h.peer, n) {
		h.t.Errorf("box %d is cut", n)
	}
}

// TestNoWall: what cannot be done stays open, with its reason.
func TestNoWall(t *testing.T) {
	h := newHouse(t)
	h.must(wiretest.Without(unix.CAP_NET_ADMIN, func() error {
		got, err := h.c.Contain(t.Context(), anna, h.device(2).ID, "exploited")
		if err == nil && (got.State != firmward.ContainOpen || got.Code != "no-enforcer" || !strings.Contains(got.Why, "needs root: run firmward helper as root")) {
			t.Errorf("without root it is %s (%s): %s", got.State, got.Code, got.Why)
		}
		t.Log(got.Why)
		return err
	}))
	h.c.Enforcers = nil
	h.contain(2, firmward.ContainOpen, "no-enforcer", "no enforcer is set up")
	if !h.open(h.peer, 2) {
		t.Error("the box is cut")
	}
	// With the wall back, asking again goes on where it waited.
	h.c.Enforcers = enforcers.All(enforcers.Config{Namespace: h.wall.Namespace})
	h.contain(2, firmward.ContainContained, "", "proven")
	if code, _ := contain.Guard(h.device(2)); code != "" {
		t.Errorf("guard %s", code)
	}
}
