package lab

import (
	"context"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"
)

// backlog is how many datagrams a UDP socket holds before it drops the newest.
const backlog = 512

type datagram struct {
	from    netip.AddrPort
	payload []byte
}

// packetConn is a UDP socket, connected (remote is valid) or not.
type packetConn struct {
	host   *host
	local  netip.AddrPort // a group address for a multicast member
	src    netip.AddrPort // what others see as the sender
	remote netip.AddrPort

	mu       sync.Mutex
	readable sync.Cond
	queue    []datagram
	refused  bool // the peer said that its port is closed
	readBy   deadline
	closed   bool
	done     chan struct{}
}

// ListenPacket opens a UDP socket. On a multicast group address ("udp", "239.255.255.250:1900") it joins the group
// and gets what anyone sends to it; several sockets may do so. Else the port must be free (EADDRINUSE), 0 takes a
// free one. Datagrams to an absent, switched-off or silent host vanish without an error; of one to a closed port only a
// connected socket is told (ECONNREFUSED at its next read), as it is by ICMP.
func (s *Stack) ListenPacket(_ context.Context, network, address string) (net.PacketConn, error) {
	proto, at, err := parseAddress(network, address)
	if err == nil && proto != "udp" {
		err = net.UnknownNetworkError(network)
	}
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Err: err}
	}
	return s.h.bindPacket(at, netip.AddrPort{})
}

// OnLink opens a UDP socket from which datagrams to multicast groups leave on the link of prefix. It fails if this
// host has no address there.
func (s *Stack) OnLink(_ context.Context, prefix netip.Prefix) (net.PacketConn, error) {
	for _, i := range s.h.ifaces {
		if prefix.Contains(i.addr) {
			return s.h.bindPacket(netip.AddrPortFrom(i.addr, 0), netip.AddrPort{})
		}
	}
	return nil, &net.OpError{Op: "listen", Net: "udp", Err: syscall.EADDRNOTAVAIL}
}

func (h *host) bindPacket(at, remote netip.AddrPort) (*packetConn, error) {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	p := &packetConn{host: h, remote: remote, done: make(chan struct{})}
	p.readable.L = &p.mu
	if at.Addr().IsMulticast() {
		p.local, p.src = at, netip.AddrPortFrom(h.source(at.Addr()), at.Port())
		if h.net.groups[at] == nil {
			h.net.groups[at] = map[*packetConn]bool{}
		}
		h.net.groups[at][p] = true
		return p, nil
	}
	local, err := h.localAddr(at)
	if err == nil && h.packets[local.Port()] != nil {
		err = syscall.EADDRINUSE
	}
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: "udp", Addr: net.UDPAddrFromAddrPort(at), Err: err}
	}
	if remote.IsValid() {
		local = netip.AddrPortFrom(h.source(remote.Addr()), local.Port())
	}
	p.local, p.src = local, local
	h.packets[local.Port()] = p
	return p, nil
}

func (p *packetConn) fail(op string, err error) error {
	return &net.OpError{Op: op, Net: "udp", Source: p.LocalAddr(), Err: err}
}

func (p *packetConn) receive(b []byte) (int, netip.AddrPort, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		switch {
		case p.closed:
			return 0, netip.AddrPort{}, p.fail("read", net.ErrClosed)
		case p.readBy.expired:
			return 0, netip.AddrPort{}, p.fail("read", os.ErrDeadlineExceeded)
		case p.refused:
			p.refused = false
			return 0, netip.AddrPort{}, p.fail("read", syscall.ECONNREFUSED)
		case len(p.queue) > 0:
			d := p.queue[0]
			p.queue = p.queue[1:]
			return copy(b, d.payload), d.from, nil
		}
		p.readable.Wait()
	}
}

// ReadFrom implements net.PacketConn.
func (p *packetConn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := p.receive(b)
	if err != nil {
		return n, nil, err
	}
	return n, net.UDPAddrFromAddrPort(from), nil
}

// Read implements net.Conn.
func (p *packetConn) Read(b []byte) (int, error) {
	n, _, err := p.receive(b)
	return n, err
}

// WriteTo implements net.PacketConn.
func (p *packetConn) WriteTo(b []byte, to net.Addr) (int, error) {
	u, ok := to.(*net.UDPAddr)
	if !ok {
		return 0, p.fail("write", &net.AddrError{Err: "not a UDP address", Addr: to.String()})
	}
	at := u.AddrPort()
	return p.send(b, netip.AddrPortFrom(at.Addr().Unmap(), at.Port()))
}

// Write implements net.Conn.
func (p *packetConn) Write(b []byte) (int, error) {
	if !p.remote.IsValid() {
		return 0, p.fail("write", syscall.EDESTADDRREQ)
	}
	return p.send(b, p.remote)
}

func (p *packetConn) send(b []byte, to netip.AddrPort) (int, error) {
	select {
	case <-p.done:
		return 0, p.fail("write", net.ErrClosed)
	default:
	}
	if len(b) > 65507 {
		return 0, p.fail("write", syscall.EMSGSIZE)
	}
	if step := p.host.pace.Load(); step != nil {
		t := time.NewTimer(step.wait)
		select {
		case <-t.C:
		case <-p.done:
			t.Stop()
			return 0, p.fail("write", net.ErrClosed)
		}
	}
	n := p.host.net
	n.mu.Lock()
	defer n.mu.Unlock()
	if !p.host.up || p.host.quiet() {
		return len(b), nil
	}
	d := datagram{from: p.src, payload: append([]byte(nil), b...)}
	if to.Addr().IsMulticast() {
		for member := range n.groups[to] {
			if member != p {
				member.take(to.Port(), d)
			}
		}
		return len(b), nil
	}
	h := n.hosts[to.Addr()]
	switch {
	case h == nil || !h.up:
	case h.quiet():
		h.counter("udp", to.Port()).dropped.Add(1)
	case h.packets[to.Port()] == nil:
		h.counter("udp", to.Port()).refused.Add(1)
		p.unreachable()
	default:
		h.packets[to.Port()].take(to.Port(), d)
	}
	return len(b), nil
}

// unreachable is what ICMP tells a connected socket.
func (p *packetConn) unreachable() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.remote.IsValid() {
		p.refused = true
		p.readable.Signal()
	}
}

// take needs net.mu.
func (p *packetConn) take(port uint16, d datagram) {
	if !p.host.up || p.host.quiet() || (p.remote.IsValid() && p.remote != d.from) {
		return
	}
	c := p.host.counter("udp", port)
	c.conns.Add(1)
	c.bytes.Add(int64(len(d.payload)))
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.queue) < backlog {
		p.queue = append(p.queue, d)
		p.readable.Signal()
	}
}

func (p *packetConn) Close() error {
	n := p.host.net
	n.mu.Lock()
	delete(n.groups[p.local], p)
	if p.host.packets[p.local.Port()] == p {
		delete(p.host.packets, p.local.Port())
	}
	n.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return p.fail("close", net.ErrClosed)
	}
	p.closed = true
	p.readBy.stop()
	close(p.done)
	p.readable.Broadcast()
	return nil
}

func (p *packetConn) LocalAddr() net.Addr { return net.UDPAddrFromAddrPort(p.local) }

func (p *packetConn) RemoteAddr() net.Addr {
	if !p.remote.IsValid() {
		return nil
	}
	return net.UDPAddrFromAddrPort(p.remote)
}

func (p *packetConn) SetDeadline(t time.Time) error { return p.SetReadDeadline(t) }

func (p *packetConn) SetReadDeadline(t time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.readBy.set(t, &p.mu, p.readable.Broadcast)
	return nil
}

// SetWriteDeadline does nothing: a datagram never waits.
func (p *packetConn) SetWriteDeadline(time.Time) error { return nil }
