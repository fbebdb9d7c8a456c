package version

import (
	"strconv"
	"strings"
)

// Schemes that are nobody's own: semantic versions, calendar versions, Zigbee's file numbers.

// parseSemver reads https://semver.org/spec/v2.0.0.html §2, §9, §11, and nothing looser but a v in front.
func parseSemver(s string) (key, bool) {
	if rest := strings.TrimPrefix(strings.TrimPrefix(s, "v"), "V"); len(rest) >= len(s)-1 {
		s = rest
	}
	s, meta, has := strings.Cut(s, "+")
	if has && !identifiers(meta, false) {
		return key{}, false
	}
	core, pre, has := strings.Cut(s, "-")
	nums, rest := numbers(core)
	if len(nums) != 3 || rest != "" || has && !identifiers(pre, true) {
		return key{}, false
	}
	k := key{tokens: make([]token, 0, 6)}
	for _, n := range nums {
		if len(n) > 1 && n[0] == '0' {
			return key{}, false
		}
		k.tokens = append(k.tokens, number(n))
	}
	if !has {
		return k, true
	}
	k.tokens = append(k.tokens, token{class: classPre, rank: -1})
	for id := range strings.SplitSeq(pre, ".") {
		if only(id, isDigit) {
			k.tokens = append(k.tokens, number(id))
		} else {
			k.tokens = append(k.tokens, token{class: classText, word: id})
		}
	}
	return k, true
}

// identifiers checks dot-separated identifiers; a number of a pre-release has no leading zero.
func identifiers(s string, pre bool) bool {
	for id := range strings.SplitSeq(s, ".") {
		if id == "" || !only(id, func(c byte) bool { return isDigit(c) || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '-' }) {
			return false
		}
		if pre && len(id) > 1 && id[0] == '0' && only(id, isDigit) {
			return false
		}
	}
	return true
}

// parseCalendar reads 2023.10.1, 23.05.2 and 2024-05-17. With dashes the month alone is the whole
// month: no day of it comes before or after it.
func parseCalendar(s string) (key, bool) {
	s = lead(dropMetadata(dropChannel(s)))
	year, rest := digits(s)
	if len(year) == 8 {
		if fullDate(year) == "" {
			return key{}, false
		}
		year, rest = year[:4], "."+year[4:6]+"."+year[6:]+rest
	}
	if len(rest) < 2 || !isDigit(rest[1]) || len(year) == 4 && year[:2] != "19" && year[:2] != "20" || len(year) == 3 || len(year) > 4 {
		return key{}, false
	}
	sep := rest[0]
	month, rest := digits(rest[1:])
	if len(year) == 1 && len(month) == 2 {
		year = "0" + year // 9.10
	}
	if len(year) == 1 || sep != '.' && sep != '-' && sep != '_' || len(month) > 2 || trimZeros(month) == "0" || len(month) == 2 && month > "12" {
		return key{}, false
	}
	if len(year) == 2 {
		year = "20" + year
	}
	k := key{tokens: append([]token{number(year), number(month)}, split(rest, calverWords)...)}
	if sep == '-' && rest == "" {
		k.depth = 2
		return k, true
	}
	k.tokens = canonical(k.tokens)
	return k, true
}

// parseZigbee reads the file version of a Zigbee OTA image, a 32-bit number (Zigbee Cluster Library,
// OTA upgrade cluster): 0x00201302, 00201302, or decimal. Eight digits with a leading zero are
// hexadecimal, since nobody pads the decimal form.
func parseZigbee(s string) (key, bool) {
	hex, isHexForm := strings.CutPrefix(s, "0x")
	isHexForm = isHexForm || len(s) == 8 && (s[0] == '0' || !only(s, isDigit))
	base := 10
	if isHexForm {
		base = 16
	}
	n, err := strconv.ParseUint(hex, base, 32)
	if err != nil {
		return key{}, false
	}
	return key{tokens: []token{number(strconv.FormatUint(n, 10))}}, true
}
