// Package ssh reads the identification string of SSH servers (RFC 4253 §4.2). No I/O.
package ssh

import (
	"fmt"
	"strings"
)

// Ident is what a server says of itself before anything is agreed on.
type Ident struct {
	Protocol string // "2.0"; "1.99" also speaks the old one
	Software string // "dropbear_2019.78"
	Comment  string // "Debian-2+deb12u3"
}

// maxIdent is the length of an identification string, without its end (RFC 4253 §4.2).
const maxIdent = 253

// ReadIdent reads an identification string.
func ReadIdent(line string) (Ident, error) {
	line = strings.TrimRight(line, "\r\n")
	rest, ok := strings.CutPrefix(line, "SSH-")
	protocol, rest, dash := strings.Cut(rest, "-")
	if !ok || !dash || protocol == "" || len(line) > maxIdent {
		return Ident{}, fmt.Errorf("read SSH identification: %.40q is none", line)
	}
	software, comment, _ := strings.Cut(rest, " ")
	return Ident{Protocol: protocol, Software: software, Comment: comment}, nil
}
