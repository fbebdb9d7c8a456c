// Package wire is the only door to the network.
//
// A Network is plain standard-library dialling and listening, so that the operating system's
// network, a map of loopback ports and a simulated network in memory are the same thing to probes,
// drivers and enforcers. Nothing above this floor opens a socket in another way.
//
// Guarded puts four locks on a Network, in this order: an address guard (only what a person named),
// ports that are never touched (printers print what arrives at 9100), a pace per device, and a record
// of every byte that was sent. Reads are bounded by whoever reads: see Bound.
package wire

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
)

// Network dials and listens. Implementations: OS, PortMap, and the lab's network in memory.
type Network interface {
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
	ListenPacket(ctx context.Context, network, address string) (net.PacketConn, error)
	Listen(ctx context.Context, network, address string) (net.Listener, error)
}

// Neighbor is the optional ability to see who is there without sending a byte to anybody's IP
// stack: the ARP or NDP table. Addresses outside prefix are left out.
type Neighbor interface {
	Neighbors(ctx context.Context, prefix netip.Prefix) (map[netip.Addr]net.HardwareAddr, error)
}

// Translated is the optional ability of a network behind address translation: the address from which
// connections that a device makes arrive here.
type Translated interface {
	SeenFrom(device netip.Addr) netip.Addr
}

// Secret is a credential for one device. It never prints.
type Secret struct {
	User, Password string
}

// LogValue keeps secrets out of logs.
func (Secret) LogValue() slog.Value { return slog.StringValue("secret") }

func (Secret) String() string { return "secret" }

// GoString keeps secrets out of %#v.
func (Secret) GoString() string { return "wire.Secret{}" }

// Conn is one device as a driver sees it: a guarded network, its address and its credential.
type Conn struct {
	Network Network
	Addr    netip.Addr
	Secret  Secret
}

// OS is the operating system's network.
type OS struct{ dialer net.Dialer }

// DialContext connects as net.Dialer does.
func (o *OS) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return o.dialer.DialContext(ctx, network, address)
}

// ListenPacket listens as net.ListenConfig does.
func (o *OS) ListenPacket(ctx context.Context, network, address string) (net.PacketConn, error) {
	var lc net.ListenConfig
	return lc.ListenPacket(ctx, network, address)
}

// Listen listens as net.ListenConfig does.
func (o *OS) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	var lc net.ListenConfig
	return lc.Listen(ctx, network, address)
}
