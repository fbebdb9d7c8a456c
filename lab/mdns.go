package lab

import (
	"net"
	"net/netip"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

// mdnsGroup is the group of multicast DNS (RFC 6762).
var mdnsGroup = netip.AddrFrom4([4]byte{224, 0, 0, 251})

// mdnsService is one service that a device announces.
type mdnsService struct {
	kind     string // "_http._tcp"
	instance string
	port     uint16
	txt      []string
}

// announce is the multicast DNS service of a device. what is called for each question, with mu held.
func (d *Device) announce(what func() []mdnsService) service {
	return service{name: "mdns", network: "udp", port: 5353, group: mdnsGroup, packet: func(p net.PacketConn) {
		serveDatagrams(p, func(question []byte) []byte {
			d.mu.Lock()
			defer d.mu.Unlock()
			return d.answerMDNS(question, what())
		})
	}}
}

// answerMDNS answers by unicast, as a responder does to a question from a high port (RFC 6762 §6.7); nil if there is
// nothing to say.
func (d *Device) answerMDNS(question []byte, services []mdnsService) []byte {
	var q dnsmessage.Message
	if q.Unpack(question) != nil || q.Response {
		return nil
	}
	host, err := dnsmessage.NewName(strings.ToLower(d.name) + ".local.")
	if err != nil {
		return nil
	}
	answer := dnsmessage.Message{Header: dnsmessage.Header{ID: q.ID, Response: true, Authoritative: true}, Questions: q.Questions}
	say := func(name dnsmessage.Name, body dnsmessage.ResourceBody) {
		h := dnsmessage.ResourceHeader{Name: name, Class: dnsmessage.ClassINET, TTL: 10}
		answer.Answers = append(answer.Answers, dnsmessage.Resource{Header: h, Body: body})
	}
	for _, ask := range q.Questions {
		name := strings.ToLower(ask.Name.String())
		all := ask.Type == dnsmessage.TypeALL
		for _, s := range services {
			kind, err1 := dnsmessage.NewName(s.kind + ".local.")
			full, err2 := dnsmessage.NewName(s.instance + "." + s.kind + ".local.")
			if err1 != nil || err2 != nil {
				continue
			}
			switch {
			case name == "_services._dns-sd._udp.local." && (all || ask.Type == dnsmessage.TypePTR):
				say(ask.Name, &dnsmessage.PTRResource{PTR: kind})
			case strings.EqualFold(name, kind.String()) && (all || ask.Type == dnsmessage.TypePTR):
				say(ask.Name, &dnsmessage.PTRResource{PTR: full})
			case strings.EqualFold(name, full.String()):
				if all || ask.Type == dnsmessage.TypeSRV {
					say(full, &dnsmessage.SRVResource{Target: host, Port: s.port})
				}
				if all || ask.Type == dnsmessage.TypeTXT {
					say(full, &dnsmessage.TXTResource{TXT: s.txt})
				}
			}
		}
		if strings.EqualFold(name, host.String()) && (all || ask.Type == dnsmessage.TypeA) && d.host.ifaces[0].addr.Is4() {
			say(host, &dnsmessage.AResource{A: d.host.ifaces[0].addr.As4()})
		}
	}
	if len(answer.Answers) == 0 {
		return nil
	}
	b, err := answer.Pack()
	if err != nil {
		return nil
	}
	return b
}
