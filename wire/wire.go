// Package wire is the only door to the network.
//
// A Network is plain standard-library dialling and listening, so that the operating system's
// network, a map of loopback ports and a simulated network in memory are the same thing to probes,
// drivers and enforcers. Nothing above this floor opens a socket in another way.
//
// Guarded puts five locks on a Network, in this order: an address guard (only what a person named),
// ports that are never touched (printers print what arrives at 9100), a pace per device, a record of
// every byte that was sent, and a limit to how long a connection may last. Sizes are bounded by whoever
// reads: see Bound and HTTPClient.
package wire

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"strings"
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
	// Key is that of the TLS certificate for which the password was entered ("SHA256:…" of the public key, as the tls probe
	// reads it). Over TLS a password goes to nobody else; empty: over TLS it goes to nobody.
	Key string
}

// LogValue keeps secrets out of logs.
func (Secret) LogValue() slog.Value { return slog.StringValue("secret") }

func (Secret) String() string { return "secret" }

// MarshalJSON keeps secrets out of whatever is written as JSON, logs of structs among it.
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"secret"`), nil }

// GoString keeps secrets out of %#v.
func (Secret) GoString() string { return "wire.Secret{}" }

// Conn is one device as a driver sees it: a guarded network, its address and its credential.
type Conn struct {
	Network Network
	Addr    netip.Addr
	Secret  Secret
}

// OS is the operating system's network. The zero OS is ready to use.
type OS struct {
	// Local is the source address of what is dialled; the zero Addr leaves the choice to the system. A
	// host with several addresses proves with it that each of them is let through.
	Local netip.Addr
}

// DialContext connects as net.Dialer does, from Local when that is set.
func (o *OS) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	if o.Local.IsValid() {
		from := netip.AddrPortFrom(o.Local, 0)
		if strings.HasPrefix(network, "udp") {
			d.LocalAddr = net.UDPAddrFromAddrPort(from)
		} else {
			d.LocalAddr = net.TCPAddrFromAddrPort(from)
		}
	}
	return d.DialContext(ctx, network, address)
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

// Neighbors reads the kernel's ARP and NDP table: complete entries only. It sends nothing. Systems
// other than Linux give NotSupported.
func (o *OS) Neighbors(ctx context.Context, prefix netip.Prefix) (map[netip.Addr]net.HardwareAddr, error) {
	return neighbors(ctx, prefix)
}

// Sweep asks every address of an IPv4 prefix for its hardware address by ARP, SweepRate a second, and
// gives who answered, beside what the kernel's table knew. Nothing reaches anybody's IP stack. It needs
// root on Linux and an address of this host inside the prefix; else it gives NotSupported.
func (o *OS) Sweep(ctx context.Context, prefix netip.Prefix) (map[netip.Addr]net.HardwareAddr, error) {
	return sweep(ctx, prefix)
}

// SweepRate is how many ARP requests Sweep sends in a second: what any network bears.
const SweepRate = 50

// SweepMax is the largest number of addresses that Sweep asks: a /20, 82 seconds.
const SweepMax = 1 << 12
