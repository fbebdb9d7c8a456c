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
// are no keys.
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
			if c.Field == f && !(f == firmward.FieldMAC && randomMAC(c.Value)) && !slices.Contains(keys, k) {
				keys = append(keys, k)
			}
		}
	}
	return keys
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
	byKey = iota
	byMAC
	byAddr
)

// Assign finds the device of an observation made at addr with the given keys. Strong keys decide
// first. MAC and address only tie where no strong key speaks against it: an address that changes
// hands is a new device, not a changed one. Of several that tie equally the one that is known at the
// address comes first; the others are the same device, unless their own keys or a person say no.
func Assign(addr netip.Addr, keys []Key, candidates []Candidate) Assignment {
	var ties []tie
	for _, c := range candidates {
		t := tie{Candidate: c, here: slices.Contains(c.Addrs, addr)}
		switch field, ok := shared(keys, c.Keys); {
		case ok && field != firmward.FieldMAC:
			t.rank, t.why = byKey, "same "+string(field)
		case conflicts(keys, c.Keys):
			continue
		case ok:
			t.rank, t.why = byMAC, "same mac"
		case t.here && !macConflict(keys, c.Keys):
			t.rank, t.why = byAddr, "same address and nothing against it"
		default:
			continue
		}
		ties = append(ties, t)
	}
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
	out := Assignment{Device: ties[0].ID, Why: ties[0].why}
	known, apart := slices.Concat(keys, ties[0].Keys), slices.Clone(ties[0].Apart)
	for _, t := range ties[1:] {
		switch {
		case slices.Contains(apart, t.ID):
		case conflicts(known, t.Keys):
		default:
			out.Merge = append(out.Merge, t.ID)
			if t.why != ties[0].why {
				out.Why = ties[0].why + ", " + t.why
			}
			known, apart = append(known, t.Keys...), append(apart, t.Apart...)
		}
	}
	return out
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
