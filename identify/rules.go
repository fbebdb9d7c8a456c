// Package identify turns raw readings into claims and claims into an identity.
//
// Rules (fingerprints) are data from the catalogue. Every claim keeps the observation, the rule and
// the raw text it came from. Nothing is forced: a field that no rule can read stays empty, and two
// answers to one question stay visible as a contradiction.
package identify

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/firmward/firmward"
)

// Rules is a compiled set of fingerprints.
type Rules struct {
	rules []rule
}

type rule struct {
	firmward.Fingerprint
	names    []string // reading names, sorted
	patterns []*regexp.Regexp
	unless   map[string]*regexp.Regexp
	fields   []firmward.Field // sorted
}

// Compile checks and compiles fingerprints. Every example must match its own fingerprint and give
// exactly its claims; the error names the fingerprint.
func Compile(prints []firmward.Fingerprint) (*Rules, error) {
	set := &Rules{}
	seen := map[string]bool{}
	for _, p := range prints {
		if p.ID == "" || seen[p.ID] {
			return nil, firmward.Errorf(firmward.Invalid, fmt.Sprintf("fingerprint id %q is empty or used twice", p.ID))
		}
		seen[p.ID] = true
		r, err := compile(p)
		if err != nil {
			return nil, err
		}
		set.rules = append(set.rules, r)
	}
	return set, nil
}

func compile(p firmward.Fingerprint) (rule, error) {
	r := rule{Fingerprint: p, names: slices.Sorted(maps.Keys(p.When)), fields: slices.Sorted(maps.Keys(p.Claim))}
	if len(r.names) == 0 || len(r.fields) == 0 || p.Confidence < 1 || p.Confidence > 100 {
		return r, firmward.Errorf(firmward.Invalid, "fingerprint "+p.ID+" needs when, claim and a confidence of 1 to 100")
	}
	for _, name := range r.names {
		re, err := regexp.Compile(p.When[name])
		if err != nil {
			return r, &firmward.Error{Code: firmward.Invalid, Message: "fingerprint " + p.ID + ": pattern of " + name, Err: err}
		}
		r.patterns = append(r.patterns, re)
	}
	r.unless = make(map[string]*regexp.Regexp, len(p.Unless))
	for name, pattern := range p.Unless {
		re, err := regexp.Compile(pattern)
		if err != nil {
			return r, &firmward.Error{Code: firmward.Invalid, Message: "fingerprint " + p.ID + ": pattern of unless " + name, Err: err}
		}
		r.unless[name] = re
	}
	if len(p.Examples) == 0 {
		return r, firmward.Errorf(firmward.Invalid, "fingerprint "+p.ID+" has no example")
	}
	for i, ex := range p.Examples {
		got := map[firmward.Field]string{}
		for _, c := range r.claims(ex.Readings) {
			got[c.Field] = c.Value
		}
		if !maps.Equal(got, ex.Claims) {
			return r, firmward.Errorf(firmward.Invalid, fmt.Sprintf("fingerprint %s: example %d gives %v, want %v", p.ID, i+1, got, ex.Claims))
		}
	}
	return r, nil
}

// Claims reads one observation with every rule. Only answered observations carry claims.
func (s *Rules) Claims(o firmward.Observation) []firmward.Claim {
	if o.Outcome != firmward.Answered && o.Outcome != firmward.Cut {
		return nil
	}
	readings := make(map[string]string, len(o.Readings))
	for _, r := range o.Readings {
		readings[r.Name] = r.Value
	}
	var out []firmward.Claim
	for i := range s.rules {
		for _, c := range s.rules[i].claims(readings) {
			c.Source, c.Observation, c.Addr, c.At = o.Probe, o.ID, o.Addr, o.At
			out = append(out, c)
		}
	}
	return out
}

const maxRaw = 512

func (r *rule) claims(readings map[string]string) []firmward.Claim {
	for name, re := range r.unless {
		if v, ok := readings[name]; ok && re.MatchString(v) {
			return nil
		}
	}
	values := make(map[string]string, len(r.names)*2)
	var raw strings.Builder
	for i, name := range r.names {
		v, ok := readings[name]
		if !ok {
			return nil
		}
		m := r.patterns[i].FindStringSubmatch(v)
		if m == nil {
			return nil
		}
		for g, group := range r.patterns[i].SubexpNames() {
			if group != "" {
				values[group] = m[g]
			}
		}
		values[name] = v
		if raw.Len() < maxRaw {
			fmt.Fprintf(&raw, "%s=%s ", name, v)
		}
	}
	for name, v := range readings { // a claim may quote a reading that no pattern names
		if _, ok := values[name]; !ok {
			values[name] = v
		}
	}
	evidence := strings.TrimSpace(raw.String())
	var out []firmward.Claim
	for _, f := range r.fields {
		v := normal(f, expand(r.Claim[f], values))
		if v == "" {
			continue
		}
		out = append(out, firmward.Claim{Field: f, Value: v, Rule: r.ID, Raw: evidence[:min(len(evidence), maxRaw)], Confidence: r.Confidence})
	}
	return out
}

// expand replaces ${name} by its value. A template whose names are all empty gives the empty string.
func expand(template string, values map[string]string) string {
	var out strings.Builder
	names, filled := 0, 0
	for {
		before, rest, ok := strings.Cut(template, "${")
		out.WriteString(before)
		if !ok {
			break
		}
		name, after, ok := strings.Cut(rest, "}")
		if !ok {
			break
		}
		names++
		if v := strings.TrimSpace(values[name]); v != "" {
			filled++
			out.WriteString(v)
		}
		template = after
	}
	if names > 0 && filled == 0 {
		return ""
	}
	return strings.TrimSpace(out.String())
}

// normal writes a value in its field's one form: MACs as AA:BB:CC:DD:EE:FF, UUIDs in lower case as uuid:… whether
// they came as UDN or as URN. Values that cannot be what the field is are dropped.
func normal(f firmward.Field, v string) string {
	if f == firmward.FieldUUID {
		v = strings.TrimPrefix(strings.ToLower(v), "urn:")
	}
	if f != firmward.FieldMAC {
		return strings.ToValidUTF8(v, "")
	}
	var hex strings.Builder
	for _, c := range strings.ToUpper(v) {
		if c >= '0' && c <= '9' || c >= 'A' && c <= 'F' {
			hex.WriteRune(c)
		}
	}
	h := hex.String()
	if len(h) != 12 {
		return ""
	}
	parts := make([]string, 6)
	for i := range parts {
		parts[i] = h[2*i : 2*i+2]
	}
	return strings.Join(parts, ":")
}
