package wire

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"syscall"

	"github.com/firmward/firmward"
)

// PortMap is a Network that reaches simulated devices through loopback sockets: each ordinary
// address stands for a 127.0.0.1 port, as "firmward lab serve" prints them.
type PortMap struct {
	to   map[string]string               // "tcp 10.40.0.11:80" → "127.0.0.1:20001"
	macs map[netip.Addr]net.HardwareAddr // of every device; nil where the map does not tell it
	OS
}

// ReadPortMap reads the JSON list of a port map: objects with network, virtual, real and, if known, mac.
func ReadPortMap(r io.Reader) (*PortMap, error) {
	var list []struct{ Network, Virtual, Real, MAC string }
	b, err := Bound(r, 8<<20)
	if err != nil {
		return nil, fmt.Errorf("read port map: %w", err)
	}
	if err := json.Unmarshal(b, &list); err != nil {
		return nil, fmt.Errorf("read port map: %w", err)
	}
	m := &PortMap{to: make(map[string]string, len(list)), macs: make(map[netip.Addr]net.HardwareAddr, len(list))}
	for _, e := range list {
		if real, err := netip.ParseAddrPort(e.Real); err != nil || !real.Addr().IsLoopback() {
			return nil, fmt.Errorf("read port map: %q is no loopback address", e.Real)
		}
		m.to[e.Network+" "+e.Virtual] = e.Real
		if virtual, err := netip.ParseAddrPort(e.Virtual); err == nil {
			m.macs[virtual.Addr()], _ = net.ParseMAC(e.MAC)
		}
	}
	return m, nil
}

// DialContext dials the loopback port that stands for address. A simulated device refuses at its other
// ports; where no device is, the host is unreachable: a refusal would be a sign of life.
func (m *PortMap) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if real, ok := m.to[network[:min(3, len(network))]+" "+address]; ok {
		return m.OS.DialContext(ctx, network, real)
	}
	why := syscall.EHOSTUNREACH
	if at, err := netip.ParseAddrPort(address); err == nil {
		if _, ok := m.macs[at.Addr()]; ok {
			why = syscall.ECONNREFUSED
		}
	}
	return nil, &net.OpError{Op: "dial", Net: network, Err: why}
}

// Neighbors gives the simulated devices of a prefix: the real neighbours of this host are none of them. A map that tells no MAC
// address there gives NotSupported.
func (m *PortMap) Neighbors(_ context.Context, prefix netip.Prefix) (map[netip.Addr]net.HardwareAddr, error) {
	seen := map[netip.Addr]net.HardwareAddr{}
	for addr, mac := range m.macs {
		if mac != nil && prefix.Contains(addr) {
			seen[addr] = mac
		}
	}
	if len(seen) == 0 {
		return nil, firmward.Errorf(firmward.NotSupported, "a port map without MAC addresses cannot see its neighbours")
	}
	return seen, nil
}

// Sweep is as Neighbors.
func (m *PortMap) Sweep(ctx context.Context, prefix netip.Prefix) (map[netip.Addr]net.HardwareAddr, error) {
	return m.Neighbors(ctx, prefix)
}

// OnLink gives a connection whose datagrams to a group reach each simulated device of the prefix that has a socket at the group's
// port; answers come from its own address. A prefix without such devices gives NotSupported.
func (m *PortMap) OnLink(ctx context.Context, prefix netip.Prefix) (net.PacketConn, error) {
	l := mappedLink{to: map[netip.AddrPort]*net.UDPAddr{}, from: map[netip.AddrPort]*net.UDPAddr{}}
	for at, real := range m.to {
		network, address, _ := strings.Cut(at, " ")
		virtual, err := netip.ParseAddrPort(address)
		if err != nil || network != "udp" || !prefix.Contains(virtual.Addr()) {
			continue
		}
		r := netip.MustParseAddrPort(real) // as ReadPortMap did
		l.to[virtual], l.from[r] = net.UDPAddrFromAddrPort(r), net.UDPAddrFromAddrPort(virtual)
	}
	if len(l.to) == 0 {
		return nil, notOnLink(prefix)
	}
	var err error
	l.PacketConn, err = m.ListenPacket(ctx, "udp4", "127.0.0.1:0")
	return l, err
}

// mappedLink is the link of a prefix behind a port map.
type mappedLink struct {
	net.PacketConn
	to   map[netip.AddrPort]*net.UDPAddr // virtual → real
	from map[netip.AddrPort]*net.UDPAddr // real → virtual
}

// WriteTo sends to every device of the link that listens at the port of the group.
func (l mappedLink) WriteTo(b []byte, group net.Addr) (int, error) {
	g, ok := group.(*net.UDPAddr)
	if !ok || !g.IP.IsMulticast() {
		return 0, &net.OpError{Op: "write", Net: "udp", Addr: group, Err: syscall.EHOSTUNREACH}
	}
	for virtual, real := range l.to {
		if int(virtual.Port()) != g.Port {
			continue
		}
		if _, err := l.PacketConn.WriteTo(b, real); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}

// ReadFrom gives the next datagram of a device of the link, and its own address.
func (l mappedLink) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err := l.PacketConn.ReadFrom(b)
		if err != nil {
			return n, from, err
		}
		if u, ok := from.(*net.UDPAddr); ok {
			if virtual, ok := l.from[u.AddrPort()]; ok {
				return n, virtual, nil
			}
		}
	}
}

// SeenFrom is the address from which a device's own connections arrive here.
func (m *PortMap) SeenFrom(netip.Addr) netip.Addr { return netip.AddrFrom4([4]byte{127, 0, 0, 1}) }
