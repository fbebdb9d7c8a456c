package wire

import (
	"net/netip"
	"testing"
)

// FuzzNeighbors feeds netlink messages and ARP frames that no kernel sent.
func FuzzNeighbors(f *testing.F) {
	f.Add([]byte{36, 0, 0, 0, 28, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 1, 8, 0, 1, 0, 10, 0, 0, 1})
	f.Add(arpRequest([]byte{2, 0, 0, 0, 0, 1}, netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")))
	all := netip.MustParsePrefix("0.0.0.0/0")
	f.Fuzz(func(t *testing.T, b []byte) {
		seen, err := parseNeighbors(b, all)
		if err != nil && seen != nil {
			t.Error("both an answer and an error")
		}
		for a, mac := range seen {
			if !a.Is4() || !ordinary(mac) {
				t.Errorf("%s %s", a, mac)
			}
		}
		if a, mac, ok := parseARP(b); ok && (!a.Is4() || !ordinary(mac)) {
			t.Errorf("%s %s", a, mac)
		}
	})
}
