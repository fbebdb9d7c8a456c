// Package contain decides who may be cut off, how far, and whether the cut holds.
//
// Three rules stand before any enforcer (design §8): the never-contain guard, a cap against storms,
// and proof by packets. The guard knows classes that keep people alive, zones where an unknown device
// might be one of them, and devices that a person put on the list by hand.
package contain

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/firmward/firmward"
)

// Guard gives the reason why a device must never be contained, or "".
func Guard(d firmward.Device) (code, why string) {
	switch {
	case d.NeverContain:
		return "never-by-hand", "a person put it on the never-contain list"
	case d.Class.LifeSupport():
		return "never-class", "class " + string(d.Class) + ": cutting it off may harm a person"
	case d.Class.CoreNetwork():
		return "never-core", "class " + string(d.Class) + ": cutting it off takes everything behind it down"
	case d.Zone.Careful() && (d.Class == firmward.ClassUnknown || d.Class == ""):
		return "never-unknown", "its class is unknown in a " + string(d.Zone) + " zone: it may keep somebody alive"
	case len(d.Addrs) == 0:
		return "no-address", "no network shows it, so nothing can be cut"
	}
	return "", ""
}

// Cap guards against storms: at most the larger of three devices and five percent of a site within
// one hour. recent counts containments of the site begun in the last hour.
func Cap(recent, siteDevices int) (code, why string) {
	limit := max(3, siteDevices/20)
	if recent >= limit {
		return "storm-cap", fmt.Sprintf("%d devices of this site were contained within an hour, the cap is %d: a person must look first", recent, limit)
	}
	return "", ""
}

// UndoAfter is how long an unconfirmed containment stands before the enforcing side undoes it.
const UndoAfter = 2 * time.Minute

// Rules is the full desired state for one device: allowed peers first, then a deny of everything in
// both directions. Firmward's own address stays allowed, so that the device can still be looked at.
func Rules(d firmward.Device, self []netip.Addr, allow []netip.Prefix) []firmward.AccessRule {
	var rules []firmward.AccessRule
	mac := ""
	if len(d.MACs) == 1 {
		mac = d.MACs[0]
	}
	for _, addr := range d.Addrs {
		add := func(direction string, peer netip.Prefix, ok bool, why string) {
			rules = append(rules, firmward.AccessRule{Device: addr, MAC: mac, Direction: direction, Peer: peer, Proto: "any", Allow: ok, Why: why})
		}
		for _, s := range self {
			p := netip.PrefixFrom(s, s.BitLen())
			add("from", p, true, "answers to firmward")
			add("to", p, true, "firmward looks")
		}
		for _, p := range allow {
			add("from", p, true, "allowed by a person")
			add("to", p, true, "allowed by a person")
		}
		all := netip.PrefixFrom(netip.IPv4Unspecified(), 0)
		if addr.Is6() {
			all = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
		}
		add("from", all, false, "contained")
		add("to", all, false, "contained")
	}
	return rules
}

// Proof is one packet test: whether the path was open and whether it should be.
type Proof struct {
	Path string // "198.51.100.9 → 192.0.2.7 tcp 80"
	Open bool
	Want bool
}

// Judge says whether packet tests prove a containment. No test of a closed path, or none of an open
// one, proves nothing: a device that is simply switched off must not look contained.
func Judge(proofs []Proof) (holds bool, why string) {
	cut, kept := 0, 0
	for _, p := range proofs {
		switch {
		case p.Open != p.Want && p.Open:
			return false, p.Path + " is still open"
		case p.Open != p.Want:
			return false, p.Path + " is closed but must stay open"
		case p.Want:
			kept++
		default:
			cut++
		}
	}
	switch {
	case cut == 0:
		return false, "no packet test crossed the wall, so nothing is proven"
	case kept == 0:
		return false, "the device does not answer firmward either: switched off is not contained"
	}
	return true, count(cut, "path is", "paths are") + " cut, " + count(kept, "stays", "stay") + " open as wanted"
}

func count(n int, one, many string) string {
	if n == 1 {
		many = one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// Release says whether a containment may end: by evidence that nothing open is left that asked for
// it, or by a person's recorded decision.
func Release(open []firmward.Finding, decision string) (ok bool, why string) {
	for _, f := range open {
		if f.Open() && f.Exploited {
			if decision == "" {
				return false, f.AdvisoryID + " is still open and exploited: release needs a recorded decision (--why)"
			}
			return true, "by decision: " + decision
		}
	}
	if decision != "" {
		return true, "by decision: " + decision
	}
	return true, "by evidence: nothing exploited is open any more"
}
