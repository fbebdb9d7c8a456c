package version

import "strings"

// The readers below cut a version without regular expressions: a batch reads tens of thousands.

// leadWords is what vendors write before the first number.
var leadWords = []string{"firmware", "fw", "software", "version", "ver", "v"}

// lead drops what vendors write before the first number: v, fw_, version. What starts with other
// letters stays as it is.
func lead(s string) string {
	if s != "" && isDigit(s[0]) {
		return s
	}
	rest := s
	for cut := true; cut; {
		cut = false
		rest = strings.TrimLeft(rest, " _.-:")
		for _, w := range leadWords {
			if after, ok := strings.CutPrefix(rest, w); ok {
				rest, cut = after, true
				break
			}
		}
	}
	if rest == "" || !isDigit(rest[0]) {
		return s
	}
	return rest
}

// after drops the first of the prefixes that s has, and space behind it.
func after(s string, prefixes ...string) string {
	for _, p := range prefixes {
		if rest, ok := strings.CutPrefix(s, p); ok {
			return strings.TrimLeft(rest, " _-")
		}
	}
	return s
}

// channels are words that tell how a version is offered, not which one it is.
var channels = []string{"stable", "long-term", "testing", "development", "lts", "ga", "ga.f", "ga.m", "bugfix", "current"}

// dropChannel takes the channel in parentheses away: "6.48.6 (long-term)".
func dropChannel(s string) string {
	for from := 0; ; {
		i := strings.IndexByte(s[from:], '(')
		if i < 0 {
			return s
		}
		i += from
		for _, c := range channels {
			if rest, ok := strings.CutPrefix(s[i+1:], c+")"); ok {
				s = strings.TrimRight(s[:i], " _") + rest
				i = -1
				break
			}
		}
		from = i + 1
	}
}

// dropMetadata takes semver's build metadata away: 1.0.0+build.5.
func dropMetadata(s string) string {
	i := strings.LastIndexByte(s, '+')
	if i < 0 || i == len(s)-1 || !only(s[i+1:], func(c byte) bool { return isDigit(c) || c >= 'a' && c <= 'z' || c == '.' || c == '-' }) {
		return s
	}
	return s[:i]
}

// dropCommit takes the hash of a commit away: -g8c7bb8d, @0d769d69.
func dropCommit(s string) string {
	for _, mark := range []string{"-g", "@", "/g"} {
		i := strings.LastIndex(s, mark)
		if i >= 0 && len(s)-i-len(mark) >= 6 && only(s[i+len(mark):], isHex) {
			return s[:i]
		}
	}
	return s
}

func isHex(c byte) bool { return isDigit(c) || c >= 'a' && c <= 'f' }

func only(s string, is func(byte) bool) bool {
	for i := range len(s) {
		if !is(s[i]) {
			return false
		}
	}
	return true
}

// digits gives the run of digits at the start of s and the rest.
func digits(s string) (run, rest string) { return span(s, isDigit) }

func span(s string, is func(byte) bool) (run, rest string) {
	i := 0
	for i < len(s) && is(s[i]) {
		i++
	}
	return s[:i], s[i:]
}

// numbers gives the dotted numbers at the start of s and the rest, which starts with what is no
// dot followed by a digit.
func numbers(s string) (nums []string, rest string) {
	for {
		run, after := digits(s)
		if run == "" {
			return nums, s
		}
		nums, s = append(nums, run), after
		if len(s) < 2 || s[0] != '.' || !isDigit(s[1]) {
			return nums, s
		}
		s = s[1:]
	}
}

// padded gives exactly n number tokens, zeros where fewer are stated; false if there are more.
func padded(nums []string, n int) ([]token, bool) {
	if len(nums) == 0 || len(nums) > n {
		return nil, false
	}
	out := make([]token, 0, n+3)
	for i := range n {
		d := "0"
		if i < len(nums) {
			d = nums[i]
		}
		out = append(out, number(d))
	}
	return out, true
}

func parseDotted(s string) (key, bool) { return dotted(s, commonWords) }

func dotted(s string, known map[string]word) (key, bool) {
	s = lead(dropMetadata(dropChannel(s)))
	if s == "" || !isDigit(s[0]) {
		return key{}, false
	}
	return key{tokens: tokenize(s, known)}, true
}

func parseGeneric(s string) (key, bool) {
	k := key{tokens: tokenize(strings.TrimPrefix(lead(s), "v"), commonWords)}
	for _, t := range k.tokens {
		if t.class == classNumber {
			return k, true
		}
	}
	return key{}, false
}

// The shapes of versions for which natural order can be trusted: dotted numbers, or plain numbers of
// one length, which is the shape itself.
const (
	shapeOther  = 0
	shapeDotted = -1
)

func shape(v string) int {
	v = lead(v)
	nums, rest := numbers(v)
	switch {
	case len(nums) == 0 || rest != "":
		return shapeOther
	case len(nums) == 1:
		return len(v)
	}
	return shapeDotted
}

func major(k key) string {
	if len(k.tokens) == 0 {
		return ""
	}
	return k.tokens[0].num
}

func majorMinor(k key) string {
	t := major(k) + "."
	if len(k.tokens) > 1 && k.tokens[1].class == classNumber {
		return t + k.tokens[1].num
	}
	return t + "0"
}
