package nft_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/contain"
	"github.com/firmward/firmward/enforce"
	"github.com/firmward/firmward/enforce/enforcetest"
	"github.com/firmward/firmward/enforce/nft"
	"github.com/firmward/firmward/wire/wiretest"
)

// world is a router between a segment with two devices and one with a peer.
func world(t *testing.T) (enforcetest.World, *wiretest.Space) {
	t.Helper()
	wiretest.Tool(t, "nft", "nftables")
	router, sw := wiretest.New(t, "router"), wiretest.New(t, "sw")
	nas, lamp, peer := wiretest.New(t, "nas"), wiretest.New(t, "lamp"), wiretest.New(t, "peer")
	sw.Switch(map[*wiretest.Space][]string{
		router: {"10.99.7.1/24", "fd99:7::1/64"}, nas: {"10.99.7.30/24", "fd99:7::30/64"}, lamp: {"10.99.7.40/24", "fd99:7::40/64"},
	})
	router.Link([]string{"10.99.8.1/24", "fd99:8::1/64"}, peer, []string{"10.99.8.9/24", "fd99:8::9/64"})
	router.Forward()
	nas.Route("10.99.7.1", "fd99:7::1")
	lamp.Route("10.99.7.1", "fd99:7::1")
	peer.Route("10.99.8.1", "fd99:8::1")
	place := func(name string, s *wiretest.Space, addrs ...string) enforcetest.Place {
		p := enforcetest.Place{Name: name, Network: s}
		for _, a := range addrs {
			p.Addrs = append(p.Addrs, netip.MustParseAddr(a))
		}
		return p
	}
	return enforcetest.World{
		Device: place("nas", nas, "10.99.7.30", "fd99:7::30"), Other: place("lamp", lamp, "10.99.7.40", "fd99:7::40"),
		Peer: place("peer", peer, "10.99.8.9", "fd99:8::9"), Self: place("router", router, "10.99.7.1", "fd99:7::1"),
	}, router
}

func TestConformance(t *testing.T) {
	w, router := world(t)
	enforcetest.Run(t, func(*testing.T) enforce.Enforcer { return &nft.Wall{Namespace: router.Name} }, w)
}

// TestNoTrace looks at the kernel's own listing: other tables are left alone, an undone change leaves no
// element, an empty want no table.
func TestNoTrace(t *testing.T) {
	w, router := world(t)
	wall := &nft.Wall{Namespace: router.Name}
	d, err := wall.Dropped(t.Context())
	if err != nil || d != (enforce.Dropped{}) {
		t.Errorf("without a table: %+v, %v", d, err)
	}
	a, err := wall.Apply(t.Context(), contain.Rules(firmward.Device{Addrs: w.Device.Addrs}, w.Self.Addrs, nil), time.Now().Add(1500*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	if l := listing(t, wall); !strings.Contains(l, "10.99.7.30") || !strings.Contains(l, "fd99:7::30") {
		t.Errorf("the contained addresses are not listed:\n%s", l)
	}
	wiretest.Await(t, 10*time.Second, "the elements to go", func() bool { return !strings.Contains(listing(t, wall), "elements") })
	if time.Now().Before(a.ConfirmBy) {
		t.Error("gone before their time")
	}
	if _, err := wall.Apply(t.Context(), nil, time.Time{}); err != nil {
		t.Fatal(err)
	}
	if l := listing(t, wall); l != "" {
		t.Errorf("a table is left:\n%s", l)
	}
	if _, err := wall.Apply(t.Context(), nil, time.Time{}); err != nil {
		t.Errorf("nothing to remove: %v", err)
	}
}

func listing(t *testing.T, wall *nft.Wall) string {
	t.Helper()
	l, err := wall.Listing(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestReadySaysWhy(t *testing.T) {
	_, router := world(t)
	wall := &nft.Wall{Namespace: router.Name}
	if err := wall.Ready(t.Context()); err != nil {
		t.Errorf("as root: %v", err)
	}
	if l := listing(t, wall); l != "" {
		t.Errorf("Ready left something:\n%s", l)
	}
	for name, tc := range map[string]struct {
		wall *nft.Wall
		want string
	}{
		"no namespace": {&nft.Wall{Namespace: "fwtest-not-there"}, "there is no network namespace fwtest-not-there"},
		"no router":    {&nft.Wall{Namespace: wiretest.New(t, "host").Name}, "this machine does not route"},
		"an option":    {&nft.Wall{Namespace: "-all"}, "no name of a network namespace"},
	} {
		if err := tc.wall.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	err := wiretest.Without(unix.CAP_NET_ADMIN, func() error { return wall.Ready(t.Context()) })
	if firmward.CodeOf(err) != firmward.NotSupported || !strings.Contains(err.Error(), "it needs root: run firmward helper as root") {
		t.Errorf("without CAP_NET_ADMIN: %v", err)
	}
	t.Log(err)
}
