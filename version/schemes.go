package version

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// registry holds every scheme. It never changes.
var registry = schemeMap([]scheme{
	{name: Generic, about: "natural order of numbers and words; a guess without a vendor's rule", parse: parseGeneric, guess: true},
	{name: "dotted", about: "dotted numbers with an optional pre-release or patch word; build metadata after + does not count", parse: parseDotted},
	{name: "shelly", about: "Shelly: dotted, with an optional date before and commit after (20220209-092750/v1.11.8-g8c7bb8d)", parse: parseShelly},
	{name: "axis", about: "AXIS OS: dotted; each major release is a track of its own (9.80, 10.12, 11.11)", parse: parseDotted, track: major},
	{name: "hikvision", about: "Hikvision: dotted version and build date (V5.5.0 build 170725)", parse: parseBuild},
	{name: "dahua", about: "Dahua: dotted version and build date (2.800.0000000.29.R, Build Date: 2021-06-01)", parse: parseBuild},
	{name: "tp-link", about: "TP-Link: dotted version and build date (1.1.4 Build 20230219 rel.69802)", parse: parseBuild},
	{name: "qnap", about: "QNAP QTS: dotted version and build date (4.5.4.1741 build 20210726); each major.minor is a track", parse: parseBuild, track: majorMinor},
	{name: "date", about: "HP LaserJet: date code 20200612, or 002_2208A read as year and week", parse: parseDate},
	{name: "routeros", about: "MikroTik RouterOS: alpha < beta < rc < final; channel words do not count", parse: parseRouterOS, track: routerTrack},
	{name: "fortios", about: "Fortinet FortiOS: dotted with build; each major.minor is a branch", parse: parseFortiOS, track: majorMinor},
	{name: "zyxel", about: "Zyxel: V4.60(ABFA.1)C0; another model code is incomparable", parse: parseZyxel},
	{name: "dlink", about: "D-Link: x.yyBzz, B is a build and beta comes before", parse: parseDlink, words: dlinkWords},
	{name: "wled", about: "WLED: dotted; b is beta and comes before (0.15.0-b5)", parse: parseWLED, words: wledWords},
	{name: "netgear", about: "NETGEAR: dotted; the second number after _ is the region build and does not count", parse: parseNetgear},
	{name: "asus", about: "ASUSWRT: 3.0.0.4.386_45934, the part after _ counts", parse: parseDotted},
	{name: "synology", about: "Synology DSM: 7.1.1-42962 Update 6", parse: parseDotted},
	{name: "cisco-ios", about: "Cisco IOS: 12.4(25e)JAO3a; another train is incomparable", parse: parseIOS, words: iosWords},
	{name: "junos", about: "Junos: 18.4R2-S3", parse: parseDotted},
	{name: "siemens", about: "Siemens: V7.3.1 Update 2, SP and HF", parse: parseDotted},
	{name: "debian", about: "Debian: epoch, upstream version, revision; ~ sorts first (Debian Policy §5.6.12)", parse: parseDebian, words: debianWords},
})

func schemeMap(all []scheme) map[string]*scheme {
	m := make(map[string]*scheme, len(all))
	for i := range all {
		m[all[i].name] = &all[i]
	}
	return m
}

// dlinkWords: a single b is a build number, not beta.
var dlinkWords = map[string]int{"beta": -4, "rc": -2, "b": 2, "build": 2, "hotfix": 6, "ww": 1, "eu": 1, "na": 1}

// wledWords: a single b is beta.
var wledWords = map[string]int{"dev": -6, "alpha": -5, "b": -4, "beta": -4, "rc": -2}

// iosWords: single letters are rebuild marks.
var iosWords = func() map[string]int {
	m := map[string]int{}
	for c := 'a'; c <= 'z'; c++ {
		m[string(c)] = 1
	}
	return m
}()

var (
	reLead     = regexp.MustCompile(`^(?:fw|firmware|version|ver|v)?[ _.\-:]*(\d.*)$`)
	reDigit    = regexp.MustCompile(`^\d`)
	reChannel  = regexp.MustCompile(`[ _]*\((?:stable|long-term|testing|development|lts|ga|ga\.f|ga\.m|bugfix|current)\)`)
	reShelly   = regexp.MustCompile(`^\d{8}-\d{6}/`)
	reCommit   = regexp.MustCompile(`-g[0-9a-f]{6,40}$`)
	reBuild    = regexp.MustCompile(`[ _,(.\-]*build(?:[ _]?(?:date|time))?[ _:.\-]*(\d{4}-\d{2}-\d{2}|\d{8}|\d{6})(?:.*)$`)
	reDahua    = regexp.MustCompile(`\.r\.(\d{6}|\d{8})$`)
	reDate     = regexp.MustCompile(`^(?:.*[^0-9])?((?:19|20)\d{2})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?:[^0-9].*)?$`)
	reWeek     = regexp.MustCompile(`^\d{3}_(\d{2})([0-5]\d)([a-z]?)$`)
	reForti    = regexp.MustCompile(`[ ,_-]*build ?\d+.*$`)
	reZyxel    = regexp.MustCompile(`^v?(\d+(?:\.\d+)*)\(([a-z]{2,6})\.(\d+)\)(?:([a-z])(\d+))?(.*)$`)
	rePatch    = regexp.MustCompile(`^v?(\d+(?:\.\d+)*)[ _-]*(?:patch|p)[ _]*(\d+)$`)
	reRegion   = regexp.MustCompile(`_\d+\.\d+(?:\.\d+)*$`)
	reTrain    = regexp.MustCompile(`^(\d+(?:\.\d+)+)\((\d+)([a-z]*)\)([a-z]*)(\d*)([a-z]*)$`)
	rePlain    = regexp.MustCompile(`^\d+$`)
	reDotted   = regexp.MustCompile(`^\d+(?:\.\d+)+$`)
	reMetadata = regexp.MustCompile(`\+[0-9a-z.\-]+$`)
)

// guesses maps a shape to a scheme, best first.
var guesses = []struct {
	name  string
	shape *regexp.Regexp
}{
	{"hikvision", reBuild},
	{"zyxel", reZyxel},
	{"cisco-ios", reTrain},
	{"date", regexp.MustCompile(`^(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])$`)},
	{"dotted", regexp.MustCompile(`^v?\d+(?:\.\d+)+(?:-(?:alpha|beta|rc)[.\-]?\d*)?$`)},
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

// The shapes of versions for which natural order can be trusted: dotted numbers, or plain numbers of one length, which is
// the shape itself.
const (
	shapeOther  = 0
	shapeDotted = -1
)

func shape(v string) int {
	v = lead(v)
	switch {
	case rePlain.MatchString(v):
		return len(v)
	case reDotted.MatchString(v):
		return shapeDotted
	}
	return shapeOther
}

// lead drops what vendors write before the first number: v, fw_, version.
func lead(s string) string {
	if m := reLead.FindStringSubmatch(s); m != nil {
		return m[1]
	}
	return s
}

func parseDotted(s string) (key, bool) { return dotted(s, commonWords) }

func dotted(s string, known map[string]int) (key, bool) {
	s = lead(reMetadata.ReplaceAllString(reChannel.ReplaceAllString(s, ""), ""))
	if !reDigit.MatchString(s) {
		return key{}, false
	}
	return key{tokens: tokenize(s, known)}, true
}

func parseShelly(s string) (key, bool) {
	return parseDotted(reCommit.ReplaceAllString(reShelly.ReplaceAllString(s, ""), ""))
}

func parseBuild(s string) (key, bool) {
	build := ""
	if m := reBuild.FindStringSubmatchIndex(s); m != nil {
		build, s = s[m[2]:m[3]], s[:m[0]]
	} else if m := reDahua.FindStringSubmatchIndex(s); m != nil {
		build, s = s[m[2]:m[3]], s[:m[0]]+".r"
	}
	build = strings.ReplaceAll(build, "-", "")
	if len(build) == 6 {
		build = "20" + build // yymmdd: the vendors started after 2000
	}
	if s == "" {
		return key{build: build}, build != ""
	}
	k, ok := parseDotted(s)
	k.build = build
	return k, ok
}

// parseDate reads HP's date code (20200612) and the later week code (002_2208A: year 22, week 08).
// The two orders meet at whole weeks only, and that reading of the week code is ours: Rough.
func parseDate(s string) (key, bool) {
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

func number(digits string) token { return token{class: classNumber, num: trimZeros(digits)} }

func parseRouterOS(s string) (key, bool) {
	return parseDotted(strings.TrimPrefix(s, "routeros "))
}

func routerTrack(k key) string { return major(k) }

func parseFortiOS(s string) (key, bool) {
	s = strings.TrimPrefix(s, "fortios ")
	return parseDotted(reForti.ReplaceAllString(s, ""))
}

// parseZyxel keeps the model code as a group. "5.36 Patch 2" states a patch without a model code
// and equals (XXXX.2) of any model.
func parseZyxel(s string) (key, bool) {
	if m := reZyxel.FindStringSubmatch(s); m != nil {
		k := key{group: m[2], tokens: tokenize(m[1], commonWords)}
		k.tokens = append(k.tokens, patch(m[3])...)
		if m[5] != "" && trimZeros(m[5]) != "0" {
			k.tokens = append(k.tokens, token{class: classWord, word: "c", rank: 5}, token{class: classNumber, num: trimZeros(m[5])})
		}
		k.coarse = m[6] != ""
		return k, true
	}
	if m := rePatch.FindStringSubmatch(s); m != nil {
		k := key{tokens: tokenize(m[1], commonWords), patched: true}
		k.tokens = append(k.tokens, patch(m[2])...)
		return k, true
	}
	return parseDotted(s)
}

// patch gives the tokens of a patch number; patch 0 is the plain version.
func patch(n string) []token {
	n = trimZeros(n)
	if n == "0" {
		return nil
	}
	return []token{{class: classWord, word: "patch", rank: commonWords["patch"]}, {class: classNumber, num: n}}
}

func parseDlink(s string) (key, bool) { return dotted(s, dlinkWords) }

func parseWLED(s string) (key, bool) { return dotted(s, wledWords) }

func parseNetgear(s string) (key, bool) { return parseDotted(reRegion.ReplaceAllString(s, "")) }

// parseIOS makes the train (the letters after the parenthesis) the group.
func parseIOS(s string) (key, bool) {
	m := reTrain.FindStringSubmatch(s)
	if m == nil {
		return dotted(s, iosWords)
	}
	train := m[4]
	if train == "" {
		train = "mainline"
	}
	return key{group: train, tokens: tokenize(m[1]+"."+m[2]+" "+m[3]+" "+m[5]+" "+m[6], iosWords)}, true
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
