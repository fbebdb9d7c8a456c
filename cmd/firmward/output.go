package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Listing are the options of every listing.
type Listing struct {
	Limit int `help:"Show at most so many; 0 shows all." default:"200"`
}

// examples is the end of a command's help.
func examples(lines ...string) string {
	return "Examples:\n\n  " + strings.Join(lines, "\n  ")
}

// listTo prints a listing: one JSON object a line, or a table.
func listTo[T any](ctx context.Context, a *app, path string, q url.Values, limit int, head []string, row func(T) []string) error {
	return listSorted(ctx, a, path, q, limit, head, row, nil)
}

// listSorted is listTo with the table in the order of cmp; JSON stays in the order of the API, as it comes.
func listSorted[T any](ctx context.Context, a *app, path string, q url.Values, limit int, head []string, row func(T) []string, cmp func(x, y T) int) error {
	var items []T
	enc := json.NewEncoder(a.out)
	enc.SetEscapeHTML(false)
	more, err := pages(ctx, a.client, path, q, limit, func(item T) error {
		if a.JSON {
			return enc.Encode(item)
		}
		items = append(items, item)
		return nil
	})
	if err != nil {
		return err
	}
	if !a.JSON {
		if cmp != nil {
			slices.SortStableFunc(items, cmp)
		}
		t := table{head: head}
		for _, item := range items {
			t.rows = append(t.rows, row(item))
		}
		t.write(a)
	}
	if more {
		fmt.Fprintf(a.err, "There are more: --limit 0 shows all.\n")
	}
	return nil
}

// say prints what a command did: as one JSON object when that was asked for, else in words.
func (a *app) say(v any, text string) error {
	if done, err := a.asJSON(v); done {
		return err
	}
	a.para(0, text)
	return nil
}

// asJSON prints one thing as JSON when that was asked for; else it says false.
func (a *app) asJSON(v any) (bool, error) {
	if !a.JSON {
		return false, nil
	}
	enc := json.NewEncoder(a.out)
	enc.SetEscapeHTML(false)
	return true, enc.Encode(v)
}

// jsonLines prints things as one JSON object a line.
func (a *app) jsonLines(lines []any) error {
	enc := json.NewEncoder(a.out)
	enc.SetEscapeHTML(false)
	for _, l := range lines {
		if err := enc.Encode(l); err != nil {
			return err
		}
	}
	return nil
}

func anys[T any](list []T) []any {
	out := make([]any, len(list))
	for i, v := range list {
		out[i] = v
	}
	return out
}

// clean keeps what devices say from steering the terminal.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u202e' || r == '\u2066' || r == '\u2067' || r == '\u2068':
			return '?'
		}
		return r
	}, s)
}

// wrap breaks a text at words.
func wrap(s string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(s) {
		switch {
		case line == "":
			line = word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) <= width:
			line += " " + word
		default:
			lines, line = append(lines, line), word
		}
	}
	return append(lines, line)
}

// para prints a text with an indent, wrapped.
func (a *app) para(indent int, s string) {
	for _, l := range wrap(clean(s), a.width-indent) {
		fmt.Fprintln(a.out, strings.Repeat(" ", indent)+l)
	}
}

// title prints a heading.
func (a *app) title(s string) { fmt.Fprintln(a.out, "\n"+a.bold(s)) }

func (a *app) bold(s string) string { return a.paint("1", s) }

// paint shows a text in an ANSI style: "1" bold, "2" dim, "31" red, "32" green. Only a terminal gets it.
func (a *app) paint(style, s string) string {
	if !a.tty || os.Getenv("NO_COLOR") != "" {
		return s
	}
	return "\x1b[" + style + "m" + s + "\x1b[0m"
}

// when shows a time in the local zone, with the zone.
func when(t time.Time) string {
	if t.IsZero() {
		return "unknown"
	}
	return t.Local().Format("2006-01-02 15:04 MST")
}

// day shows the day of a time, or "none" when no clock runs.
func day(t time.Time) string {
	if t.IsZero() {
		return "none"
	}
	return t.Local().Format(time.DateOnly)
}

// known shows a value that may be unknown.
func known(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}

// join shows a list that may be empty.
func join(l []string) string {
	if len(l) == 0 {
		return "none"
	}
	return strings.Join(l, ", ")
}

// plural counts things.
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// yes shows a truth.
func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// hidden asks for a secret: without echo on a terminal, else the first line of the input.
func (a *app) hidden(ctx context.Context, prompt string) (string, error) {
	if f, ok := a.in.(*os.File); ok {
		if s, done, err := askTerminal(f, a.err, prompt); done {
			return s, err
		}
	}
	return firstLine(ctx, a.in)
}

// firstLine reads one line byte by byte, so that what follows stays in the input.
func firstLine(_ context.Context, r io.Reader) (string, error) {
	var line []byte
	for b := make([]byte, 1); ; {
		n, err := r.Read(b)
		if n == 1 && b[0] == '\n' || err == io.EOF {
			return strings.TrimSuffix(string(line), "\r"), nil
		}
		if err != nil {
			return "", fmt.Errorf("read secret: %w", err)
		}
		if line = append(line, b[:n]...); len(line) > 4096 {
			return "", usageError("the secret is longer than 4096 bytes")
		}
	}
}
