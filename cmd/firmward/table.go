package main

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// table is aligned text that keeps to the width of the page: its last column wraps, and where that is not
// enough the widest of the others do.
type table struct {
	head []string
	rows [][]string
}

// The least widths of columns: of the last one while others can still give way and when none can, and of words
// that have to be broken.
const (
	lastColumn, lastResort = 24, 12
	brokenWord             = 16
)

func (t table) write(a *app) {
	if len(t.rows) == 0 {
		fmt.Fprintln(a.out, "none")
		return
	}
	lines := append([][]string{t.head}, t.rows...)
	for i, row := range lines {
		lines[i] = make([]string, len(row))
		for n, cell := range row {
			lines[i][n] = clean(cell)
		}
	}
	widths := columns(lines, a.width, a.tty)
	for i, row := range lines {
		text := strings.Join(cells(row, widths, a.tty), "\n")
		if i == 0 {
			text = a.bold(text)
		}
		fmt.Fprintln(a.out, text)
	}
}

// columns gives each column the width of its longest cell, or less where the page is too narrow: first the last one
// gives way, then the widest of the others, as far as its longest word. A terminal would break words anyway, so
// there the last resort is to break them within their column; elsewhere they stay whole for those who search.
func columns(lines [][]string, page int, breakWords bool) []int {
	widths, words := make([]int, len(lines[0])), make([]int, len(lines[0]))
	for _, row := range lines {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
			for word := range strings.FieldsSeq(cell) {
				words[i] = max(words[i], utf8.RuneCountInString(word))
			}
		}
	}
	last := len(widths) - 1
	over := 2*last - page
	for _, w := range widths {
		over += w
	}
	// give takes from the widest of the first n columns, as long as it is wider than its least width.
	give := func(n int, least func(i int) int) {
		for ; over > 0; over-- {
			widest := -1
			for i, w := range widths[:n] {
				if w > least(i) && (widest < 0 || w > widths[widest]) {
					widest = i
				}
			}
			if widest < 0 {
				return
			}
			widths[widest]--
		}
	}
	shrinkLast := func(least int) {
		if by := min(over, widths[last]-least); by > 0 {
			widths[last], over = widths[last]-by, over-by
		}
	}
	shrinkLast(lastColumn)
	give(last, func(i int) int { return words[i] })
	if breakWords {
		shrinkLast(max(lastResort, words[last]))
		give(last, func(int) int { return brokenWord })
		shrinkLast(lastResort)
	}
	return widths
}

// cells lays a row out over as many lines as its tallest cell needs.
func cells(row []string, widths []int, breakWords bool) []string {
	last := len(row) - 1
	parts, height := make([][]string, len(row)), 1
	for i, cell := range row {
		parts[i] = wrap(cell, widths[i])
		if breakWords {
			parts[i] = broken(parts[i], widths[i])
		}
		height = max(height, len(parts[i]))
	}
	out := make([]string, height)
	for n := range out {
		var b strings.Builder
		for i, part := range parts {
			text := ""
			if n < len(part) {
				text = part[n]
			}
			b.WriteString(text)
			if i < last {
				b.WriteString(strings.Repeat(" ", max(widths[i]-utf8.RuneCountInString(text), 0)+2))
			}
		}
		out[n] = strings.TrimRight(b.String(), " ")
	}
	return out
}

// broken breaks lines that are longer than width.
func broken(lines []string, width int) []string {
	var out []string
	for _, l := range lines {
		for chunk := range slices.Chunk([]rune(l), max(width, 1)) {
			out = append(out, string(chunk))
		}
	}
	return out
}
