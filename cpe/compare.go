package cpe

import "strings"

// Relation is the outcome of a comparison of sets (NISTIR 7696 §6.1).
type Relation int

// The relations. Undefined means that the specification gives no answer.
const (
	Undefined Relation = iota
	Disjoint
	Subset
	Equal
	Superset
)

func (r Relation) String() string {
	return [...]string{"undefined", "disjoint", "subset", "equal", "superset"}[r]
}

// Compare relates two values of one attribute after NISTIR 7696 table 6-2. A wildcard is allowed
// in source only; in target it gives Undefined.
func Compare(source, target Attr) Relation {
	switch {
	case target.Wild():
		return Undefined
	case source == target:
		return Equal
	case source == Any:
		return Superset
	case target == Any:
		return Subset
	case source == NA || target == NA:
		return Disjoint
	case source.Wild() && match(string(source), string(target)):
		return Superset
	}
	return Disjoint
}

// CompareNames relates two names: the sets are disjoint when one attribute is, and one contains the
// other when no attribute says otherwise (NISTIR 7696 table 6-4).
func CompareNames(source, target Name) Relation {
	s, t := source.attrs(), target.attrs()
	result := Equal
	for i := range s {
		a, b := s[i], t[i]
		if a == "" {
			a = Any
		}
		if b == "" {
			b = Any
		}
		switch r := Compare(a, b); {
		case r == Disjoint || result == Disjoint:
			result = Disjoint
		case r == Undefined || result == Undefined:
			result = Undefined
		case r == Equal:
		case result == Equal || result == r:
			result = r
		default:
			result = Undefined // wider here, narrower there
		}
	}
	return result
}

// match compares a value with leading or trailing wildcards against a literal one. "*" stands for
// any run of signs, "?" for one sign or, at the end of a value, none (NISTIR 7695 §5.3.2).
func match(pattern, value string) bool {
	p, v := units(pattern), units(value)
	lead, trail := 0, 0
	anyLead, anyTrail := false, false
	for len(p) > 0 && (p[0] == "*" || p[0] == "?") {
		anyLead = anyLead || p[0] == "*"
		lead++
		p = p[1:]
	}
	for len(p) > 0 && (p[len(p)-1] == "*" || p[len(p)-1] == "?") {
		anyTrail = anyTrail || p[len(p)-1] == "*"
		trail++
		p = p[:len(p)-1]
	}
	for at := 0; at+len(p) <= len(v); at++ {
		after := len(v) - at - len(p)
		if (anyLead || at <= lead) && (anyTrail || after <= trail) && strings.Join(p, "\x00") == strings.Join(v[at:at+len(p)], "\x00") {
			return true
		}
	}
	return false
}

// units cuts a value into signs; an escaped sign is one unit with its backslash.
func units(s string) []string {
	var out []string
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			out = append(out, s[i:i+2])
			i++
			continue
		}
		out = append(out, s[i:i+1])
	}
	return out
}
