package policy

import (
	"slices"
	"strconv"

	"github.com/firmward/firmward"
)

// reach says whether some device could match a selector, and whether some device could not.
type reach struct{ some, miss bool }

// mostTried bounds the devices that reachOf makes up; a selector that would need more counts as one that decides something.
const mostTried = 200_000

// reachOf makes up a device for every way in which a selector can tell devices apart: for each field that it tests, each value that it
// names, values around it and one that it does not name. What holds for all of these holds for every device there could be.
func reachOf(f firmward.Filter) reach {
	values := map[string][]string{}
	collect(f, values)
	fields := make([]string, 0, len(values))
	tried := 1
	for _, name := range firmward.FilterFields() { // in a fixed order
		if len(values[name]) > 0 {
			fields = append(fields, name)
			tried *= len(values[name])
		}
		if tried > mostTried {
			return reach{some: true, miss: true}
		}
	}
	var out reach
	for n := range tried {
		var d firmward.Device
		for _, name := range fields {
			setField(&d, name, values[name][n%len(values[name])])
			n /= len(values[name])
		}
		if f.Match(d) {
			out.some = true
		} else {
			out.miss = true
		}
		if out.some && out.miss {
			break
		}
	}
	return out
}

// unnamed is in no value that a policy names.
const unnamed = "\x00"

// collect gathers the values of each field at which a filter's answer can change.
func collect(f firmward.Filter, values map[string][]string) {
	for _, a := range f.Args {
		collect(a, values)
	}
	add := func(list ...string) {
		for _, v := range list {
			if !slices.Contains(values[f.Field], v) {
				values[f.Field] = append(values[f.Field], v)
			}
		}
	}
	switch f.Op {
	case firmward.FilterIn, firmward.FilterStartsWith, firmward.FilterAtLeast:
		switch f.Field {
		case "exposed", "spare":
			add("true", "false")
		case "criticality":
			add("0", "1", "2", "3", "4", "5") // all that there are
		default:
			add(unnamed)
			add(f.Values...)
			if f.Op == firmward.FilterStartsWith {
				add(f.Values[0] + unnamed) // begins so, and is no name of another test
			}
		}
	}
}

func setField(d *firmward.Device, field, value string) {
	switch field {
	case "site":
		d.Site = value
	case "zone":
		d.Zone = firmward.Zone(value)
	case "class":
		d.Class = firmward.Class(value)
	case "vendor":
		d.Vendor = value
	case "model":
		d.Model = value
	case "family":
		d.Family = value
	case "owner":
		d.Owner = value
	case "function":
		d.Function = value
	case "network":
		d.Network = value
	case "criticality":
		d.Criticality, _ = strconv.Atoi(value)
	case "exposed":
		d.Exposed = value == "true"
	case "spare":
		d.Spare = value == "true"
	}
}

// checkReach refuses a policy that no device could fall under: its selector matches none, or those before it take all. One that takes all
// must say so by having no selector: a selector that looks as if it chose something and does not is a slip.
func checkReach(list []Rollout) string {
	all := ""
	for _, p := range list {
		r := reachOf(p.Select)
		switch {
		case all != "":
			return "policy " + strconv.Quote(p.Name) + " is never used: " + strconv.Quote(all) + " before it takes every device; put that one last or give it a select"
		case !r.some:
			return "policy " + strconv.Quote(p.Name) + " selects nothing: no device could match " + p.Source + "; mend its select or take the policy out"
		case !r.miss && p.Source != "":
			return "policy " + strconv.Quote(p.Name) + " selects everything: " + p.Source + " is true for every device; leave select out if that is meant, and put the policy last"
		case !r.miss:
			all = p.Name
		}
	}
	return ""
}
