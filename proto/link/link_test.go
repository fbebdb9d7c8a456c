package link_test

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"

	"github.com/firmward/firmward/proto/link"
)

const (
	everybody = "\xff\xff\xff\xff\xff\xff"
	mac       = "\x02\x00\x00\x00\x00\x09"
	other     = "\x02\x00\x00\x00\x00\x0a"
	request   = "\x00\x01\x08\x00\x06\x04\x00\x01"
)

func arp(sender, addr string) string {
	return everybody + mac + "\x08\x06" + request + sender + addr + "\x00\x00\x00\x00\x00\x00\x0a\x00\x00\x01"
}

// asks is a DHCP client's message with options, from 0.0.0.0 to everybody.
func asks(options string) string {
	m := "\x01\x01\x06" + strings.Repeat("\x00", 25) + mac + strings.Repeat("\x00", 202) + "\x63\x82\x53\x63" + options
	size := func(n int) string { return string([]byte{byte(n >> 8), byte(n)}) }
	return everybody + mac + "\x08\x00\x45\x00" + size(28+len(m)) + "\x00\x00\x00\x00\x40\x11\x00\x00\x00\x00\x00\x00\xff\xff\xff\xff" +
		"\x00\x44\x00\x43" + size(8+len(m)) + "\x00\x00" + m
}

// advertises is a neighbour advertisement of fd00::9 by IPv6, passed on by routers until its hop limit is hops.
func advertises(hops byte, option string) string {
	const addr = "\xfd\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x09"
	const group = "\xff\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01"
	return "\x33\x33\x00\x00\x00\x01" + mac + "\x86\xdd\x60\x00\x00\x00\x00" + string([]byte{byte(24 + len(option)), 58, hops}) + addr + group +
		"\x88\x00\x00\x00\x20\x00\x00\x00" + addr + option
}

func TestRead(t *testing.T) {
	const takes = "\x35\x01\x03\x32\x04\x0a\x00\x00\x07\x36\x04\x0a\x00\x00\x01\x0c\x03cam\xff"
	for what, tc := range map[string]struct{ frame, by, addr string }{
		"ARP":                      {arp(mac, "\x0a\x00\x00\x09"), link.ARP, "10.0.0.9"},
		"an answer of ARP, padded": {strings.Replace(arp(mac, "\x0a\x00\x00\x09"), request, request[:7]+"\x02", 1) + strings.Repeat("\x00", 18), link.ARP, "10.0.0.9"},
		"a neighbour":              {advertises(255, "\x02\x01"+mac), link.NDP, "fd00::9"},
		"a client with an offer":   {asks(takes), link.DHCP, "10.0.0.7"},
		"a client without":         {asks("\x35\x01\x01\xff"), link.DHCP, "invalid IP"},

		"a probe for a free address": {arp(mac, "\x00\x00\x00\x00"), "", ""},
		"one speaks for another":     {arp(other, "\x0a\x00\x00\x09"), "", ""},
		"a group's address":          {arp(mac, "\xe0\x00\x00\x01"), "", ""},
		"a cut one":                  {arp(mac, "\x0a\x00\x00\x09")[:41], "", ""},
		"a neighbour from afar":      {advertises(254, "\x02\x01"+mac), "", ""},
		"no hardware address":        {advertises(255, "\x05\x01\x00\x00\x00\x00\x05\xdc"), "", ""},
		"an empty option":            {advertises(255, "\x02\x00"+mac), "", ""},
		"a server's port":            {strings.Replace(asks(takes), "\x00\x44\x00\x43", "\x00\x43\x00\x44", 1), "", ""},
		"a fragment":                 {strings.Replace(asks(takes), "\x00\x00\x00\x00\x40\x11", "\x00\x00\x20\x00\x40\x11", 1), "", ""},
		"relayed":                    {strings.Replace(asks(takes), "\x01\x01\x06"+strings.Repeat("\x00", 25), "\x01\x01\x06"+strings.Repeat("\x00", 24)+"\x09", 1), "", ""},
		"nothing":                    {"", "", ""},
	} {
		h, ok := link.Read([]byte(tc.frame))
		if ok != (tc.by != "") || ok && (h.By != tc.by || h.Addr.String() != tc.addr || string(h.MAC) != mac) {
			t.Errorf("%s: %+v, %v; want %s of %s", what, h, ok, tc.by, tc.addr)
		}
	}
}

// FuzzRead reads any frame: a host of its own hardware address speaks for itself.
func FuzzRead(f *testing.F) {
	for _, s := range []string{arp(mac, "\x0a\x00\x00\x09"), advertises(255, "\x02\x01"+mac), asks("\x35\x01\x01\x0c\x03cam\xff")} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, ok := link.Read(b)
		if !ok {
			return
		}
		if !bytes.Equal(h.MAC, b[6:12]) || h.MAC[0]&1 != 0 || h.Addr.IsValid() && !h.Addr.IsGlobalUnicast() || h.By != link.DHCP && h.Addr == (netip.Addr{}) {
			t.Errorf("%x: %+v", b, h)
		}
	})
}
