package drivertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/driver"
	"github.com/firmward/firmward/wire"
)

// hostileFaults strike in the middle of an operation.
var hostileFaults = [...]string{"huge-answer", "drip", "redirect-elsewhere", "overloaded", "busy", "silent"}

// long is the limit that control gives to an installation: nothing may need it for an answer.
const long = 30 * time.Minute

// maxRead is more than a driver reads of one answer: wire.MaxAnswer, its head, and what a buffer holds.
const maxRead = 2 * wire.MaxAnswer

// operation is one thing that a driver does, by as many requests as it needs.
type operation struct {
	name  string
	trial bool // the device must run a version on trial
	do    func(context.Context, Device) error
}

func operations(d driver.Driver) []operation {
	ops := []operation{{"read", false, func(ctx context.Context, dev Device) error {
		_, err := d.Read(ctx, dev.Conn)
		return err
	}}}
	if pf, ok := d.(driver.Preflighter); ok {
		ops = append(ops, operation{"preflight", false, func(ctx context.Context, dev Device) error {
			_, err := pf.Preflight(ctx, dev.Conn, dev.Image)
			return err
		}})
	}
	if in, ok := d.(driver.Installer); ok {
		ops = append(ops, operation{"install", false, func(ctx context.Context, dev Device) error { return in.Install(ctx, dev.Conn, dev.Image) }})
	}
	if auto, ok := d.(driver.AutoUpdater); ok {
		ops = append(ops, operation{"read automatic updates", false, func(ctx context.Context, dev Device) error {
			_, err := auto.AutoUpdates(ctx, dev.Conn)
			return err
		}}, operation{"set automatic updates", false, func(ctx context.Context, dev Device) error { return auto.SetAutoUpdates(ctx, dev.Conn, false) }})
	}
	if saves, ok := d.(driver.Backuper); ok {
		ops = append(ops, operation{"backup", false, func(ctx context.Context, dev Device) error { return saves.Backup(ctx, dev.Conn, io.Discard) }})
		if puts, ok := d.(driver.Restorer); ok {
			ops = append(ops, operation{"backup and restore", false, func(ctx context.Context, dev Device) error {
				var saved bytes.Buffer
				if err := saves.Backup(ctx, dev.Conn, &saved); err != nil {
					return err
				}
				return puts.Restore(ctx, dev.Conn, saved.Bytes())
			}})
		}
	}
	if com, ok := d.(driver.Committer); ok {
		ops = append(ops, operation{"commit", true, func(ctx context.Context, dev Device) error { return com.Commit(ctx, dev.Conn) }})
	}
	if rev, ok := d.(driver.Reverter); ok {
		ops = append(ops, operation{"revert", true, func(ctx context.Context, dev Device) error { return rev.Revert(ctx, dev.Conn) }})
	}
	return ops
}

// hostile lets each fault strike at each connection of each operation. Whatever the request, the operation
// ends soon, reads little, goes nowhere else, tells in words what happened, and what it says about the
// image is true.
func hostile(t *testing.T, c Case) {
	for _, op := range operations(c.Driver) {
		for _, fault := range hostileFaults {
			more := true
			for at := 1; more; at++ {
				t.Run(fmt.Sprintf("%s/%s at connection %d", op.name, fault, at), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { more = strike(t, c, op, fault, at) })
				})
			}
		}
	}
}

// strike runs an operation with a fault that strikes at a connection, and reports whether there was that
// connection.
func strike(t *testing.T, c Case, op operation, fault string, at int) bool {
	d := c.New(t)
	defer d.Close()
	if op.trial {
		install(t, c, d)
		time.Sleep(d.Settle)
	}
	before, flashes := d.Truth(), d.Flashes()
	w := &witness{Network: d.Conn.Network, only: d.Conn.Addr, at: at, strike: func() { d.Fault(fault) }}
	struck := d
	struck.Conn.Network = wire.Guarded(w, wire.Guard{Allow: func(netip.Addr) error { return nil }}, nil) // as a driver gets it
	began := time.Now()
	err := within(t, long, func(ctx context.Context) error { return op.do(ctx, struck) })
	if took := time.Since(began); took > patience {
		t.Errorf("it took %s and left the end to its caller", took)
	}
	dials, most, away := w.seen()
	if away {
		t.Error("it went to another address")
	}
	if most > maxRead {
		t.Errorf("it read %d bytes on one connection", most)
	}
	if dials < at {
		if err != nil {
			t.Errorf("without any fault: %v", err)
		}
		return false
	}
	if err != nil && (firmward.CodeOf(err) != firmward.Unavailable || strings.Contains(err.Error(), "\n")) {
		t.Errorf("%s: %v; want an error that says that the device cannot be reached or read", firmward.CodeOf(err), err)
	}
	if fault != "busy" && err == nil { // a device that is busy with an update may well answer the rest
		t.Error("it took the answer for good")
	}
	d.Mend()
	time.Sleep(d.Settle)
	s, readErr := state(t, c, d)
	if readErr != nil || s.Version != d.Truth() {
		t.Errorf("afterwards it reads %q (%v), the device runs %q", s.Version, readErr, d.Truth())
	}
	if op.name != "install" {
		return true
	}
	begun := d.Flashes() > flashes || d.Truth() != before
	if begun && errors.Is(err, driver.ErrNotBegun) {
		t.Errorf("%d flashes, runs %s, and the driver says that nothing was begun: %v", d.Flashes(), d.Truth(), err)
	}
	if !begun && err == nil {
		t.Error("nothing was begun, and the driver says that it was accepted")
	}
	return true
}

// witness lets a fault strike at a connection and sees where an operation goes and how much it reads.
type witness struct {
	wire.Network
	only   netip.Addr
	at     int
	strike func()

	mu    sync.Mutex
	dials int
	most  int
	away  bool
}

func (w *witness) seen() (dials, most int, away bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.dials, w.most, w.away
}

// DialContext counts, strikes and dials.
func (w *witness) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	ap, err := netip.ParseAddrPort(address)
	w.mu.Lock()
	w.dials++
	now := w.dials == w.at
	w.away = w.away || err != nil || ap.Addr() != w.only
	w.mu.Unlock()
	if now {
		w.strike()
	}
	c, err := w.Network.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &watched{Conn: c, w: w}, nil
}

type watched struct {
	net.Conn
	w    *witness
	read int
}

// Read reads and counts.
func (c *watched) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	c.read += n
	c.w.most = max(c.w.most, c.read)
	return n, err
}
