package wire_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/wire"
	"github.com/firmward/firmward/wire/wiretest"
)

// notes are frames that were heard, in words.
type notes struct {
	mu   sync.Mutex
	said []string
}

func (n *notes) hear(frame []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	kind, what := binary.BigEndian.Uint16(frame[12:]), ""
	switch {
	case kind == unix.ETH_P_ARP:
		what = "arp " + netip.AddrFrom4([4]byte(frame[28:32])).String()
	case kind == unix.ETH_P_IP:
		what = fmt.Sprintf("udp %s %d", netip.AddrFrom4([4]byte(frame[26:30])), binary.BigEndian.Uint16(frame[36:]))
	case kind == unix.ETH_P_IPV6:
		what = fmt.Sprintf("icmp6 %d", frame[54])
	}
	n.said = append(n.said, what)
}

func (n *notes) have(what string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, s := range n.said {
		if strings.HasPrefix(s, what) {
			return true
		}
	}
	return false
}

func (n *notes) all() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]string(nil), n.said...)
}

// listening listens in a namespace until the test ends, or end is called.
func listening(t *testing.T, at *wiretest.Space, prefix string) (n *notes, end func()) {
	t.Helper()
	n = &notes{}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- at.Overhear(ctx, netip.MustParsePrefix(prefix), n.hear) }()
	end = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(end)
	return n, end
}

// sent is how many packets a namespace's first interface sent.
func sent(t *testing.T, s *wiretest.Space) (packets string) {
	t.Helper()
	if err := s.Do(func() error {
		b, err := os.ReadFile("/proc/thread-self/net/dev")
		for line := range strings.Lines(string(b)) {
			if name, counts, ok := strings.Cut(strings.TrimSpace(line), ":"); ok && name == "e0" {
				packets = strings.Fields(counts)[9]
			}
		}
		return err
	}); err != nil || packets == "" {
		t.Fatal(packets, err)
	}
	return packets
}

const (
	everybody = "\xff\xff\xff\xff\xff\xff"
	lampMAC   = "\x02\x00\x00\x00\x00\x4f"
)

// arp is a request for 10.99.2.1 by the host at an address, from its type on.
func arp(addr string) string {
	return "\x08\x06\x00\x01\x08\x00\x06\x04\x00\x01" + lampMAC + addr + "\x00\x00\x00\x00\x00\x00\x0a\x63\x02\x01"
}

// raw sends a frame as it is from a namespace's first interface.
func raw(t *testing.T, from *wiretest.Space, frame string) {
	t.Helper()
	if err := from.Do(func() error {
		link, err := net.InterfaceByName("e0")
		if err != nil {
			return err
		}
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		return errors.Join(unix.Sendto(fd, []byte(frame), 0, &unix.SockaddrLinklayer{Ifindex: link.Index}), unix.Close(fd))
	}); err != nil {
		t.Fatal(err)
	}
}

// TestOverhear: what everybody may hear is heard, nothing else, without a packet and without listening to what is meant for
// others.
func TestOverhear(t *testing.T) {
	host, sw, cam, lamp := wiretest.New(t, "host"), wiretest.New(t, "sw"), wiretest.New(t, "cam"), wiretest.New(t, "lamp")
	if err := host.Sysctl("net/ipv6/conf/default/disable_ipv6", "1"); err != nil { // else its kernel greets by itself
		t.Fatal(err)
	}
	sw.Switch(map[*wiretest.Space][]string{host: {"10.99.2.1/24"}, cam: {"10.99.2.10/24", "fd99:2::10/64"}, lamp: {"10.99.2.20/24", "fd99:2::20/64"}})
	before := sent(t, host)
	n, end := listening(t, host, "10.99.0.0/16") // named wider than the link is
	say := func(from *wiretest.Space, to string) {
		t.Helper()
		c, err := from.ListenPacket(t.Context(), "udp4", ":0")
		if strings.HasPrefix(to, "[") {
			c, err = from.ListenPacket(t.Context(), "udp6", ":0")
		}
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		raw, err := c.(*net.UDPConn).SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		if err := raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_BROADCAST, 1) }); err != nil {
			t.Fatal(err)
		}
		if _, err := c.WriteTo([]byte("x"), net.UDPAddrFromAddrPort(netip.MustParseAddrPort(to))); err != nil {
			t.Fatal(err)
		}
	}
	wiretest.Await(t, 10*time.Second, "ARP, DHCP and a neighbour's question", func() bool {
		say(lamp, "10.99.2.99:9") // nobody is there: asked by ARP each time
		say(lamp, "10.99.2.255:67")
		say(lamp, "10.99.2.255:99")
		say(cam, "10.99.2.20:67") // for the lamp alone
		say(lamp, "[fd99:2::99]:9")
		return n.have("arp 10.99.2.20") && n.have("udp 10.99.2.20 67") && n.have("icmp6 135")
	})
	t.Logf("heard %q", n.all())
	for _, s := range n.all() {
		switch {
		case strings.HasPrefix(s, "arp "), s == "icmp6 135", s == "icmp6 136", s == "udp 10.99.2.20 67":
		default:
			t.Errorf("heard %q", s)
		}
	}
	ip := wiretest.Tool(t, "ip", "iproute2")
	if out, err := exec.CommandContext(t.Context(), ip, "-n", host.Name, "-d", "link", "show", "dev", "e0").CombinedOutput(); err != nil || !strings.Contains(string(out), "promiscuity 0") {
		t.Errorf("the interface: %s, %v", out, err)
	}
	end()
	if after := sent(t, host); after != before || after != "0" {
		t.Errorf("the listener's host sent %s packets, before %s", after, before)
	}

	// What the host says itself is no news of others; what belongs to a VLAN, or is flooded though it is for another, is not
	// said to everybody.
	n, end = listening(t, host, "10.99.2.0/24")
	const tag = "\x81\x00\x00\x07"
	wiretest.Await(t, 10*time.Second, "the last ARP", func() bool {
		say(host, "10.99.2.98:9")
		raw(t, lamp, everybody+lampMAC+tag+arp("\x0a\x63\x02\x4d")) // 10.99.2.77
		raw(t, lamp, "\x02\x00\x00\x00\x00\x78"+lampMAC+arp("\x0a\x63\x02\x4e"))
		raw(t, lamp, everybody+lampMAC+arp("\x0a\x63\x02\x4f"))
		return n.have("arp 10.99.2.79")
	})
	for _, s := range []string{"arp 10.99.2.1", "arp 10.99.2.77", "arp 10.99.2.78"} {
		if slices.Contains(n.all(), s) {
			t.Errorf("heard %q", s)
		}
	}
	end()

	if err := host.Overhear(t.Context(), netip.MustParsePrefix("10.98.0.0/16"), n.hear); firmward.CodeOf(err) != firmward.NotSupported || errors.Is(err, fs.ErrPermission) {
		t.Errorf("a network that is elsewhere: %v", err)
	}
}

// TestOverhearAsOrdinaryUser: where the right is missing the error says so.
func TestOverhearAsOrdinaryUser(t *testing.T) {
	host := wiretest.New(t, "host")
	host.Link([]string{"10.99.3.1/24"}, wiretest.New(t, "cam"), []string{"10.99.3.2/24"})
	err := host.Do(func() error {
		head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var was, without [2]unix.CapUserData
		if err := unix.Capget(&head, &was[0]); err != nil {
			return err
		}
		without = was
		without[0].Effective &^= 1 << unix.CAP_NET_RAW
		if err := unix.Capset(&head, &without[0]); err != nil {
			return err
		}
		heard := (&wire.OS{}).Overhear(t.Context(), netip.MustParsePrefix("10.99.3.0/24"), func([]byte) {})
		return errors.Join(unix.Capset(&head, &was[0]), heard)
	})
	if firmward.CodeOf(err) != firmward.NotSupported || !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "CAP_NET_RAW") {
		t.Errorf("without the right: %v", err)
	}
}
