package identify

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/firmward/firmward"
)

// disputed is the least confidence at which a differing claim counts as a contradiction.
const disputed = 50

// person is the confidence of what a person said: a probe may contradict it visibly, never silently.
const person = 100

// Merge weighs claims into an identity. Of several claims by one rule at one address only the newest
// counts. Then, per field: what a person said, else the highest confidence, else the most
// independent sources, else the newest. Key fields may rightly have many values.
func Merge(claims []firmward.Claim) firmward.Identity {
	byField := map[firmward.Field][]firmward.Claim{}
	for _, c := range newest(claims) {
		byField[c.Field] = append(byField[c.Field], c)
	}
	fields := make([]firmward.Field, 0, len(byField))
	for f := range byField {
		fields = append(fields, f)
	}
	slices.Sort(fields)
	var id firmward.Identity
	for _, f := range fields {
		groups := group(byField[f])
		for _, g := range groups {
			id.Claims = append(id.Claims, g...)
		}
		if multiple(f) || len(groups) < 2 {
			continue
		}
		if c, ok := contradiction(f, groups); ok {
			id.Contradictions = append(id.Contradictions, c)
		}
	}
	return id
}

// multiple reports whether a device may truly have several values of the field.
func multiple(f firmward.Field) bool {
	return f == firmward.FieldMAC || f == firmward.FieldSoftware || f == firmward.FieldHostKey || f == firmward.FieldUUID
}

func newest(claims []firmward.Claim) []firmward.Claim {
	type slot struct {
		field  firmward.Field
		source string
		rule   string
		addr   string
	}
	at := map[slot]int{}
	var out []firmward.Claim
	for _, c := range claims {
		k := slot{c.Field, c.Source, c.Rule, c.Addr.String()}
		if c.Field == firmward.FieldSoftware {
			k.rule += c.Value
		}
		if i, ok := at[k]; !ok {
			at[k] = len(out)
			out = append(out, c)
		} else if n := c.At.Compare(out[i].At); n > 0 || n == 0 && better(c, out[i]) < 0 {
			out[i] = c
		}
	}
	return out
}

// group collects claims of one field by value, best group first, best claim first in each.
func group(claims []firmward.Claim) [][]firmward.Claim {
	byValue := map[string][]firmward.Claim{}
	for _, c := range claims {
		k := strings.ToLower(c.Value)
		byValue[k] = append(byValue[k], c)
	}
	groups := make([][]firmward.Claim, 0, len(byValue))
	for _, g := range byValue {
		slices.SortFunc(g, better)
		groups = append(groups, g)
	}
	slices.SortFunc(groups, func(a, b []firmward.Claim) int {
		return cmp.Or(
			cmp.Compare(b[0].Confidence, a[0].Confidence),
			cmp.Compare(sources(b), sources(a)),
			b[0].At.Compare(a[0].At),
			cmp.Compare(a[0].Value, b[0].Value),
		)
	})
	return groups
}

func better(a, b firmward.Claim) int {
	return cmp.Or(cmp.Compare(b.Confidence, a.Confidence), b.At.Compare(a.At),
		cmp.Compare(a.Source, b.Source), cmp.Compare(a.Rule, b.Rule), a.Addr.Compare(b.Addr),
		cmp.Compare(a.Value, b.Value), cmp.Compare(a.Raw, b.Raw), cmp.Compare(a.Observation, b.Observation))
}

func sources(g []firmward.Claim) int {
	seen := map[string]bool{}
	for _, c := range g {
		seen[c.Source] = true
	}
	return len(seen)
}

func contradiction(f firmward.Field, groups [][]firmward.Claim) (firmward.Contradiction, bool) {
	best := groups[0][0]
	c := firmward.Contradiction{Field: f, Chosen: best}
	for _, g := range groups[1:] {
		if g[0].Confidence >= disputed && !refines(best.Value, g[0].Value) {
			c.Others = append(c.Others, g[0])
		}
	}
	if len(c.Others) == 0 {
		return c, false
	}
	next := c.Others[0]
	switch {
	case best.Confidence > next.Confidence:
		c.Why = fmt.Sprintf("%s is trusted more (%d against %d)", best.Source, best.Confidence, next.Confidence)
	case sources(groups[0]) > 1:
		c.Why = fmt.Sprintf("%d sources agree", sources(groups[0]))
	case best.At.After(next.At):
		c.Why = best.Source + " looked later"
	default:
		c.Why = "both are equally good; the first by name was taken"
	}
	return c, true
}

// refines reports whether one value is only a longer form of the other: "AXIS P3265-LV" and "P3265-LV".
func refines(a, b string) bool {
	a, b = strings.ToLower(a), strings.ToLower(b)
	return strings.HasPrefix(a, b) && wordEnd(a, len(b)) || strings.HasPrefix(b, a) && wordEnd(b, len(a)) ||
		strings.HasSuffix(a, " "+b) || strings.HasSuffix(b, " "+a)
}

func wordEnd(s string, at int) bool { return at == len(s) || s[at] == ' ' }

// Apply writes the winning claims into the device's fields; a field that nothing speaks for any more is empty. Owner-given
// fields are left alone; the name is replaced only while nobody gave one.
func Apply(d firmward.Device, id firmward.Identity) firmward.Device {
	for f, to := range map[firmward.Field]*string{
		firmward.FieldVendor: &d.Vendor, firmward.FieldModel: &d.Model, firmward.FieldHardware: &d.Hardware,
		firmward.FieldSerial: &d.Serial, firmward.FieldFirmware: &d.Firmware, firmward.FieldFamily: &d.Family,
	} {
		c, _ := id.Best(f)
		*to = c.Value
	}
	d.Class = firmward.ClassUnknown
	if c, ok := id.Best(firmward.FieldClass); ok {
		d.Class = firmward.Class(c.Value)
	}
	if c, ok := id.Best(firmward.FieldName); ok {
		d.Name = c.Value
	}
	d.MACs = d.MACs[:0:0]
	for _, c := range id.Claims {
		if c.Field == firmward.FieldMAC && !slices.Contains(d.MACs, c.Value) {
			d.MACs = append(d.MACs, c.Value)
		}
	}
	slices.Sort(d.MACs)
	return d
}

// ByHand makes the claim of a person.
func ByHand(f firmward.Field, value, who string) firmward.Claim {
	return firmward.Claim{Field: f, Value: normal(f, value), Source: "person:" + who, Confidence: person}
}
