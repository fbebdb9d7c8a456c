// Package version compares firmware versions by the rules of the vendor that wrote them.
//
// No single rule is right for firmware: "6.49rc1" is older than "6.49", "1.0.0-hotfix1" is newer
// than "1.0.0", "V4.60(ABFA.1)C0" says nothing about "V4.60(ABCD.1)C0". So there is a registry of
// schemes, and two honest ways out: an order may be Incomparable, and a decision says how precise
// it is. A caller must never read Incomparable as "not affected".
package version

import (
	"sort"
	"strings"
)

// Order is the outcome of a comparison.
type Order int

// The orders. Incomparable is an answer: the scheme does not relate the two versions.
const (
	Less         Order = -1
	Equal        Order = 0
	Greater      Order = 1
	Incomparable Order = 2
)

func (o Order) String() string {
	switch o {
	case Less:
		return "less"
	case Equal:
		return "equal"
	case Greater:
		return "greater"
	}
	return "incomparable"
}

// Reverse gives the order with the operands swapped.
func (o Order) Reverse() Order {
	if o == Incomparable {
		return o
	}
	return -o
}

// Precision says how much a comparison can be trusted.
type Precision int

// The precisions, from worst to best.
const (
	Rough   Precision = iota // decided on words or letters that the scheme does not know
	Natural                  // decided on plain numbers, but by natural order and not by a vendor's rule
	Exact                    // decided by the vendor's own rule
)

func (p Precision) String() string {
	switch p {
	case Exact:
		return "exact"
	case Natural:
		return "natural"
	}
	return "rough"
}

// Generic is the name of the scheme without vendor knowledge: natural order.
const Generic = "generic"

// scheme is one vendor's way to write versions.
type scheme struct {
	name  string
	about string
	parse func(string) (key, bool) // lower-case input without surrounding space
	words map[string]word          // words the scheme knows; nil means the common ones
	track func(key) string         // release line of a version; nil: the vendor has one line
	guess bool                     // no vendor's rule: never Exact
	cased bool                     // capital letters differ from small ones
}

// Compare orders a and b by the named scheme. An unknown scheme name compares like Generic.
//
// Two identical non-empty strings are Equal under every scheme. An empty string is Incomparable
// with everything, itself included: an unknown version equals nothing.
func Compare(name, a, b string) (Order, Precision) {
	s := lookup(name)
	a, b = s.clean(a), s.clean(b)
	if a == "" || b == "" {
		return Incomparable, Exact
	}
	if a == b {
		return Equal, Exact
	}
	x, y := s.read(a), s.read(b)
	return s.compare(&x, &y)
}

// reading is a version as one scheme reads it.
type reading struct {
	key
	text  string // as the scheme cleans it; only in a Comparer
	ok    bool
	shape int // only where the scheme is a guess
}

// read takes a clean version.
func (s *scheme) read(v string) reading {
	k, ok := s.parse(v)
	r := reading{key: k, ok: ok}
	if ok && s.guess {
		r.shape = shape(v)
	}
	return r
}

func (s *scheme) compare(a, b *reading) (Order, Precision) {
	if !a.ok || !b.ok {
		return Incomparable, Exact
	}
	o, p := a.key.compare(&b.key, s.known())
	if s.guess {
		p = min(p, Natural)
		if a.shape == shapeOther || a.shape != b.shape {
			p = Rough // 20200612 is not newer than 002_2208a because 20200612 is the larger number
		}
	}
	return o, p
}

// SameTrack reports whether a fix in version b can be meant for a device on version a. Vendors with
// parallel release lines (AXIS OS 9.80, 10.12, 11.11; FortiOS 7.0, 7.2) fix each line by itself.
// Versions of different tracks can still be compared for "is newer". A version that the scheme
// cannot read is on no track, so the answer is no.
func SameTrack(name, a, b string) bool {
	s := lookup(name)
	ka, okA := s.parse(s.clean(a))
	kb, okB := s.parse(s.clean(b))
	if !okA || !okB {
		return false
	}
	return s.track == nil || s.track(ka) == s.track(kb)
}

// Tracks reports whether the scheme's vendor keeps parallel release lines.
func Tracks(name string) bool { return lookup(name).track != nil }

// Track names the release line of v, or gives "" when the scheme has one line or cannot read v.
func Track(name, v string) string {
	s := lookup(name)
	k, ok := s.parse(s.clean(v))
	if !ok || s.track == nil {
		return ""
	}
	return s.track(k)
}

// Known reports whether the registry has a scheme of this name.
func Known(name string) bool {
	_, ok := registry[name]
	return ok
}

// Schemes lists the names of all schemes, sorted.
func Schemes() []string {
	names := make([]string, 0, len(registry))
	for n := range registry {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

// About describes a scheme in one line; empty for an unknown name.
func About(name string) string {
	if s, ok := registry[name]; ok {
		return s.about
	}
	return ""
}

func lookup(name string) *scheme {
	if s, ok := registry[name]; ok {
		return s
	}
	return registry[Generic]
}

func (s *scheme) known() map[string]word {
	if s.words != nil {
		return s.words
	}
	return commonWords
}

// clean lower-cases, drops surrounding space and NUL and the backslashes with which CPE quotes, and bounds the
// length: a device may say anything.
func clean(v string) string { return strings.ToLower(trim(v)) }

func (s *scheme) clean(v string) string {
	if s.cased {
		return trim(v)
	}
	return clean(v)
}

func trim(v string) string {
	if len(v) > maxVersion {
		v = v[:maxVersion]
	}
	if strings.IndexByte(v, '\\') >= 0 {
		v = strings.ReplaceAll(v, `\`, "")
	}
	return strings.Trim(v, " \t\r\n\x00")
}

const maxVersion = 256
