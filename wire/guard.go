package wire

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/firmward/firmward"
)

// Pace limits how a device is touched.
type Pace struct {
	Every time.Duration // least time between two connections or datagrams; zero: no limit
	Burst int           // how many may go without waiting; at least 1
}

// Sent is the record of one write to a device.
type Sent struct {
	Network string // "tcp" or "udp"
	To      netip.AddrPort
	Purpose string // probe or driver name
	Bytes   []byte // exactly what was sent; a long body is cut to RecordMax bytes
	Total   int    // bytes really sent
}

// RecordMax bounds the bytes kept of one write: whole protocol exchanges, but not firmware images.
const RecordMax = 2048

// Guard is the set of locks that Guarded puts on a network.
type Guard struct {
	Allow   func(netip.Addr) error // nil error: a person named this address; required
	Pace    func(netip.Addr) Pace  // nil: no pace
	Record  func(Sent)             // nil: nothing is kept
	Groups  []netip.AddrPort       // multicast groups that may be asked beside the addresses that Allow lets through
	Limit   time.Duration          // the longest that one connection may last, whoever forgets to end it; 0: no limit
	Purpose string
	Secrets []string // values replaced by asterisks in the record, also as a form or JSON writes them
}

// NeverPorts are TCP ports at which any byte may cause harm: raw printing, line printers and serial
// servers (reference: probes, section 2).
func NeverPorts(port uint16) bool {
	return port >= 9100 && port <= 9107 || port == 515 || port >= 2000 && port <= 2003 || port == 3001
}

// Pacer remembers when each device was touched last, across probes. One is shared by all guards.
type Pacer struct {
	mu   sync.Mutex
	seen map[netip.Addr]*rate.Limiter
}

// NewPacer returns an empty Pacer.
func NewPacer() *Pacer { return &Pacer{seen: make(map[netip.Addr]*rate.Limiter)} }

func (p *Pacer) wait(ctx context.Context, addr netip.Addr, pace Pace) error {
	if p == nil || pace.Every <= 0 {
		return nil
	}
	p.mu.Lock()
	l := p.seen[addr]
	if l == nil {
		l = rate.NewLimiter(rate.Every(pace.Every), max(1, pace.Burst))
		p.seen[addr] = l
	} else if want := rate.Every(pace.Every); l.Limit() != want {
		l.SetLimit(want)
		l.SetBurst(max(1, pace.Burst))
	}
	p.mu.Unlock()
	return l.Wait(ctx)
}

// Guarded returns network behind g. pacer may be nil when g.Pace is nil.
func Guarded(network Network, g Guard, pacer *Pacer) Network {
	g.Secrets = written(g.Secrets)
	return &guarded{inner: network, g: g, pacer: pacer}
}

type guarded struct {
	inner Network
	g     Guard
	pacer *Pacer
}

func (n *guarded) check(ctx context.Context, network, address string) (netip.AddrPort, error) {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return ap, &firmward.Error{Code: firmward.Invalid, Message: "dial by name is not allowed: " + address, Err: err}
	}
	if !slices.Contains(n.g.Groups, ap) {
		if err := n.g.Allow(ap.Addr()); err != nil {
			return ap, err
		}
	}
	if NeverPorts(ap.Port()) && network != "udp" {
		return ap, firmward.Errorf(firmward.Refused, fmt.Sprintf("port %d is never touched: a byte there may print or move something", ap.Port()))
	}
	if n.g.Pace != nil {
		if err := n.pacer.wait(ctx, ap.Addr(), n.g.Pace(ap.Addr())); err != nil {
			return ap, fmt.Errorf("wait for the packet budget of %s: %w", ap.Addr(), err)
		}
	}
	return ap, nil
}

// DialLimit ends a dial that gets no answer. The time that the pace asks for does not count.
const DialLimit = 5 * time.Second

// DialContext refuses names, addresses nobody named and never-ports, and keeps the pace.
func (n *guarded) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	ap, err := n.check(ctx, network, address)
	if err != nil {
		return nil, err
	}
	dctx, cancel := context.WithTimeout(ctx, DialLimit)
	defer cancel()
	c, err := n.inner.DialContext(dctx, network, address)
	if err != nil {
		return nil, err
	}
	r := &recorded{Conn: c, n: n, network: network, to: ap}
	if n.g.Limit > 0 {
		r.end = time.Now().Add(n.g.Limit)
		if err := c.SetDeadline(r.end); err != nil {
			c.Close()
			return nil, fmt.Errorf("limit the connection to %s: %w", ap, err)
		}
	}
	return r, nil
}

// ListenPacket passes through; each datagram written is checked like a dial.
func (n *guarded) ListenPacket(ctx context.Context, network, address string) (net.PacketConn, error) {
	pc, err := n.inner.ListenPacket(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &recordedPackets{PacketConn: pc, ctx: ctx, n: n, network: network}, nil
}

// Listen passes through: what arrives was not asked for by us.
func (n *guarded) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	return n.inner.Listen(ctx, network, address)
}

// Neighbors passes through when the inner network can see its neighbours.
func (n *guarded) Neighbors(ctx context.Context, prefix netip.Prefix) (map[netip.Addr]net.HardwareAddr, error) {
	see, ok := n.inner.(Neighbor)
	if !ok {
		return nil, firmward.Errorf(firmward.NotSupported, "this network cannot see its neighbours")
	}
	return see.Neighbors(ctx, prefix)
}

func (n *guarded) record(network string, to netip.AddrPort, b []byte) {
	if n.g.Record == nil {
		return
	}
	kept := keep(b, n.g.Secrets)
	n.g.Record(Sent{Network: network, To: to, Purpose: n.g.Purpose, Bytes: kept, Total: len(b)})
}

type recorded struct {
	net.Conn
	n       *guarded
	network string
	to      netip.AddrPort
	end     time.Time // zero: the connection may last
}

// by is a deadline that is not later than the connection's end.
func (c *recorded) by(t time.Time) time.Time {
	if !c.end.IsZero() && (t.IsZero() || t.After(c.end)) {
		return c.end
	}
	return t
}

// SetDeadline sets the deadline, at the latest the connection's end.
func (c *recorded) SetDeadline(t time.Time) error { return c.Conn.SetDeadline(c.by(t)) }

// SetReadDeadline is as SetDeadline.
func (c *recorded) SetReadDeadline(t time.Time) error { return c.Conn.SetReadDeadline(c.by(t)) }

// SetWriteDeadline is as SetDeadline.
func (c *recorded) SetWriteDeadline(t time.Time) error { return c.Conn.SetWriteDeadline(c.by(t)) }

func (c *recorded) Write(b []byte) (int, error) {
	sent, err := c.Conn.Write(b)
	c.n.record(c.network, c.to, b[:sent])
	return sent, err
}

// CloseWrite half-closes when the inner connection can.
func (c *recorded) CloseWrite() error {
	if h, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return h.CloseWrite()
	}
	return nil
}

type recordedPackets struct {
	net.PacketConn
	ctx     context.Context
	n       *guarded
	network string
}

func (c *recordedPackets) WriteTo(b []byte, to net.Addr) (int, error) {
	ap, err := c.n.check(c.ctx, c.network, to.String())
	if err != nil {
		return 0, err
	}
	sent, err := c.PacketConn.WriteTo(b, to)
	c.n.record(c.network, ap, b[:sent])
	return sent, err
}
