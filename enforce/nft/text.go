package nft

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// The names in the kernel.
const (
	family      = "inet"
	table       = "firmward"
	counterFrom = "cut_from"
	counterTo   = "cut_to"
	trial       = "trial"
	standing    = "standing"
)

// linger is how much longer than the gate the other elements of the trial layer live.
const linger = time.Second

// removeText removes the table, also when there is none.
const removeText = "add table inet firmward\ndelete table inet firmward\n"

// applyText puts p on trial for ttl and leaves the standing layer alone. It is the whole rule set, so
// that it works on any state of the table.
func applyText(p plan, generation uint32, ttl time.Duration) string {
	var b strings.Builder
	b.WriteString("# firmward: contained devices\n")
	declare(&b)
	b.WriteString("\n# the trial layer: what is wanted now\n")
	fill(&b, trial, p, ttl+linger)
	b.WriteString("\n# the gate: shuts by itself, and the standing layer counts again\n")
	line(&b, "flush set", "gate")
	line(&b, "flush set", "generation")
	life := lifetime(ttl)
	line(&b, "add element", "gate { ipv4%s, ipv6%s }", life, life)
	line(&b, "add element", "generation { 0x%08x%s }", generation, life)
	return b.String()
}

// confirmText makes p the standing layer, if its generation still lives.
func confirmText(p plan, generation uint32) string {
	var b strings.Builder
	b.WriteString("# fails, and with it all the rest, when this change has undone itself\n")
	line(&b, "delete element", "generation { 0x%08x }", generation)
	line(&b, "add element", "generation { 0x%08x }", generation)
	b.WriteString("\n# the standing layer: what is confirmed\n")
	fill(&b, standing, p, 0)
	b.WriteString("\n# the gate shuts now\n")
	line(&b, "flush set", "gate")
	for _, s := range sets {
		line(&b, "flush set", "%s_%s", trial, s.name)
	}
	return b.String()
}

// sets are those of each layer: contained addresses, and who may begin what with them.
var sets = [...]struct{ name, kind, flags string }{
	{"cut4", "ipv4_addr", "timeout"},
	{"from4", "ipv4_addr . ipv4_addr . inet_proto . inet_service", "interval, timeout"},
	{"to4", "ipv4_addr . ipv4_addr . inet_proto . inet_service", "interval, timeout"},
	{"cut6", "ipv6_addr", "timeout"},
	{"from6", "ipv6_addr . ipv6_addr . inet_proto . inet_service", "interval, timeout"},
	{"to6", "ipv6_addr . ipv6_addr . inet_proto . inet_service", "interval, timeout"},
}

// hooks are the base chains. Behind connection tracking (-200) and destination NAT (-100), before the
// usual filter chains (0).
var hooks = [...]string{"forward", "input", "output"}

// declare adds what is missing and writes the rules anew. Counters and elements stay.
func declare(b *strings.Builder) {
	fmt.Fprintf(b, "add table %s %s\n", family, table)
	line(b, "add counter", "%s", counterFrom)
	line(b, "add counter", "%s", counterTo)
	line(b, "add set", "gate { type nf_proto; flags timeout; }")
	line(b, "add set", "generation { type mark; flags timeout; }")
	for _, layer := range [...]string{standing, trial} {
		for _, s := range sets {
			line(b, "add set", "%s_%s { type %s; flags %s; }", layer, s.name, s.kind, s.flags)
		}
	}
	var chains []string
	for _, layer := range [...]string{standing, trial} {
		chains = append(chains, layer+"_from", layer+"_to", layer)
	}
	chains = append(chains, "wall")
	for _, c := range chains {
		line(b, "add chain", "%s", c)
	}
	for _, h := range hooks {
		line(b, "add chain", "%s { type filter hook %[1]s priority -5; policy accept; }", h)
		chains = append(chains, h)
	}
	for _, c := range chains {
		line(b, "flush chain", "%s", c)
	}
	for _, layer := range [...]string{standing, trial} {
		layerRules(b, layer)
	}
	line(b, "add rule", "wall meta nfproto @gate goto %s", trial)
	line(b, "add rule", "wall goto %s", standing)
	for _, h := range hooks {
		if h != "forward" {
			line(b, "add rule", "%s icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept", h)
		}
		line(b, "add rule", "%s jump wall", h)
	}
}

// layerRules judges a packet: first as one from a contained device, then as one to such a device. The
// answers to what may begin one way go the other way with the ports swapped.
func layerRules(b *strings.Builder, layer string) {
	for _, v := range [...]struct{ ip, n string }{{"ip", "4"}, {"ip6", "6"}} {
		device, peer := v.ip+" saddr", v.ip+" daddr"
		for _, way := range [...]struct{ chain, own, answers string }{{"from", "from", "to"}, {"to", "to", "from"}} {
			if way.chain == "to" {
				device, peer = peer, device
			}
			line(b, "add rule", "%s_%s ct direction original %s . %s . meta l4proto . th dport @%[1]s_%[5]s%[6]s return", layer, way.chain, device, peer, way.own, v.n)
			line(b, "add rule", "%s_%s ct direction reply %s . %s . meta l4proto . th sport @%[1]s_%[5]s%[6]s return", layer, way.chain, device, peer, way.answers, v.n)
		}
	}
	line(b, "add rule", "%s_from counter name %s drop", layer, counterFrom)
	line(b, "add rule", "%s_to counter name %s drop", layer, counterTo)
	for _, v := range [...]struct{ ip, n string }{{"ip", "4"}, {"ip6", "6"}} {
		line(b, "add rule", "%s %s saddr @%[1]s_cut%[3]s jump %[1]s_from", layer, v.ip, v.n)
		line(b, "add rule", "%s %s daddr @%[1]s_cut%[3]s jump %[1]s_to", layer, v.ip, v.n)
	}
}

// fill replaces the elements of a layer.
func fill(b *strings.Builder, layer string, p plan, ttl time.Duration) {
	elements := map[string][]string{}
	put := func(set string, of netip.Addr, text string) {
		set += map[bool]string{true: "4", false: "6"}[of.Is4()]
		elements[set] = append(elements[set], text+lifetime(ttl))
	}
	for _, a := range p.cut {
		put("cut", a, a.String())
	}
	for _, f := range p.from {
		put("from", f.device, f.String())
	}
	for _, f := range p.to {
		put("to", f.device, f.String())
	}
	for _, s := range sets {
		line(b, "flush set", "%s_%s", layer, s.name)
		if e := elements[s.name]; len(e) > 0 {
			line(b, "add element", "%s_%s {\n\t%s\n}", layer, s.name, strings.Join(e, ",\n\t"))
		}
	}
}

// String is the box as an element of a set.
func (f flow) String() string {
	return fmt.Sprintf("%s . %s-%s . %d-%d . %d-%d", f.device, f.peer[0], f.peer[1], f.proto[0], f.proto[1], f.port[0], f.port[1])
}

func lifetime(ttl time.Duration) string {
	if ttl == 0 {
		return ""
	}
	return fmt.Sprintf(" timeout %dms", ttl.Milliseconds())
}

// line writes one command on something in the table.
func line(b *strings.Builder, verb, format string, args ...any) {
	fmt.Fprintf(b, "%s %s %s ", verb, family, table)
	fmt.Fprintf(b, format, args...)
	b.WriteByte('\n')
}
