package wire

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/time/rate"

	"github.com/firmward/firmward"
)

// sweepGrace is how long late answers are waited for.
const sweepGrace = time.Second

// sweep sends one ARP request to each address that the neighbour table lacks, and a second one to those
// that kept silent: a busy network may lose the first.
func sweep(ctx context.Context, prefix netip.Prefix) (map[netip.Addr]net.HardwareAddr, error) {
	prefix = prefix.Masked()
	if !prefix.Addr().Is4() || prefix.Bits() < 20 {
		return nil, firmward.Errorf(firmward.NotSupported, fmt.Sprintf("%s is not swept by ARP: want an IPv4 network of at most %d addresses", prefix, SweepMax))
	}
	seen, err := neighbors(ctx, prefix)
	if err != nil {
		return nil, err
	}
	link, self, err := linkInside(prefix)
	if err != nil {
		return nil, err
	}
	door, err := arpSocket(link.Index)
	if err != nil {
		return nil, err
	}
	defer door.Close()
	s := sweeper{door: door, mac: link.HardwareAddr, self: self, prefix: prefix, seen: seen, pace: rate.NewLimiter(SweepRate, 1)}
	for range 2 {
		if err := s.pass(ctx); err != nil {
			return nil, err
		}
	}
	return s.seen, nil
}

// linkInside finds the interface of this host that has an address inside prefix.
func linkInside(prefix netip.Prefix) (net.Interface, netip.Addr, error) {
	links, err := net.Interfaces()
	if err != nil {
		return net.Interface{}, netip.Addr{}, fmt.Errorf("list interfaces: %w", err)
	}
	for _, l := range links {
		if l.Flags&net.FlagUp == 0 || l.Flags&net.FlagLoopback != 0 || len(l.HardwareAddr) != 6 {
			continue
		}
		addrs, err := l.Addrs()
		if err != nil {
			return l, netip.Addr{}, fmt.Errorf("list addresses of %s: %w", l.Name, err)
		}
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil && prefix.Contains(p.Addr()) {
				return l, p.Addr(), nil
			}
		}
	}
	return net.Interface{}, netip.Addr{}, firmward.Errorf(firmward.NotSupported, "this host has no address inside "+prefix.String()+": ARP does not cross routers")
}

// arpSocket opens a raw socket for ARP on one interface.
func arpSocket(index int) (*os.File, error) {
	const arp = unix.ETH_P_ARP<<8&0xff00 | unix.ETH_P_ARP>>8 // in network order
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if errors.Is(err, unix.EPERM) {
		return nil, &firmward.Error{Code: firmward.NotSupported, Message: "to sweep by ARP needs root", Err: err}
	}
	if err != nil {
		return nil, fmt.Errorf("open an ARP socket: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: arp, Ifindex: index}); err != nil {
		return nil, errors.Join(fmt.Errorf("bind the ARP socket: %w", err), unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), "arp"), nil
}

type sweeper struct {
	door   *os.File
	mac    net.HardwareAddr
	self   netip.Addr
	prefix netip.Prefix
	seen   map[netip.Addr]net.HardwareAddr
	pace   *rate.Limiter
}

// pass asks everybody who is not yet seen, listening meanwhile.
func (s *sweeper) pass(ctx context.Context) error {
	asked := 0
	for a := s.prefix.Addr(); s.prefix.Contains(a); a = a.Next() {
		if s.seen[a] != nil || a == s.self || s.prefix.Bits() < 31 && (a == s.prefix.Addr() || !s.prefix.Contains(a.Next())) {
			continue
		}
		if err := s.pace.Wait(ctx); err != nil {
			return fmt.Errorf("sweep %s: %w", s.prefix, err)
		}
		if _, err := s.door.Write(arpRequest(s.mac, s.self, a)); err != nil {
			return fmt.Errorf("ask for %s: %w", a, err)
		}
		asked++
		if err := s.listen(time.Now().Add(time.Second / SweepRate / 2)); err != nil {
			return err
		}
	}
	if asked == 0 {
		return nil
	}
	return s.listen(time.Now().Add(sweepGrace))
}

// listen takes what arrives until the deadline.
func (s *sweeper) listen(until time.Time) error {
	if err := s.door.SetReadDeadline(until); err != nil {
		return fmt.Errorf("listen for ARP: %w", err)
	}
	frame := make([]byte, 128)
	for {
		n, err := s.door.Read(frame)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("listen for ARP: %w", err)
		}
		if addr, mac, ok := parseARP(frame[:n]); ok && addr != s.self && s.prefix.Contains(addr) {
			s.seen[addr] = mac
		}
	}
}

// arpRequest is an Ethernet frame with an ARP request (RFC 826).
func arpRequest(mac net.HardwareAddr, self, want netip.Addr) []byte {
	b := make([]byte, 0, 42)
	b = append(b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)
	b = append(b, mac...)
	b = append(b, 0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 1)
	b = append(b, mac...)
	b = append(b, self.AsSlice()...)
	b = append(b, 0, 0, 0, 0, 0, 0)
	return append(b, want.AsSlice()...)
}

// parseARP gives the sender of an ARP answer. Requests are left out: a host that asks with an address
// may only be trying whether it is free (RFC 5227).
func parseARP(frame []byte) (addr netip.Addr, mac net.HardwareAddr, ok bool) {
	const answer = 2
	if len(frame) < 42 || binary.BigEndian.Uint16(frame[12:]) != unix.ETH_P_ARP || binary.BigEndian.Uint64(frame[14:]) != 0x0001_0800_0604_0000|answer {
		return addr, nil, false
	}
	addr = netip.AddrFrom4([4]byte(frame[28:32]))
	mac = append(mac, frame[22:28]...)
	return addr, mac, ordinary(mac)
}
