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
}

// Assignment says where an observation belongs.
type Assignment struct {
	Device string   // empty: a new device
	Merge  []string // other devices that are now proven to be the same
	Why    string
}

// Assign finds the device of an observation made at addr with the given keys. Strong keys decide
// first. MAC and address only tie where no strong key speaks against it: an address that changes
// hands is a new device, not a changed one.
func Assign(addr netip.Addr, keys []Key, candidates []Candidate) Assignment {
	var strong, weak []string
	why := ""
	for _, c := range candidates {
		switch field, ok := shared(keys, c.Keys); {
		case ok && field != firmward.FieldMAC:
			strong = append(strong, c.ID)
			why = "same " + string(field)
		case conflicts(keys, c.Keys):
		case ok:
			weak = append(weak, c.ID)
			if why == "" {
				why = "same mac"
			}
		case slices.Contains(c.Addrs, addr) && !macConflict(keys, c.Keys):
			weak = append(weak, c.ID)
			if why == "" {
				why = "same address and nothing against it"
			}
		}
	}
	all := append(strong, weak...)
	if len(all) == 0 {
		return Assignment{Why: "nothing known matches"}
	}
	return Assignment{Device: all[0], Merge: all[1:], Why: why}
}

func shared(a, b []Key) (firmward.Field, bool) {
	for _, k := range a { // strongest first
		if slices.Contains(b, k) {
			return k.Field, true
		}
	}
	return "", false
}

// conflicts reports whether both sides have a serial of the same vendor and none agrees.
func conflicts(a, b []Key) bool {
	for _, k := range a {
		if k.Field != firmward.FieldSerial {
			continue
		}
		for _, o := range b {
			if o.Field == firmward.FieldSerial && o != k {
				return true
			}
		}
	}
	return false
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
