package wire_test

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/wire"
	"github.com/firmward/firmward/wire/wiretest"
)

func TestNamespace(t *testing.T) {
	host, gone := wiretest.New(t, "host"), &wire.Netns{Name: "fwtest-not-there"}
	dev := wiretest.New(t, "dev")
	host.Link([]string{"10.99.0.1/24", "10.99.0.2/24", "fd99::1/64"}, dev, []string{"10.99.0.9/24", "fd99::9/64"})
	for _, at := range []string{"10.99.0.9:80", "[fd99::9]:80"} {
		l, err := dev.Listen(t.Context(), "tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		go tellCaller(l)
	}
	p, err := dev.ListenPacket(t.Context(), "udp", ":161")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()

	from := &wire.Netns{Name: host.Name, Local: netip.MustParseAddr("10.99.0.2")}
	for _, tc := range []struct {
		n    wire.Network
		to   string
		want string
	}{
		{host, "10.99.0.9:80", "10.99.0.1"},
		{from, "10.99.0.9:80", "10.99.0.2"},
		{host, "[fd99::9]:80", "fd99::1"},
	} {
		c, err := tc.n.DialContext(t.Context(), "tcp", tc.to)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(c)
		c.Close()
		if err != nil || string(b) != tc.want {
			t.Errorf("%s saw the caller as %q, want %s (%v)", tc.to, b, tc.want, err)
		}
	}
	u, err := from.DialContext(t.Context(), "udp", "10.99.0.9:161")
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	if _, err := u.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := p.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, who, err := p.ReadFrom(make([]byte, 10)); err != nil || !strings.HasPrefix(who.String(), "10.99.0.2:") {
		t.Errorf("the datagram came from %v, %v", who, err)
	}

	if _, err := gone.DialContext(t.Context(), "tcp", "10.99.0.9:80"); firmward.CodeOf(err) != firmward.NotFound {
		t.Errorf("a namespace that is not there: %v", err)
	}
	if _, err := (&wire.Netns{Name: "../x"}).Listen(t.Context(), "tcp", ":1"); firmward.CodeOf(err) != firmward.Invalid {
		t.Errorf("a path as a name: %v", err)
	}
	if _, err := host.DialContext(t.Context(), "tcp", "localhost:80"); firmward.CodeOf(err) != firmward.Invalid {
		t.Errorf("dial by name: %v", err)
	}
	// The threads went home: this machine's namespace does not know the test's addresses.
	ifaces, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range ifaces {
		if strings.HasPrefix(a.String(), "10.99.0.") {
			t.Errorf("this thread stands in the wrong namespace: %s", a)
		}
	}
}

// tellCaller tells each caller under which address it was seen.
func tellCaller(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		_, _ = io.WriteString(c, netip.MustParseAddrPort(c.RemoteAddr().String()).Addr().String())
		_ = c.Close()
	}
}

func TestNeighborsAndSweep(t *testing.T) {
	host, sw, cam, lamp := wiretest.New(t, "host"), wiretest.New(t, "sw"), wiretest.New(t, "cam"), wiretest.New(t, "lamp")
	sw.Switch(map[*wiretest.Space][]string{
		host: {"10.99.1.1/26", "fd99:1::1/64"}, cam: {"10.99.1.10/26", "fd99:1::10/64"}, lamp: {"10.99.1.20/26", "10.99.1.70/24"},
	})
	near := netip.MustParsePrefix("10.99.1.0/26")
	see := func() map[netip.Addr]net.HardwareAddr {
		t.Helper()
		m, err := host.Neighbors(t.Context(), near)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	if m := see(); len(m) != 0 {
		t.Errorf("neighbours before anything was sent: %v", m)
	}
	for _, to := range []string{"10.99.1.10:9", "10.99.1.30:9", "[fd99:1::10]:9"} { // closed, nobody there, closed
		if c, err := host.DialContext(t.Context(), "tcp", to); err == nil {
			c.Close()
			t.Errorf("%s is open", to)
		}
	}
	cam4 := netip.MustParseAddr("10.99.1.10")
	if m := see(); len(m) != 1 || len(m[cam4]) != 6 {
		t.Errorf("want the camera only, not the one that never answered: %v", m)
	}
	six, err := host.Neighbors(t.Context(), netip.MustParsePrefix("fd99:1::/64"))
	if cam6 := netip.MustParseAddr("fd99:1::10"); err != nil || six[cam6].String() != see()[cam4].String() {
		t.Errorf("IPv6: %v, %v", six, err)
	}

	start := time.Now()
	m, err := host.Sweep(t.Context(), near)
	took := time.Since(start)
	if err != nil || len(m) != 2 || len(m[netip.MustParseAddr("10.99.1.20")]) != 6 {
		t.Errorf("sweep: %v, %v", m, err)
	}
	// 60 addresses once (62 hosts less this one and the camera), 59 of them twice.
	if least := 118 * time.Second / wire.SweepRate; took < least {
		t.Errorf("sweep took %s: faster than %d a second", took, wire.SweepRate)
	}
	t.Logf("swept %s in %s: %v", near, took.Round(time.Millisecond), m)

	for _, p := range []string{"10.98.0.0/24", "fd99:1::/120", "10.0.0.0/8"} {
		if _, err := host.Sweep(t.Context(), netip.MustParsePrefix(p)); firmward.CodeOf(err) != firmward.NotSupported {
			t.Errorf("sweep %s: %v", p, err)
		}
	}
}

func TestPortMapSeesNoNeighbours(t *testing.T) {
	m, err := wire.ReadPortMap(strings.NewReader("[]"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Neighbors(t.Context(), netip.MustParsePrefix("127.0.0.0/8")); firmward.CodeOf(err) != firmward.NotSupported {
		t.Errorf("%v", err)
	}
}

func TestOSLocal(t *testing.T) {
	l, err := (&wire.OS{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go tellCaller(l)
	c, err := (&wire.OS{Local: netip.MustParseAddr("127.0.0.7")}).DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if b, err := io.ReadAll(c); err != nil || string(b) != "127.0.0.7" {
		t.Errorf("%q, %v", b, errors.Join(err))
	}
}
