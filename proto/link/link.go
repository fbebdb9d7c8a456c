// Package link reads the frames by which hosts tell everybody on their link who they are: ARP (RFC 826), the neighbour
// messages of IPv6 (RFC 4861) and DHCP clients that ask for an address. Everything else is left unread. No I/O.
package link

import (
	"encoding/binary"
	"net"
	"net/netip"
	"slices"

	"github.com/firmward/firmward/proto/dhcp"
)

// The protocols that are read.
const (
	ARP  = "arp"
	NDP  = "ndp"
	DHCP = "dhcp"
)

// Heard is what one frame told.
type Heard struct {
	By   string
	MAC  net.HardwareAddr
	Addr netip.Addr   // of the host that speaks; not valid where it has none yet
	DHCP dhcp.Message // only by DHCP
}

// Ethernet types.
const (
	typeIPv4 = 0x0800
	typeARP  = 0x0806
	typeIPv6 = 0x86dd
)

// Read reads one Ethernet frame. Frames of other protocols, broken ones and those in which one host speaks for
// another give false: a router that answers for the hosts behind it is not those hosts.
func Read(frame []byte) (Heard, bool) {
	if len(frame) < 14 {
		return Heard{}, false
	}
	var h Heard
	from, payload, ok := net.HardwareAddr(frame[6:12]), frame[14:], false
	switch binary.BigEndian.Uint16(frame[12:]) {
	case typeARP:
		h, ok = arp(payload)
	case typeIPv4:
		h, ok = client(payload)
	case typeIPv6:
		h, ok = neighbour(payload)
	}
	ok = ok && slices.Equal(h.MAC, from) && oneHost(from)
	if h.By != DHCP {
		ok = ok && h.Addr.IsGlobalUnicast()
	}
	if !ok {
		return Heard{}, false
	}
	h.MAC = slices.Clone(h.MAC)
	return h, true
}

// oneHost reports whether a hardware address is neither that of a group nor zero.
func oneHost(mac net.HardwareAddr) bool {
	return mac[0]&1 == 0 && slices.ContainsFunc(mac, func(b byte) bool { return b != 0 })
}

// arp reads requests and answers alike. A request without a sender only tries whether an address is free (RFC 5227 §2.1).
func arp(b []byte) (Heard, bool) {
	const ethernetIPv4, request, answer = 0x0001_0800_0604, 1, 2
	if len(b) < 28 || binary.BigEndian.Uint64(b)>>16 != ethernetIPv4 {
		return Heard{}, false
	}
	if op := binary.BigEndian.Uint16(b[6:]); op != request && op != answer {
		return Heard{}, false
	}
	return Heard{By: ARP, MAC: net.HardwareAddr(b[8:14]), Addr: netip.AddrFrom4([4]byte(b[14:18]))}, true
}

// client reads a DHCP client's message. Checksums are not looked at: a host may leave them to its card.
func client(b []byte) (Heard, bool) {
	const udp, server, fragment = 17, 67, 0x3fff
	if len(b) < 20 || b[0]>>4 != 4 || b[9] != udp || binary.BigEndian.Uint16(b[6:])&fragment != 0 {
		return Heard{}, false
	}
	head, total := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
	if head < 20 || total < head+8 || total > len(b) || binary.BigEndian.Uint16(b[head+2:]) != server {
		return Heard{}, false
	}
	datagram := b[head:total]
	n := int(binary.BigEndian.Uint16(datagram[4:]))
	if n < 8 || n > len(datagram) {
		return Heard{}, false
	}
	m, err := dhcp.Parse(datagram[8:n])
	if err != nil || m.Relayed {
		return Heard{}, false
	}
	h := Heard{By: DHCP, MAC: m.MAC, DHCP: m}
	if a, ok := m.Addr(); ok && a.IsGlobalUnicast() {
		h.Addr = a
	}
	return h, true
}

// neighbour reads solicitations and advertisements that name a hardware address. A hop limit of 255 says that no router
// passed them on (RFC 4861 §7.1).
func neighbour(b []byte) (Heard, bool) {
	const icmp, solicitation, advertisement, itsOwn, theTarget = 58, 135, 136, 1, 2
	if len(b) < 40+24 || b[0]>>4 != 6 || b[6] != icmp || b[7] != 255 {
		return Heard{}, false
	}
	end := 40 + int(binary.BigEndian.Uint16(b[4:]))
	if end < 40+24 || end > len(b) {
		return Heard{}, false
	}
	h := Heard{By: NDP}
	option := byte(itsOwn)
	switch msg := b[40:end]; msg[0] {
	case solicitation:
		h.Addr = netip.AddrFrom16([16]byte(b[8:24]))
	case advertisement:
		h.Addr, option = netip.AddrFrom16([16]byte(msg[8:24])), theTarget
	default:
		return h, false
	}
	for opts := b[40+24 : end]; len(opts) >= 8; {
		n := int(opts[1]) * 8
		if n == 0 || n > len(opts) {
			break
		}
		if opts[0] == option && n == 8 {
			h.MAC = net.HardwareAddr(opts[2:8])
			return h, true
		}
		opts = opts[n:]
	}
	return h, false
}
