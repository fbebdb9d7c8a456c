package probes_test

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/discover"
	"github.com/firmward/firmward/discover/probes"
	"github.com/firmward/firmward/lab"
	"github.com/firmward/firmward/wire"
)

// askAll runs a probe against a whole prefix behind a guard, as the runner does.
func askAll(t *testing.T, name string, network wire.Network, prefix netip.Prefix, groups ...netip.AddrPort) (map[string]firmward.Observation, []wire.Sent, error) {
	t.Helper()
	p, ok := probes.Named(name)
	if !ok {
		t.Fatalf("no probe %s", name)
	}
	var mu sync.Mutex // transports write beside the probe
	var sent []wire.Sent
	door := wire.Guarded(network, wire.Guard{
		Allow: func(a netip.Addr) error {
			if !prefix.Contains(a) {
				return firmward.Errorf(firmward.Refused, "nobody named "+a.String())
			}
			return nil
		},
		Groups: groups, Record: func(s wire.Sent) {
			mu.Lock()
			defer mu.Unlock()
			sent = append(sent, s)
		},
	}, nil)
	ctx, cancel := context.WithTimeout(t.Context(), discover.GroupLimit)
	defer cancel()
	seen := map[string]firmward.Observation{}
	err := p.Run(ctx, discover.Target{Network: door, Prefix: prefix}, func(o firmward.Observation) {
		if _, twice := seen[o.Addr.String()]; twice {
			t.Errorf("%s: %s was reported twice", name, o.Addr)
		}
		seen[o.Addr.String()] = o
	})
	mu.Lock()
	defer mu.Unlock()
	return seen, slices.Clone(sent), err
}

// TestMDNSOfAll asks a whole link at once: all that speak are heard, and a host that is not on the link sends nothing.
func TestMDNSOfAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, network := standard(t)
		if err := l.Fault("plug-3", "silent"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		home, group := netip.MustParsePrefix("192.168.20.0/24"), netip.MustParseAddrPort("224.0.0.251:5353")
		seen, sent, err := askAll(t, "mdns", network, home, group)
		if err != nil || len(seen) != 10 {
			t.Errorf("%d hosts, %v", len(seen), err)
		}
		if v, _ := seen["192.168.20.22"].Get("mdns._shelly.ver"); v != "1.2.0" {
			t.Errorf("the second generation-3 plug: %+v", seen["192.168.20.22"])
		}
		if v, _ := seen["192.168.20.40"].Get("mdns._ipp.usb_mdl"); v != "Color LaserJet MFP M478f" {
			t.Errorf("the printer: %+v", seen["192.168.20.40"])
		}
		for _, s := range sent {
			if s.To != group {
				t.Errorf("%d bytes were sent to %s", s.Total, s.To)
			}
		}
		if len(sent) == 0 || len(sent) > 8 {
			t.Errorf("%d datagrams were sent", len(sent))
		}
		if _, sent, err := askAll(t, "mdns", network, netip.MustParsePrefix("10.40.0.0/24"), group); firmward.CodeOf(err) != firmward.NotSupported || len(sent) > 0 {
			t.Errorf("a network that is not on the link: %d datagrams, %v", len(sent), err)
		}
		if _, sent, err := askAll(t, "mdns", network, home); firmward.CodeOf(err) != firmward.Refused || len(sent) > 0 {
			t.Errorf("without leave to ask the group: %d datagrams, %v", len(sent), err)
		}
	})
}

// TestMDNSOfOne: a plug tells the same when it is asked alone.
func TestMDNSOfOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, network := standard(t)
		synctest.Wait()
		o := look(t, "mdns", discover.Target{Network: network, Addr: netip.MustParseAddr("192.168.20.11")})
		seen, _, err := askAll(t, "mdns", network, netip.MustParsePrefix("192.168.20.11/24").Masked(), netip.MustParseAddrPort("224.0.0.251:5353"))
		all := seen["192.168.20.11"]
		if err != nil || fmt.Sprint(all.Readings) != fmt.Sprint(o.Readings) || len(o.Readings) < 6 {
			t.Errorf("one by one %v, all at once %v, %v", o.Readings, all.Readings, err)
		}
	})
}

// TestUPnPOfAll searches a link: the root device is the box, and a forged place leads to no other host.
func TestUPnPOfAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, network := standard(t)
		for name, location := range map[string]string{"honest": "", "liar": "http://192.168.20.30/xml/info.xml", "plc": "http://192.168.20.9:502/"} {
			addr := map[string]byte{"honest": 1, "liar": 8, "plc": 9}[name]
			spec := lab.GatewaySpec{Place: lab.Place{Name: name, Addr: netip.AddrFrom4([4]byte{192, 168, 20, addr})}, Location: location}
			if _, err := l.AddGateway(spec); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		home, group := netip.MustParsePrefix("192.168.20.0/24"), netip.MustParseAddrPort("239.255.255.250:1900")
		seen, sent, err := askAll(t, "upnp", network, home, group)
		if err != nil || len(seen) != 3 {
			t.Errorf("%d hosts, %v", len(seen), err)
		}
		for name, want := range map[string]string{"upnp.manufacturer": "ASUSTeK Computer Inc.", "upnp.modelName": "RT-AC68U", "upnp.modelNumber": "3.0.0.4.386"} {
			if v, _ := seen["192.168.20.1"].Get(name); v != want {
				t.Errorf("%s is %q, want %q", name, v, want)
			}
		}
		if v, _ := seen["192.168.20.1"].Get("upnp.embedded"); !strings.Contains(v, "MiniUPnP") {
			t.Errorf("embedded devices are %q", v)
		}
		for _, liar := range []string{"192.168.20.8", "192.168.20.9"} {
			o := seen[liar]
			if _, ok := o.Get("upnp.modelName"); ok || !strings.Contains(o.Note, "not asked") {
				t.Errorf("%s: %s %v", liar, o.Note, o.Readings)
			}
		}
		for _, s := range sent {
			if s.To != group && s.To != netip.MustParseAddrPort("192.168.20.1:5000") {
				t.Errorf("%d bytes were sent to %s: %s", s.Total, s.To, s.Bytes)
			}
		}
	})
}
