package wire_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/lab"
	"github.com/firmward/firmward/wire"
)

var plug = netip.MustParseAddr("192.168.20.11")

// home is a network with one plug on it.
func home(t *testing.T) (*lab.Lab, wire.Network) {
	t.Helper()
	l := lab.New(lab.Options{Clock: lab.RealClock(), Net: lab.NewNet()})
	if _, err := l.AddPlug(lab.PlugSpec{Place: lab.Place{Name: "plug", Addr: plug}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l, l.Attach("home")
}

func only(allowed netip.Addr) func(netip.Addr) error {
	return func(a netip.Addr) error {
		if a != allowed {
			return firmward.Errorf(firmward.Refused, "nobody named "+a.String())
		}
		return nil
	}
}

func TestGuardRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, network := home(t)
		g := wire.Guarded(network, wire.Guard{Allow: only(plug)}, nil)
		for address, want := range map[string]firmward.Code{
			"plug.example:80": firmward.Invalid, "192.168.20.12:80": firmward.Refused, "192.168.20.11": firmward.Invalid,
			"192.168.20.11:9100": firmward.Refused, "192.168.20.11:9107": firmward.Refused, "192.168.20.11:515": firmward.Refused,
		} {
			if _, err := g.DialContext(t.Context(), "tcp", address); err == nil || firmward.CodeOf(err) != want {
				t.Errorf("dial %s: %v, want %s", address, err, want)
			}
		}
		d, _ := l.Device("plug")
		if ports := d.Facts().Ports; len(ports) != 0 {
			t.Errorf("something was sent: %v", ports)
		}
		if c, err := g.DialContext(t.Context(), "tcp", "192.168.20.11:80"); err != nil {
			t.Error(err)
		} else {
			c.Close()
		}
	})
}

func TestNeverPorts(t *testing.T) {
	for port, want := range map[uint16]bool{9099: false, 9100: true, 9107: true, 9108: false, 515: true, 2001: true, 3001: true, 80: false, 631: false} {
		if wire.NeverPorts(port) != want {
			t.Errorf("port %d", port)
		}
	}
}

func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, network := home(t)
		pacer := wire.NewPacer()
		pace := func(netip.Addr) wire.Pace { return wire.Pace{Every: 10 * time.Second, Burst: 2} }
		one := wire.Guarded(network, wire.Guard{Allow: only(plug), Pace: pace}, pacer)
		two := wire.Guarded(network, wire.Guard{Allow: only(plug), Pace: pace}, pacer) // another probe, the same device
		began := time.Now()
		for i, want := range []time.Duration{0, 0, 10 * time.Second, 20 * time.Second} {
			g := one
			if i%2 == 1 {
				g = two
			}
			c, err := g.DialContext(t.Context(), "tcp", "192.168.20.11:80")
			if err != nil {
				t.Fatal(err)
			}
			c.Close()
			if took := time.Since(began); took < want || took > want+time.Second {
				t.Errorf("connection %d after %s, want %s", i, took, want)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := one.DialContext(ctx, "tcp", "192.168.20.11:80"); err == nil || !strings.Contains(err.Error(), "packet budget") {
			t.Errorf("a dial whose time ends before its turn: %v", err)
		}
	})
}

func TestRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, network := home(t)
		var sent []wire.Sent
		g := wire.Guarded(network, wire.Guard{
			Allow: only(plug), Record: func(s wire.Sent) { sent = append(sent, s) }, Purpose: "test", Secrets: []string{"hunter2", ""},
		}, nil)
		c, err := g.DialContext(t.Context(), "tcp", "192.168.20.11:80")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		long := "password=hunter2 " + strings.Repeat("x", 2*wire.RecordMax)
		if n, err := io.WriteString(c, long); n != len(long) || err != nil {
			t.Fatalf("%d, %v", n, err)
		}
		if len(sent) == 0 || sent[0].Purpose != "test" || sent[0].To != netip.AddrPortFrom(plug, 80) {
			t.Fatalf("%+v", sent)
		}
		total := 0
		for _, s := range sent {
			total += s.Total
			if len(s.Bytes) > wire.RecordMax || strings.Contains(string(s.Bytes), "hunter2") {
				t.Errorf("kept %d bytes: %.60q", len(s.Bytes), s.Bytes)
			}
		}
		if total != len(long) || !strings.HasPrefix(string(sent[0].Bytes), "password=******* x") {
			t.Errorf("total %d, want %d; %.30q", total, len(long), sent[0].Bytes)
		}
	})
}

func TestPacketsAreChecked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, network := home(t)
		var sent []wire.Sent
		g := wire.Guarded(network, wire.Guard{Allow: only(plug), Record: func(s wire.Sent) { sent = append(sent, s) }}, nil)
		pc, err := g.ListenPacket(t.Context(), "udp", ":0")
		if err != nil {
			t.Fatal(err)
		}
		defer pc.Close()
		if _, err := pc.WriteTo([]byte("x"), net.UDPAddrFromAddrPort(netip.MustParseAddrPort("192.168.20.99:161"))); firmward.CodeOf(err) != firmward.Refused {
			t.Errorf("a datagram to somebody nobody named: %v", err)
		}
		if _, err := pc.WriteTo([]byte("x"), net.UDPAddrFromAddrPort(netip.AddrPortFrom(plug, 161))); err != nil {
			t.Error(err)
		}
		if len(sent) != 1 || sent[0].Network != "udp" {
			t.Errorf("%+v", sent)
		}
	})
}

func TestBound(t *testing.T) {
	for size, cut := range map[int]bool{0: false, 9: false, 10: false, 11: true, 5000: true} {
		b, err := wire.Bound(strings.NewReader(strings.Repeat("x", size)), 10)
		if len(b) != min(size, 10) || errors.Is(err, wire.ErrBound) != cut || (err != nil) != cut {
			t.Errorf("%d bytes: got %d, %v", size, len(b), err)
		}
	}
}

func TestSecretNeverPrints(t *testing.T) {
	s := wire.Secret{User: "root", Password: "hunter2"}
	c := wire.Conn{Addr: plug, Secret: s}
	b, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	for _, h := range []slog.Handler{slog.NewJSONHandler(&log, nil), slog.NewTextHandler(&log, nil)} {
		slog.New(h).InfoContext(t.Context(), "x", "secret", s, "conn", c, "pointer", &c)
	}
	got := fmt.Sprintf("%v %s %+v %#v %v %+v %#v %+v %s %s", s, s, s, s, c, c, c, &c, b, log.String())
	if strings.Contains(got, "hunter2") || !strings.Contains(got, plug.String()) {
		t.Error(got)
	}
}

func TestHTTPClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, network := home(t)
		network = wire.Guarded(network, wire.Guard{Allow: only(plug)}, nil)
		get := func() (*http.Response, time.Duration, error) {
			began := time.Now()
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://192.168.20.11/shelly", nil)
			if err != nil {
				t.Fatal(err)
			}
			res, err := wire.HTTPClient(network, 8*time.Second).Do(req)
			if err == nil {
				_, err = wire.Bound(res.Body, 1<<10)
				res.Body.Close()
			}
			return res, time.Since(began), err
		}
		if _, _, err := get(); err != nil {
			t.Error(err)
		}
		for fault, want := range map[string]time.Duration{"silent": wire.DialLimit, "drip": 8 * time.Second} {
			if err := l.Fault("plug", fault); err != nil {
				t.Fatal(err)
			}
			if _, took, err := get(); err == nil || took != want {
				t.Errorf("%s: %v after %s, want an end by %s", fault, err, took, want)
			}
			if err := l.ClearFaults("plug"); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.Fault("plug", "redirect-elsewhere"); err != nil {
			t.Fatal(err)
		}
		if res, _, err := get(); err != nil || res.StatusCode != http.StatusFound {
			t.Errorf("a redirect was followed: %v", err)
		}
	})
}

// TestPaceHoldsRequestsBack shows that a request that must wait for its turn goes out when that comes, however long
// after DialLimit, and that one whose time ends before sends nothing at all.
func TestPaceHoldsRequestsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, network := home(t)
		pace := func(netip.Addr) wire.Pace { return wire.Pace{Every: 12 * time.Second, Burst: 1} }
		network = wire.Guarded(network, wire.Guard{Allow: only(plug), Pace: pace}, wire.NewPacer())
		began := time.Now()
		for i, limit := range []time.Duration{time.Minute, time.Minute, 5 * time.Second} {
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://192.168.20.11/shelly", nil)
			if err != nil {
				t.Fatal(err)
			}
			res, err := wire.HTTPClient(network, 0).Do(req)
			if err == nil {
				res.Body.Close()
			}
			cancel()
			if (err == nil) != (i < 2) {
				t.Errorf("request %d after %s: %v", i, time.Since(began), err)
			}
		}
		time.Sleep(time.Minute)
		d, _ := l.Device("plug")
		if n := d.Facts().Ports["tcp/80"].Conns; n != 2 {
			t.Errorf("%d connections, want 2", n)
		}
	})
}

// TestAnswersAreBounded reads bodies around the bound, as a client does and as one that drains a challenge.
func TestAnswersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, network := home(t)
		ln, err := l.Attach("clinic").Listen(t.Context(), "tcp", ":80")
		if err != nil {
			t.Fatal(err)
		}
		size := 0
		srv := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(make([]byte, size))
		})}
		go srv.Serve(ln)
		defer srv.Close()
		for _, size = range []int{0, wire.MaxAnswer - 1, wire.MaxAnswer, wire.MaxAnswer + 1, 4 * wire.MaxAnswer} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://10.40.0.2/", nil)
			if err != nil {
				t.Fatal(err)
			}
			res, err := wire.HTTPClient(network, 0).Do(req)
			if err != nil {
				t.Fatal(err)
			}
			n, err := io.Copy(io.Discard, res.Body)
			res.Body.Close()
			if n != int64(min(size, wire.MaxAnswer)) || errors.Is(err, wire.ErrBound) != (size > wire.MaxAnswer) || (err != nil) != (size > wire.MaxAnswer) {
				t.Errorf("%d bytes: read %d, %v", size, n, err)
			}
		}
	})
}

// TestLimit shows that no connection outlasts its guard's limit, whatever deadline its user sets.
func TestLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, network := home(t)
		if err := l.Fault("plug", "drip"); err != nil {
			t.Fatal(err)
		}
		g := wire.Guarded(network, wire.Guard{Allow: only(plug), Limit: 5 * time.Second}, nil)
		for name, tc := range map[string]struct {
			set  func(net.Conn) error
			want time.Duration
		}{
			"no deadline":     {func(net.Conn) error { return nil }, 5 * time.Second},
			"lifted":          {func(c net.Conn) error { return c.SetDeadline(time.Time{}) }, 5 * time.Second},
			"later":           {func(c net.Conn) error { return c.SetReadDeadline(time.Now().Add(time.Hour)) }, 5 * time.Second},
			"earlier":         {func(c net.Conn) error { return c.SetReadDeadline(time.Now().Add(2 * time.Second)) }, 2 * time.Second},
			"for writes only": {func(c net.Conn) error { return c.SetWriteDeadline(time.Now().Add(time.Second)) }, 5 * time.Second},
		} {
			c, err := g.DialContext(t.Context(), "tcp", "192.168.20.11:80")
			if err != nil {
				t.Fatal(err)
			}
			if err := tc.set(c); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			if _, err = io.WriteString(c, "GET /shelly HTTP/1.0\r\n\r\n"); err == nil {
				_, err = io.Copy(io.Discard, c)
			}
			if took := time.Since(began); took != tc.want || !wire.Timeout(err) {
				t.Errorf("%s: %v after %s, want a timeout after %s", name, err, took, tc.want)
			}
			c.Close()
		}
	})
}

func TestPortMap(t *testing.T) {
	var lc net.ListenConfig
	ln, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	m, err := wire.ReadPortMap(strings.NewReader(fmt.Sprintf(`[{"network":"tcp","virtual":"10.40.0.11:80","real":%q}]`, ln.Addr())))
	if err != nil {
		t.Fatal(err)
	}
	c, err := m.DialContext(t.Context(), "tcp", "10.40.0.11:80")
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	for _, tc := range [][2]string{{"tcp", "10.40.0.11:81"}, {"udp", "10.40.0.11:80"}, {"", "10.40.0.11:80"}} {
		if _, err := m.DialContext(t.Context(), tc[0], tc[1]); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("dial %v: %v", tc, err)
		}
	}
	if _, err := m.DialContext(t.Context(), "tcp", "10.40.0.12:80"); !errors.Is(err, syscall.EHOSTUNREACH) {
		t.Errorf("dial where no device is: %v", err)
	}
}

// TestPortMapHasALink: a datagram to a group reaches the devices of the prefix at the group's port, and answers come from their
// own addresses; the map tells who is there.
func TestPortMapHasALink(t *testing.T) {
	var lc net.ListenConfig
	var entries []string
	for i, virtual := range []string{"10.40.0.11:5353", "10.40.0.12:5353", "10.40.0.12:1900", "10.41.0.1:5353"} {
		pc, err := lc.ListenPacket(t.Context(), "udp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer pc.Close()
		go func() {
			b := make([]byte, 64)
			for {
				n, from, err := pc.ReadFrom(b)
				if err != nil {
					return
				}
				pc.WriteTo(append(b[:n:n], virtual...), from)
			}
		}()
		entries = append(entries, fmt.Sprintf(`{"network":"udp","virtual":%q,"real":%q,"mac":"02:00:00:00:00:0%d"}`, virtual, pc.LocalAddr(), i))
	}
	m, err := wire.ReadPortMap(strings.NewReader("[" + strings.Join(entries, ",") + "]"))
	if err != nil {
		t.Fatal(err)
	}
	prefix := netip.MustParsePrefix("10.40.0.0/24")
	pc, err := m.OnLink(t.Context(), prefix)
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close()
	if _, err := pc.WriteTo([]byte("hello "), &net.UDPAddr{IP: net.IPv4(224, 0, 0, 251), Port: 5353}); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for range 2 {
		b := make([]byte, 64)
		n, from, err := pc.ReadFrom(b)
		if err != nil {
			t.Fatal(err)
		}
		got[from.String()] = string(b[:n])
	}
	want := map[string]string{"10.40.0.11:5353": "hello 10.40.0.11:5353", "10.40.0.12:5353": "hello 10.40.0.12:5353"}
	if !maps.Equal(got, want) {
		t.Errorf("answers: %v", got)
	}
	if _, err := pc.WriteTo(nil, &net.UDPAddr{IP: net.IPv4(10, 40, 0, 11), Port: 5353}); !errors.Is(err, syscall.EHOSTUNREACH) {
		t.Errorf("to no group: %v", err)
	}
	if _, err := m.OnLink(t.Context(), netip.MustParsePrefix("10.42.0.0/24")); firmward.CodeOf(err) != firmward.NotSupported {
		t.Errorf("a link without devices: %v", err)
	}
	seen, err := m.Neighbors(t.Context(), prefix)
	if err != nil || len(seen) != 2 || seen[netip.MustParseAddr("10.40.0.11")].String() != "02:00:00:00:00:00" {
		t.Errorf("neighbours %v, %v", seen, err)
	}
}

func TestPortMapStaysOnLoopback(t *testing.T) {
	for _, real := range []string{"192.0.2.1:80", "example.org:80", ""} {
		if _, err := wire.ReadPortMap(strings.NewReader(fmt.Sprintf(`[{"network":"tcp","virtual":"10.40.0.11:80","real":%q}]`, real))); err == nil {
			t.Errorf("%q was taken", real)
		}
	}
}

// FuzzReadPortMap reads any file: an error or a map in which nothing dials by an empty address.
func FuzzReadPortMap(f *testing.F) {
	f.Add([]byte(`[{"network":"tcp","virtual":"10.40.0.11:80","real":"127.0.0.1:20001"}]`))
	f.Add([]byte(`[{}]`))
	f.Add([]byte(`{`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := wire.ReadPortMap(strings.NewReader(string(b)))
		if (m == nil) == (err == nil) {
			t.Errorf("%v, %v", m, err)
		}
	})
}
