package cve5_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/feed"
	"github.com/firmward/firmward/feed/cve5"
	"github.com/firmward/firmward/feed/feedtest"
)

// doc is one record with these members in the containers of the CNA and of one ADP.
func doc(cna, adp string) string {
	return `{"dataType":"CVE_RECORD","dataVersion":"5.1","cveMetadata":{"cveId":"CVE-2031-1000","state":"PUBLISHED","datePublished":"2026-04-04T10:00:00Z","dateUpdated":"2026-05-01T10:00:00Z"},` +
		`"containers":{"cna":{"providerMetadata":{"shortName":"acme"},"descriptions":[{"lang":"en","value":"A door stands open."}],` + cna + `},"adp":[{"providerMetadata":{"shortName":"CISA-ADP"},` + adp + `}]}}`
}

const noADP = `"title":"x"`

func read(t testing.TB, document string) feedtest.Result {
	t.Helper()
	got, err := feedtest.Sync(t.Context(), cve5.Source{}, strings.NewReader(document), "record.json")
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// say writes a record's matches in short: "o:acme:door_firmware [1.0,1.2)".
func say(a firmward.Advisory) []string {
	var out []string
	for _, c := range a.Configurations {
		for _, n := range c.Nodes {
			for _, m := range n.Matches {
				p := strings.Split(m.Criteria, ":")
				s := strings.Join(p[2:6], ":")
				switch {
				case m.VersionStartIncluding != "":
					s += " [" + m.VersionStartIncluding + ","
				case m.VersionStartExcluding != "":
					s += " (" + m.VersionStartExcluding + ","
				case m.VersionEndIncluding+m.VersionEndExcluding != "":
					s += " (,"
				}
				switch {
				case m.VersionEndIncluding != "":
					s += m.VersionEndIncluding + "]"
				case m.VersionEndExcluding != "":
					s += m.VersionEndExcluding + ")"
				}
				if m.Words != "" {
					s += " in words: " + m.Words
				}
				out = append(out, s)
			}
		}
	}
	for _, f := range a.Fixes {
		out = append(out, "fixed "+f.Vendor+":"+f.Product+" "+f.Version)
	}
	return out
}

func TestVersions(t *testing.T) {
	const v = "o:acme:door_firmware:*"
	for _, c := range []struct {
		name, entry string
		want        []string
	}{
		{"a range", `"versions":[{"version":"1.0","lessThan":"1.2","status":"affected"}]`, []string{v + " [1.0,1.2)"}},
		{"from the first", `"versions":[{"version":"0","lessThanOrEqual":"1.2","status":"affected"}]`, []string{v + " (,1.2]"}},
		{"the sign said twice", `"versions":[{"version":"n/a","lessThanOrEqual":"<= 1.2","status":"affected"}]`, []string{v + " (,1.2]"}},
		{"no end", `"versions":[{"version":"1.0","lessThan":"*","status":"affected"}]`, []string{v + " [1.0,"}},
		{"all", `"versions":[{"version":"0","lessThan":"*","status":"affected"}]`, []string{v}},
		{"words", `"versions":[{"version":"1.0 through 1.4","status":"affected"}]`, []string{v + " [1.0,1.4]"}},
		{"words after the product", `"versions":[{"version":"Door 1.0 - 1.4","status":"affected"}]`, []string{v + " [1.0,1.4]"}},
		{"a branch as the start", `"versions":[{"version":"4.3.*","lessThan":"4.3.6 build 20230621","status":"affected"}]`, []string{v + " [4.3,4.3.6 build 20230621)"}},
		{"a story", `"versions":[{"version":"Buildtime before June, 2021","status":"affected"}]`, []string{"o:acme:door_firmware:-"}},
		{"n/a", `"versions":[{"version":"n/a","status":"affected"}]`, []string{"o:acme:door_firmware:-"}},
		{"nothing", `"versions":[]`, []string{"o:acme:door_firmware:-"}},
		{"the day of the report", `"versions":[{"version":"20260403","status":"affected"}]`, []string{"o:acme:door_firmware:-"}},
		{"up to the day of the report", `"versions":[{"version":"0","lessThanOrEqual":"20260403","status":"affected"}]`, []string{"o:acme:door_firmware:-"}},
		{"before the day of the report", `"versions":[{"version":"0","lessThan":"20260403","status":"affected"}]`, []string{"o:acme:door_firmware:-"}},
		{"another day", `"versions":[{"version":"20200612","status":"affected"}],"defaultStatus":"unaffected"`, []string{"o:acme:door_firmware:20200612"}},
		{"an end that is no version", `"versions":[{"version":"1.0","lessThan":"publication","status":"affected"}]`, []string{"o:acme:door_firmware:-"}},
		{"a start that is no version", `"versions":[{"version":"first edition","lessThan":"1.2","status":"affected"}]`, []string{"o:acme:door_firmware:-", "fixed acme:door_firmware 1.2"}},
		{"an empty range", `"versions":[{"version":"1.2","lessThan":"1.2","status":"affected"}]`, []string{"o:acme:door_firmware:-", "fixed acme:door_firmware 1.2"}},
		{"commits", `"versions":[{"version":"6e728f321393","lessThan":"48ec949ac979","versionType":"git","status":"affected"}]`, []string{"o:acme:door_firmware:-"}},
		{"one, the others unaffected", `"versions":[{"version":"1.0","status":"affected"}],"defaultStatus":"unaffected"`, []string{"o:acme:door_firmware:1.0"}},
		{"one, the others unknown", `"versions":[{"version":"1.0","status":"affected"}]`, []string{"o:acme:door_firmware:1.0", "o:acme:door_firmware:-"}},
		{"one, the others affected", `"versions":[{"version":"1.0","status":"affected"}],"defaultStatus":"affected"`, []string{"o:acme:door_firmware:1.0", v}},
		{"affected by default", `"defaultStatus":"affected"`, []string{v}},
		{"affected but from", `"defaultStatus":"affected","versions":[{"version":"1.2","status":"unaffected"}]`, []string{v + " (,1.2)", "fixed acme:door_firmware 1.2"}},
		{"some, and others by default", `"defaultStatus":"affected","versions":[{"version":"6.49.10","status":"unaffected"},{"version":"6.49.9","status":"affected"}]`, []string{"o:acme:door_firmware:6.49.9", v + " (,6.49.10)", "fixed acme:door_firmware 6.49.10"}},
		{"affected but a story", `"defaultStatus":"affected","versions":[{"version":"the new one","status":"unaffected"}]`, []string{"o:acme:door_firmware:-"}},
		{"unaffected by default", `"defaultStatus":"unaffected"`, nil},
		{"unaffected altogether", `"versions":[{"version":"All","status":"unaffected"}]`, nil},
		{"a fix", `"versions":[{"version":"0","lessThanOrEqual":"1.1","status":"affected"},{"version":"1.2","status":"unaffected"}]`, []string{v + " (,1.1]", "fixed acme:door_firmware 1.2"}},
		{"changes", `"versions":[{"version":"8.1","lessThan":"8.2","status":"affected","changes":[{"at":"8.1.5","status":"unaffected"},{"at":"8.1.7","status":"affected"}]}]`, []string{v + " [8.1,8.1.5)", v + " [8.1.7,8.2)", "fixed acme:door_firmware 8.1.5"}},
		{"a change to affected", `"versions":[{"version":"8.1","lessThan":"8.2","status":"unaffected","changes":[{"at":"8.1.5","status":"affected"}]}],"defaultStatus":"unaffected"`, []string{v + " [8.1.5,8.2)"}},
		{"unknown", `"versions":[{"version":"1.0","status":"unknown"}],"defaultStatus":"unaffected"`, []string{"o:acme:door_firmware:-"}},
	} {
		entry := `"affected":[{"vendor":"Acme","product":"Door","cpes":["cpe:2.3:o:acme:door_firmware:*:*:*:*:*:*:*:*"],` + c.entry + `}]`
		got := read(t, doc(entry, noADP))
		if diff := cmp.Diff(c.want, say(got.Advisories[0])); diff != "" || len(got.Refused) != 0 {
			t.Errorf("%s: %v\n%s", c.name, got.Refused, diff)
		}
	}
}

func TestProducts(t *testing.T) {
	const versions = `"versions":[{"version":"0","lessThan":"2","status":"affected"}]`
	words := func(vendor, product string) string {
		return fmt.Sprintf(`{"vendor":%q,"product":%q,%s}`, vendor, product, versions)
	}
	named := func(names string) string {
		return `{"vendor":"x","product":"y","cpes":[` + names + `],` + versions + `}`
	}
	for _, c := range []struct {
		name, cna, adp string
		want           []string
	}{
		{"a legal form", words("D-Link", "DNS-320L") + "," + words("Acme Inc.", "Lamp firmware"), "", []string{"*:dlink:dns-320l:* (,2) in words: D-Link DNS-320L", "*:acme:lamp:* (,2) in words: Acme Inc. Lamp firmware"}},
		{"spellings", words("QNAP Systems Inc.", "QTS"), "", []string{"*:qnap:qts:* (,2) in words: QNAP Systems Inc. QTS", "*:qnap_systems:qts:* (,2) in words: QNAP Systems Inc. QTS", "*:qnapsystems:qts:* (,2) in words: QNAP Systems Inc. QTS"}},
		{"the vendor said twice", words("Fortinet", "Fortinet FortiOS"), "", []string{"*:fortinet:fortios:* (,2) in words: Fortinet Fortinet FortiOS"}},
		{"a platform's name", words("Axis Communications AB", "AXIS OS"), "", []string{"*:axis:axis_os:* (,2) in words: Axis Communications AB AXIS OS", "*:axis_communications:axis_os:* (,2) in words: Axis Communications AB AXIS OS", "*:axiscommunications:axis_os:* (,2) in words: Axis Communications AB AXIS OS"}},
		{"a list of models", words("Acme", "A1, B2"), "", []string{"*:acme:a1:* (,2) in words: Acme A1", "*:acme:b2:* (,2) in words: Acme B2"}},
		{"no names", words("n/a", "n/a") + "," + words("", "x") + "," + words("Acme", "-"), "", nil},
		{"CPE before words", words("Acme", "Door"), named(`"cpe:2.3:o:acme:door_firmware:1.0:beta:*:*:*:*:*:*"`), []string{"o:acme:door_firmware:* (,2)"}},
		{"words beside CPE", words("Acme", "Gate"), named(`"cpe:2.3:o:acme:door_firmware:*:*:*:*:*:*:*:*"`), []string{"o:acme:door_firmware:* (,2)", "*:acme:gate:* (,2) in words: Acme Gate"}},
		{"a CPE 2.2 URI", named(`"cpe:/o:acme:door_firmware"`), "", []string{"o:acme:door_firmware:* (,2)"}},
		{"hardware and one version", `{"cpes":["cpe:2.3:h:acme:door:*:*:*:*:*:*:*:*"],"defaultStatus":"unaffected","versions":[{"version":"2","status":"affected"}]}`, "", []string{"h:acme:door:-"}},
		{"hardware and its firmware's versions", named(`"cpe:2.3:h:acme:door:-:*:*:*:*:*:*:*"`), "", []string{"*:acme:door:* (,2)"}},
	} {
		got := read(t, doc(`"affected":[`+c.cna+`]`, `"affected":[`+c.adp+`]`))
		if diff := cmp.Diff(c.want, say(got.Advisories[0])); diff != "" || len(got.Refused) != 0 {
			t.Errorf("%s: %v\n%s", c.name, got.Refused, diff)
		}
	}
	const ends = `"affected":[{"vendor":"Acme","product":"Door","cpes":["cpe:2.3:o:acme:door_firmware:*:*:*:*:*:*:*:*"],"versions":[{"version":"0","lessThanOrEqual":"20260403","status":"affected"}]}]`
	if diff := cmp.Diff([]string{"o:acme:door_firmware:*"}, say(read(t, doc(`"tags":["unsupported-when-assigned"],`+ends, noADP)).Advisories[0])); diff != "" {
		t.Errorf("up to the day of the report, no fix ever: %s", diff)
	}
	both := `"affected":[` + named(`"cpe:2.3:o:acme:door_firmware:-:*:*:*:*:*:*:*"`) + `],"cpeApplicability":[{"operator":"AND","nodes":[{"operator":"OR","cpeMatch":[{"vulnerable":true,"criteria":"cpe:2.3:o:acme:door_firmware:*:*:*:*:*:*:*:*","versionEndExcluding":"1.5"}]},{"operator":"OR","cpeMatch":[{"vulnerable":false,"criteria":"cpe:2.3:h:acme:door:-:*:*:*:*:*:*:*"}]}]}]`
	a := read(t, doc(both, noADP)).Advisories[0]
	if diff := cmp.Diff([]string{"o:acme:door_firmware:* (,1.5)", "h:acme:door:-"}, say(a)); diff != "" || a.Configurations[0].Operator != "AND" {
		t.Error(diff)
	}
	long := read(t, doc(`"affected":[`+words("Acme", strings.Repeat("door ", 30))+`,`+named(`"cpe:/x:acme:door"`)+`]`, noADP))
	if len(long.Refused) != 2 || len(long.Advisories) != 1 {
		t.Errorf("names that are none: %v", long.Refused)
	}
}

func TestContent(t *testing.T) {
	got := read(t, doc(`"tags":["unsupported-when-assigned"],"references":[{"url":"a"},{"url":"a"}],"problemTypes":[{"descriptions":[{"cweId":"CWE-78"}]}],`+
		`"metrics":[{"cvssV3_1":{"vectorString":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H","baseScore":9.8}},{"cvssV2_0":{"vectorString":"AV:N/AC:L/Au:N/C:C/I:C/A:C","baseScore":10}},{"cvssV4_0":{"vectorString":"CVSS:3.1/AV:N/AC:L","baseScore":9}},{"cvssV3_0":{"vectorString":"severe","baseScore":9}}]`,
		`"references":[{"url":"b"}],"metrics":[{"other":{"type":"ssvc","content":{"options":[{"Exploitation":"Active"}]}}},{"other":{"type":"kev","content":{"dateAdded":"2026-04-11"}}},{"other":{"type":"kev","content":{"dateAdded":"soon"}}}]`))
	a := got.Advisories[0]
	if a.ID != "CVE-2031-1000" || a.Source != "cve" || a.Title != "A door stands open." || !a.NoFix || a.Weakness[0] != "CWE-78" || a.Published.Month() != 4 || a.Modified.Month() != 5 {
		t.Errorf("%+v", a)
	}
	if diff := cmp.Diff([]string{"a", "b"}, a.References); diff != "" {
		t.Error(diff)
	}
	if len(a.Scores) != 2 || a.Scores[0].Base != 9.8 || a.Scores[0].Source != "acme" || a.Scores[1].Version != "2.0" {
		t.Errorf("%+v", a.Scores)
	}
	if len(got.Exploited) != 1 || got.Exploited[0].Advisory != a.ID || got.Exploited[0].Added.Day() != 11 {
		t.Errorf("%+v", got.Exploited)
	}
	if len(got.Refused) != 3 {
		t.Errorf("two scores and a date are broken: %v", got.Refused)
	}
	if got.Cursor != "2026-05-01T10:00:00Z" {
		t.Errorf("the cursor is %q", got.Cursor)
	}
}

func TestSSVC(t *testing.T) {
	at := time.Date(2026, 4, 5, 6, 7, 8, 0, time.UTC)
	ssvc := func(content string) string { return `{"other":{"type":"ssvc","content":{` + content + `}}}` }
	early := ssvc(`"timestamp":"2026-04-04T00:00:00Z","options":[{"Exploitation":"none"},{"Automatable":"yes"},{"Technical Impact":"partial"}]`)
	late := ssvc(`"timestamp":"2026-04-05T06:07:08Z","options":[{"Exploitation":"PoC"},{"Automatable":"No"},{"Technical Impact":" Total "},{"Mission Prevalence":"Minimal"}]`)
	want := &firmward.SSVC{Exploitation: "poc", Automatable: "no", TechnicalImpact: "total", Source: "CISA-ADP", Dated: at}
	for name, c := range map[string]struct {
		metrics string
		want    *firmward.SSVC
		refused string
	}{
		"the later one":       {early + "," + late, want, ""},
		"in any order":        {late + "," + early, want, ""},
		"CERT/CC's words":     {ssvc(`"options":[{"Exploitation":"Public PoC"}]`), &firmward.SSVC{Exploitation: "poc", Source: "CISA-ADP"}, ""},
		"an unknown value":    {ssvc(`"options":[{"Exploitation":"maybe"},{"Automatable":"yes"}]`), &firmward.SSVC{Automatable: "yes", Source: "CISA-ADP"}, `CVE-2031-1000 SSVC: "maybe" is no value of exploitation`},
		"nothing that counts": {ssvc(`"options":[{"Mission Prevalence":"Minimal"}]`), nil, ""},
		"another shape":       {ssvc(`"options":"none"`), nil, "CVE-2031-1000 SSVC"},
		"a broken day":        {ssvc(`"timestamp":"soon","options":[{"Automatable":"yes"}]`), &firmward.SSVC{Automatable: "yes", Source: "CISA-ADP"}, "soon"},
	} {
		got := read(t, doc(`"metrics":[`+early+`]`, `"metrics":[`+c.metrics+`]`)) // what the CNA itself says does not count
		if diff := cmp.Diff(c.want, got.Advisories[0].SSVC); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if refused := strings.Join(got.Refused, "; "); !strings.Contains(refused, c.refused) || c.refused == "" && refused != "" {
			t.Errorf("%s: refused %q, want %q", name, refused, c.refused)
		}
	}
}

// A record that is broken as a whole is refused and counted, and the others go on.
func TestRefuses(t *testing.T) {
	good := doc(`"title":"x"`, noADP)
	for what, swap := range map[string][2]string{
		"an id":        {"CVE-2031-1000", "CVE-1"},
		"the future":   {`"datePublished":"2026`, `"datePublished":"2027`},
		"a late form":  {`"dateUpdated":"2026`, `"dateUpdated":"2126`},
		"no date":      {"2026-04-04T10:00:00Z", "yesterday"},
		"a state":      {`"PUBLISHED"`, `"DRAFT"`},
		"a version":    {`"dataVersion":"5.1"`, `"dataVersion":"4.0"`},
		"another type": {`"CVE_RECORD"`, `"CVE_NEWS"`},
		"a wrong type": {`"title":"x"`, `"title":7`},
		"too large":    {`"title":"x"`, `"title":"` + strings.Repeat("x", 4<<20) + `"`},
		"too many": {`"title":"x"`, `"affected":[{"cpes":["cpe:2.3:o:acme:door:*:*:*:*:*:*:*:*"` + strings.Repeat(`,"cpe:2.3:h:acme:door:-:*:*:*:*:*:*:*"`, 9) + `],"versions":[` +
			strings.Repeat(`{"version":"1","status":"unknown"},`, 9) + manyVersions(11_000) + `]}]`},
	} {
		broken := strings.Replace(good, swap[0], swap[1], 1)
		if broken == good {
			t.Errorf("%s: the record is not changed", what)
		}
		got := read(t, good+"\n"+broken+good)
		if len(got.Refused) != 1 || len(got.Advisories) != 2 {
			t.Errorf("%s: %d records, refused %v", what, len(got.Advisories), got.Refused)
		}
	}
}

func manyVersions(n int) string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf(`{"version":"1.%d","status":"affected"}`, i+1)
	}
	return strings.Join(all, ",")
}

func TestRejected(t *testing.T) {
	got := read(t, `{"dataType":"CVE_RECORD","dataVersion":"5.0","cveMetadata":{"cveId":"CVE-2031-1001","state":"REJECTED","dateRejected":"2026-01-01T00:00:00"},"containers":{"cna":{"rejectedReasons":[{"lang":"en","value":"A double."}]}}}`)
	if a := got.Advisories[0]; !a.Rejected || a.Title != "A double." {
		t.Errorf("%+v", a)
	}
}

// The list has many of its older records with their members in the order of the alphabet: what tells a record stands at the end.
func TestDetect(t *testing.T) {
	long := strings.Repeat(" ", 5000)
	for text, want := range map[string]bool{
		"{\n    \"containers\": {\n        \"cna\": {" + long + `}},"cveMetadata":{}}`: true,
		`{"containers":{"adp":[` + long: true, `{"dataType":"CVE_RECORD"`: true, ` {"cveMetadata":{`: true,
		`{"containers":{"ports":[` + long: false, `{"x":{"containers":{"cna":{` + long: false, `["CVE_RECORD"]`: false,
	} {
		if got := (cve5.Source{}).Detect([]byte(text)[:min(len(text), 4096)], "x"); got != want {
			t.Errorf("%.60s: %t", text, got)
		}
	}
}

func FuzzSync(f *testing.F) {
	f.Add([]byte(doc(`"affected":[{"vendor":"Acme","product":"Door","versions":[{"version":"1.0 through 1.4","status":"affected"},{"version":"8.1","lessThan":"8.2","status":"affected","changes":[{"at":"8.1.5","status":"unaffected"}]}]}]`,
		`"affected":[{"cpes":["cpe:2.3:h:acme:door:-:*:*:*:*:*:*:*"],"defaultStatus":"affected","versions":[{"version":"2","status":"unaffected"}]}],"metrics":[{"other":{"type":"kev","content":{"dateAdded":"2026-04-11"}}}]`)))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := feedtest.Sync(t.Context(), cve5.Source{}, bytes.NewReader(b), "fuzz")
		if _, ok := errors.AsType[*feed.PositionError](err); err != nil && !ok {
			t.Errorf("an error without position: %v", err)
		}
		for _, a := range got.Advisories {
			if !feed.CVE(a.ID) || a.Published.IsZero() {
				t.Errorf("%+v", a)
			}
		}
	})
}
