// Package cpe reads, writes and compares CPE 2.3 names.
//
// Names are held in the formatted string binding (NISTIR 7695 §6.2) and compared attribute by
// attribute (NISTIR 7696 §6). Vendor and product also have a plain text form, unescaped and
// lower case, with which the advisory index is keyed.
package cpe

import (
	"fmt"
	"strings"
)

// Attr is one attribute value in its escaped formatted-string form, lower case: "*" is ANY, "-" is
// NA, every sign except letters, digits, "_", "-" and "." is escaped with a backslash, and an
// unescaped "*" or "?" at either end is a wildcard.
type Attr string

// The two logical values (NISTIR 7695 §5.3.1).
const (
	Any Attr = "*" // any value, or none stated
	NA  Attr = "-" // not applicable
)

// Name is a CPE 2.3 name. Part is "a", "o", "h", or "*".
type Name struct {
	Part, Vendor, Product, Version, Update, Edition, Language, SWEdition, TargetSW, TargetHW, Other Attr
}

const prefix = "cpe:2.3:"

// MaxLength bounds the bytes of a name that Parse accepts.
const MaxLength = 2048

// Parse reads a formatted string with all eleven attributes. Letters are folded to lower case. The
// error says what is wrong; names from feeds that fail are refused, not repaired.
func Parse(s string) (Name, error) {
	if len(s) > MaxLength {
		return Name{}, fmt.Errorf("CPE name of %d bytes, at most %d are read", len(s), MaxLength)
	}
	rest, ok := strings.CutPrefix(strings.ToLower(s), prefix)
	if !ok {
		return Name{}, fmt.Errorf("CPE name %q does not start with %q", s, prefix)
	}
	parts, ok := split(rest)
	if !ok {
		return Name{}, fmt.Errorf("CPE name %q has not exactly eleven attributes", s)
	}
	for i, p := range parts {
		c, err := canonical(p)
		if err != nil {
			return Name{}, fmt.Errorf("CPE name %q: %s %w", s, attrNames[i], err)
		}
		parts[i] = string(c)
	}
	switch parts[0] {
	case "a", "o", "h", "*", "-":
	default:
		return Name{}, fmt.Errorf("CPE name %q: part %q is none of a, o, h", s, parts[0])
	}
	return Name{
		Attr(parts[0]), Attr(parts[1]), Attr(parts[2]), Attr(parts[3]), Attr(parts[4]), Attr(parts[5]),
		Attr(parts[6]), Attr(parts[7]), Attr(parts[8]), Attr(parts[9]), Attr(parts[10]),
	}, nil
}

var attrNames = [11]string{"part", "vendor", "product", "version", "update", "edition", "language", "software edition", "target software", "target hardware", "other"}

// split cuts at unescaped colons.
func split(s string) (parts [11]string, ok bool) {
	n, from := 0, 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case ':':
			if n == 10 {
				return parts, false
			}
			parts[n] = s[from:i]
			n, from = n+1, i+1
		}
	}
	if n != 10 {
		return parts, false
	}
	parts[10] = s[from:]
	return parts, true
}

// canonical checks one attribute and writes it with exactly the escapes that are needed.
func canonical(s string) (Attr, error) {
	if s == "" {
		return "", fmt.Errorf("is empty")
	}
	if s == "*" || s == "-" || plain(s) {
		return Attr(s), nil
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\\':
			i++
			if i == len(s) {
				return "", fmt.Errorf("ends in a lone backslash")
			}
			if s[i] <= ' ' || s[i] >= 0x7f {
				return "", fmt.Errorf("escapes the byte %#x", s[i])
			}
			writeLiteral(&b, s[i])
		case c == '*' || c == '?':
			if !wildcardPlace(s, i) {
				return "", fmt.Errorf("has a wildcard in its middle")
			}
			b.WriteByte(c)
		case c <= ' ' || c >= 0x7f:
			return "", fmt.Errorf("has the byte %#x, which is no printable ASCII sign", c)
		default:
			writeLiteral(&b, c) // unescaped punctuation is repaired: feeds disagree on it
		}
	}
	if b.String() == "-" { // an escaped hyphen alone is a text, not NA
		return `\-`, nil
	}
	return Attr(b.String()), nil
}

// wildcardPlace reports whether only wildcards stand before or behind position i.
func wildcardPlace(s string, i int) bool {
	return strings.Trim(s[:i], "*?") == "" || strings.Trim(s[i:], "*?") == ""
}

func plain(s string) bool {
	for i := range len(s) {
		if !unreserved(s[i]) {
			return false
		}
	}
	return true
}

func unreserved(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c == '.'
}

func writeLiteral(b *strings.Builder, c byte) {
	if !unreserved(c) {
		b.WriteByte('\\')
	}
	b.WriteByte(c)
}

// Literal escapes plain text to an attribute value. Spaces become "_"; bytes that a CPE name cannot
// hold are dropped. Empty text gives Any.
func Literal(text string) Attr {
	var b strings.Builder
	for i := range len(text) {
		c := text[i]
		switch {
		case c == ' ' || c == '\t':
			b.WriteByte('_')
		case c > ' ' && c < 0x7f:
			writeLiteral(&b, lower(c))
		}
	}
	switch b.String() {
	case "":
		return Any
	case "-":
		return `\-`
	}
	return Attr(b.String())
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// Text gives the value without escapes. The logical values stay "*" and "-".
func (a Attr) Text() string {
	if !strings.Contains(string(a), `\`) {
		return string(a)
	}
	var b strings.Builder
	for i := 0; i < len(a); i++ {
		if a[i] == '\\' && i+1 < len(a) {
			i++
		}
		b.WriteByte(a[i])
	}
	return b.String()
}

// Logical reports whether the value is ANY or NA.
func (a Attr) Logical() bool { return a == Any || a == NA }

// Wild reports whether the value holds an unescaped wildcard and is not ANY.
func (a Attr) Wild() bool {
	if a == Any {
		return false
	}
	for i := 0; i < len(a); i++ {
		switch a[i] {
		case '\\':
			i++
		case '*', '?':
			return true
		}
	}
	return false
}

// String writes the formatted string; Parse reads it back. Empty attributes are written as ANY.
func (n Name) String() string {
	var b strings.Builder
	b.WriteString("cpe:2.3")
	for _, a := range n.attrs() {
		b.WriteByte(':')
		if a == "" {
			a = Any
		}
		b.WriteString(string(a))
	}
	return b.String()
}

func (n Name) attrs() [11]Attr {
	return [11]Attr{n.Part, n.Vendor, n.Product, n.Version, n.Update, n.Edition, n.Language, n.SWEdition, n.TargetSW, n.TargetHW, n.Other}
}

// Key is what the advisory index is keyed by: unescaped lower-case names, the vendor's alias resolved.
type Key struct {
	Vendor, Product string
}

// Key gives the index key of the name.
func (n Name) Key() Key {
	return Key{Vendor: Vendor(n.Vendor.Text()), Product: n.Product.Text()}
}
