package store

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/firmward/firmward"
)

// match turns a selector into a condition on the device table d. It agrees with firmward.Filter.Match.
func (f *filter) match(w firmward.Filter) string {
	switch w.Op {
	case firmward.FilterAnd, firmward.FilterOr:
		all, join := "1 = 1", " AND "
		if w.Op == firmward.FilterOr {
			all, join = "1 = 0", " OR "
		}
		for _, a := range w.Args {
			all += join + "(" + f.match(a) + ")"
		}
		return all
	case firmward.FilterNot:
		return "NOT (" + f.match(w.Args[0]) + ")"
	case firmward.FilterIn:
		var any strings.Builder
		any.WriteString("1 = 0")
		for _, v := range w.Values {
			any.WriteString(" OR " + f.equals(w.Field, v))
		}
		return any.String()
	case firmward.FilterStartsWith:
		if len(w.Values) == 0 || !textField(w.Field) {
			return "1 = 0"
		}
		return "substr(d." + w.Field + ", 1, " + f.mark(int64(utf8.RuneCountInString(w.Values[0]))) + ") = " + f.mark(w.Values[0])
	case firmward.FilterAtLeast:
		n, err := strconv.ParseInt(w.Values[0], 10, 64)
		if err != nil {
			return "1 = 0"
		}
		return "d.criticality >= " + f.mark(n)
	}
	return "1 = 1"
}

// equals compares a column with a value in the text form that a selector has.
func (f *filter) equals(field, value string) string {
	switch {
	case field == "criticality":
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || strconv.FormatInt(n, 10) != value {
			return "1 = 0"
		}
		return "d.criticality = " + f.mark(n)
	case field == "exposed" || field == "spare":
		if value != "true" && value != "false" {
			return "1 = 0"
		}
		return "d." + field + " = " + f.mark(value == "true")
	case textField(field):
		return "d." + field + " = " + f.mark(value)
	}
	return "1 = 0"
}

func textField(field string) bool {
	switch field {
	case "criticality", "exposed", "spare":
		return false
	}
	return slices.Contains(firmward.FilterFields(), field)
}

// mark adds an argument and gives its place in the query.
func (f *filter) mark(arg any) string {
	f.args = append(f.args, arg)
	return "$" + strconv.Itoa(len(f.args))
}
