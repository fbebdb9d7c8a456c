package lab

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

var (
	addrA = netip.MustParseAddr("10.0.0.1")
	addrB = netip.MustParseAddr("10.0.0.2")
	macA  = net.HardwareAddr{2, 0, 0, 0, 0, 1}
	macB  = net.HardwareAddr{2, 0, 0, 0, 0, 2}
)

func twoHosts() (a, b *Stack) {
	n := NewNet()
	return n.Attach(addrA, macA), n.Attach(addrB, macB)
}

// pair is a TCP connection from a to port 80 of b.
func pair(t *testing.T, a, b *Stack) (client, server net.Conn) {
	t.Helper()
	l, err := b.Listen(t.Context(), "tcp", ":80")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if client, err = a.DialContext(t.Context(), "tcp", "10.0.0.2:80"); err != nil {
		t.Fatal(err)
	}
	if server, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close(); server.Close() })
	return client, server
}

func TestTCPCarriesBytesAndHalfCloses(t *testing.T) {
	a, b := twoHosts()
	client, server := pair(t, a, b)
	if got, want := client.RemoteAddr().String(), "10.0.0.2:80"; got != want {
		t.Errorf("remote address %s, want %s", got, want)
	}
	if got := server.RemoteAddr().(*net.TCPAddr).IP.String(); got != "10.0.0.1" {
		t.Errorf("the server sees %s", got)
	}
	client.Write([]byte("question"))
	client.(interface{ CloseWrite() error }).CloseWrite()
	if got, err := io.ReadAll(server); string(got) != "question" || err != nil {
		t.Fatalf("server read %q, %v", got, err)
	}
	server.Write([]byte("answer"))
	server.Close()
	if got, err := io.ReadAll(client); string(got) != "answer" || err != nil {
		t.Fatalf("client read %q, %v", got, err)
	}
	if _, err := client.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("write to a closed peer: %v, want EPIPE", err)
	}
	client.Close()
	if _, err := client.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("read after close: %v, want net.ErrClosed", err)
	}
}

func TestTCPCarriesThirtyMegabytes(t *testing.T) {
	a, b := twoHosts()
	client, server := pair(t, a, b)
	sent := BuildImage(ImageSpec{Family: FamilyCamera, Model: "m", Version: "1"})
	if len(sent) != 30_000_000 {
		t.Fatalf("the image has %d bytes", len(sent))
	}
	go func() {
		client.Write(sent)
		client.Close()
	}()
	var got bytes.Buffer
	got.Grow(len(sent))
	if _, err := io.Copy(&got, server); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), sent) {
		t.Error("the bytes changed on the way")
	}
	if n := b.h.portCounts()["tcp/80"]; n != (PortCount{Conns: 1, Bytes: 30_000_000}) {
		t.Errorf("counted %+v", n)
	}
}

// TestWritersTakeTurns lets two goroutines write to one connection that is paced: their bytes do not mix, and waiting for
// a turn does not hold up the bubble's clock.
func TestWritersTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := twoHosts()
		client, server := pair(t, a, b)
		b.h.pace.Store(&pace{time.Second, 1})
		start := time.Now()
		for _, text := range []string{"aaaa", "bbbb"} {
			go server.Write([]byte(text))
		}
		got := make([]byte, 8)
		if _, err := io.ReadFull(client, got); err != nil {
			t.Fatal(err)
		}
		if s := string(got); s != "aaaabbbb" && s != "bbbbaaaa" || time.Since(start) != 8*time.Second {
			t.Errorf("read %q after %v", got, time.Since(start))
		}
	})
}

func BenchmarkTCP(b *testing.B) {
	x, y := twoHosts()
	l, _ := y.Listen(b.Context(), "tcp", ":80")
	client, err := x.DialContext(b.Context(), "tcp", "10.0.0.2:80")
	if err != nil {
		b.Fatal(err)
	}
	server, _ := l.Accept()
	go io.Copy(io.Discard, server)
	chunk := make([]byte, 32<<10)
	b.SetBytes(int64(len(chunk)))
	for b.Loop() {
		client.Write(chunk)
	}
	client.Close()
}

func TestDialErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := twoHosts()
		dial := func(address string, timeout time.Duration) (time.Duration, error) {
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			defer cancel()
			start := time.Now()
			c, err := a.DialContext(ctx, "tcp", address)
			if err == nil {
				c.Close()
			}
			return time.Since(start), err
		}
		timedOut := func(err error) bool {
			var n net.Error
			return errors.As(err, &n) && n.Timeout()
		}

		if took, err := dial("10.0.0.2:9100", time.Minute); !errors.Is(err, syscall.ECONNREFUSED) || took != 0 {
			t.Errorf("closed port: %v after %v", err, took)
		}
		if took, err := dial("10.0.0.9:80", 3*time.Second); !timedOut(err) || took != 3*time.Second {
			t.Errorf("unused address: %v after %v", err, took)
		}
		b.h.setSilent(true)
		if took, err := dial("10.0.0.2:80", 3*time.Second); !timedOut(err) || took != 3*time.Second {
			t.Errorf("silent host: %v after %v", err, took)
		}
		if took, err := dial("10.0.0.2:80", time.Hour); !timedOut(err) || took != 127*time.Second {
			t.Errorf("silent host, long timeout: %v after %v", err, took)
		}
		b.h.setSilent(false)
		b.h.setPower(false, false)
		if _, err := dial("10.0.0.2:80", time.Second); !timedOut(err) {
			t.Errorf("host without power: %v", err)
		}
		if _, err := a.DialContext(t.Context(), "tcp", "example.org:80"); err == nil {
			t.Error("a name was resolved")
		}
		want := map[string]PortCount{"tcp/9100": {Refused: 1}, "tcp/80": {Dropped: 2}}
		if diff := cmp.Diff(want, b.h.portCounts()); diff != "" {
			t.Errorf("counts differ (-want +got):\n%s", diff)
		}
	})
}

func TestDialReachesAHostThatComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := twoHosts()
		l, err := b.Listen(t.Context(), "tcp", ":80")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		b.h.setPower(false, false)
		time.AfterFunc(10*time.Second, func() { b.h.setPower(true, true) })
		start := time.Now()
		c, err := a.DialContext(t.Context(), "tcp", "10.0.0.2:80")
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
		if took := time.Since(start); took != 15*time.Second { // SYNs at 0, 1, 3, 7, 15 s
			t.Errorf("connected after %v", took)
		}
	})
}

func TestDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := twoHosts()
		client, _ := pair(t, a, b)
		client.SetReadDeadline(time.Now().Add(5 * time.Second))
		start := time.Now()
		_, err := client.Read(make([]byte, 1))
		if !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != 5*time.Second {
			t.Errorf("read: %v after %v", err, time.Since(start))
		}
		client.SetWriteDeadline(time.Now().Add(time.Second))
		n, err := client.Write(make([]byte, 2*window))
		if !errors.Is(err, os.ErrDeadlineExceeded) || n != window {
			t.Errorf("write into a full window: %d bytes, %v", n, err)
		}
		client.SetDeadline(time.Now().Add(-time.Second))
		if _, err := client.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read with a past deadline: %v", err)
		}
	})
}

func TestPowerLossIsSilentAndAShutdownIsNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, notice := range []bool{true, false} {
			a, b := twoHosts()
			client, server := pair(t, a, b)
			server.Write([]byte("last words"))
			b.h.setPower(false, notice)
			client.SetReadDeadline(time.Now().Add(time.Minute))
			got, err := io.ReadAll(client)
			if string(got) != "last words" {
				t.Errorf("notice %v: read %q", notice, got)
			}
			if timeout := errors.Is(err, os.ErrDeadlineExceeded); timeout == notice {
				t.Errorf("notice %v: %v", notice, err)
			}
		}
	})
}

func TestUDPAndMulticast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := twoHosts()
		server, err := b.ListenPacket(t.Context(), "udp", ":161")
		if err != nil {
			t.Fatal(err)
		}
		client, err := a.DialContext(t.Context(), "udp", "10.0.0.2:161")
		if err != nil {
			t.Fatal(err)
		}
		client.Write([]byte("ping"))
		buf := make([]byte, 100)
		n, from, err := server.ReadFrom(buf)
		if string(buf[:n]) != "ping" || err != nil {
			t.Fatalf("server read %q, %v", buf[:n], err)
		}
		server.WriteTo([]byte("pong"), from)
		if n, err = client.Read(buf); string(buf[:n]) != "pong" || err != nil {
			t.Errorf("client read %q, %v", buf[:n], err)
		}
		if _, err := b.ListenPacket(t.Context(), "udp", ":161"); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("second socket on a port: %v", err)
		}

		group := "239.255.255.250:1900"
		var members []net.PacketConn
		for _, s := range []*Stack{a, b} {
			m, err := s.ListenPacket(t.Context(), "udp", group)
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			members = append(members, m)
		}
		sender, _ := a.ListenPacket(t.Context(), "udp", ":0")
		sender.WriteTo([]byte("M-SEARCH"), net.UDPAddrFromAddrPort(netip.MustParseAddrPort(group)))
		for i, m := range members {
			if n, _, err := m.ReadFrom(buf); string(buf[:n]) != "M-SEARCH" || err != nil {
				t.Errorf("member %d read %q, %v", i, buf[:n], err)
			}
		}
		// To a closed port and to nobody: no error, no answer.
		sender.WriteTo([]byte("x"), &net.UDPAddr{IP: net.IPv4(10, 0, 0, 2), Port: 7})
		sender.WriteTo([]byte("x"), &net.UDPAddr{IP: net.IPv4(10, 0, 0, 9), Port: 7})
		sender.SetReadDeadline(time.Now().Add(time.Second))
		if _, _, err := sender.ReadFrom(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read: %v", err)
		}
		if n := b.h.portCounts()["udp/7"]; n.Refused != 1 {
			t.Errorf("closed UDP port: %+v", n)
		}
		if c, err := a.DialContext(t.Context(), "udp", "10.0.0.2:7"); err != nil {
			t.Error(err)
		} else {
			c.Write([]byte("x"))
			if _, err := c.Read(buf); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("a connected socket to a closed port: %v", err)
			}
		}
		if n := b.h.portCounts()["udp/161"]; n != (PortCount{Conns: 1, Bytes: 4}) {
			t.Errorf("open UDP port: %+v", n)
		}
		server.Close()
		if _, _, err := server.ReadFrom(buf); !errors.Is(err, net.ErrClosed) {
			t.Errorf("read after close: %v", err)
		}
	})
}

func TestNeighbors(t *testing.T) {
	n := NewNet()
	a, b := n.Attach(addrA, macA), n.Attach(addrB, macB)
	c := n.Attach(netip.MustParseAddr("10.1.0.1"), net.HardwareAddr{2, 0, 0, 0, 0, 3})
	sight := func() map[netip.Addr]net.HardwareAddr {
		seen, err := a.Neighbors(t.Context(), netip.MustParsePrefix("10.0.0.0/24"))
		if err != nil {
			t.Fatal(err)
		}
		return seen
	}
	if diff := cmp.Diff(map[netip.Addr]net.HardwareAddr{addrB: macB}, sight(), cmp.Comparer(func(x, y netip.Addr) bool { return x == y })); diff != "" {
		t.Errorf("neighbours differ (-want +got):\n%s", diff)
	}
	b.h.setSilent(true)
	if got := sight(); len(got) != 0 {
		t.Errorf("a silent host is seen: %v", got)
	}
	if got := len(b.h.portCounts()) + len(c.h.portCounts()); got != 0 {
		t.Errorf("looking left %d counts", got)
	}
}

// TestBehind: while a gateway is dark, what stands behind it is out of sight, and connections to it fall silent; it runs on.
func TestBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(Options{})
		defer l.Close()
		if _, err := l.AddGateway(GatewaySpec{Place: Place{Name: "gw"}}); err != nil {
			t.Fatal(err)
		}
		plug, err := l.AddPlug(PlugSpec{Place: Place{Name: "plug", Behind: "gw"}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.AddPlug(PlugSpec{Place: Place{Name: "lost", Behind: "nobody"}}); err == nil {
			t.Error("a device stands behind nobody")
		}
		seen := func() bool {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			c, err := l.Attach("home").DialContext(ctx, "tcp", netip.AddrPortFrom(plug.Facts().Addrs[0], 80).String())
			if err == nil {
				c.Close()
			}
			return err == nil
		}
		if !seen() {
			t.Error("out of sight while its gateway runs")
		}
		if err := l.Fault("gw", FaultOffline); err != nil {
			t.Fatal(err)
		}
		if seen() || !plug.Facts().Powered {
			t.Error("in sight while its gateway is dark, or dark itself")
		}
		if err := l.ClearFaults("gw"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		if !seen() {
			t.Error("out of sight after its gateway came back")
		}
	})
}
