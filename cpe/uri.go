package cpe

import (
	"fmt"
	"net/url"
	"strings"
)

// Read reads a name in either binding, for lists of names that people and tools write.
func Read(s string) (Name, error) {
	if strings.HasPrefix(strings.ToLower(s), "cpe:/") {
		return ParseURI(s)
	}
	return Parse(s)
}

// ParseURI reads a name in the URI binding of CPE 2.2, "cpe:/o:vendor:product:1.0" (NISTIR 7695 §6.1). What an
// advisory writes there is a name and no pattern: the percent forms of wildcards are refused. A packed fifth part
// ("~edition~software edition~target software~target hardware~other") is unpacked.
func ParseURI(s string) (Name, error) {
	rest, ok := strings.CutPrefix(strings.ToLower(s), "cpe:/")
	parts := strings.Split(rest, ":")
	if !ok || len(parts) > 7 || len(s) > MaxLength {
		return Name{}, fmt.Errorf("%q is no CPE 2.2 URI", s)
	}
	var v [11]Attr
	for i := range v {
		v[i] = Any
	}
	for i, p := range parts {
		if packed := strings.Split(p, "~"); i == 5 && len(packed) == 6 && packed[0] == "" {
			for n, at := range [...]int{5, 7, 8, 9, 10} {
				if err := unbind(&v[at], packed[n+1]); err != nil {
					return Name{}, fmt.Errorf("%q: %w", s, err)
				}
			}
			continue
		}
		if err := unbind(&v[i], p); err != nil {
			return Name{}, fmt.Errorf("%q: %w", s, err)
		}
	}
	n := Name{v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], v[8], v[9], v[10]}
	return Parse(n.String())
}

func unbind(a *Attr, part string) error {
	switch part {
	case "":
		return nil
	case "-":
		*a = NA
		return nil
	}
	text, err := url.PathUnescape(part)
	if err != nil {
		return err
	}
	for i := range len(text) {
		if text[i] <= ' ' || text[i] >= 0x7f {
			return fmt.Errorf("part %q holds a pattern or what no name holds", part)
		}
	}
	*a = Literal(text)
	return nil
}
