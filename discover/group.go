package discover

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/wire"
)

// GroupLimit bounds one run of a probe against a multicast group, with all that it then asks of the hosts.
const GroupLimit = 20 * time.Second

// GroupProbes lists the probes that ask all hosts of a network at once. A careful zone gets none: one datagram to
// a group reaches every device in it, the most fragile too.
func GroupProbes(z firmward.Zone) []string {
	if z.Careful() {
		return nil
	}
	return []string{"mdns", "upnp"}
}

// Asking is an exchange of datagrams with one host, or with a multicast group and all hosts of a prefix
// that answer.
type Asking struct {
	to   net.Addr
	pc   net.PacketConn // of a group
	c    net.Conn       // of one host
	addr netip.Addr
	in   netip.Prefix
	stop func() bool
	buf  []byte
}

// Ask begins an exchange with the target's port, or with group where the target is a prefix.
func Ask(ctx context.Context, t Target, port uint16, group netip.AddrPort) (*Asking, error) {
	a := &Asking{addr: t.Addr, in: t.Prefix, buf: make([]byte, 9<<10)}
	var err error
	if t.Prefix.IsValid() {
		on, ok := t.Network.(wire.OnLink)
		if !ok {
			return nil, firmward.Errorf(firmward.NotSupported, "this network has no multicast")
		}
		a.to = net.UDPAddrFromAddrPort(group)
		a.pc, err = on.OnLink(ctx, t.Prefix)
	} else {
		a.c, err = t.Network.DialContext(ctx, "udp", netip.AddrPortFrom(t.Addr, port).String())
	}
	if err != nil {
		return nil, err
	}
	a.stop = context.AfterFunc(ctx, func() { _ = a.deadline(time.Unix(1, 0)) })
	return a, nil
}

func (a *Asking) deadline(at time.Time) error {
	if a.pc != nil {
		return a.pc.SetReadDeadline(at)
	}
	return a.c.SetReadDeadline(at)
}

// Close ends the exchange.
func (a *Asking) Close() error {
	a.stop()
	if a.pc != nil {
		return a.pc.Close()
	}
	return a.c.Close()
}

// Send sends one datagram.
func (a *Asking) Send(b []byte) (err error) {
	if a.pc != nil {
		_, err = a.pc.WriteTo(b, a.to)
	} else {
		_, err = a.c.Write(b)
	}
	return err
}

// manyDatagrams bounds what is read in one round.
const manyDatagrams = 2048

// Hear hands over what comes until nothing came for quiet, and tells how much that was. Datagrams from outside the
// prefix are left out. b holds until hear returns. The error says why nothing can come: the port is closed, or the
// time of the whole run is over.
func (a *Asking) Hear(ctx context.Context, quiet time.Duration, hear func(from netip.Addr, b []byte)) (int, error) {
	for n := range manyDatagrams {
		if err := a.deadline(time.Now().Add(quiet)); err != nil {
			return n, err
		}
		if ctx.Err() != nil {
			return n, ctx.Err()
		}
		from, b, err := a.receive()
		switch {
		case err != nil && wire.Timeout(err):
			return n, ctx.Err()
		case err != nil:
			return n, err
		case a.in.IsValid() && !a.in.Contains(from):
			continue
		}
		hear(from, b)
	}
	return manyDatagrams, nil
}

func (a *Asking) receive() (netip.Addr, []byte, error) {
	if a.pc == nil {
		n, err := a.c.Read(a.buf)
		return a.addr, a.buf[:n], err
	}
	n, from, err := a.pc.ReadFrom(a.buf)
	if err != nil {
		return netip.Addr{}, nil, err
	}
	u, ok := from.(*net.UDPAddr)
	if !ok {
		return netip.Addr{}, nil, errors.New("a datagram came from no UDP address")
	}
	return u.AddrPort().Addr().Unmap(), a.buf[:n], nil
}
