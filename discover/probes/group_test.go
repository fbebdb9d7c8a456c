package probes_test

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/discover"
	"github.com/firmward/firmward/discover/probes"
	"github.com/firmward/firmward/wire"
)

// askAll runs a probe against a whole prefix behind a guard, as the runner does.
func askAll(t *testing.T, name string, network wire.Network, prefix netip.Prefix, groups ...netip.AddrPort) (map[string]firmward.Observation, []wire.Sent, error) {
	t.Helper()
	p, ok := probes.Named(name)
	if !ok {
		t.Fatalf("no probe %s", name)
	}
	var sent []wire.Sent
	door := wire.Guarded(network, wire.Guard{
		Allow: func(a netip.Addr) error {
			if !prefix.Contains(a) {
				return firmward.Errorf(firmward.Refused, "nobody named "+a.String())
			}
			return nil
		},
		Groups: groups, Record: func(s wire.Sent) { sent = append(sent, s) },
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
	return seen, sent, err
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
