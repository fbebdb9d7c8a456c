package lab

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Net is an in-memory IPv4 and IPv6 network with TCP, UDP and multicast. Nothing on it leaves the process. All hosts
// reach each other, as if one router joined their sites.
type Net struct {
	mu     sync.Mutex
	hosts  map[netip.Addr]*host
	groups map[netip.AddrPort]map[*packetConn]bool
}

// NewNet returns an empty network.
func NewNet() *Net {
	return &Net{hosts: map[netip.Addr]*host{}, groups: map[netip.AddrPort]map[*packetConn]bool{}}
}

// Attach adds a host with one interface and returns its view of the network. Attaching an address again returns a
// view of the same host; it panics if the hardware address differs, because two hosts cannot share an address.
func (n *Net) Attach(addr netip.Addr, mac net.HardwareAddr) *Stack {
	n.mu.Lock()
	defer n.mu.Unlock()
	addr = addr.Unmap()
	if h := n.hosts[addr]; h != nil {
		for _, i := range h.ifaces {
			if i.addr == addr && i.mac.String() == mac.String() {
				return &Stack{h}
			}
		}
		panic(fmt.Sprintf("lab: attach %s as %s: the address belongs to another host", addr, mac))
	}
	return &Stack{n.newHost(iface{addr, mac})}
}

type iface struct {
	addr netip.Addr
	mac  net.HardwareAddr
}

// pace slows what a host sends: before each piece of at most bytes bytes it waits.
type pace struct {
	wait  time.Duration // real time
	bytes int
}

// counter is what reached one port of a host.
type counter struct{ conns, refused, dropped, bytes atomic.Int64 }

// host is one machine on the network. The fields up to ports are guarded by net.mu.
type host struct {
	net       *Net
	ifaces    []iface
	up        bool
	silent    bool // drops everything that comes in or would go out
	listeners map[uint16]*listener
	packets   map[uint16]*packetConn
	conns     map[*conn]bool
	lastPort  uint16
	ports     map[string]*counter

	pace    atomic.Pointer[pace]
	refused func(port uint16) // told about each TCP connect to a closed port; may be nil
}

// newHost needs n.mu.
func (n *Net) newHost(ifaces ...iface) *host {
	h := &host{
		net: n, ifaces: ifaces, up: true, lastPort: 49151,
		listeners: map[uint16]*listener{}, packets: map[uint16]*packetConn{},
		conns: map[*conn]bool{}, ports: map[string]*counter{},
	}
	for _, i := range ifaces {
		n.hosts[i.addr] = h
	}
	return h
}

// counter needs net.mu.
func (h *host) counter(network string, port uint16) *counter {
	key := fmt.Sprintf("%s/%d", network, port)
	c := h.ports[key]
	if c == nil {
		c = &counter{}
		h.ports[key] = c
	}
	return c
}

func (h *host) forget(c *conn) {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	delete(h.conns, c)
}

// setPower switches the host on or off. Switched off without notice, its connections fall silent; otherwise their
// peers are told.
func (h *host) setPower(on, notice bool) {
	h.net.mu.Lock()
	h.up = on
	conns := h.allConns()
	h.net.mu.Unlock()
	if !on {
		for _, c := range conns {
			c.leave(!notice)
		}
	}
}

// setSilent makes the host drop all packets, or answer again. Connections that were open stay dead for ever.
func (h *host) setSilent(silent bool) {
	h.net.mu.Lock()
	was := h.silent
	h.silent = silent
	conns := h.allConns()
	h.net.mu.Unlock()
	if silent && !was {
		for _, c := range conns {
			c.leave(true)
		}
	}
}

func (h *host) allConns() []*conn {
	conns := make([]*conn, 0, len(h.conns))
	for c := range h.conns {
		conns = append(conns, c)
	}
	return conns
}

// source is the own address from which the host talks to dst.
func (h *host) source(dst netip.Addr) netip.Addr {
	for _, i := range h.ifaces {
		if i.addr == dst || i.addr.Is4() == dst.Is4() {
			return i.addr
		}
	}
	return h.ifaces[0].addr
}

func (h *host) owns(a netip.Addr) bool { return h.net.hosts[a] == h }

// freePort needs net.mu.
func (h *host) freePort() uint16 {
	for {
		h.lastPort++
		if h.lastPort < 49152 {
			h.lastPort = 49152
		}
		if h.listeners[h.lastPort] == nil && h.packets[h.lastPort] == nil {
			return h.lastPort
		}
	}
}

// Stack is one host's view of a [Net]: its sockets and its sight of the neighbourhood.
type Stack struct{ h *host }

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
		}
	}
	return fail(timeoutError{syscall.ETIMEDOUT})
}

// connect sends one SYN: a connection, an error, or nothing at all when nobody answers.
func (h *host) connect(dst netip.AddrPort, first bool) (net.Conn, error) {
	h.net.mu.Lock()
	to := h.net.hosts[dst.Addr()]
	if !h.up || h.silent || to == nil || !to.up {
		h.net.mu.Unlock()
		return nil, nil
	}
	count := to.counter("tcp", dst.Port())
	if to.silent {
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
	here := &conn{host: h, local: src, remote: peer, in: down, out: up, done: make(chan struct{})}
	there := &conn{host: to, local: peer, remote: src, in: up, out: down, served: true, done: make(chan struct{})}
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

// Listen opens a TCP listener on a port of this host; port 0 takes a free one. The address part must be empty, the
// wildcard, or one of the host's own; the listener answers on all of them. A taken port gives EADDRINUSE.
func (s *Stack) Listen(_ context.Context, network, address string) (net.Listener, error) {
	proto, at, err := parseAddress(network, address)
	if err == nil && proto != "tcp" {
		err = net.UnknownNetworkError(network)
	}
	if err == nil {
		var l *listener
		if l, err = s.h.listen(at); err == nil {
			return l, nil
		}
	}
	return nil, &net.OpError{Op: "listen", Net: network, Err: err}
}

func (h *host) listen(at netip.AddrPort) (*listener, error) {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	local, err := h.localAddr(at)
	if err != nil {
		return nil, err
	}
	if h.listeners[local.Port()] != nil {
		return nil, syscall.EADDRINUSE
	}
	l := &listener{host: h, addr: net.TCPAddrFromAddrPort(local), queue: make(chan *conn, 128), done: make(chan struct{})}
	h.listeners[local.Port()] = l
	return l, nil
}

// localAddr needs net.mu.
func (h *host) localAddr(at netip.AddrPort) (netip.AddrPort, error) {
	addr, port := at.Addr(), at.Port()
	switch {
	case !addr.IsValid() || addr.IsUnspecified() || addr.IsLoopback():
		addr = h.ifaces[0].addr
	case !h.owns(addr):
		return at, syscall.EADDRNOTAVAIL
	}
	if port == 0 {
		port = h.freePort()
	}
	return netip.AddrPortFrom(addr, port), nil
}

// Neighbors returns the hosts inside prefix that an ARP or neighbour-discovery sweep would show: those that are
// powered on and not silent, without this host itself. It counts as no packet to any of them.
func (s *Stack) Neighbors(ctx context.Context, prefix netip.Prefix) (map[netip.Addr]net.HardwareAddr, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("look at neighbours in %s: %w", prefix, err)
	}
	n := s.h.net
	n.mu.Lock()
	defer n.mu.Unlock()
	seen := map[netip.Addr]net.HardwareAddr{}
	for addr, h := range n.hosts {
		if h == s.h || !h.up || h.silent || !prefix.Contains(addr) {
			continue
		}
		for _, i := range h.ifaces {
			if i.addr == addr {
				seen[addr] = append(net.HardwareAddr(nil), i.mac...)
			}
		}
	}
	return seen, nil
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

// portCounts copies the host's record.
func (h *host) portCounts() map[string]PortCount {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	counts := make(map[string]PortCount, len(h.ports))
	for k, c := range h.ports {
		counts[k] = PortCount{
			Conns: c.conns.Load(), Refused: c.refused.Load(), Dropped: c.dropped.Load(), Bytes: c.bytes.Load(),
		}
	}
	return counts
}
