package wire

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"github.com/firmward/firmward"
)

// OnLink is the optional ability to ask a multicast group on the link of a prefix: what is written to a
// group through the connection leaves there and crosses no router. A host without an address inside the
// prefix gives NotSupported.
type OnLink interface {
	OnLink(ctx context.Context, prefix netip.Prefix) (net.PacketConn, error)
}

// OnLink binds a socket to this host's address inside the prefix: by it the kernel chooses the interface.
func (o *OS) OnLink(ctx context.Context, prefix netip.Prefix) (net.PacketConn, error) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil && prefix.Contains(p.Addr().Unmap()) {
			return o.ListenPacket(ctx, "udp", netip.AddrPortFrom(p.Addr().Unmap(), 0).String())
		}
	}
	return nil, notOnLink(prefix)
}

// OnLink binds a socket inside the namespace, as OS.OnLink does.
func (n *Netns) OnLink(ctx context.Context, prefix netip.Prefix) (c net.PacketConn, err error) {
	err = n.Do(func() (err error) {
		c, err = (&OS{}).OnLink(ctx, prefix)
		return err
	})
	return c, err
}

func notOnLink(prefix netip.Prefix) error {
	return firmward.Errorf(firmward.NotSupported, "this host has no address inside "+prefix.String()+": multicast does not cross routers")
}

// OnLink passes through; each datagram written is checked like a dial.
func (n *guarded) OnLink(ctx context.Context, prefix netip.Prefix) (net.PacketConn, error) {
	on, ok := n.inner.(OnLink)
	if !ok {
		return nil, notOnLink(prefix)
	}
	pc, err := on.OnLink(ctx, prefix)
	if errors.Is(err, syscall.EADDRNOTAVAIL) {
		err = notOnLink(prefix)
	}
	if err != nil {
		return nil, err
	}
	return &recordedPackets{PacketConn: pc, ctx: ctx, n: n, network: "udp"}, nil
}
