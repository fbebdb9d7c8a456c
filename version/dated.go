package version

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Vendors that write a build date beside the version: cameras, access points, network storage.

// parseBuild reads "V5.5.0 build 170725".
func parseBuild(s string) (key, bool) {
	head, build := cutBuild(s)
	return dated(head, build)
}

func dated(head, build string) (key, bool) {
	if head == "" {
		return key{build: build}, build != ""
	}
	k, ok := parseDotted(head)
	k.build = build
	return k, ok
}

// cutBuild divides a version from the build date behind it, which it gives as yyyymmdd. What stands
// after the date (rel.69802) does not count.
func cutBuild(s string) (head, date string) {
	at, behind := strings.LastIndex(s, "build"), ""
	if at >= 0 {
		behind = strings.TrimLeft(s[at+len("build"):], " _:.-")
		behind = strings.TrimLeft(after(behind, "date", "time"), " _:.-")
	} else if at = strings.LastIndex(s, "_b"); at >= 0 {
		behind = s[at+2:]
	}
	if date = leadingDate(behind); date == "" {
		return s, ""
	}
	return strings.TrimRight(s[:at], " _,(.-"), date
}

// leadingDate reads yymmdd, yyyymmdd or yyyy-mm-dd at the start of s; the vendors started after 2000.
func leadingDate(s string) string {
	run, rest := digits(s)
	if len(run) == 4 && len(rest) >= 6 && rest[0] == '-' && rest[3] == '-' {
		run += rest[1:3] + rest[4:6]
	}
	return fullDate(run)
}

// fullDate gives yyyymmdd, or "" when the digits are no date.
func fullDate(d string) string {
	if len(d) == 6 {
		d = "20" + d
	}
	if len(d) != 8 || !only(d, isDigit) || d[:2] != "20" && d[:2] != "19" || d[4:6] < "01" || d[4:6] > "12" || d[6:] < "01" || d[6:] > "31" {
		return ""
	}
	return d
}

// parseDahua reads "2.800.0000000.29.R, Build Date: 2021-06-01", 2.820.0000000.5.R.210705 and the
// names of files that end so. R marks a release.
func parseDahua(s string) (key, bool) {
	if strings.HasPrefix(s, "dh_") {
		if i := strings.LastIndex(s, "_v"); i >= 0 {
			s = strings.TrimSuffix(s[i+1:], ".bin")
		}
	}
	head, build := cutBuild(s)
	if i := strings.LastIndex(head, ".r."); build == "" && i >= 0 {
		if d := fullDate(head[i+3:]); d != "" {
			head, build = head[:i], d
		}
	}
	return dated(strings.TrimSuffix(head, ".r"), build)
}

// parseTPLink also reads what TP-Link writes on images: the date behind the version (3.0_170306), a
// hardware code (v0032.0), "up_boot".
func parseTPLink(s string) (key, bool) {
	if strings.Contains(s, "up_boot") {
		return parseUpBoot(s)
	}
	head, build := cutBuild(s)
	if build == "" {
		if i := strings.LastIndexAny(head, " _"); i >= 0 || only(head, isDigit) {
			if d := fullDate(head[i+1:]); d != "" {
				head, build = strings.TrimRight(head[:max(i, 0)], " _"), d
			}
		}
	}
	if i := strings.LastIndexAny(head, " _"); i >= 0 && len(head) > i+5 && head[i+1] == 'v' && only(head[i+2:i+6], isHex) {
		head = head[:i]
	}
	k, ok := dated(head, build)
	if k.build != "" && head != "" && (!ok || head[0] == 'v' && only(head[1:], isDigit)) {
		return key{group: head, build: build}, true // v3_130415, Archer C7(US)_V5_210125: a hardware revision
	}
	return k, ok
}

var reUpBoot = regexp.MustCompile(`^(?:v\d_)?(?:(?:us|eu|ru|jp)_)?(\d+\.\d+\.\d+)_(\d+\.\d+)_up_boot[\[(](\d{6})`)

func parseUpBoot(s string) (key, bool) {
	m := reUpBoot.FindStringSubmatch(s)
	if m == nil {
		return key{}, false
	}
	return key{tokens: tokenize(m[1]+" "+m[2], commonWords), build: fullDate(m[3])}, true
}

// parseMoxa reads "3.12 Build 21060910": year, month, day and hour.
func parseMoxa(s string) (key, bool) {
	head, stamp := s, ""
	if number, hour, ok := strings.Cut(s, "build"); ok {
		head, stamp = strings.TrimRight(number, " _,(.-"), strings.TrimLeft(hour, " _:.")
	} else if i := strings.LastIndexAny(s, " _"); i >= 0 {
		head, stamp = s[:i], s[i+1:]
	}
	run, rest := digits(strings.TrimSpace(stamp))
	switch {
	case stamp == "":
		return parseDotted(s)
	case strings.Trim(rest, " )") != "" || len(run) != 8 && len(run) != 6 || fullDate(run[:6]) == "":
		return parseDotted(s)
	case len(run) == 6:
		run += "00"
	}
	return dated(head, "20"+run)
}

// parseQTS reads QNAP's: h is QuTS hero and c QuTScloud, lines of their own. The fourth number counts
// the builds, so a date beside it says nothing more.
func parseQTS(s string) (key, bool) {
	s = after(s, "quts hero", "qutscloud", "qts")
	product := "qts"
	if len(s) > 1 && (s[0] == 'h' || s[0] == 'c') && isDigit(s[1]) {
		product, s = s[:1], s[1:]
	}
	head, build := cutBuild(s)
	k, ok := dotted(head, qnapWords)
	k.group = product
	if len(k.tokens) < 4 {
		k.build = build
	}
	return k, ok
}

var (
	reDate = regexp.MustCompile(`^(?:.*[^0-9])?((?:19|20)\d{2})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?:[^0-9].*)?$`)
	reWeek = regexp.MustCompile(`^\d{3}_(\d{2})([0-5]\d)([a-z]?)$`)
)

// parseDate reads HP's date code (20200612) and the later week code (002_2208A: year 22, week 08).
// The two orders meet at whole weeks only, and that reading of the week code is ours: Rough.
// FutureSmart's numbers (2407081_000569) are a line of their own.
func parseDate(s string) (key, bool) {
	if len(s) == 14 && s[7] == '_' && only(s[:7], isDigit) && only(s[8:], isDigit) {
		return key{group: "futuresmart", tokens: []token{number(s[:7]), number(s[8:])}}, true
	}
	k, ok := parseDateCode(s)
	k.group = "date"
	return k, ok
}

func parseDateCode(s string) (key, bool) {
	if m := reWeek.FindStringSubmatch(s); m != nil {
		k := key{tokens: []token{number("20" + m[1]), number(m[2]), number("0")}, coarse: true, depth: 3}
		if m[3] != "" {
			k.tokens[2] = number(strconv.Itoa(int(m[3][0]-'a') + 1))
		}
		return k, true
	}
	m := reDate.FindStringSubmatch(s)
	if m == nil {
		return key{}, false
	}
	day, err := time.Parse("20060102", m[1]+m[2]+m[3])
	if err != nil {
		return key{}, false
	}
	week := (day.YearDay()-1)/7 + 1
	return key{tokens: []token{number(m[1]), number(strconv.Itoa(week))}, build: m[1] + m[2] + m[3], depth: 2}, true
}
