package lab

import (
	"context"
	"fmt"
	"io"
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
	ears   map[*ear]bool
	done   chan struct{}
	once   sync.Once
}

// NewNet returns an empty network.
func NewNet() *Net {
	return &Net{
		hosts: map[netip.Addr]*host{}, groups: map[netip.AddrPort]map[*packetConn]bool{}, ears: map[*ear]bool{}, done: make(chan struct{}),
	}
}

// Close takes the network away: dials that wait fail, connections are reset, listeners and UDP sockets are closed. So
// no goroutine stays blocked in it. New dials fail with net.ErrClosed.
func (n *Net) Close() error {
	n.once.Do(func() { close(n.done) })
	n.mu.Lock()
	var conns []*conn
	var closers []io.Closer
	for _, h := range n.hosts {
		conns = append(conns, h.allConns()...)
		for _, l := range h.listeners {
			closers = append(closers, l)
		}
		for _, p := range h.packets {
			closers = append(closers, p)
		}
	}
	for _, members := range n.groups {
		for p := range members {
			closers = append(closers, p)
		}
	}
	n.mu.Unlock()
	for _, c := range closers {
		_ = c.Close() // a host with two addresses is seen twice: the second time there is nothing to do
	}
	for _, c := range conns {
		c.abort()
	}
	return nil
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
	front     *host // what stands before it: while that is dark, nothing comes in or goes out; may be nil
	lost      *host // of those behind it, whom it passes nothing on to and from; may be nil
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
	conns, beyond := h.allConns(), h.connsBehind()
	h.net.mu.Unlock()
	if on {
		return
	}
	for _, c := range conns {
		c.leave(!notice)
	}
	for _, c := range beyond {
		c.leave(true)
	}
}

// quiet tells whether the host drops everything, or what stands before it does. It needs net.mu.
func (h *host) quiet() bool {
	return h.silent || h.front != nil && (!h.front.up || h.front.lost == h || h.front.quiet())
}

// setLoses makes the host pass on nothing to the first host behind it, by address, or to all again.
func (h *host) setLoses(one bool) {
	h.net.mu.Lock()
	var lost *host
	for _, other := range h.net.hosts {
		if one && other.front == h && (lost == nil || other.ifaces[0].addr.Less(lost.ifaces[0].addr)) {
			lost = other
		}
	}
	was := h.lost
	h.lost = lost
	var conns []*conn
	if lost != nil && lost != was {
		conns = append(lost.allConns(), lost.connsBehind()...)
	}
	h.net.mu.Unlock()
	for _, c := range conns {
		c.leave(true)
	}
}

// connsBehind are the connections of the hosts behind this one. It needs net.mu.
func (h *host) connsBehind() []*conn {
	var conns []*conn
	for _, other := range h.net.hosts {
		for f := other.front; f != nil; f = f.front {
			if f == h {
				conns = append(conns, other.allConns()...)
				break
			}
		}
	}
	return conns
}

// setSilent makes the host drop all packets, or answer again. Connections that were open stay dead for ever.
func (h *host) setSilent(silent bool) {
	h.net.mu.Lock()
	was := h.silent
	h.silent = silent
	conns := append(h.allConns(), h.connsBehind()...)
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
		if h == s.h || !h.up || h.quiet() || !prefix.Contains(addr) {
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
