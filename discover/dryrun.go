package discover

import (
	"context"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/firmward/firmward"
)

// Packet is something that a probe would send, or a connection that it would open without a word.
type Packet struct {
	Network string // "tcp" or "udp"
	To      netip.AddrPort
	Bytes   []byte // empty: it connects and leaves
}

// DryRun gives what a probe would send first: it runs the probe on a network that carries nothing, where every
// connection opens, takes what is written and never answers. What a probe sends after an answer depends on the answer.
// The same bytes to the same place are listed once.
func DryRun(ctx context.Context, p Probe, t Target) ([]Packet, error) {
	ctx, cancel := context.WithTimeout(ctx, p.Info().Timeout)
	defer cancel()
	n := &nowhere{over: ctx.Done()}
	t.Network = n
	if err := p.Run(ctx, t, func(firmward.Observation) {}); err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.sent, nil
}

// nowhere implements wire.Network and wire.OnLink.
type nowhere struct {
	over <-chan struct{}
	mu   sync.Mutex
	sent []Packet
}

func (n *nowhere) add(p Packet) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if p.Bytes != nil { // a connection that talks is told by what it says
		n.sent = slices.DeleteFunc(n.sent, func(o Packet) bool { return o.Bytes == nil && o.To == p.To && o.Network == p.Network })
	}
	same := func(o Packet) bool {
		return o.Network == p.Network && o.To == p.To && string(o.Bytes) == string(p.Bytes)
	}
	if !slices.ContainsFunc(n.sent, same) {
		n.sent = append(n.sent, p)
	}
}

// DialContext opens a connection to nowhere.
func (n *nowhere) DialContext(_ context.Context, network, address string) (net.Conn, error) {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, err
	}
	if network == "tcp" {
		n.add(Packet{Network: network, To: to})
	}
	return n.void(network, to), nil
}

// ListenPacket opens a socket on which nothing comes.
func (n *nowhere) ListenPacket(_ context.Context, network, _ string) (net.PacketConn, error) {
	return n.void(network, netip.AddrPort{}), nil
}

// OnLink is as ListenPacket.
func (n *nowhere) OnLink(context.Context, netip.Prefix) (net.PacketConn, error) {
	return n.void("udp", netip.AddrPort{}), nil
}

// Listen refuses: no probe waits for devices to call.
func (n *nowhere) Listen(context.Context, string, string) (net.Listener, error) {
	return nil, net.ErrClosed
}

// void is a connection or a socket of nowhere.
type void struct {
	n       *nowhere
	network string
	to      netip.AddrPort
	spoken  chan struct{} // closed by the first write, or when the connection is closed
	once    sync.Once
}

func (n *nowhere) void(network string, to netip.AddrPort) *void {
	return &void{n: n, network: network, to: to, spoken: make(chan struct{})}
}

func (v *void) Write(b []byte) (int, error) {
	v.n.add(Packet{Network: v.network, To: v.to, Bytes: slices.Clone(b)})
	v.once.Do(func() { close(v.spoken) })
	return len(b), nil
}

func (v *void) WriteTo(b []byte, to net.Addr) (int, error) {
	at, err := netip.ParseAddrPort(to.String())
	if err == nil {
		v.n.add(Packet{Network: v.network, To: at, Bytes: slices.Clone(b)})
	}
	return len(b), err
}

// Read gives silence at once, and the end of a connection as soon as something was said on it.
func (v *void) Read([]byte) (int, error) {
	if v.network == "udp" {
		return 0, os.ErrDeadlineExceeded
	}
	select {
	case <-v.spoken:
	case <-v.n.over:
	}
	return 0, io.EOF
}

// ReadFrom is as Read.
func (v *void) ReadFrom(b []byte) (int, net.Addr, error) {
	n, err := v.Read(b)
	return n, nil, err
}

// Close ends reads that wait.
func (v *void) Close() error {
	v.once.Do(func() { close(v.spoken) })
	return nil
}

func (v *void) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (v *void) RemoteAddr() net.Addr             { return net.TCPAddrFromAddrPort(v.to) }
func (v *void) SetDeadline(time.Time) error      { return nil }
func (v *void) SetReadDeadline(time.Time) error  { return nil }
func (v *void) SetWriteDeadline(time.Time) error { return nil }
