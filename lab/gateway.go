package lab

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// GatewaySpec describes a home router that tells of itself by UPnP, SSH and the certificate of its web page.
type GatewaySpec struct {
	Place
	Model    string // RT-AC68U if empty
	Version  string // 3.0.0.4.386 if empty
	Location string // where it says its UPnP description is; its own port 5000 if empty
	KeySeed  string // devices with the same seed were given the same keys by their maker; the name if empty
}

// gateway is a router that can be looked at, and nothing else.
type gateway struct {
	*Device
	location string
	key      ed25519.PrivateKey
}

// ssdpGroup is where UPnP searches go.
var ssdpGroup = netip.AddrFrom4([4]byte{239, 255, 255, 250})

// AddGateway adds a router and boots it. Its UPnP root device is the router; embedded in it is the device that the
// UPnP software calls its own.
func (l *Lab) AddGateway(spec GatewaySpec) (*Device, error) {
	spec.Version = or(spec.Version, "3.0.0.4.386")
	d, err := l.add("gateway", spec.Place, []byte{0x2c, 0xfd, 0xa1}, false, spec.Version) // ASUSTek
	if err != nil {
		return nil, err
	}
	g := &gateway{Device: d, key: keyOf(or(spec.KeySeed, spec.Name))}
	d.model, d.hardware, d.bootTime = or(spec.Model, "RT-AC68U"), "A1", time.Minute
	d.serial = d.host.ifaces[0].mac.String()
	g.location = or(spec.Location, fmt.Sprintf("http://%s:5000/rootDesc.xml", d.host.ifaces[0].addr))
	certificate, err := d.selfSigned(g.key, "router.asus.com", "ASUSTeK")
	if err != nil {
		return nil, err
	}
	page := http.HandlerFunc(g.servePage)
	d.services = []service{
		{name: "http", network: "tcp", port: 80, main: true, stream: d.serveHTTP(page)},
		{name: "https", network: "tcp", port: 443, stream: d.serveHTTPS(certificate, page)},
		{name: "ssh", network: "tcp", port: 22, stream: d.serveConns(g.serveSSH)},
		{name: "ssdp", network: "udp", port: 1900, group: ssdpGroup, packet: func(c net.PacketConn) { serveDatagrams(c, g.answerSearch) }},
		{name: "upnp", network: "tcp", port: 5000, stream: d.serveHTTP(http.HandlerFunc(g.serveDescription))},
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.boot()
	return d, nil
}

func (g *gateway) servePage(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Server", "httpd/2.0")
	if r.URL.Path != "/" {
		http.NotFound(w, r)
		return
	}
	fmt.Fprintf(w, "<!DOCTYPE html><html><head><title>ASUS Login</title></head><body>%s</body></html>\n", g.model)
}

// serveSSH lets nobody in.
func (g *gateway) serveSSH(_ context.Context, c net.Conn) {
	signer, err := ssh.NewSignerFromKey(g.key)
	if err != nil {
		return
	}
	cfg := &ssh.ServerConfig{
		ServerVersion: "SSH-2.0-dropbear_2019.78",
		PasswordCallback: func(ssh.ConnMetadata, []byte) (*ssh.Permissions, error) {
			return nil, errors.New("wrong password")
		},
	}
	cfg.AddHostKey(signer)
	conn, _, _, err := ssh.NewServerConn(c, cfg)
	if err == nil {
		_ = conn.Close()
	}
}

// answerSearch answers a search for root devices or for everything.
func (g *gateway) answerSearch(b []byte) []byte {
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(b)))
	if err != nil || r.Method != "M-SEARCH" || r.Header.Get("Man") != `"ssdp:discover"` {
		return nil
	}
	if st := r.Header.Get("St"); st != "upnp:rootdevice" && st != "ssdp:all" {
		return nil
	}
	return fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=120\r\nST: upnp:rootdevice\r\nUSN: %s::upnp:rootdevice\r\nEXT:\r\n"+
		"SERVER: Linux/2.6.36 UPnP/1.1 MiniUPnPd/2.0\r\nLOCATION: %s\r\n\r\n", g.udn(), g.location)
}

func (g *gateway) udn() string {
	return "uuid:3ddcd1d3-2380-45f5-b069-" + strings.ReplaceAll(g.host.ifaces[0].mac.String(), ":", "")
}

// upnpDevice is a device of a UPnP description.
type upnpDevice struct {
	DeviceType       string       `xml:"deviceType"`
	FriendlyName     string       `xml:"friendlyName"`
	Manufacturer     string       `xml:"manufacturer"`
	ModelDescription string       `xml:"modelDescription,omitempty"`
	ModelName        string       `xml:"modelName"`
	ModelNumber      string       `xml:"modelNumber"`
	SerialNumber     string       `xml:"serialNumber"`
	UDN              string       `xml:"UDN"`
	Devices          []upnpDevice `xml:"deviceList>device,omitempty"`
}

func (g *gateway) serveDescription(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/rootDesc.xml" {
		http.NotFound(w, r)
		return
	}
	g.mu.Lock()
	version := g.version()
	g.mu.Unlock()
	root := struct {
		XMLName xml.Name   `xml:"urn:schemas-upnp-org:device-1-0 root"`
		Device  upnpDevice `xml:"device"`
	}{Device: upnpDevice{
		DeviceType: "urn:schemas-upnp-org:device:InternetGatewayDevice:1", FriendlyName: g.model, Manufacturer: "ASUSTeK Computer Inc.",
		ModelDescription: "ASUS Wireless Router", ModelName: g.model, ModelNumber: version, SerialNumber: g.serial, UDN: g.udn(),
		Devices: []upnpDevice{{
			DeviceType: "urn:schemas-upnp-org:device:WANDevice:1", FriendlyName: "WANDevice", Manufacturer: "MiniUPnP",
			ModelName: "WAN Device", ModelNumber: "20190101", SerialNumber: "00000000", UDN: strings.Replace(g.udn(), "45f5", "45f6", 1),
		}},
	}}
	w.Header().Set("Content-Type", "text/xml")
	_, _ = io.WriteString(w, xml.Header)
	_ = xml.NewEncoder(w).Encode(root)
}
