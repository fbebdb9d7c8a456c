package wire

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"golang.org/x/net/bpf"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
	"golang.org/x/time/rate"

	"github.com/firmward/firmward"
)

// ear is a socket that hears one interface.
type ear = *os.File

// overhearers opens an ear for each interface whose own network overlaps with prefix.
func overhearers(prefix netip.Prefix) ([]ear, error) {
	links, err := linksOf(prefix)
	if err != nil {
		return nil, err
	}
	if len(links) == 0 {
		return nil, firmward.Errorf(firmward.NotSupported, "this host has no interface in "+prefix.String()+": what its devices say to everybody does not cross routers")
	}
	var ears []ear
	for _, l := range links {
		e, err := openEar(l.Index)
		if err != nil {
			return nil, errors.Join(err, closeAll(ears))
		}
		ears = append(ears, e)
	}
	return ears, nil
}

// linksOf lists the interfaces whose own network overlaps with prefix.
func linksOf(prefix netip.Prefix) ([]net.Interface, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("list interfaces: %w", err)
	}
	var out []net.Interface
	for _, l := range all {
		if l.Flags&net.FlagUp == 0 || l.Flags&net.FlagLoopback != 0 || len(l.HardwareAddr) != 6 {
			continue
		}
		addrs, err := l.Addrs()
		if err != nil {
			return nil, fmt.Errorf("list addresses of %s: %w", l.Name, err)
		}
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil && p.Overlaps(prefix) {
				out = append(out, l)
				break
			}
		}
	}
	return out, nil
}

// openEar opens a packet socket that hears one interface. The filter stands, and can no more be changed, before the first
// frame may arrive: until it is bound the socket has no protocol and hears nothing.
func openEar(index int) (ear, error) {
	const all, buffer = unix.ETH_P_ALL<<8&0xff00 | unix.ETH_P_ALL>>8, 256 << 10 // in network order; bytes
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if errors.Is(err, unix.EPERM) {
		return nil, &firmward.Error{Code: firmward.NotSupported, Message: "to listen to ARP and DHCP needs the capability CAP_NET_RAW", Err: err}
	}
	if err != nil {
		return nil, fmt.Errorf("open a packet socket: %w", err)
	}
	err = overhearOnly(fd)
	if err == nil {
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, buffer)
	}
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: index})
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("set up a packet socket: %w", err), unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), "ear"), nil
}

// overhearOnly sets the filter of a packet socket and locks it.
func overhearOnly(fd int) error {
	code, err := bpf.Assemble(overheard())
	if err != nil {
		return fmt.Errorf("assemble the filter: %w", err)
	}
	filter := make([]unix.SockFilter, len(code))
	for i, c := range code {
		filter[i] = unix.SockFilter{Code: c.Op, Jt: c.Jt, Jf: c.Jf, K: c.K}
	}
	if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}); err != nil {
		return fmt.Errorf("attach the filter: %w", err)
	}
	return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_LOCK_FILTER, 1)
}

// longest is how much of a frame is taken: a whole one of Ethernet.
const longest = 1514

// overheard is the filter: what is meant for another host alone, what this host sends itself and what belongs to a VLAN above
// the interface is left out; then ARP, solicitations and advertisements of neighbours, and whole UDP datagrams to port 67 pass.
func overheard() []bpf.Instruction {
	const take, leave = 21, 22 // where the program ends
	to := func(end, here int) uint8 { return uint8(end - here - 1) }
	return []bpf.Instruction{
		0: bpf.LoadExtension{Num: bpf.ExtType},
		1: bpf.JumpIf{Cond: bpf.JumpGreaterOrEqual, Val: unix.PACKET_OTHERHOST, SkipTrue: to(leave, 1)}, // or PACKET_OUTGOING
		2: bpf.LoadExtension{Num: bpf.ExtVLANTagPresent},
		3: bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: 0, SkipTrue: to(leave, 3)},
		4: bpf.LoadAbsolute{Off: 12, Size: 2}, // type
		5: bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.ETH_P_ARP, SkipTrue: to(take, 5)},
		6: bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.ETH_P_IPV6, SkipTrue: to(15, 6)},
		7: bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.ETH_P_IP, SkipTrue: to(leave, 7)},

		8:  bpf.LoadAbsolute{Off: 14 + 9, Size: 1}, // protocol
		9:  bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.IPPROTO_UDP, SkipTrue: to(leave, 9)},
		10: bpf.LoadAbsolute{Off: 14 + 6, Size: 2}, // fragments
		11: bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: 0x3fff, SkipTrue: to(leave, 11)},
		12: bpf.LoadMemShift{Off: 14}, // length of the header
		13: bpf.LoadIndirect{Off: 14 + 2, Size: 2},
		14: bpf.JumpIf{Cond: bpf.JumpEqual, Val: 67, SkipTrue: to(take, 14), SkipFalse: to(leave, 14)},

		15: bpf.LoadAbsolute{Off: 14 + 6, Size: 1}, // next header
		16: bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.IPPROTO_ICMPV6, SkipTrue: to(leave, 16)},
		17: bpf.LoadAbsolute{Off: 14 + 40, Size: 1}, // ICMP type
		18: bpf.JumpIf{Cond: bpf.JumpEqual, Val: 135, SkipTrue: to(take, 18)},
		19: bpf.JumpIf{Cond: bpf.JumpEqual, Val: 136, SkipTrue: to(take, 19)},
		20: bpf.Jump{Skip: uint32(to(leave, 20))},

		take:  bpf.RetConstant{Val: longest},
		leave: bpf.RetConstant{Val: 0},
	}
}

// overhear reads the ears and closes them.
func overhear(ctx context.Context, ears []ear, hear func(frame []byte)) error {
	g, ctx := errgroup.WithContext(ctx)
	frames := make(chan []byte) // one at a time to hear, whatever the number of ears
	g.Go(func() error {
		pace := rate.NewLimiter(OverhearRate, OverhearRate)
		for {
			if pace.Wait(ctx) != nil {
				return nil
			}
			select {
			case <-ctx.Done():
				return nil
			case f := <-frames:
				hear(f)
			}
		}
	})
	for _, e := range ears {
		g.Go(func() error { return readEar(ctx, e, frames) })
	}
	return g.Wait()
}

// readEar hands over what one ear hears.
func readEar(ctx context.Context, e ear, frames chan<- []byte) error {
	defer e.Close()
	stop := context.AfterFunc(ctx, func() { _ = e.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	for {
		frame := make([]byte, longest) // hear may be busy with the last one
		n, err := e.Read(frame)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("listen at an interface: %w", err)
		}
		select {
		case frames <- frame[:n]:
		case <-ctx.Done():
			return nil
		}
	}
}

func closeAll(ears []ear) (err error) {
	for _, e := range ears {
		err = errors.Join(err, e.Close())
	}
	return err
}
