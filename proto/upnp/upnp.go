// Package upnp builds and reads the messages by which UPnP devices are found, and their descriptions (UPnP Device
// Architecture 1.1 and 2.0). No I/O.
package upnp

import (
	"bufio"
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"net/netip"
	"net/textproto"
	"strings"
)

// Group is where searches for all go.
var Group = netip.AddrPortFrom(netip.AddrFrom4([4]byte{239, 255, 255, 250}), 1900)

// Search asks for root devices; a host waits up to a second with its answer. to is the group or one host.
func Search(to netip.AddrPort) []byte {
	return fmt.Appendf(nil, "M-SEARCH * HTTP/1.1\r\nHOST: %s\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\nST: upnp:rootdevice\r\n\r\n", to)
}

// Reply is one answer to a search.
type Reply struct {
	Server   string // operating system, UPnP version and product
	USN      string
	Location string // where the description is said to be
}

// ReadReply reads an answer. Announcements and searches of others are errors.
func ReadReply(b []byte) (Reply, error) {
	r := textproto.NewReader(bufio.NewReader(bytes.NewReader(b)))
	line, err := r.ReadLine()
	if err != nil || !strings.HasPrefix(line, "HTTP/1.") || !strings.Contains(line, " 200") {
		return Reply{}, fmt.Errorf("read SSDP answer: it begins with %.40q", line)
	}
	h, err := r.ReadMIMEHeader()
	if err != nil && len(h) == 0 {
		return Reply{}, fmt.Errorf("read SSDP answer: %w", err)
	}
	return Reply{Server: h.Get("Server"), USN: h.Get("Usn"), Location: strings.TrimSpace(h.Get("Location"))}, nil
}

// Device is a device of a description: what the maker says of it.
type Device struct {
	Type             string `xml:"deviceType"`
	FriendlyName     string `xml:"friendlyName"`
	Manufacturer     string `xml:"manufacturer"`
	ModelName        string `xml:"modelName"`
	ModelNumber      string `xml:"modelNumber"`
	ModelDescription string `xml:"modelDescription"`
	SerialNumber     string `xml:"serialNumber"`
	UDN              string `xml:"UDN"`
	SoftwareVersion  string `xml:"softwareVersion"` // of some makers
	RoomName         string `xml:"roomName"`        // of some makers

	Embedded []Device `xml:"deviceList>device"`
}

// ReadDescription reads a description and gives its root device, with what is embedded in it.
func ReadDescription(b []byte) (Device, error) {
	d := xml.NewDecoder(bytes.NewReader(b))
	d.Strict = false // a stray ampersand in a name is common
	d.CharsetReader = func(label string, in io.Reader) (io.Reader, error) {
		switch strings.ToLower(label) {
		case "utf-8", "utf8", "us-ascii", "ascii":
			return in, nil
		case "iso-8859-1", "latin1", "windows-1252":
			all, err := io.ReadAll(in)
			wide := make([]rune, len(all))
			for i, c := range all {
				wide[i] = rune(c)
			}
			return strings.NewReader(string(wide)), err
		}
		return nil, fmt.Errorf("unknown encoding %q", label)
	}
	var root struct {
		XMLName xml.Name `xml:"root"`
		Device  *Device  `xml:"device"`
	}
	if err := d.Decode(&root); err != nil {
		return Device{}, fmt.Errorf("read UPnP description: %w", err)
	}
	if root.Device == nil {
		return Device{}, fmt.Errorf("read UPnP description: it has no device")
	}
	return *root.Device, nil
}
