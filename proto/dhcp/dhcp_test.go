package dhcp_test

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/firmward/firmward/proto/dhcp"
)

// message is a client's message with options.
func message(options ...string) []byte {
	b := make([]byte, 236)
	b[0], b[1], b[2] = 1, 1, 6
	copy(b[28:], "\x02\x00\x00\x00\x00\x09")
	return append(append(b, 99, 130, 83, 99), strings.Join(options, "")...)
}

const mac = "02:00:00:00:00:09"

func TestParse(t *testing.T) {
	overloaded := message("\x35\x01\x01", "\x34\x01\x03", "\xff")
	copy(overloaded[108:], "\x0c\x04lamp\xff")
	copy(overloaded[44:], "\x3c\x03udh\x3c\x07cp 1.36\xff")
	inform := message("\x35\x01\x08")
	copy(inform[12:], "\x0a\x00\x00\x07")
	for what, tc := range map[string]struct {
		in   []byte
		want dhcp.Message
		addr string
	}{
		"first words": {
			message("\x35\x01\x01", "\x3d\x07\x01\x02\x00\x00\x00\x00\x09", "\x37\x04\x01\x79\x03\x06", "\x0c\x05cam-1", "\x3c\x08MSFT 5.0", "\xff"),
			dhcp.Message{Kind: dhcp.Discover, Hostname: "cam-1", VendorClass: "MSFT 5.0", ClientID: []byte("\x01\x02\x00\x00\x00\x00\x09"), Parameters: []byte{1, 121, 3, 6}},
			"",
		},
		"an offer is taken": {
			message("\x35\x01\x03", "\x32\x04\x0a\x00\x00\x07", "\x36\x04\x0a\x00\x00\x01", "\x51\x0a\x04\x00\x00\x03cam\x02de\x00", "\xa1\x15https://x.example/cam"),
			dhcp.Message{Kind: dhcp.Request, FQDN: "cam.de", MUD: "https://x.example/cam", Requested: netip.MustParseAddr("10.0.0.7"), Server: netip.MustParseAddr("10.0.0.1")},
			"10.0.0.7",
		},
		"a remembered address is none": {
			message("\x35\x01\x03", "\x32\x04\x0a\x00\x00\x07", "\x51\x06\x00\x00\x00cam", "\xa1\x10http://x.example"),
			dhcp.Message{Kind: dhcp.Request, FQDN: "cam", Requested: netip.MustParseAddr("10.0.0.7")},
			"",
		},
		"it has an address": {inform, dhcp.Message{Kind: dhcp.Inform, Client: netip.MustParseAddr("10.0.0.7")}, "10.0.0.7"},
		"boot fields":       {overloaded, dhcp.Message{Kind: dhcp.Discover, Hostname: "lamp", VendorClass: "udhcp 1.36"}, ""},
		"odd text": {
			message("\x35\x01\x01", "\x0c\x07a\x1b[2Jb\x00", "\x3c\x04\xff\xfeok", "\x37"),
			dhcp.Message{Kind: dhcp.Discover, Hostname: "a[2Jb", VendorClass: "ok"},
			"",
		},
	} {
		got, err := dhcp.Parse(tc.in)
		if err != nil || got.MAC.String() != mac {
			t.Errorf("%s: %v, %v", what, got.MAC, err)
		}
		got.MAC = nil
		if diff := cmp.Diff(tc.want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
		if a, ok := got.Addr(); ok != (tc.addr != "") || ok && a.String() != tc.addr {
			t.Errorf("%s: it is at %v, %v; want %q", what, a, ok, tc.addr)
		}
	}
	answer := message("\x35\x01\x05")
	answer[0] = 2
	for what, b := range map[string][]byte{
		"nothing": nil, "short": message()[:239], "no kind": message("\x0c\x01a"), "of a server": answer, "released": message("\x35\x01\x07"),
		"no cookie": bytes.Replace(message("\x35\x01\x01"), []byte{99, 130}, []byte{99, 131}, 1), "a cut option": message("\x35"),
	} {
		if m, err := dhcp.Parse(b); err == nil {
			t.Errorf("%s was taken: %+v", what, m)
		}
	}
}

// FuzzParse reads any bytes: what is said was in them, and is fit for a screen.
func FuzzParse(f *testing.F) {
	f.Add(message("\x35\x01\x03", "\x32\x04\x0a\x00\x00\x07", "\x51\x0a\x04\x00\x00\x03cam\x02de\x00", "\x0c\x05cam-1", "\xff"))
	f.Add(message("\x34\x01\x03\x35\x01\x01"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := dhcp.Parse(b)
		if err != nil {
			return
		}
		all := []string{m.Hostname, m.FQDN, m.VendorClass, m.MUD}
		size := len(m.ClientID) + len(m.Parameters)
		for _, s := range all {
			size += len(s)
		}
		if size > len(b) || slices.ContainsFunc(all, func(s string) bool { return strings.ContainsAny(s, "\x00\x1b\n\r") }) {
			t.Errorf("%d bytes said %q", len(b), all)
		}
	})
}
