package enforcetest

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"strconv"
	"testing"
	"time"

	"github.com/firmward/firmward/wire"
)

// The ports at which every place echoes TCP and UDP.
const (
	firstPort  = 7007
	secondPort = 7008
)

// serve echoes at a place until the test ends.
func serve(t *testing.T, p Place) {
	t.Helper()
	for _, port := range [...]int{firstPort, secondPort} {
		at := ":" + strconv.Itoa(port)
		l, err := p.Network.Listen(t.Context(), "tcp", at)
		if err != nil {
			t.Fatalf("listen at %s: %v", p.Name, err)
		}
		t.Cleanup(func() { l.Close() })
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				stop := context.AfterFunc(t.Context(), func() { _ = c.Close() })
				go func() {
					defer stop()
					defer c.Close()
					_, _ = io.Copy(c, c)
				}()
			}
		}()
		for _, a := range p.Addrs { // by address, so that answers come from it
			u, err := p.Network.ListenPacket(t.Context(), "udp", netip.AddrPortFrom(a, uint16(port)).String())
			if err != nil {
				t.Fatalf("listen at %s: %v", p.Name, err)
			}
			t.Cleanup(func() { u.Close() })
			go func() {
				b := make([]byte, 64)
				for {
					n, from, err := u.ReadFrom(b)
					if errors.Is(err, net.ErrClosed) {
						return
					}
					if err == nil {
						_, _ = u.WriteTo(b[:n], from)
					}
				}
			}()
		}
	}
}

// reaches reports whether an echo comes back within limit.
func reaches(ctx context.Context, n wire.Network, network string, to netip.AddrPort, limit time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	c, err := n.DialContext(ctx, network, to.String())
	if err != nil {
		return false
	}
	defer c.Close()
	return echo(c, limit)
}

func echo(c net.Conn, limit time.Duration) bool {
	if err := c.SetDeadline(time.Now().Add(limit)); err != nil {
		return false
	}
	if _, err := c.Write([]byte("?")); err != nil {
		return false
	}
	_, err := io.ReadFull(c, make([]byte, 1))
	return err == nil
}

// line is an established connection.
type line struct {
	net.Conn
	name string
}

func connect(t *testing.T, from, to Place, i int) *line {
	t.Helper()
	name := from.Name + " → " + to.Name + " " + to.Addrs[i].String()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	c, err := from.Network.DialContext(ctx, "tcp", netip.AddrPortFrom(to.Addrs[i], firstPort).String())
	if err != nil || !echo(c, 5*time.Second) {
		t.Fatalf("%s is not open to begin with: %v", name, err)
	}
	t.Cleanup(func() { c.Close() })
	return &line{c, name}
}

func (l *line) alive() bool { return echo(l, 600*time.Millisecond) }

// firstAnswer asks by UDP every 10 ms and gives the time of the first answer, zero when none comes until
// the end.
func firstAnswer(t *testing.T, n wire.Network, to netip.AddrPort, until time.Time) time.Time {
	t.Helper()
	c, err := n.DialContext(t.Context(), "udp", to.String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for time.Now().Before(until) {
		if echo(c, 10*time.Millisecond) {
			return time.Now()
		}
	}
	return time.Time{}
}

// flood asks by UDP again and again until the function it gives is called, which tells how many were
// asked and answered. Each answer is waited for as long as patience.
func flood(t *testing.T, n wire.Network, to netip.AddrPort, patience time.Duration) (stop func() (sent, answered int)) {
	t.Helper()
	c, err := n.DialContext(t.Context(), "udp", to.String())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	sent, answered := 0, 0
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			sent++
			if echo(c, patience) {
				answered++
			}
		}
	}()
	return func() (int, int) {
		cancel()
		<-done
		_ = c.Close()
		return sent, answered
	}
}
