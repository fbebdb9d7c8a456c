package wire

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// neighbors dumps the kernel's neighbour table by netlink, in the namespace of this thread.
func neighbors(ctx context.Context, prefix netip.Prefix) (map[netip.Addr]net.HardwareAddr, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	dump, err := syscall.NetlinkRIB(unix.RTM_GETNEIGH, unix.AF_UNSPEC)
	if err != nil {
		return nil, fmt.Errorf("ask the kernel for its neighbours: %w", err)
	}
	return parseNeighbors(dump, prefix)
}

// complete are the states in which the kernel holds a hardware address that once answered or was set by
// hand. FAILED and INCOMPLETE entries are questions without an answer, NOARP ones are broadcast and loopback.
const complete = unix.NUD_REACHABLE | unix.NUD_STALE | unix.NUD_DELAY | unix.NUD_PROBE | unix.NUD_PERMANENT

// parseNeighbors reads RTM_NEWNEIGH messages (rtnetlink(7)): struct ndmsg, then attributes.
func parseNeighbors(dump []byte, prefix netip.Prefix) (map[netip.Addr]net.HardwareAddr, error) {
	msgs, err := syscall.ParseNetlinkMessage(dump)
	if err != nil {
		return nil, fmt.Errorf("read the kernel's answer: %w", err)
	}
	seen := map[netip.Addr]net.HardwareAddr{}
	for _, m := range msgs {
		if m.Header.Type != unix.RTM_NEWNEIGH || len(m.Data) < unix.SizeofNdMsg {
			continue
		}
		state := binary.NativeEndian.Uint16(m.Data[8:])
		addr, mac := neighborAttrs(m.Data[unix.SizeofNdMsg:])
		if state&complete != 0 && ordinary(mac) && prefix.Contains(addr) {
			seen[addr] = mac
		}
	}
	return seen, nil
}

func neighborAttrs(b []byte) (addr netip.Addr, mac net.HardwareAddr) {
	for len(b) >= unix.SizeofRtAttr {
		n, kind := int(binary.NativeEndian.Uint16(b)), binary.NativeEndian.Uint16(b[2:])
		if n < unix.SizeofRtAttr || n > len(b) {
			break
		}
		value := b[unix.SizeofRtAttr:n]
		switch kind {
		case unix.NDA_DST:
			addr, _ = netip.AddrFromSlice(value)
		case unix.NDA_LLADDR:
			mac = append(net.HardwareAddr(nil), value...)
		}
		b = b[min(len(b), (n+3)&^3):]
	}
	return addr.Unmap(), mac
}

// ordinary reports whether a hardware address can belong to one device.
func ordinary(mac net.HardwareAddr) bool {
	if len(mac) != 6 || mac[0]&1 != 0 {
		return false
	}
	for _, b := range mac {
		if b != 0 {
			return true
		}
	}
	return false
}
