package upnp

import (
	"net/netip"
	"testing"
)

// TestPlace: a description is read from the answering host, at a port of web servers, or not at all.
func TestPlace(t *testing.T) {
	four, six := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
	for _, tc := range []struct {
		addr     netip.Addr
		location string
		port     uint16
		path     string
	}{
		{four, "http://192.0.2.1:5000/rootDesc.xml", 5000, "/rootDesc.xml"},
		{four, "http://192.0.2.1/d.xml?x=1#y", 80, "/d.xml?x=1"},
		{four, "http://192.0.2.1:8200", 8200, "/"},
		{six, "http://[2001:db8::1]:5000/d", 5000, "/d"},
		{four, "http://192.0.2.2:5000/rootDesc.xml", 0, ""},
		{four, "http://192.0.2.1.example:5000/", 0, ""},
		{four, "http://192.0.2.1@192.0.2.2/", 0, ""},
		{four, "http://router.local:5000/", 0, ""},
		{four, "https://192.0.2.1/", 0, ""},
		{four, "file:///etc/passwd", 0, ""},
		{four, "http://192.0.2.1:502/", 0, ""},
		{four, "http://192.0.2.1:22/", 0, ""},
		{four, "http://192.0.2.1:44818/", 0, ""},
		{four, "http://192.0.2.1:0/", 0, ""},
		{four, "", 0, ""},
		{four, "http://%zz/", 0, ""},
	} {
		port, path, err := place(tc.addr, tc.location)
		if port != tc.port || path != tc.path || (err == nil) != (tc.port != 0) {
			t.Errorf("%s at %s: port %d, path %q, %v", tc.location, tc.addr, port, path, err)
		}
	}
}

// FuzzPlace: whatever a device says, the request goes to its own address.
func FuzzPlace(f *testing.F) {
	f.Add("http://192.0.2.1:5000/rootDesc.xml")
	f.Add("http://192.0.2.1:5000\r\n@x/")
	f.Fuzz(func(t *testing.T, location string) {
		port, path, err := place(netip.MustParseAddr("192.0.2.1"), location)
		if err == nil && (port == 0 || path == "" || path[0] != '/') {
			t.Errorf("%q: port %d, path %q", location, port, path)
		}
	})
}
