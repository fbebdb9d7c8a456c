package version

import (
	"math/bits"
	"strings"
)

// Guess names the scheme that the shapes of a and b suggest. It is a guess: what is decided with it
// deserves less trust than what a model card's scheme decides. It gives Generic when nothing fits.
func Guess(a, b string) string { return guess(forms(clean(a)) & forms(clean(b))) }

func guess(marks uint32) string {
	if marks == 0 {
		return Generic
	}
	return guesses[bits.TrailingZeros32(marks)].name
}

// guesses maps a shape to a scheme; the first that both versions fit counts. Plain dotted numbers
// go with every scheme that says so: beside 18.4R2 the version 18.4 is one of Junos.
var guesses = []struct {
	name  string
	plain bool
	fits  func(v string) bool
}{
	{"date", false, func(v string) bool { return len(v) == 8 && fullDate(v) != "" }},
	{"calver", false, looksCalendar},
	{"dotted", true, looksPreRelease},
	{"qnap", true, func(v string) bool { return starts(v, "qts", "quts") }},
	{"hikvision", true, func(v string) bool { _, date := cutBuild(v); return date != "" }},
	{"moxa", true, looksMoxa},
	{"dahua", true, func(v string) bool { i := strings.LastIndex(v, ".r."); return i >= 0 && fullDate(v[i+3:]) != "" }},
	{"zyxel", true, func(v string) bool {
		return starts(v, "zld") || strings.IndexByte(v, '(') >= 0 && reZyxel.MatchString(v)
	}},
	{"cisco-nx-os", true, looksNXOS},
	{"cisco-ios", true, func(v string) bool {
		v = after(after(v, "cisco"), "ios")
		return strings.IndexByte(v, '(') >= 0 && reTrain.MatchString(v)
	}},
	{"cisco-ios-xe", true, looksIOSXE},
	{"junos", true, looksJunos},
	{"synology", true, looksSynology},
	{"qnap", false, func(v string) bool {
		return len(v) > 1 && (v[0] == 'h' || v[0] == 'c') && isDigit(v[1]) && strings.Count(v, ".") >= 2
	}},
	{"fortios", true, func(v string) bool { return strings.Contains(v, ",build") || starts(v, "fortios") }},
	{"pan-os", true, func(v string) bool { return marked(v, "-h") || starts(v, "pan-os") }},
	{"netgear", true, looksNetgear},
	{"asus", false, func(v string) bool { return strings.Contains(v, ".0.0.") && strings.Contains(v, "_") }},
	{"dlink", true, looksDlink},
	{"routeros", true, looksRouterOS},
	{"edgeos", true, func(v string) bool { return strings.Contains(v, "hotfix.") || starts(v, "edgerouter.") }},
	{"shelly", true, func(v string) bool { return len(v) > 16 && v[8] == '-' && v[15] == '/' }},
	{"siemens", true, looksSiemens},
	{"zigbee", false, func(v string) bool { return len(v) == 10 && v[:2] == "0x" }},
	{"debian", true, looksDebian},
}

// forms marks the guesses whose shape a clean version has.
func forms(v string) (marks uint32) {
	if v == "" {
		return 0
	}
	plain := shape(v) == shapeDotted
	for i, g := range guesses {
		if plain && g.plain || g.fits(v) {
			marks |= 1 << i
		}
	}
	return marks
}

// looksNXOS knows 7.0(3)I7(6), and 9.3(5) by its number: IOS has had higher ones since it has trains.
func looksNXOS(v string) bool {
	m := reNXOS.FindStringSubmatch(after(after(v, "cisco"), "nx-os", "nxos"))
	if m == nil || m[3] == "" {
		return false
	}
	return m[5] != "" && strings.Contains(m[6], "(") || m[5] == "" && (m[1] == "10" || len(m[1]) == 1 && m[1] >= "4")
}

// starts reports whether a version begins with the name of its system.
func starts(v string, names ...string) bool {
	for _, n := range names {
		if strings.HasPrefix(v, n) {
			return true
		}
	}
	return false
}

// behind gives what follows the dotted numbers of v; false if there are less than two of them.
func behind(v string) (string, bool) {
	nums, rest := numbers(lead(v))
	return rest, len(nums) > 1
}

func looksCalendar(v string) bool {
	if len(v) < 6 || v[:2] != "20" || !isDigit(v[2]) || v[2] > '4' || !isDigit(v[3]) || v[4] != '.' && v[4] != '-' {
		return false
	}
	_, ok := parseCalendar(v)
	return ok
}

// looksPreRelease: 1.2.3-rc1, 1.2.3-beta.2.
func looksPreRelease(v string) bool {
	rest, ok := behind(v)
	if !ok {
		return false
	}
	for _, w := range []string{"-alpha", "-beta", "-rc"} {
		if n, ok := strings.CutPrefix(rest, w); ok {
			return only(strings.TrimLeft(n, ".-"), isDigit)
		}
	}
	return false
}

// marked: dotted numbers, then the mark and digits, and nothing else.
func marked(v, mark string) bool {
	rest, ok := behind(v)
	n, has := strings.CutPrefix(rest, mark)
	return ok && has && n != "" && only(n, isDigit)
}

func looksMoxa(v string) bool {
	_, stamp, ok := strings.Cut(v, "build")
	run, rest := digits(strings.TrimLeft(stamp, " _:."))
	return ok && len(run) == 8 && rest == "" && fullDate(run[:6]) != ""
}

// looksIOSXE: 16.12.5b, 17.03.04a, 03.16.05.s, 3.16.5bs.
func looksIOSXE(v string) bool {
	nums, rest := numbers(v)
	if len(nums) != 3 {
		return false
	}
	switch trimZeros(nums[0]) {
	case "16", "17":
		return len(rest) == 1 && isLetter(rest[0])
	case "3":
		train, _ := xeTrain(strings.TrimPrefix(rest, "."))
		return train != "" && len(rest) < 4
	}
	return false
}

func looksJunos(v string) bool {
	v = after(v, "junos os", "junos")
	rest, ok := behind(v)
	return ok && len(rest) > 1 && (rest[0] == 'r' || rest[0] == 'x' || rest[0] == 'f') && isDigit(rest[1]) && reJunos.MatchString(v)
}

// looksSynology: 7.1.1-42962, 7.1.1-42962-6, 7.1.1-42962 update 6.
func looksSynology(v string) bool {
	v = after(v, "dsm", "srm")
	nums, rest := numbers(v)
	if len(nums) < 2 || len(nums) > 3 || rest == "" || rest[0] != '-' {
		return false
	}
	run, rest := digits(rest[1:])
	return (len(run) == 4 || len(run) == 5) && (rest == "" || rest[0] == '-' || strings.HasPrefix(rest, " update"))
}

// looksNetgear: 1.0.4.6_10.1.12.
func looksNetgear(v string) bool {
	nums, rest := numbers(lead(v))
	if len(nums) != 4 || rest == "" || rest[0] != '_' {
		return false
	}
	region, rest := numbers(rest[1:])
	return len(region) == 3 && (rest == "" || only(rest, isLetter))
}

// looksDlink: 1.04b12.
func looksDlink(v string) bool {
	nums, rest := numbers(lead(v))
	return len(nums) == 2 && len(nums[1]) == 2 && len(rest) > 2 && rest[0] == 'b' && isDigit(rest[1]) && isDigit(rest[2])
}

// looksRouterOS: 6.49rc1, 7.1beta6, 6.48.6 (long-term).
func looksRouterOS(v string) bool {
	return starts(v, "routeros") || marked(v, "rc") || marked(v, "beta") || marked(v, "alpha") || dropChannel(v) != v
}

// looksSiemens: V7.5 SP2 Update 18, V16 Upd 3.
func looksSiemens(v string) bool {
	nums, rest := numbers(lead(v))
	if len(nums) == 0 || rest == "" {
		return false
	}
	for _, w := range []string{" sp", " upd", " hf", " service pack"} {
		if strings.HasPrefix(rest, w) {
			return true
		}
	}
	return false
}

// looksDebian: an epoch, a ~, the mark of a stable update.
func looksDebian(v string) bool {
	epoch, _, ok := strings.Cut(v, ":")
	if ok = ok && epoch != "" && only(epoch, isDigit); !ok && !strings.Contains(v, "+deb") && !strings.Contains(v, "ubuntu") && !strings.Contains(v, "~") {
		return false
	}
	_, ok = parseDebian(v)
	return ok
}
