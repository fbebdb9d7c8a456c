package wire

import (
	"context"
	"net"
	"net/netip"
	"strings"

	"github.com/firmward/firmward"
)

// Netns is the network of a named network namespace of this host (ip netns add NAME). Only Linux has
// such; elsewhere every method gives NotSupported.
//
// A socket belongs for life to the namespace in which it was made, so each method makes its socket on a
// thread that stands in the namespace, and the thread goes home at once. Names are refused: to look one
// up would send packets into the wrong network.
type Netns struct {
	Name  string
	Local netip.Addr // source address of what is dialled; zero: the system chooses
}

// Do runs f on a thread that stands in the namespace. Goroutines that f starts stand elsewhere.
func (n *Netns) Do(f func() error) error { return inNamespace(n.Name, f) }

// DialContext connects from inside the namespace. The address must be a literal.
func (n *Netns) DialContext(ctx context.Context, network, address string) (c net.Conn, err error) {
	if _, err := netip.ParseAddrPort(address); err != nil {
		return nil, literal(address, err)
	}
	err = n.Do(func() (err error) {
		c, err = (&OS{Local: n.Local}).DialContext(ctx, network, address)
		return err
	})
	return c, err
}

// ListenPacket listens inside the namespace. The address must be a literal or ":port".
func (n *Netns) ListenPacket(ctx context.Context, network, address string) (c net.PacketConn, err error) {
	if err := listenable(address); err != nil {
		return nil, err
	}
	err = n.Do(func() (err error) {
		c, err = (&OS{}).ListenPacket(ctx, network, address)
		return err
	})
	return c, err
}

// Listen listens inside the namespace. The address must be a literal or ":port".
func (n *Netns) Listen(ctx context.Context, network, address string) (l net.Listener, err error) {
	if err := listenable(address); err != nil {
		return nil, err
	}
	err = n.Do(func() (err error) {
		l, err = (&OS{}).Listen(ctx, network, address)
		return err
	})
	return l, err
}

// Neighbors reads the namespace's neighbour table, as OS.Neighbors does.
func (n *Netns) Neighbors(ctx context.Context, prefix netip.Prefix) (seen map[netip.Addr]net.HardwareAddr, err error) {
	err = n.Do(func() (err error) {
		seen, err = neighbors(ctx, prefix)
		return err
	})
	return seen, err
}

// Sweep asks inside the namespace, as OS.Sweep does.
func (n *Netns) Sweep(ctx context.Context, prefix netip.Prefix) (seen map[netip.Addr]net.HardwareAddr, err error) {
	err = n.Do(func() (err error) {
		seen, err = sweep(ctx, prefix)
		return err
	})
	return seen, err
}

func listenable(address string) error {
	if strings.HasPrefix(address, ":") {
		return nil
	}
	_, err := netip.ParseAddrPort(address)
	if err != nil {
		return literal(address, err)
	}
	return nil
}

func literal(address string, err error) error {
	return &firmward.Error{Code: firmward.Invalid, Message: "a namespace is dialled by address, not by name: " + address, Err: err}
}
