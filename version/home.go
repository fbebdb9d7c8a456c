package version

import (
	"regexp"
	"strings"
)

// Home and small-office routers, access points and switches.

// parseShelly reads 20220209-092750/v1.11.8-g8c7bb8d, the first generation's form, and plain semver.
func parseShelly(s string) (key, bool) {
	if i := strings.IndexByte(s, '/'); i == 15 && s[8] == '-' && only(s[:8], isDigit) {
		s = s[i+1:]
	}
	return parseDotted(dropCommit(s))
}

// routerChannels are RouterOS' words without parentheses.
var routerChannels = []string{"stable", "long-term", "testing", "development", "bugfix"}

func parseRouterOS(s string) (key, bool) {
	s = after(s, "mikrotik", "routeros")
	s = after(s, "routeros")
	for _, c := range routerChannels {
		s = strings.TrimRight(strings.TrimSuffix(s, c), " _-")
	}
	return parseDotted(s)
}

var (
	reZyxel  = regexp.MustCompile(`^v?(\d+(?:\.\d+)*) ?\(([a-z]{2,6})[._]?(\d+(?:\.\d+)*)\)(?:([a-z])(\d+))?(.*)$`)
	reZynos  = regexp.MustCompile(`^v?(\d)(\d\d)([a-z]{2,5})(\d{1,2})([a-z])(\d+)$`)
	rePatch  = regexp.MustCompile(`^v?(\d+(?:\.\d+)*)[ _-]*(?:patch|p)[ _]*(\d+)$`)
	reDigits = regexp.MustCompile(`^(\d)(\d\d)(b\d.*)$`)
	reInside = regexp.MustCompile(`^([\d.]+)[ _]?\(?(?:ww|na|eu|kr|au|cn|de|us)\)?[ _]?(b\d.*)$`)
)

// parseZyxel keeps the model code as a group. "5.36 Patch 2" states a patch without a model code
// and equals (XXXX.2) of any model. C0 is the release, b1 a beta of it.
func parseZyxel(s string) (key, bool) {
	s = after(s, "zld", "uos")
	if strings.IndexByte(s, '(') >= 0 {
		if m := reZyxel.FindStringSubmatch(s); m != nil {
			return zyxel(m[1], m[2], m[3], m[4], m[5], m[6])
		}
	}
	if m := rePatch.FindStringSubmatch(s); m != nil {
		k := key{tokens: tokenize(m[1], commonWords), patched: true}
		k.tokens = append(k.tokens, patch(m[2])...)
		return k, true
	}
	if m := reZynos.FindStringSubmatch(s); m != nil { // V100AANC0b5, as old files are named
		return zyxel(m[1]+"."+m[2], m[3], m[4], m[5], m[6], "")
	}
	return parseDotted(s)
}

func zyxel(number, model, patches, mark, count, rest string) (key, bool) {
	k := key{group: model, tokens: tokenize(number, commonWords), coarse: rest != ""}
	k.tokens = append(k.tokens, patch(patches)...)
	switch count = trimZeros(count); {
	case mark == "b":
		k.tokens = append(k.tokens, wordToken("beta", commonWords), token{class: classNumber, num: count})
	case mark != "" && count != "0":
		k.tokens = append(k.tokens, token{class: classWord, word: mark, rank: 5}, token{class: classNumber, num: count})
	}
	return k, true
}

// patch gives the tokens of a patch number (7, 7.1); patch 0 is the plain version.
func patch(n string) []token {
	t := tokenize(n, commonWords)
	if len(t) == 1 && t[0].num == "0" {
		return nil
	}
	return append([]token{wordToken("patch", commonWords)}, t...)
}

// The regions of D-Link's and NETGEAR's builds; the same version for another country is the same.
var (
	dlinkRegions   = []string{"eu_", "ge_", "in_", "im_", "me_", "na_", "ww_", "us_", "uk_", "reva_", "revb_", "revc_", "revd_", "a1_", "b1_", "c1_"}
	regionSuffixes = []string{"ww", "na", "eu", "pe", "au", "kr", "ru", "us", "uk", "jp", "rg", "pr", "cn", "ge"}
)

func parseDlink(s string) (key, bool) {
	for _, r := range dlinkRegions {
		s = strings.TrimPrefix(s, r)
	}
	s = lead(s)
	if m := reInside.FindStringSubmatch(s); m != nil { // 1.14WWB07
		s = m[1] + m[2]
	}
	if m := reDigits.FindStringSubmatch(s); m != nil { // 206b01 is 2.06b01
		s = m[1] + "." + m[2] + m[3]
	}
	return dotted(dropRegion(s), dlinkWords)
}

// dropRegion takes "(WW)" or NA behind a number away.
func dropRegion(s string) string {
	for _, r := range regionSuffixes {
		if rest, ok := strings.CutSuffix(s, "("+r+")"); ok {
			return strings.TrimRight(rest, " _")
		}
		rest, ok := strings.CutSuffix(s, r)
		if rest = strings.TrimRight(rest, " _"); ok && rest != "" && isDigit(rest[len(rest)-1]) {
			return rest
		}
	}
	return s
}

func parseWLED(s string) (key, bool) { return dotted(s, wledWords) }

// parseNetgear drops the build of the region: V1.0.4.6_10.1.12, 1.0.4.28_1.0.28NA.
func parseNetgear(s string) (key, bool) {
	s = dropRegion(s)
	if i := strings.LastIndexByte(s, '_'); i > 0 {
		if nums, rest := numbers(s[i+1:]); len(nums) > 1 && rest == "" {
			s = s[:i]
		}
	}
	return parseDotted(dropRegion(s))
}

// parseASUS keeps the test line 9.0.0.4 apart: 9.0.0.4.386 came before 3.0.0.4.386.
func parseASUS(s string) (key, bool) {
	k, ok := parseDotted(dropCommit(s))
	if t := k.tokens; ok && len(t) > 3 && t[1].num == "0" && t[2].num == "0" {
		k.group = t[0].num
	}
	return k, ok
}

// parseEdgeOS reads Ubiquiti's v2.0.9-hotfix.1 and EdgeRouter.ER-e100.v1.10.11.5274269.200221.1004:
// the platform before and the build (five digits or more, date, time) behind do not count.
func parseEdgeOS(s string) (key, bool) {
	if i := strings.LastIndex(s, ".v"); i >= 0 {
		s = s[i+1:]
	}
	s = lead(s)
	nums, rest := numbers(s)
	if len(nums) == 0 {
		return key{}, false
	}
	k := key{tokens: make([]token, 0, 6)}
	for i, n := range nums {
		if i > 2 && len(n) >= 5 {
			break
		}
		k.tokens = append(k.tokens, number(n))
	}
	k.tokens = canonical(k.tokens)
	more := split(rest, commonWords)
	for i, t := range more {
		if i > 1 && t.class == classNumber && len(t.num) >= 5 {
			more = more[:i] // hotfix.6.5574651.221230.1015
			break
		}
	}
	k.tokens = append(k.tokens, more...)
	return k, true
}

var reTenda = regexp.MustCompile(`^(?:[a-z0-9.]+_)*?v?(\d+(?:\.\d+){2,3})(?:[(_](\d{4,5})_?\)?)?(?:_[a-z]{2,5}(?:_[a-z0-9_]+)?)?$`)

// parseTenda reads V15.03.05.19(6318)_CN and US_AC15V1.0BR_V15.03.05.19_multi_TD01: dotted version and build. Model, region and
// edition do not count.
func parseTenda(s string) (key, bool) {
	m := reTenda.FindStringSubmatch(s)
	if m == nil {
		return key{}, false
	}
	return key{tokens: tokenize(m[1], letters), build: m[2]}, true
}
