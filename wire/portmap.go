package wire

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"syscall"

	"github.com/firmward/firmward"
)

// PortMap is a Network that reaches simulated devices through loopback sockets: each ordinary
// address stands for a 127.0.0.1 port, as "firmward lab serve" prints them.
type PortMap struct {
	to    map[string]string   // "tcp 10.40.0.11:80" → "127.0.0.1:20001"
	hosts map[string]struct{} // "10.40.0.11"
	OS
}

// ReadPortMap reads the JSON list of a port map: objects with network, virtual and real.
func ReadPortMap(r io.Reader) (*PortMap, error) {
	var list []struct{ Network, Virtual, Real string }
	b, err := Bound(r, 8<<20)
	if err != nil {
		return nil, fmt.Errorf("read port map: %w", err)
	}
	if err := json.Unmarshal(b, &list); err != nil {
		return nil, fmt.Errorf("read port map: %w", err)
	}
	m := &PortMap{to: make(map[string]string, len(list)), hosts: make(map[string]struct{}, len(list))}
	for _, e := range list {
		if real, err := netip.ParseAddrPort(e.Real); err != nil || !real.Addr().IsLoopback() {
			return nil, fmt.Errorf("read port map: %q is no loopback address", e.Real)
		}
		m.to[e.Network+" "+e.Virtual] = e.Real
		if host, _, err := net.SplitHostPort(e.Virtual); err == nil {
			m.hosts[host] = struct{}{}
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
	if host, _, err := net.SplitHostPort(address); err == nil {
		if _, ok := m.hosts[host]; ok {
			why = syscall.ECONNREFUSED
		}
	}
	return nil, &net.OpError{Op: "dial", Net: network, Err: why}
}

// Neighbors gives NotSupported: the real neighbours of this host are not those of the simulated network.
func (m *PortMap) Neighbors(context.Context, netip.Prefix) (map[netip.Addr]net.HardwareAddr, error) {
	return nil, firmward.Errorf(firmward.NotSupported, "a port map cannot see its neighbours")
}

// Sweep gives NotSupported, as Neighbors does.
func (m *PortMap) Sweep(ctx context.Context, prefix netip.Prefix) (map[netip.Addr]net.HardwareAddr, error) {
	return m.Neighbors(ctx, prefix)
}

// SeenFrom is the address from which a device's own connections arrive here.
func (m *PortMap) SeenFrom(netip.Addr) netip.Addr { return netip.AddrFrom4([4]byte{127, 0, 0, 1}) }
