package lab

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
)

// broadcast is the hardware address of everybody on a link.
var broadcast = net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// ear hears what hosts inside a prefix say to everybody.
type ear struct {
	host   *host
	prefix netip.Prefix
	frames chan []byte
}

// Overhear hands over each Ethernet frame that a host inside prefix says to everybody, until ctx or the network ends. It counts
// as no packet to any of them.
func (s *Stack) Overhear(ctx context.Context, prefix netip.Prefix, hear func(frame []byte)) error {
	n := s.h.net
	e := &ear{host: s.h, prefix: prefix, frames: make(chan []byte, 256)}
	n.mu.Lock()
	n.ears[e] = true
	n.mu.Unlock()
	defer func() {
		n.mu.Lock()
		delete(n.ears, e)
		n.mu.Unlock()
	}()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-n.done:
			return net.ErrClosed
		case f := <-e.frames:
			hear(f)
		}
	}
}

// say sends a frame to everybody. What an ear is too slow for is lost.
func (h *host) say(frame []byte) {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	if !h.up || h.silent {
		return
	}
	for e := range h.net.ears {
		if e.host != h && e.prefix.Contains(h.ifaces[0].addr) {
			select {
			case e.frames <- frame:
			default:
			}
		}
	}
}

// Announce says by ARP which address the device has, as one does that was just switched on. A device that is off says nothing.
func (d *Device) Announce() {
	i := d.host.ifaces[0]
	b := ethernet(i.mac, 0x0806)
	b = append(b, 0, 1, 8, 0, 6, 4, 0, 1)
	b = append(append(b, i.mac...), i.addr.AsSlice()...)
	b = append(append(b, 0, 0, 0, 0, 0, 0), i.addr.AsSlice()...)
	d.host.say(b)
}

// Client is what a device tells about itself when it asks for an address.
type Client struct {
	Hostname, VendorClass, MUD string
	Parameters                 []byte
}

// AskForAddress asks everybody by DHCP for an address and takes the offer of the router for the one that it has.
func (d *Device) AskForAddress(c Client) {
	const discover, request = 1, 3
	i := d.host.ifaces[0]
	router := i.addr.As4()
	router[3] = 1
	d.host.say(c.message(i, option(53, discover)))
	d.host.say(c.message(i, option(53, request), option(50, i.addr.AsSlice()...), option(54, router[:]...)))
}

// message is a frame with a DHCP message: Ethernet, IPv4 and UDP from 0.0.0.0:68 to everybody's port 67.
func (c Client) message(from iface, options ...[]byte) []byte {
	m := make([]byte, 236, 400)
	m[0], m[1], m[2] = 1, 1, 6
	copy(m[28:], from.mac)
	m = append(m, 0x63, 0x82, 0x53, 0x63)
	for _, o := range options {
		m = append(m, o...)
	}
	m = append(m, option(12, []byte(c.Hostname)...)...)
	m = append(m, option(60, []byte(c.VendorClass)...)...)
	m = append(m, option(55, c.Parameters...)...)
	m = append(m, option(161, []byte(c.MUD)...)...)
	m = append(m, 0xff)

	b := ethernet(from.mac, 0x0800)
	b = append(b, 0x45, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(20+8+len(m)))
	b = append(b, 0, 0, 0, 0, 64, 17, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255)
	b = append(b, 0, 68, 0, 67)
	b = binary.BigEndian.AppendUint16(b, uint16(8+len(m)))
	return append(append(b, 0, 0), m...)
}

// option is a DHCP option, or nothing where it would be empty.
func option(code byte, value ...byte) []byte {
	if len(value) == 0 {
		return nil
	}
	return append([]byte{code, byte(len(value))}, value...)
}

// ethernet is the head of a frame to everybody.
func ethernet(from net.HardwareAddr, kind uint16) []byte {
	b := append(make([]byte, 0, 512), broadcast...)
	return binary.BigEndian.AppendUint16(append(b, from...), kind)
}
