package firmward

import (
	"slices"
	"strconv"
	"strings"
)

// Filter is a device selector after policy has compiled it: a tree of simple tests that both Go and
// SQL can answer. The zero Filter matches everything.
type Filter struct {
	Op     FilterOp
	Field  string   // for tests: site, zone, class, vendor, model, family, owner, function, network, criticality, exposed, spare
	Values []string // for tests; criticality as decimal digits, booleans as "true" and "false"
	Args   []Filter // for and, or, not
}

// FilterOp is the operation of a filter node.
type FilterOp string

// The operations. Less and its kin compare criticality only.
const (
	FilterAll        FilterOp = ""
	FilterAnd        FilterOp = "and"
	FilterOr         FilterOp = "or"
	FilterNot        FilterOp = "not"
	FilterIn         FilterOp = "in" // equal to one of Values
	FilterStartsWith FilterOp = "starts-with"
	FilterAtLeast    FilterOp = "at-least"
)

// Match reports whether the device passes the filter.
func (f Filter) Match(d Device) bool {
	switch f.Op {
	case FilterAnd:
		for _, a := range f.Args {
			if !a.Match(d) {
				return false
			}
		}
		return true
	case FilterOr:
		for _, a := range f.Args {
			if a.Match(d) {
				return true
			}
		}
		return false
	case FilterNot:
		return !f.Args[0].Match(d)
	case FilterIn:
		return slices.Contains(f.Values, f.value(d))
	case FilterStartsWith:
		return strings.HasPrefix(f.value(d), f.Values[0])
	case FilterAtLeast:
		n, err := strconv.Atoi(f.Values[0])
		return err == nil && d.Criticality >= n
	}
	return true
}

// FilterFields lists the fields that a filter can test.
func FilterFields() []string {
	return []string{"site", "zone", "class", "vendor", "model", "family", "owner", "function", "network", "criticality", "exposed", "spare"}
}

func (f Filter) value(d Device) string {
	switch f.Field {
	case "site":
		return d.Site
	case "zone":
		return string(d.Zone)
	case "class":
		return string(d.Class)
	case "vendor":
		return d.Vendor
	case "model":
		return d.Model
	case "family":
		return d.Family
	case "owner":
		return d.Owner
	case "function":
		return d.Function
	case "network":
		return d.Network
	case "criticality":
		return strconv.Itoa(d.Criticality)
	case "exposed":
		return strconv.FormatBool(d.Exposed)
	case "spare":
		return strconv.FormatBool(d.Spare)
	}
	return ""
}
