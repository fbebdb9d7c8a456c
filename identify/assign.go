package identify

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/firmward/firmward"
)

// Key is a value that ties observations to one device. Serials are scoped by vendor.
type Key struct {
	Field  firmward.Field
	Vendor string // lower case; only for serials
	Value  string
}

// Keys lists the keys among claims, strongest field first. Random MACs (bit 0x02 of the first octet)
// and values that stand where nobody wrote one are no keys.
func Keys(claims []firmward.Claim) []Key {
	vendor := ""
	if c, ok := Merge(claims).Best(firmward.FieldVendor); ok {
		vendor = strings.ToLower(c.Value)
	}
	var keys []Key
	for _, f := range [...]firmward.Field{firmward.FieldSerial, firmward.FieldUUID, firmward.FieldHostKey, firmward.FieldMAC} {
		for _, c := range claims {
			k := Key{Field: f, Value: c.Value}
			if f == firmward.FieldSerial {
				k.Vendor = vendor
			}
			if c.Field == f && !(f == firmward.FieldMAC && randomMAC(c.Value)) && !placeholder(c.Value) && !slices.Contains(keys, k) {
				keys = append(keys, k)
			}
		}
	}
	return keys
}

// placeholder reports whether a value is what a maker left in for all his devices: one digit again and again, or
// counting.
func placeholder(v string) bool {
	v = strings.NewReplacer("-", "", ":", "", " ", "").Replace(strings.TrimPrefix(strings.ToLower(v), "uuid:"))
	return v == "" || strings.Trim(v, v[:1]) == "" || len(v) > 3 && (strings.HasPrefix("1234567890", v) || strings.HasPrefix("0123456789abcdef", v)) ||
		slices.Contains([]string{"none", "unknown", "n/a", "default", "serial", "serialnumber", "tobefilledbyo.e.m."}, v)
}

func randomMAC(mac string) bool {
	first, err := strconv.ParseUint(mac[:min(2, len(mac))], 16, 8)
	return err == nil && first&2 != 0
}

// Candidate is a known device that an observation may belong to.
type Candidate struct {
	ID    string
	Keys  []Key
	Addrs []netip.Addr
	Apart []string // devices of which a person said that they are not this one
	Away  bool     // it answered at another address a moment ago, and not at that of the observation
}

// Assignment says where an observation belongs.
type Assignment struct {
	Device string   // empty: a new device
	Merge  []string // other devices that are now proven to be the same
	Why    string
}

// tie is what binds an observation to a candidate: a strong key, the MAC, or the address alone.
type tie struct {
	Candidate
	rank int
	here bool // the candidate is known at the address
	why  string
}

// The ranks of ties.
const (
	bySerial = iota
	byIssued // a UUID or host key: made at random as a rule, but some makers give one to all their devices
	byMAC
	byAddr
)

// Assign finds the device of an observation made at addr with the given keys.
//
//   - A serial decides first.
//   - A UUID or host key recognises a device, also at a new address, but never joins two known ones. It counts for nothing
//     where the candidate has another serial, answers elsewhere at the same time, or has another MAC than the device that is
//     known at the address, and where several hold it and none of them is here. So two devices with one factory key stay
//     two; the price is that a device which moves within the hour may be listed twice until a person joins the two.
//   - MAC and address tie only where no serial speaks against it: an address that changes hands is a new device, not a
//     changed one.
//
// Of several that tie equally the one that is known at the address comes first; the others are the same device,
// unless their own keys or a person say no.
func Assign(addr netip.Addr, keys []Key, candidates []Candidate) Assignment {
	var ties []tie
	for _, c := range candidates {
		t := tie{Candidate: c, here: slices.Contains(c.Addrs, addr)}
		switch field, ok := shared(keys, c.Keys); {
		case ok && field == firmward.FieldSerial:
			t.rank, t.why = bySerial, "same serial"
		case conflicts(keys, c.Keys):
			continue
		case ok && field != firmward.FieldMAC && !c.Away:
			t.rank, t.why = byIssued, "same "+string(field)
		case ok && slices.ContainsFunc(keys, func(k Key) bool { return k.Field == firmward.FieldMAC && slices.Contains(c.Keys, k) }):
			t.rank, t.why = byMAC, "same mac"
		case t.here && !macConflict(keys, c.Keys):
			t.rank, t.why = byAddr, "same address and nothing against it"
		default:
			continue
		}
		ties = append(ties, t)
	}
	ties = withoutSharedKeys(ties)
	if len(ties) == 0 {
		return Assignment{Why: "nothing known matches"}
	}
	slices.SortStableFunc(ties, func(a, b tie) int {
		if a.rank == b.rank && a.here != b.here {
			if a.here {
				return -1
			}
			return 1
		}
		return a.rank - b.rank
	})
	first := ties[0]
	out := Assignment{Device: first.ID, Why: first.why}
	known, apart := slices.Concat(keys, first.Keys), slices.Clone(first.Apart)
	for _, t := range ties[1:] {
		switch {
		case slices.Contains(apart, t.ID):
		case conflicts(known, t.Keys):
		case t.rank == byIssued, first.rank == byIssued && issued(t.Keys): // see above: never joined by these
		default:
			out.Merge = append(out.Merge, t.ID)
			if t.why != first.why {
				out.Why = first.why + ", " + t.why
			}
			known, apart = append(known, t.Keys...), append(apart, t.Apart...)
		}
	}
	return out
}

// withoutSharedKeys drops ties by UUID or host key that speak of a key given to many: to a device that is elsewhere while
// another MAC is known here, or to several of which none is here.
func withoutSharedKeys(ties []tie) []tie {
	holders, holderHere := 0, false
	for _, t := range ties {
		if t.rank == byIssued {
			holders++
			holderHere = holderHere || t.here
		}
	}
	return slices.DeleteFunc(slices.Clone(ties), func(t tie) bool {
		if t.rank != byIssued || t.here {
			return false
		}
		return holders > 1 || holderHere ||
			slices.ContainsFunc(ties, func(h tie) bool { return h.here && macConflict(h.Keys, t.Keys) })
	})
}

func issued(keys []Key) bool {
	return slices.ContainsFunc(keys, func(k Key) bool { return k.Field == firmward.FieldUUID || k.Field == firmward.FieldHostKey })
}

func shared(a, b []Key) (firmward.Field, bool) {
	for _, k := range a { // strongest first
		if slices.Contains(b, k) {
			return k.Field, true
		}
	}
	return "", false
}

// conflicts reports whether both sides have a serial and none agrees. A serial of a vendor that is not
// known yet speaks against none of the same value.
func conflicts(a, b []Key) bool {
	both := false
	for _, k := range a {
		for _, o := range b {
			if k.Field != firmward.FieldSerial || o.Field != firmward.FieldSerial {
				continue
			}
			if k.Value == o.Value && (k.Vendor == o.Vendor || k.Vendor == "" || o.Vendor == "") {
				return false
			}
			both = true
		}
	}
	return both
}

// macConflict reports whether both sides know MACs and share none.
func macConflict(a, b []Key) bool {
	var mine, theirs bool
	for _, k := range a {
		if k.Field == firmward.FieldMAC {
			mine = true
			if slices.Contains(b, k) {
				return false
			}
		}
	}
	for _, k := range b {
		theirs = theirs || k.Field == firmward.FieldMAC
	}
	return mine && theirs
}
