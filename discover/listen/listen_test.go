package listen_test

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/discover"
	"github.com/firmward/firmward/discover/listen"
	"github.com/firmward/firmward/wire"
)

// tape is a network on which some frames were said.
type tape struct {
	wire.Network
	frames []string
}

func (t tape) Overhear(_ context.Context, _ netip.Prefix, hear func([]byte)) error {
	for _, f := range t.frames {
		hear([]byte(f))
	}
	return nil
}

const head = "\xff\xff\xff\xff\xff\xff"

func mac(n int) string { return "\x02\x00\x00\x00" + string([]byte{byte(n >> 8), byte(n)}) }

func arp(n int, addr string) string {
	return head + mac(n) + "\x08\x06\x00\x01\x08\x00\x06\x04\x00\x01" + mac(n) + addr + strings.Repeat("\x00", 10)
}

func asks(n int, options string) string {
	m := "\x01\x01\x06" + strings.Repeat("\x00", 25) + mac(n) + strings.Repeat("\x00", 202) + "\x63\x82\x53\x63" + options
	size := func(n int) string { return string([]byte{byte(n >> 8), byte(n)}) }
	return head + mac(n) + "\x08\x00\x45\x00" + size(28+len(m)) + "\x00\x00\x00\x00\x40\x11\x00\x00\x00\x00\x00\x00\xff\xff\xff\xff" +
		"\x00\x44\x00\x43" + size(8+len(m)) + "\x00\x00" + m
}

// TestListen: words of a client without an address wait until it speaks from one; what is outside of the prefix is nothing.
func TestListen(t *testing.T) {
	const (
		ours, theirs = "\x0a\x00\x00\x09", "\x0a\x01\x00\x09"
		discovers    = "\x35\x01\x01\x0c\x03cam"
		remembers    = "\x35\x01\x03\x0c\x03cam\x32\x04" + ours
		takes        = remembers + "\x36\x04\x0a\x00\x00\x01"
	)
	for what, tc := range map[string]struct {
		frames, want []string
	}{
		"ARP":                             {[]string{arp(9, ours)}, []string{"10.0.0.9:0 arp.mac=02:00:00:00:00:09"}},
		"first words, then ARP":           {[]string{asks(9, discovers), arp(8, ours), arp(9, ours), arp(9, ours)}, []string{"10.0.0.9:0 arp.mac=02:00:00:00:00:08", "10.0.0.9:0 arp.mac=02:00:00:00:00:09", "10.0.0.9:67 dhcp.mac=02:00:00:00:00:09 dhcp.hostname=cam", "10.0.0.9:0 arp.mac=02:00:00:00:00:09"}},
		"an address that it remembers":    {[]string{asks(9, remembers)}, nil},
		"an offer that it takes":          {[]string{asks(9, discovers), asks(9, takes), arp(9, ours)}, []string{"10.0.0.9:67 dhcp.mac=02:00:00:00:00:09 dhcp.hostname=cam", "10.0.0.9:0 arp.mac=02:00:00:00:00:09"}},
		"from another network":            {[]string{arp(9, theirs), asks(9, strings.ReplaceAll(takes, ours, theirs))}, nil},
		"asked there, and then came here": {[]string{asks(9, discovers), arp(9, theirs), arp(9, ours)}, []string{"10.0.0.9:0 arp.mac=02:00:00:00:00:09", "10.0.0.9:67 dhcp.mac=02:00:00:00:00:09 dhcp.hostname=cam"}},
	} {
		if got := hear(t, tc.frames); !slices.Equal(got, tc.want) {
			t.Errorf("%s: %q, want %q", what, got, tc.want)
		}
	}
	var flood []string
	for n := range 5000 {
		flood = append(flood, asks(n, discovers))
	}
	if got := hear(t, append(flood, arp(4999, ours), arp(1, ours))); len(got) != 3 {
		t.Errorf("of 5000 that ask the last is remembered and the first is not: %q", got)
	}
	if err := (listen.Probe{}).Run(t.Context(), discover.Target{Network: &wire.PortMap{}}, nil); firmward.CodeOf(err) != firmward.NotSupported {
		t.Errorf("a network that cannot be listened to: %v", err)
	}
}

func hear(t *testing.T, frames []string) (got []string) {
	t.Helper()
	err := listen.Probe{}.Run(t.Context(), discover.Target{Network: tape{frames: frames}, Prefix: netip.MustParsePrefix("10.0.0.0/24")}, func(o firmward.Observation) {
		words := []string{fmt.Sprintf("%s:%d", o.Addr, o.Port)}
		for _, r := range o.Readings {
			words = append(words, r.Name+"="+r.Value)
		}
		got = append(got, strings.Join(words, " "))
	})
	if err != nil {
		t.Error(err)
	}
	return got
}
