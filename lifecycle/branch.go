package lifecycle

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/version"
)

// onBranch reports whether the record is about the branch that the device runs: its version begins with the record's
// branch, or is of that release track.
func onBranch(r firmward.Lifecycle, d firmward.Device, m firmward.Model) bool {
	if r.Branch == "" {
		return true
	}
	v, b := strings.ToLower(strings.TrimSpace(d.Firmware)), strings.ToLower(strings.TrimSpace(r.Branch))
	if begins(bare(v), bare(b)) {
		return true
	}
	t := version.Track(m.Scheme, d.Firmware)
	return t != "" && t == b
}

// bare gives a text from its version on: "openwrt 22.03.5 r20134" without the first word, "v7.2.5" without the v. The version
// is the first word that begins with a digit, with or without a v; where a word says "version", it comes after that. A text
// without one stays as it is.
func bare(text string) string {
	words := strings.Fields(text)
	if i := slices.IndexFunc(words, func(w string) bool { return strings.TrimRight(w, ":") == "version" }); i >= 0 {
		words = words[i+1:]
	}
	for i, w := range words {
		if digit(w) {
			return strings.TrimPrefix(strings.Join(words[i:], " "), "v")
		}
	}
	return text
}

func digit(word string) bool {
	word = strings.TrimPrefix(word, "v")
	return word != "" && word[0] >= '0' && word[0] <= '9'
}

// begins reports whether a version begins with a branch and the branch's last part ends there: 7.2 is the beginning of 7.2.5
// and of 7.2rc1, and not of 7.24 or 7.2b. Numbers are compared as such: Cisco's 17.09.04a begins with 17.9.
func begins(v, b string) bool {
	for b != "" {
		if v == "" {
			return false
		}
		x, restV := run(v)
		y, restB := run(b)
		if x == "" || y == "" {
			if v[0] != b[0] || x != y {
				return false
			}
			v, b = v[1:], b[1:]
			continue
		}
		if strings.TrimLeft(x, "0") != strings.TrimLeft(y, "0") {
			return false
		}
		v, b = restV, restB
		if b == "" {
			return v == "" || !letter(v[0]) || early(v)
		}
	}
	return v == "" || !letter(v[0]) && !(v[0] >= '0' && v[0] <= '9')
}

// run divides a text behind the digits at its beginning.
func run(s string) (digits, rest string) {
	rest = strings.TrimLeft(s, "0123456789")
	return s[:len(s)-len(rest)], rest
}

func letter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 0x80 }

// attached are the words that stand for a stage or a patch of a version directly behind its number: 7.24rc3, 9.12.1P4. Other
// letters make another branch: Cisco's 12.2SE, Android's 4.4W.
var attached = []string{"alpha", "beta", "rc", "p"}

// early reports whether what follows a number is one of those words and then a number or nothing.
func early(rest string) bool {
	for _, w := range attached {
		if more, ok := strings.CutPrefix(rest, w); ok && (more == "" || !letter(more[0])) {
			return true
		}
	}
	return false
}

// newer finds the nearest branch above that of the record, of the same product, of which no record says that it has ended or
// ends before.
func newer(of firmward.Lifecycle, scheme string, records []firmward.Lifecycle, now time.Time) (branch, latest string) {
	gone, told := map[string]bool{}, map[string]string{}
	for _, r := range records {
		if r.Branch == "" || !sameVendor(r.Vendor, of.Vendor) || stem(r.Product) != stem(of.Product) {
			continue
		}
		if order, _ := version.Compare(scheme, of.Branch, r.Branch); order != version.Less {
			continue
		}
		known := r.Ended || !r.EndOfSupport.IsZero()
		if st, _ := state(r, now); known && (st == Ended || !of.EndOfSupport.IsZero() && !r.EndOfSupport.After(of.EndOfSupport)) {
			gone[r.Branch] = true
		}
		told[r.Branch] = max(told[r.Branch], r.Latest)
	}
	for _, b := range slices.Sorted(maps.Keys(told)) {
		order, _ := version.Compare(scheme, b, branch)
		if !gone[b] && (branch == "" || order == version.Less) {
			branch, latest = b, told[b]
		}
	}
	return branch, latest
}
