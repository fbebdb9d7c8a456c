package version

import (
	"regexp"
	"slices"
	"strings"
)

// Routers, switches, firewalls and storage of companies.

var reTrain = regexp.MustCompile(`^(\d+)\.(\d+)\((\d+(?:\.\d+)*)([a-z]*)\)([a-z]*)(.*)$`)

// parseIOS reads 12.4(25e)JAO3a: release, maintenance number with rebuild letter, train, rebuild. The
// train is the group, the release without letters behind is the mainline. 12.2SXI names a train and
// 12.4 a release, which hold all their versions: they are neither before nor after one of them.
func parseIOS(s string) (key, bool) {
	s = lead(after(after(s, "cisco"), "ios software", "ios"))
	if m := reTrain.FindStringSubmatch(s); m != nil {
		k := key{group: m[5], tokens: make([]token, 0, 8)}
		if k.group == "" {
			k.group = "mainline"
		}
		k.tokens = append(k.tokens, number(m[1]), number(m[2]))
		k.tokens = append(k.tokens, split(m[3], letters)...)
		if m[4] != "" {
			k.tokens = append(k.tokens, wordToken(m[4], letters))
		}
		k.tokens = append(append(k.tokens, token{class: classEnd}), split(m[6], letters)...)
		return k, true
	}
	nums, rest := numbers(s)
	switch rest = strings.TrimLeft(rest, " "); {
	case len(nums) == 2 && only(rest, isLetter):
		return key{group: rest, tokens: []token{number(nums[0]), number(nums[1])}, depth: 2}, true
	case len(nums) > 2:
		return dotted(s, letters)
	}
	return key{}, false
}

// xeTrains are the trains of IOS XE 3, longest first. From 16 on there is one.
var xeTrains = []string{"sp", "sg", "se", "sq", "xo", "ja", "s", "e"}

// parseIOSXE reads 16.12.5b, 17.03.04a, 3.16.5S, 03.16.05.S, 3.16.7bS, 3.10S.7 and 3.10S_3.10.7S. In
// IOS XE 3 the train is the group. What looks like IOS (15.5(3)S1) is read as IOS of its own line.
func parseIOSXE(s string) (key, bool) {
	s = after(after(s, "cisco"), "ios-xe", "ios xe", "ios_xe")
	s = lead(after(after(s, "software"), "denali", "everest", "fuji", "gibraltar", "amsterdam", "bengaluru", "cupertino", "dublin"))
	if i := strings.IndexByte(s, '_'); i > 0 {
		s = s[i+1:]
	}
	first, _ := digits(s)
	switch first = trimZeros(first); {
	case strings.Contains(s, ".x"):
		return key{}, false
	case len(first) > 1 && first < "16":
		k, ok := parseIOS(s)
		k.group = "ios " + k.group
		return k, ok
	}
	nums, word, tail := scatter(s)
	t, ok := padded(nums, 4)
	k := key{tokens: t}
	if first == "3" {
		k.group, word = xeTrain(word)
	}
	if word != "" {
		k.tokens = append(k.tokens, wordToken(word, letters))
	}
	if tail != "" {
		k.tokens = append(k.tokens, number(tail))
	}
	return k, ok && len(nums) > 1
}

// scatter gives the numbers of s, its letters together, and a number behind three numbers and a
// letter (16.12.1z2).
func scatter(s string) (nums []string, word, tail string) {
	for s != "" {
		run, rest := digits(s)
		switch {
		case run == "":
			if run, rest = span(s, isLetter); run == "" {
				rest = s[1:]
			}
			word += run
		case word != "" && len(nums) > 2:
			tail += run
		default:
			nums = append(nums, run)
		}
		s = rest
	}
	return nums, word, tail
}

// xeTrain divides the letters of IOS XE 3 into train and rebuild: bS in 3.16.7bS, Sa in 3.10S.0a.
func xeTrain(word string) (train, rebuild string) {
	for _, t := range xeTrains {
		if rest, ok := strings.CutSuffix(word, t); ok {
			return t, rest
		}
	}
	for _, t := range xeTrains {
		if rest, ok := strings.CutPrefix(word, t); ok {
			return t, rest
		}
	}
	return "", word
}

var reJunos = regexp.MustCompile(`^(\d+(?:\.\d+)*)[ -]?(?:([rfbi])(\d*)|x(\d+)(?:[ :-]?d(\d+))?)?(?:\.\d+)?(?:[ -]s(\d+))?(?:\.\d+)?(?:-j\d+)?([ -]?evo)?$`)

// parseJunos reads 18.4R2-S3, 15.1X49-D75, 20.4R3-S4-EVO. An X release and a feature release (F) are
// lines of their own within their number; Junos Evolved is another system. The spin behind a dot
// (18.4R2.7) names the build of the same release.
func parseJunos(s string) (key, bool) {
	k, evolved, ok := junos(s)
	k.group = "junos"
	if evolved {
		k.group = "evolved"
	}
	return k, ok
}

// parseEvolved reads Junos Evolved, with or without -EVO behind.
func parseEvolved(s string) (key, bool) {
	k, _, ok := junos(s)
	return k, ok
}

func junos(s string) (k key, evolved, ok bool) {
	m := reJunos.FindStringSubmatch(lead(after(after(s, "junos os", "junos"), "evolved")))
	if m == nil {
		return key{}, false, false
	}
	nums, _ := numbers(m[1])
	k.tokens, ok = padded(nums, 4)
	switch {
	case m[4] != "":
		k.tokens = append(k.tokens, line("x"+trimZeros(m[4])))
		if m[5] != "" {
			k.tokens = append(k.tokens, number(m[5]))
		}
	case m[2] != "":
		k.tokens = append(k.tokens, line(m[2]))
		if m[3] != "" {
			k.tokens = append(k.tokens, number(m[3]))
		}
	}
	if m[6] != "" {
		k.tokens = append(k.tokens, number(m[6]))
	}
	return k, m[7] != "", ok
}

var reMaintenance = regexp.MustCompile(`^(\d+)\.0 ?_?mr(\d+)(?:[ _-]*(?:patch|p)[ _]*(\d+))?$`)

// parseFortiOS reads "v7.2.4,build1396,230131 (GA.F)" and the older "4.0 MR3 Patch 10", which is 4.3.10.
func parseFortiOS(s string) (key, bool) {
	s = lead(after(s, "fortios"))
	if i := strings.Index(s, "build"); i >= 0 {
		s = strings.TrimRight(s[:i], " ,_-(")
	}
	if strings.Contains(s, "mr") {
		if m := reMaintenance.FindStringSubmatch(s); m != nil {
			s = m[1] + "." + m[2] + "." + m[3]
		}
	}
	return parseDotted(s)
}

func parsePANOS(s string) (key, bool) { return dotted(after(s, "pan-os"), panWords) }

// parseSynology reads "DSM 7.1.1-42962 Update 6", which is 7.1.1-42962-6.
func parseSynology(s string) (key, bool) {
	nums, rest := numbers(lead(after(s, "dsm", "srm")))
	t, ok := padded(nums, 3)
	if !ok {
		return key{}, false
	}
	rest = strings.TrimLeft(rest, " -_")
	if word := after(rest, "build"); word != rest {
		rest = word
	}
	run, rest := digits(rest)
	if run != "" {
		t = append(t, number(run))
	}
	rest = after(strings.TrimLeft(rest, " -_,"), "update", "u")
	update, rest := digits(rest)
	if update != "" && trimZeros(update) != "0" {
		t = append(t, number(update))
	}
	return key{tokens: append(t, split(rest, commonWords)...)}, len(nums) > 1
}

// parseSiemens reads "V7.5 SP2 Update 18", "V4.5 SP6 HF2", 7.2 upd_14, SE2020MP13. Medical systems
// count VA30A, VB22.
func parseSiemens(s string) (key, bool) {
	if len(s) > 2 && s[0] == 'v' && isLetter(s[1]) && isDigit(s[2]) {
		return key{group: "syngo", tokens: split(s[1:], siemensWords)}, true
	}
	s = after(s, "service pack")
	for _, p := range []string{"r", "se"} {
		if rest, ok := strings.CutPrefix(s, p); ok && rest != "" && isDigit(rest[0]) {
			s = rest
		}
	}
	if strings.Contains(s, "service") {
		s = strings.NewReplacer("service pack", "sp", "service_pack", "sp").Replace(s)
	}
	if strings.Contains(s, "maintenance") {
		s = strings.NewReplacer("maintenance pack", "mp", "maintenance_pack", "mp").Replace(s)
	}
	k, ok := dotted(s, siemensWords)
	k.group = "numbers"
	return k, ok
}

var reNXOS = regexp.MustCompile(`^(\d+)\.(\d+)(?:\.?\((\d+(?:\.\d+)*)([a-z]*)\)([a-z]*)(.*))?$`)

// nxLines are the lines of NX-OS that have numbers of their own: Nexus 4000, 5000 and 6000, 1000V, the fabric interconnects of
// UCS. The others (I, D, A, U) lead on to one line of numbers.
var nxLines = []string{"n", "e", "sv", "sk", "zn"}

// parseNXOS reads 7.0(3)I7(8), 9.3(5), 7.3(0)N1(1a), 4.0(1a)A. The letters behind are a train: of one number two trains are not ordered. From
// 11 on it is the switch of an ACI fabric, another line.
func parseNXOS(s string) (key, bool) {
	m := reNXOS.FindStringSubmatch(lead(after(after(s, "cisco"), "nx-os", "nxos")))
	if m == nil || strings.Trim(m[6], "0123456789.()abcdefghijklmnopqrstuvwxyz") != "" {
		return key{}, false
	}
	k := key{tokens: []token{number(m[1]), number(m[2])}}
	switch major := trimZeros(m[1]); {
	case len(major) > 1 && major != "10":
		k.group = "aci"
	case m[5] != "" && m[6] == "" && len(m[5]) == 1 && m[5] <= "c":
		k.group = "ucs"
	case slices.Contains(nxLines, m[5]):
		k.group = m[5]
	case m[3] != "":
		k.group = "nexus"
	}
	if m[3] == "" {
		return k, true
	}
	k.tokens = append(k.tokens, split(m[3], letters)...)
	if m[4] != "" {
		k.tokens = append(k.tokens, wordToken(m[4], letters))
	}
	if m[5] != "" {
		k.tokens = append(k.tokens, token{class: classEnd}, line(m[5]))
		k.tokens = append(k.tokens, split(m[6], letters)...)
	}
	return k, m[6] == "" || m[5] != ""
}

var reXR = regexp.MustCompile(`^(\d+(?:\.\d+)*)(?:\(\.?(\d+)\))?(?:[._](?:base|ce|mcast|k9sec|tools))?$`)

// parseXR reads 7.3.2, 3.2(.6) and 5.2.0.base: how an image is packed does not count.
func parseXR(s string) (key, bool) {
	m := reXR.FindStringSubmatch(lead(after(after(s, "cisco"), "ios-xr", "ios xr", "ios_xr")))
	if m == nil {
		return key{}, false
	}
	s = m[1]
	if m[2] != "" {
		s += "." + m[2]
	}
	return key{tokens: tokenize(s, letters)}, true
}

var reSonicOS = regexp.MustCompile(`^(\d+(?:\.\d+){1,3})\.?(?:-(\d+)([a-z]?))?((?:-\d+)*)(?:-(?:hf-)?r\.?(\d+))?$`)

// parseSonicOS reads 6.5.4.4-44n, 6.5.4.4-44v-21-955 and 7.0.1-5030-R2007: dotted version, build, revision. What states less of
// that is not ordered with what states more of the same. The virtual firewall (v) is a line of its own.
func parseSonicOS(s string) (key, bool) {
	m := reSonicOS.FindStringSubmatch(lead(after(after(s, "sonicosv", "sonicosx", "sonicos"), "enhanced")))
	if m == nil {
		return key{}, false
	}
	t, ok := padded(strings.Split(m[1], "."), 4)
	k := key{tokens: t}
	if m[2] == "" {
		k.depth, k.build = len(t), m[5]
		return k, ok
	}
	if m[3] == "v" {
		k.group = "virtual"
	}
	k.tokens = append(append(k.tokens, number(m[2])), split(m[4], letters)...)
	if m[5] != "" {
		k.tokens = append(k.tokens, number(m[5]))
	}
	if m[4] == "" && m[5] == "" {
		k.depth = len(k.tokens)
	}
	return k, ok
}

var reWAGO = regexp.MustCompile(`^(?:(?:fw ?)?(\d{1,2})|(\d+(?:\.\d+){2,3})(?:[ _]?\((\d{1,2})\))?(?:\.s(\d+))?)$`)

// parseWAGO reads FW22, 03.10.08(22) and 1.1.5.S0. The number in parentheses is that of the firmware; alone it says less. A
// dotted number without it is another line.
func parseWAGO(s string) (key, bool) {
	m := reWAGO.FindStringSubmatch(s)
	switch {
	case m == nil:
		return key{}, false
	case m[1] != "":
		return key{group: "fw", tokens: []token{number(m[1])}, depth: 1}, true
	}
	k := key{group: "dotted", tokens: tokenize(m[2], letters)}
	if m[3] != "" {
		k = key{group: "fw", tokens: append([]token{number(m[3])}, k.tokens...)}
	}
	if m[4] != "" {
		k.tokens = append(k.tokens, token{class: classEnd}, number(m[4]))
	}
	return k, true
}
