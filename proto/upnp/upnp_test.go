package upnp_test

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"

	"github.com/firmward/firmward/proto/upnp"
)

const reply = "HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=120\r\nST: upnp:rootdevice\r\nUSN: uuid:1::upnp:rootdevice\r\nEXT:\r\n" +
	"SERVER: Debian/12 UPnP/1.1 MiniUPnPd/2.3.1\r\nLOCATION: http://192.0.2.1:5000/rootDesc.xml\r\n\r\n"

const description = `<?xml version="1.0" encoding="ISO-8859-1"?>
<root xmlns="urn:schemas-upnp-org:device-1-0"><specVersion><major>1</major></specVersion><device>
<deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:1</deviceType><friendlyName>B` + "\xfc" + `ro & Co</friendlyName>
<manufacturer>ASUSTeK</manufacturer><modelName>RT-AC68U</modelName><modelNumber>3.0.0.4</modelNumber><UDN>uuid:1</UDN>
<deviceList><device><deviceType>urn:schemas-upnp-org:device:WANDevice:1</deviceType><manufacturer>MiniUPnP</manufacturer><modelName>MiniUPnPd</modelName>
<deviceList><device><modelName>deeper</modelName></device></deviceList></device></deviceList></device></root>`

func TestSearch(t *testing.T) {
	got := string(upnp.Search(upnp.Group))
	if !strings.HasPrefix(got, "M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\n") || !strings.HasSuffix(got, "\r\nST: upnp:rootdevice\r\n\r\n") {
		t.Errorf("%q", got)
	}
	if _, err := upnp.ReadReply(upnp.Search(netip.MustParseAddrPort("192.0.2.1:1900"))); err == nil {
		t.Error("a search was taken for an answer")
	}
}

func TestReadReply(t *testing.T) {
	r, err := upnp.ReadReply([]byte(reply))
	if err != nil || r.Location != "http://192.0.2.1:5000/rootDesc.xml" || r.Server != "Debian/12 UPnP/1.1 MiniUPnPd/2.3.1" || r.USN != "uuid:1::upnp:rootdevice" {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestReadDescription keeps root and embedded devices apart.
func TestReadDescription(t *testing.T) {
	d, err := upnp.ReadDescription([]byte(description))
	if err != nil {
		t.Fatal(err)
	}
	if d.Manufacturer != "ASUSTeK" || d.ModelName != "RT-AC68U" || d.FriendlyName != "Büro & Co" || d.UDN != "uuid:1" {
		t.Errorf("root %+v", d)
	}
	if len(d.Embedded) != 1 || d.Embedded[0].Manufacturer != "MiniUPnP" || len(d.Embedded[0].Embedded) != 1 {
		t.Errorf("embedded %+v", d.Embedded)
	}
	for _, bad := range []string{"", "<html><body>login</body></html>", "<root></root>", `<?xml version="1.0" encoding="ebcdic"?><root/>`} {
		if d, err := upnp.ReadDescription([]byte(bad)); err == nil {
			t.Errorf("%q was read as %+v", bad, d)
		}
	}
}

// FuzzReadDescription reads any bytes: an error, or texts no longer than what came.
func FuzzReadDescription(f *testing.F) {
	f.Add([]byte(description))
	f.Add([]byte("<root><device>"))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := upnp.ReadDescription(b)
		if err == nil && len(d.Manufacturer) > 4*len(b) {
			t.Errorf("%d bytes became %d", len(b), len(d.Manufacturer))
		}
	})
}

// FuzzReadReply reads any datagram: an error, or header values that were in it.
func FuzzReadReply(f *testing.F) {
	f.Add([]byte(reply))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := upnp.ReadReply(b)
		if err == nil && !bytes.Contains(b, []byte(r.Location)) {
			t.Errorf("%q is not in %q", r.Location, b)
		}
	})
}
