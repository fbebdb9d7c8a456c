package nft

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"github.com/firmward/firmward"
)

// plan is a desired state in the kernel's terms.
type plan struct {
	cut  []netip.Addr // contained addresses, sorted
	from []flow       // what they may begin
	to   []flow       // what others may begin with them
}

// flow is a box of allowed exchanges of one device. The kernel wants the boxes of a set to be disjoint.
type flow struct {
	device netip.Addr
	peer   [2]netip.Addr // first and last
	proto  [2]int        // 0 … 255
	port   [2]int        // of whoever is asked, 0 … 65535
}

// protocols by their IANA numbers. An AccessRule's icmp means that of the address family.
var protocols = map[string]map[bool]int{
	"tcp": {true: 6, false: 6}, "udp": {true: 17, false: 17}, "icmp": {true: 1, false: 58},
}

// parse checks rules and orders them. It refuses what the wall could not keep exactly.
func parse(rules []firmward.AccessRule) (plan, error) {
	var p plan
	for i, r := range rules {
		f, err := box(r)
		if err != nil {
			return plan{}, &firmward.Error{Code: firmward.Invalid, Message: fmt.Sprintf("rule %d for %s", i+1, r.Device), Err: err}
		}
		if !slices.Contains(p.cut, f.device) {
			p.cut = append(p.cut, f.device)
		}
		switch {
		case !r.Allow, r.Peer.Addr().Is4() != f.device.Is4(): // it is cut anyway; no packet has two families
		case r.Direction == "from":
			p.from = append(p.from, f)
		default:
			p.to = append(p.to, f)
		}
	}
	slices.SortFunc(p.cut, netip.Addr.Compare)
	p.from, p.to = disjoint(p.from), disjoint(p.to)
	return p, nil
}

func box(r firmward.AccessRule) (flow, error) {
	device, peer := r.Device.Unmap().WithZone(""), r.Peer.Masked()
	f := flow{device: device, peer: [2]netip.Addr{peer.Addr(), last(peer)}, proto: [2]int{0, 255}, port: [2]int{0, 65535}}
	switch {
	case !device.IsValid() || device.IsUnspecified() || device.IsMulticast() || device.IsLoopback():
		return f, fmt.Errorf("%s is no device's address", r.Device)
	case !peer.IsValid():
		return f, fmt.Errorf("peer %s is no address range", r.Peer)
	case r.Direction != "from" && r.Direction != "to":
		return f, fmt.Errorf("direction %q: want from or to", r.Direction)
	case !r.Allow && (peer.Bits() != 0 || peer.Addr().Is4() != device.Is4() || r.Proto != "any" && r.Proto != "" || r.Port != 0):
		return f, fmt.Errorf("only everything can be denied, after what is allowed; not %s %s %d", r.Peer, r.Proto, r.Port)
	case r.Port != 0 && r.Proto != "tcp" && r.Proto != "udp":
		return f, fmt.Errorf("port %d of protocol %q", r.Port, r.Proto)
	}
	if r.Proto != "any" && r.Proto != "" {
		number, ok := protocols[r.Proto]
		if !ok {
			return f, fmt.Errorf("protocol %q: want tcp, udp, icmp or any", r.Proto)
		}
		f.proto = [2]int{number[device.Is4()], number[device.Is4()]}
	}
	if r.Port != 0 {
		f.port = [2]int{int(r.Port), int(r.Port)}
	}
	return f, nil
}

// last is the last address of a prefix.
func last(p netip.Prefix) netip.Addr {
	if !p.IsValid() {
		return netip.Addr{}
	}
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// disjoint gives boxes that together hold the same and do not overlap, widest first while cutting so that
// narrow ones vanish inside wide ones, sorted in the end.
func disjoint(flows []flow) []flow {
	width := func(f flow) (int, int, netip.Addr, netip.Addr) {
		return f.proto[1] - f.proto[0], f.port[1] - f.port[0], f.peer[0], f.peer[1]
	}
	flows = slices.Clone(flows)
	slices.SortFunc(flows, func(a, b flow) int {
		aProto, aPort, aLo, aHi := width(a)
		bProto, bPort, bLo, bHi := width(b)
		return cmp.Or(a.device.Compare(b.device), cmp.Compare(bProto, aProto), cmp.Compare(bPort, aPort), aLo.Compare(bLo), bHi.Compare(aHi), compare(a, b))
	})
	var out []flow
	for _, f := range flows {
		pieces := []flow{f}
		for i := len(out) - 1; i >= 0 && out[i].device == f.device; i-- {
			var rest []flow
			for _, p := range pieces {
				rest = append(rest, minus(p, out[i])...)
			}
			pieces = rest
		}
		out = append(out, pieces...)
	}
	slices.SortFunc(out, compare)
	return out
}

func compare(a, b flow) int {
	return cmp.Or(a.device.Compare(b.device), a.peer[0].Compare(b.peer[0]), cmp.Compare(a.proto[0], b.proto[0]), cmp.Compare(a.port[0], b.port[0]))
}

// minus gives what of a lies outside b, as disjoint boxes.
func minus(a, b flow) []flow {
	if a.peer[1].Less(b.peer[0]) || b.peer[1].Less(a.peer[0]) || apart(a.proto, b.proto) || apart(a.port, b.port) {
		return []flow{a}
	}
	var out []flow
	keep := func(change func(*flow)) {
		piece := a
		change(&piece)
		out = append(out, piece)
	}
	if a.peer[0].Less(b.peer[0]) {
		keep(func(f *flow) { f.peer[1] = b.peer[0].Prev() })
		a.peer[0] = b.peer[0]
	}
	if b.peer[1].Less(a.peer[1]) {
		keep(func(f *flow) { f.peer[0] = b.peer[1].Next() })
		a.peer[1] = b.peer[1]
	}
	if a.proto[0] < b.proto[0] {
		keep(func(f *flow) { f.proto[1] = b.proto[0] - 1 })
		a.proto[0] = b.proto[0]
	}
	if b.proto[1] < a.proto[1] {
		keep(func(f *flow) { f.proto[0] = b.proto[1] + 1 })
		a.proto[1] = b.proto[1]
	}
	if a.port[0] < b.port[0] {
		keep(func(f *flow) { f.port[1] = b.port[0] - 1 })
		a.port[0] = b.port[0]
	}
	if b.port[1] < a.port[1] {
		keep(func(f *flow) { f.port[0] = b.port[1] + 1 })
	}
	return out
}

func apart(a, b [2]int) bool { return a[1] < b[0] || b[1] < a[0] }

// sampleRules use every feature of the text, for Ready. The addresses are from the ranges for examples.
var sampleRules = []firmward.AccessRule{
	{Device: netip.MustParseAddr("192.0.2.7"), Direction: "from", Peer: netip.MustParsePrefix("198.51.100.0/24"), Proto: "tcp", Port: 443, Allow: true},
	{Device: netip.MustParseAddr("192.0.2.7"), Direction: "to", Peer: netip.MustParsePrefix("198.51.100.1/32"), Proto: "any", Allow: true},
	{Device: netip.MustParseAddr("2001:db8::7"), Direction: "from", Peer: netip.MustParsePrefix("2001:db8:1::/64"), Proto: "udp", Port: 53, Allow: true},
	{Device: netip.MustParseAddr("2001:db8::7"), Direction: "to", Peer: netip.MustParsePrefix("2001:db8:1::1/128"), Proto: "any", Allow: true},
}
