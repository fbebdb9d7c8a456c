package vm

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/firmward/firmward/proto/dhcp"
	"github.com/firmward/firmward/wire"
)

// mirrors is what the stand-ins bring of a real place.
var mirrors = []string{
	"DHCP: an address, a router, a name server and a time server",
	"DNS: every name leads to the stand-ins",
	"NTP: this host's time",
	"MQTT broker: sessions without a name, messages of QoS 0 to whoever subscribed to all or to the very topic",
}

// standIns answer for the real place until ctx ends. asked is told each name that is looked up.
type standIns struct {
	wg     sync.WaitGroup
	asked  func(name string)
	closes []io.Closer
}

func startStandIns(ctx context.Context, on wire.Network, asked func(string)) (*standIns, error) {
	s := &standIns{asked: asked}
	for port, answer := range map[string]func([]byte) ([]byte, net.Addr){":67": s.lease, ":53": s.name, ":123": s.time} {
		c, err := on.ListenPacket(ctx, "udp4", port)
		if err != nil {
			return nil, errors.Join(err, s.close())
		}
		s.closes = append(s.closes, c)
		s.wg.Go(func() { serve(c, answer) })
	}
	l, err := on.Listen(ctx, "tcp4", ":1883")
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	s.closes = append(s.closes, l)
	s.wg.Go(func() { (&broker{}).serve(l) })
	return s, nil
}

func (s *standIns) close() error {
	var all []error
	for _, c := range s.closes {
		all = append(all, c.Close())
	}
	s.wg.Wait()
	return errors.Join(all...)
}

// serve answers datagrams until the socket is closed. to is where an answer goes when that is not where the question came from.
func serve(c net.PacketConn, answer func([]byte) (reply []byte, to net.Addr)) {
	b := make([]byte, 4<<10)
	for {
		n, from, err := c.ReadFrom(b)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		reply, to := answer(b[:n])
		if reply == nil {
			continue
		}
		if to == nil {
			to = from
		}
		_, _ = c.WriteTo(reply, to) // a datagram may be lost
	}
}

// lease offers the one address of the segment, and grants it (RFC 2131).
func (s *standIns) lease(b []byte) ([]byte, net.Addr) {
	m, err := dhcp.Parse(b)
	if err != nil || m.Kind == dhcp.Inform {
		return nil, nil
	}
	const offer, ack = 2, 5
	kind := byte(offer)
	if m.Kind == dhcp.Request {
		kind = ack
	}
	out := make([]byte, 240)
	copy(out, b[:44]) // hardware, transaction, flags
	out[0] = 2        // a reply
	mine, theirs := gateway.As4(), address.As4()
	copy(out[16:], theirs[:])
	copy(out[20:], mine[:])
	copy(out[236:], []byte{99, 130, 83, 99})
	out = append(out, 53, 1, kind, 54, 4)
	out = append(out, mine[:]...)
	out = append(out, 51, 4, 0, 0, 0x0e, 0x10, 1, 4, 255, 255, 255, 0)
	for _, option := range [...]byte{3, 6, 42} {
		out = append(append(out, option, 4), mine[:]...)
	}
	return append(out, 255), &net.UDPAddr{IP: net.IPv4bcast, Port: 68}
}

// name answers every question for an address with that of the stand-ins.
func (s *standIns) name(b []byte) ([]byte, net.Addr) {
	var p dnsmessage.Parser
	h, err := p.Start(b)
	if err != nil || h.Response {
		return nil, nil
	}
	q, err := p.Question()
	if err != nil {
		return nil, nil
	}
	s.asked(q.Name.String())
	out := dnsmessage.NewBuilder(nil, dnsmessage.Header{ID: h.ID, Response: true, RecursionDesired: h.RecursionDesired, RecursionAvailable: true})
	err = errors.Join(out.StartQuestions(), out.Question(q), out.StartAnswers())
	if q.Type == dnsmessage.TypeA && q.Class == dnsmessage.ClassINET {
		err = errors.Join(err, out.AResource(dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 60}, dnsmessage.AResource{A: gateway.As4()}))
	}
	reply, bad := out.Finish()
	if errors.Join(err, bad) != nil {
		return nil, nil
	}
	return reply, nil
}

// time answers with this host's time (RFC 5905, the form of a server).
func (s *standIns) time(b []byte) ([]byte, net.Addr) {
	const client, server, version = 3, 4, 4
	if len(b) < 48 || b[0]&7 != client {
		return nil, nil
	}
	out := make([]byte, 48)
	out[0], out[1], out[2], out[3] = version<<3|server, 2, b[2], 0xec
	now := stamp(time.Now())
	copy(out[24:32], b[40:48])
	for _, at := range [...]int{16, 32, 40} {
		binary.BigEndian.PutUint64(out[at:], now)
	}
	return out, nil
}

// stamp is a time in NTP's form: seconds since 1900, and their fraction.
func stamp(t time.Time) uint64 {
	const since1900 = 2208988800
	return uint64(t.Unix()+since1900)<<32 | uint64(t.Nanosecond())<<32/1e9
}
