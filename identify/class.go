package identify

import (
	"strings"

	"github.com/firmward/firmward"
)

// Class reads a class as a person writes it. Any kebab-case word is one. What is almost the name of a class that
// rules speak of is refused: a pump whose class is mistyped would lose its protection without a word.
func Class(text string) (firmward.Class, error) {
	word := strings.ToLower(strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == '_' || r == '-' }), "-"))
	for _, c := range firmward.Classes() {
		if text == string(c) {
			return c, nil
		}
		if word == string(c) || word == string(c)+"s" || len(c) > 3 && distance(word, string(c)) <= len(c)/5+1 {
			return "", firmward.Errorf(firmward.Invalid, "no class is called "+text+": is it meant to be "+string(c)+"?")
		}
	}
	odd := strings.ContainsFunc(text, func(r rune) bool { return r != '-' && (r < 'a' || r > 'z') && (r < '0' || r > '9') })
	if text == "" || odd || word != text || len(text) > 40 {
		return "", firmward.Errorf(firmward.Invalid, text+" is no class: want a word such as camera, or small letters joined by dashes such as infusion-pump")
	}
	return firmward.Class(text), nil
}

// distance is how many letters are to be put in, left out or changed to make b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		left := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := left
			if a[i] != b[j] {
				change++
			}
			left = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
