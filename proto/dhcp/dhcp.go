// Package dhcp reads what a DHCPv4 client says to everybody on its link when it asks for an address (RFC 2131, options of
// RFC 2132): who it says it is and which options it wants, in its own order. Nothing here asks or answers. No I/O.
package dhcp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"unicode"
)

// Kind is a DHCP message type (RFC 2132 §9.6).
type Kind byte

// The kinds that a client sends and that tell something about it.
const (
	Discover Kind = 1
	Request  Kind = 3
	Inform   Kind = 8
)

// Message is one message of a client.
type Message struct {
	Kind      Kind
	MAC       net.HardwareAddr
	Client    netip.Addr // the address that it has and answers at; not valid: none
	Requested netip.Addr // the address that it asks for; not valid: none
	Server    netip.Addr // the server whose offer it takes; not valid: none
	Relayed   bool       // a relay passed it on from another link

	Hostname    string
	FQDN        string
	VendorClass string
	MUD         string // where its usage description lies (RFC 8520 §10)
	ClientID    []byte
	Parameters  []byte // option codes that it wants, in its order
}

// Addr is the address at which the client is, or is about to be: the one that it has, or the one of the offer that it takes.
// An address that it only remembers, from this network or another, is none.
func (m Message) Addr() (netip.Addr, bool) {
	switch {
	case m.Client.IsValid():
		return m.Client, true
	case m.Kind == Request && m.Server.IsValid() && m.Requested.IsValid():
		return m.Requested, true
	}
	return netip.Addr{}, false
}

// The options that are read.
const (
	optHostname   = 12
	optRequested  = 50
	optOverload   = 52
	optKind       = 53
	optServer     = 54
	optParameters = 55
	optVendor     = 60
	optClientID   = 61
	optFQDN       = 81
	optMUD        = 161
)

// Offsets of the fixed part (RFC 2131 §2).
const (
	atHardware = 28
	atSname    = 44
	atFile     = 108
	atCookie   = 236
	atOptions  = 240
)

var errFormat = errors.New("read DHCP message: it is none of a client")

// Parse reads the payload of a datagram to port 67. Messages of servers, and those by which a client gives an address
// back or declines it, are none.
func Parse(b []byte) (Message, error) {
	const request, ethernet = 1, 1
	if len(b) < atOptions || b[0] != request || b[1] != ethernet || b[2] != 6 || !bytes.Equal(b[atCookie:atOptions], []byte{99, 130, 83, 99}) {
		return Message{}, errFormat
	}
	options := map[byte][]byte{}
	gather(options, b[atOptions:])
	if over := options[optOverload]; len(over) == 1 { // the fields of boot files hold options too (RFC 2132 §9.3)
		if over[0]&1 != 0 {
			gather(options, b[atFile:atCookie])
		}
		if over[0]&2 != 0 {
			gather(options, b[atSname:atFile])
		}
	}
	m := Message{
		MAC: slices.Clone(net.HardwareAddr(b[atHardware : atHardware+6])), Client: address(b[12:16]), Relayed: address(b[24:28]).IsValid(),
		Requested: address(options[optRequested]), Server: address(options[optServer]),
		Hostname: text(options[optHostname]), VendorClass: text(options[optVendor]), FQDN: fqdn(options[optFQDN]), MUD: mud(options[optMUD]),
		ClientID: options[optClientID], Parameters: options[optParameters],
	}
	if kind := options[optKind]; len(kind) == 1 {
		m.Kind = Kind(kind[0])
	}
	if m.Kind != Discover && m.Kind != Request && m.Kind != Inform {
		return Message{}, errFormat
	}
	return m, nil
}

// gather joins the pieces of each option (RFC 3396). What is cut off at the end is left out.
func gather(into map[byte][]byte, b []byte) {
	const pad, end = 0, 255
	for len(b) > 0 && b[0] != end {
		if b[0] == pad {
			b = b[1:]
			continue
		}
		if len(b) < 2 || len(b) < 2+int(b[1]) {
			return
		}
		n := 2 + int(b[1])
		into[b[0]] = append(into[b[0]], b[2:n]...)
		b = b[n:]
	}
}

func address(b []byte) netip.Addr {
	if len(b) != 4 || binary.BigEndian.Uint32(b) == 0 {
		return netip.Addr{}
	}
	return netip.AddrFrom4([4]byte(b))
}

// text is what an option says to people: some clients end it with a zero, none needs control characters.
func text(b []byte) string {
	s, _, _ := strings.Cut(string(b), "\x00")
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	return strings.TrimSpace(s)
}

// fqdn reads option 81: flags, two bytes without meaning, then a name as text or, with the bit E, as labels (RFC 4702 §2).
func fqdn(b []byte) string {
	const encoded = 4
	if len(b) < 3 {
		return ""
	}
	flags, name := b[0], b[3:]
	if flags&encoded == 0 {
		return text(name)
	}
	var labels []string
	for len(name) > 0 && name[0] != 0 && name[0] < 64 && int(name[0]) < len(name) {
		labels = append(labels, text(name[1:1+name[0]]))
		name = name[1+name[0]:]
	}
	return strings.Join(labels, ".")
}

// mud is a MUD URL; it must be https (RFC 8520 §10).
func mud(b []byte) string {
	if s := text(b); strings.HasPrefix(s, "https://") {
		return s
	}
	return ""
}
