package version

// registry holds every scheme. It never changes.
var registry = schemeMap([]scheme{
	{name: Generic, about: "natural order of numbers and words; a guess without a vendor's rule", parse: parseGeneric, guess: true},

	// nobody's own
	{name: "dotted", about: "dotted numbers with an optional pre-release or patch word; build metadata after + does not count", parse: parseDotted},
	{name: "semver", about: "semantic versions as semver.org 2.0.0 orders them, and nothing looser", parse: parseSemver, cased: true},
	{name: "calver", about: "calendar versions: 2023.10.1, 23.05.2, 2024-05-17; a month alone is the whole month", parse: parseCalendar, words: calverWords},
	{name: "debian", about: "Debian: epoch, upstream version, revision; ~ sorts first (Debian Policy §5.6.12)", parse: parseDebian, words: debianWords},
	{name: "zigbee", about: "Zigbee OTA file version: a 32-bit number, 0x00201302 or decimal", parse: parseZigbee},

	// with a build date
	{name: "hikvision", about: "Hikvision: dotted version and build date (V5.5.0 build 170725)", parse: parseBuild},
	{name: "dahua", about: "Dahua: dotted version and build date (2.800.0000000.29.R, Build Date: 2021-06-01)", parse: parseDahua},
	{name: "tp-link", about: "TP-Link: dotted version and build date (1.1.4 Build 20230219 rel.69802)", parse: parseTPLink},
	{name: "moxa", about: "Moxa: dotted version and build hour (3.12 Build 21060910)", parse: parseMoxa},
	{name: "qnap", about: "QNAP: 4.5.4.1741 build 20210726; QuTS hero (h) and QuTScloud (c) are incomparable with QTS; each major.minor is a track", parse: parseQTS, words: qnapWords, track: majorMinor},
	{name: "date", about: "HP LaserJet: date code 20200612, or 002_2208A read as year and week", parse: parseDate},

	// home and small office
	{name: "shelly", about: "Shelly: dotted, with an optional date before and commit after (20220209-092750/v1.11.8-g8c7bb8d)", parse: parseShelly},
	{name: "wled", about: "WLED: dotted; b is beta and comes before (0.15.0-b5)", parse: parseWLED, words: wledWords},
	{name: "routeros", about: "MikroTik RouterOS: alpha < beta < rc < final; channel words do not count", parse: parseRouterOS, track: major},
	{name: "zyxel", about: "Zyxel: V4.60(ABFA.1)C0; another model code is incomparable", parse: parseZyxel},
	{name: "dlink", about: "D-Link: x.yyBzz, B is a build and beta comes before", parse: parseDlink, words: dlinkWords},
	{name: "netgear", about: "NETGEAR: dotted; the second number after _ is the region build and does not count", parse: parseNetgear},
	{name: "asus", about: "ASUSWRT: 3.0.0.4.386_45934, the part after _ counts; the test line 9.0.0.4 is incomparable", parse: parseASUS},
	{name: "tenda", about: "Tenda: dotted version and build (V15.03.05.19(6318)_CN); model, region and edition do not count", parse: parseTenda},
	{name: "edgeos", about: "Ubiquiti EdgeOS and airOS: v2.0.9-hotfix.1; platform before and build number after do not count", parse: parseEdgeOS},

	// companies
	{name: "axis", about: "AXIS OS: dotted; each major release is a track of its own (9.80, 10.12, 11.11)", parse: parseDotted, track: major},
	{name: "cisco-ios", about: "Cisco IOS: 12.4(25e)JAO3a; another train is incomparable", parse: parseIOS, words: letters},
	{name: "cisco-ios-xe", about: "Cisco IOS XE: 16.12.5b, 17.03.04a, 3.16.5S; another train of 3 is incomparable", parse: parseIOSXE, words: letters},
	{name: "cisco-ios-xr", about: "Cisco IOS XR: dotted (7.3.2, 3.2(.6)); the kind of image behind does not count", parse: parseXR},
	{name: "cisco-nx-os", about: "Cisco NX-OS: 7.0(3)I7(8), 9.3(5); trains of one number, N, SV, UCS and ACI are lines of their own", parse: parseNXOS, words: letters},
	{name: "junos", about: "Junos: 18.4R2-S3, 15.1X49-D75; X releases and Evolved are lines of their own", parse: parseJunos},
	{name: "junos-evolved", about: "Junos Evolved: 20.4R3-S4-EVO, with or without EVO", parse: parseEvolved},
	{name: "fortios", about: "Fortinet FortiOS: dotted with build; each major.minor is a branch", parse: parseFortiOS, track: majorMinor},
	{name: "pan-os", about: "Palo Alto PAN-OS: 10.1.6-h3, h is a hot fix; each major.minor is a branch", parse: parsePANOS, words: panWords, track: majorMinor},
	{name: "synology", about: "Synology DSM and SRM: 7.1.1-42962 Update 6, or 7.1.1-42962-6", parse: parseSynology},
	{name: "sonicos", about: "SonicWall SonicOS: 6.5.4.4-44n, 7.0.1-5030-R2007; a version without its build is that of no build", parse: parseSonicOS},
	{name: "wago", about: "WAGO: firmware number 22, alone or behind the dotted version: 03.10.08(22)", parse: parseWAGO},
	{name: "siemens", about: "Siemens: V7.5 SP2 Update 18; updates and hot fixes belong to their service pack", parse: parseSiemens, words: siemensWords},
})

func schemeMap(all []scheme) map[string]*scheme {
	m := make(map[string]*scheme, len(all))
	for i := range all {
		m[all[i].name] = &all[i]
	}
	return m
}
