package discover

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/wire"
)

// Ear is a network that counts the bytes that come back. It tells a device that answers too slowly, or
// not to the end, from one that is silent.
type Ear struct {
	wire.Network
	heard atomic.Int64
	open  sync.WaitGroup // connections
	late  atomic.Bool    // a read ran into its deadline; what parses the bytes may tell another story
}

// Listening puts an Ear on a network.
func Listening(n wire.Network) *Ear { return &Ear{Network: n} }

// DialContext dials and listens.
func (e *Ear) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := e.Network.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	e.open.Add(1)
	return &heard{Conn: c, ear: e, closed: sync.OnceFunc(e.open.Done)}, nil
}

// Call connects to a TCP port of the target and listens; reads and writes end with ctx. Without a connection nothing is
// left to do: why there is none was reported, or err says that it may not be made.
func (t Target) Call(ctx context.Context, port uint16, report func(firmward.Observation)) (net.Conn, *Ear, error) {
	ear := Listening(t.Network)
	c, err := ear.DialContext(ctx, "tcp", netip.AddrPortFrom(t.Addr, port).String())
	switch {
	case err == nil:
		return &call{c, context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })}, ear, nil
	case firmward.CodeOf(err) == firmward.Refused:
		return nil, nil, err
	}
	report(firmward.Observation{Addr: t.Addr, Port: port, Outcome: OutcomeOf(err), Note: Note(err)})
	return nil, nil, nil
}

// call is a connection that forgets its context when it is closed.
type call struct {
	net.Conn
	stop func() bool
}

func (c *call) Close() error {
	c.stop()
	return c.Conn.Close()
}

type heard struct {
	net.Conn
	ear    *Ear
	closed func()
}

// Close closes and counts.
func (c *heard) Close() error {
	defer c.closed()
	return c.Conn.Close()
}

// Read counts what it gives.
func (c *heard) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.ear.heard.Add(int64(n))
	if err != nil && wire.Timeout(err) {
		c.ear.late.Store(true)
	}
	return n, err
}

// Failed says how an exchange ended that failed: Cut when something had come back, else as OutcomeOf and
// Note say.
func (e *Ear) Failed(err error) (firmward.Outcome, string) {
	n := e.heard.Load()
	switch {
	case n == 0:
		return OutcomeOf(err), Note(err)
	case late(err) || e.late.Load():
		return firmward.Cut, fmt.Sprintf("its answer came too slowly and was cut: %d bytes in its time", n)
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return firmward.Cut, "its answer broke off"
	}
	return firmward.Cut, "its answer could not be read: " + Note(err)
}

func late(err error) bool { return wire.Timeout(err) || errors.Is(err, context.DeadlineExceeded) }
