package lab

import (
	"context"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// timeoutError is what a dial returns to which nobody answered.
type timeoutError struct{ cause error }

func (e timeoutError) Error() string   { return "i/o timeout" }
func (e timeoutError) Timeout() bool   { return true }
func (e timeoutError) Temporary() bool { return true }
func (e timeoutError) Unwrap() error   { return e.cause }

// DialContext connects to an "ip:port" address over "tcp" or "udp" (or the same with 4 or 6 behind). A closed port
// gives an error for which errors.Is(err, syscall.ECONNREFUSED) holds. A host that is off, silent or absent is tried
// again as TCP does, until ctx ends or 127 seconds have passed; then the error's Timeout method says true. If ctx was
// cancelled, errors.Is(err, context.Canceled) holds too. Names are not resolved.
func (s *Stack) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	proto, dst, err := parseAddress(network, address)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	if dst.Addr().IsLoopback() {
		dst = netip.AddrPortFrom(s.h.ifaces[0].addr, dst.Port())
	}
	if proto == "udp" {
		return s.h.bindPacket(netip.AddrPort{}, dst)
	}
	fail := func(err error) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Addr: net.TCPAddrFromAddrPort(dst), Err: err}
	}
	if err := ctx.Err(); err != nil {
		return fail(timeoutError{err})
	}
	// The retransmission times of a SYN: 1, 2, 4 … 64 seconds.
	for wait, first := time.Second, true; wait <= 64*time.Second; wait, first = wait*2, false {
		c, err := s.h.connect(dst, first)
		if err != nil {
			return fail(err)
		}
		if c != nil {
			return c, nil
		}
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return fail(timeoutError{ctx.Err()})
		case <-s.h.net.done:
			t.Stop()
			return fail(net.ErrClosed)
		}
	}
	return fail(timeoutError{syscall.ETIMEDOUT})
}

// connect sends one SYN: a connection, an error, or nothing at all when nobody answers.
func (h *host) connect(dst netip.AddrPort, first bool) (net.Conn, error) {
	h.net.mu.Lock()
	select {
	case <-h.net.done:
		h.net.mu.Unlock()
		return nil, net.ErrClosed
	default:
	}
	to := h.net.hosts[dst.Addr()]
	if !h.up || h.quiet() || to == nil || !to.up {
		h.net.mu.Unlock()
		return nil, nil
	}
	count := to.counter("tcp", dst.Port())
	if to.quiet() {
		h.net.mu.Unlock()
		if first {
			count.dropped.Add(1)
		}
		return nil, nil
	}
	l := to.listeners[dst.Port()]
	if l == nil {
		tell := to.refused
		h.net.mu.Unlock()
		count.refused.Add(1)
		if tell != nil {
			tell(dst.Port())
		}
		return nil, syscall.ECONNREFUSED
	}
	src := net.TCPAddrFromAddrPort(netip.AddrPortFrom(h.source(dst.Addr()), h.freePort()))
	peer := net.TCPAddrFromAddrPort(dst)
	up, down := newStream(&count.bytes), newStream(nil)
	here := &conn{host: h, local: src, remote: peer, in: down, out: up}
	there := &conn{host: to, local: peer, remote: src, in: up, out: down, served: true}
	for _, c := range []*conn{here, there} {
		c.writing, c.done = make(chan struct{}, 1), make(chan struct{})
	}
	h.conns[here], to.conns[there] = true, true
	accepted := l.offer(there)
	h.net.mu.Unlock()
	if !accepted { // the backlog is full: the SYN is dropped
		here.leave(true)
		there.leave(true)
		return nil, nil
	}
	count.conns.Add(1)
	return here, nil
}

func parseAddress(network, address string) (proto string, at netip.AddrPort, err error) {
	switch network {
	case "tcp", "tcp4", "tcp6", "udp", "udp4", "udp6":
	default:
		return "", at, net.UnknownNetworkError(network)
	}
	hostname, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", at, err
	}
	p, err := net.LookupPort(network, port)
	if err != nil {
		return "", at, err
	}
	var addr netip.Addr
	switch hostname {
	case "":
	case "localhost":
		addr = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	default:
		if addr, err = netip.ParseAddr(hostname); err != nil {
			return "", at, &net.DNSError{Err: "the lab's network resolves no names", Name: hostname, IsNotFound: true}
		}
	}
	return network[:3], netip.AddrPortFrom(addr.Unmap(), uint16(p)), nil
}

// dial reaches other hosts of the lab's network; in loopback mode it reaches real loopback addresses too, and never
// anything else.
func (d *Device) dial(ctx context.Context, network, address string) (net.Conn, error) {
	name, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	ip := net.ParseIP(name)
	if d.lab.loopback.Load() && (name == "localhost" || ip != nil && ip.IsLoopback()) {
		var real net.Dialer
		return real.DialContext(ctx, network, address)
	}
	return (&Stack{d.host}).DialContext(ctx, network, address)
}
