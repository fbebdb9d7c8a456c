// Package discovertest is what every probe must pass against a simulated device: it keeps to its
// ports and its time, opens one connection at a time, closes what it opened, and no answer, however
// large, slow or misleading, leads it astray.
package discovertest

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/discover"
	"github.com/firmward/firmward/wire"
)

// Case is one probe with a simulated device.
type Case struct {
	Probe discover.Probe
	// New gives a fresh device with one of the lab's faults, "" for none.
	New func(t *testing.T, fault string) (discover.Target, func())
	// Reading is one that a healthy device must give.
	Reading string
}

// faults are those under which a probe must stay well-behaved.
var faults = [...]string{"", "silent", "huge-answer", "drip", "slow", "redirect-elsewhere", "overloaded", "busy", "offline"}

// Run runs the suite, each fault with a fresh device in its own bubble.
func Run(t *testing.T, c Case) {
	info := c.Probe.Info()
	if info.Name == "" || info.Timeout <= 0 || info.Period <= 0 {
		t.Errorf("the probe does not declare itself: %+v", info)
	}
	for _, p := range info.Ports {
		if p.Network == "tcp" && wire.NeverPorts(p.Number) {
			t.Errorf("the probe wants port %d, which is never touched", p.Number)
		}
	}
	for _, fault := range faults {
		t.Run("fault "+fault, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				target, done := c.New(t, fault)
				defer done()
				w := &watched{Network: target.Network, addr: target.Addr}
				target.Network = w
				once(t, c, target, fault)
				synctest.Wait()
				for _, msg := range w.end() {
					t.Error(msg)
				}
			})
		})
	}
}

func once(t *testing.T, c Case, target discover.Target, fault string) {
	t.Helper()
	info := c.Probe.Info()
	ctx, cancel := context.WithTimeout(t.Context(), info.Timeout)
	defer cancel()
	began, seen := time.Now(), 0
	err := c.Probe.Run(ctx, target, func(o firmward.Observation) {
		seen++
		if o.Outcome == "" || o.Outcome != firmward.Answered && o.Note == "" {
			t.Errorf("outcome %q with note %q: a person must be told why", o.Outcome, o.Note)
		}
		size := 0
		for _, r := range o.Readings {
			size += len(r.Value)
			if len(r.Value) > firmward.MaxReading {
				t.Errorf("reading %s has %d bytes", r.Name, len(r.Value))
			}
		}
		if _, ok := o.Get(c.Reading); (fault == "" || fault == "slow") && (!ok || o.Outcome != firmward.Answered) {
			t.Errorf("a device that is healthy, if slow, gave no %s: %s %s %v", c.Reading, o.Outcome, o.Note, o.Readings)
		}
		if (fault == "silent" || fault == "offline") && (o.Outcome != firmward.NoAnswer || size > 0) {
			t.Errorf("a device that is %s gave %s and %d bytes", fault, o.Outcome, size)
		}
		if fault == "drip" && o.Outcome == firmward.NoAnswer {
			t.Errorf("a device that answers a byte a second was taken for a silent one: %s", o.Note)
		}
	})
	if took := time.Since(began); took > info.Timeout {
		t.Errorf("took %s, its limit is %s", took, info.Timeout)
	}
	if err != nil || seen != 1 {
		t.Errorf("%d observations, %v; want one and no error", seen, err)
	}
}

// watched notes what a probe does on the network.
type watched struct {
	wire.Network
	addr netip.Addr

	mu   sync.Mutex
	open int
	read int
	bad  []string
}

// muchRead is more than a probe takes from a device in one run: an HTTP answer at its bound, with its head
// and what a buffer holds beyond it.
const muchRead = 2 * wire.MaxAnswer

func (w *watched) note(format string, args ...any) {
	w.bad = append(w.bad, fmt.Sprintf(format, args...))
}

func (w *watched) end() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.open != 0 {
		w.note("%d connections were left open", w.open)
	}
	if w.read > muchRead {
		w.note("%d bytes were read", w.read)
	}
	return w.bad
}

// DialContext checks where a probe goes and how many connections it holds.
func (w *watched) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	ap, err := netip.ParseAddrPort(address)
	w.mu.Lock()
	switch {
	case err != nil || ap.Addr() != w.addr:
		w.note("dialled %s, the target is %s", address, w.addr)
	case network == "tcp" && wire.NeverPorts(ap.Port()):
		w.note("dialled port %d, which is never touched", ap.Port())
	case w.open > 0:
		w.note("opened a second connection while one was open")
	}
	w.mu.Unlock()
	c, err := w.Network.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	w.open++
	w.mu.Unlock()
	return &conn{Conn: c, w: w}, nil
}

type conn struct {
	net.Conn
	w    *watched
	once sync.Once
}

// Read reads and counts.
func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	c.w.read += n
	return n, err
}

// Close closes and counts.
func (c *conn) Close() error {
	c.once.Do(func() {
		c.w.mu.Lock()
		c.w.open--
		c.w.mu.Unlock()
	})
	return c.Conn.Close()
}
