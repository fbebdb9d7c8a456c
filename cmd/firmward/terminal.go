package main

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

// askTerminal asks on a terminal without echo. done is false when f is none.
func askTerminal(f *os.File, out io.Writer, prompt string) (secret string, done bool, err error) {
	fd := int(f.Fd())
	if !term.IsTerminal(fd) {
		return "", false, nil
	}
	fmt.Fprint(out, prompt)
	b, err := term.ReadPassword(fd)
	fmt.Fprintln(out)
	if err != nil {
		return "", true, fmt.Errorf("read secret: %w", err)
	}
	return string(b), true, nil
}
