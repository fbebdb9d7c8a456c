// Versions runs firmware versions with a known order through generic comparators and through
// firmward's, and prints how many pairs each has right.
//
//	go run ./versions [corpus.tsv]
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
)

// corpusFile is firmward's corpus as seen from the module's folder.
const corpusFile = "../../version/testdata/corpus.tsv"

func main() {
	path := corpusFile
	if len(os.Args) > 1 {
		path = os.Args[1]
	}
	if err := run(path, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "versions:", err)
		os.Exit(1)
	}
}

func run(path string, out io.Writer) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	pairs, err := read(f)
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', tabwriter.AlignRight)
	open := 0
	for _, p := range pairs {
		if p.relation == "?" {
			open++
		}
	}
	fmt.Fprintf(out, "%d pairs with an order, %d that no rule relates\n\n", len(pairs)-open, open)
	fmt.Fprintln(w, "right\twrong\terror\tordered what has no order\t  comparator")
	for _, c := range comparators {
		s := c.judge(pairs)
		fmt.Fprintf(w, "%d\t%d\t%d\t%d\t  %s\n", s.right, s.wrong, s.failed, s.invented, c.name)
	}
	return w.Flush()
}

// pair is one line of the corpus.
type pair struct{ scheme, a, relation, b string }

// read takes lines of scheme, a, relation, b and a note, divided by tabs.
func read(r io.Reader) ([]pair, error) {
	var out []pair
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		if line == "" || line[0] == '#' {
			continue
		}
		f := strings.Split(line, "\t")
		if len(f) < 4 {
			return nil, fmt.Errorf("line %d: %d columns", n, len(f))
		}
		out = append(out, pair{f[0], f[1], f[2], f[3]})
	}
	return out, lines.Err()
}

// comparator says "<", "=", ">", or "?" where it knows of no order.
type comparator struct {
	name    string
	compare func(p pair) (string, error)
}

// score counts pairs with an order that a comparator has right, wrong, or cannot read, and pairs
// without an order that it orders all the same.
type score struct{ right, wrong, failed, invented int }

func (c comparator) judge(pairs []pair) (s score) {
	for _, p := range pairs {
		got, err := c.compare(p)
		switch {
		case p.relation == "?":
			if err == nil && got != "?" {
				s.invented++
			}
		case err != nil || got == "?":
			s.failed++
		case got == p.relation:
			s.right++
		default:
			s.wrong++
		}
	}
	return s
}

// sign writes what a comparison function gives.
func sign(n int) string {
	switch {
	case n < 0:
		return "<"
	case n > 0:
		return ">"
	}
	return "="
}
