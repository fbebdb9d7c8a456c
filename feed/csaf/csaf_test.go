package csaf_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/feed"
	"github.com/firmward/firmward/feed/csaf"
	"github.com/firmward/firmward/feed/feedtest"
)

const (
	head = `{"document":{"category":"csaf_security_advisory","csaf_version":"2.0","title":"Acme doors","distribution":{"tlp":{"label":"WHITE"}},` +
		`"publisher":{"category":"vendor","name":"Acme PSIRT","namespace":"https://www.acme.example/"},"references":[{"category":"external","url":"https://other.example/"},{"category":"self","url":"https://acme.example/ac-31-1.json"}],` +
		`"tracking":{"id":"AC-31-1","status":"final","version":"2","initial_release_date":"2026-03-01T00:00:00Z","current_release_date":"2026-04-01T00:00:00.000Z"}},"x_unheard":{"of":[1]},`
	// D1 below 2.0, D2 2.0, D3 without versions, D4 by CPE, D5 single versions, F on hardware H.
	doors = `"product_tree":{"branches":[{"category":"vendor","name":"Acme Inc.","branches":[` +
		`{"category":"product_name","name":"Door","branches":[{"category":"product_version_range","name":"vers:generic/<2.0","product":{"product_id":"D1","name":"Door < 2.0"}},{"category":"product_version","name":"2.0","product":{"product_id":"D2","name":"Door 2.0"}}],"product":{"product_id":"D3","name":"Door"}},` +
		`{"category":"product_name","name":"Gate","branches":[{"category":"product_version_range","name":">=1.0|<1.5","product":{"product_id":"D4","name":"Gate","product_identification_helper":{"cpe":"cpe:2.3:o:acme:gate_firmware:*:*:*:*:*:*:*:*"}}}]},` +
		`{"category":"product_name","name":"Bell (6BX71-0AB)","branches":[{"category":"product_version","name":"1.1","product":{"product_id":"D5","name":"Bell 1.1"}}]},` +
		`{"category":"product_family","name":"Lamp","branches":[{"category":"product_name","name":"Lamp 7","product":{"product_id":"H","name":"Lamp 7","product_identification_helper":{"cpe":"cpe:/h:acme:lamp_7:-"}}}]},` +
		`{"category":"product_name","name":"Lamp firmware","branches":[{"category":"product_version_range","name":"< V3.1","product":{"product_id":"F","name":"Lamp firmware"}}]},` +
		`{"category":"product_name","name":"libring","branches":[{"category":"product_version","name":"0.9","product":{"product_id":"L","name":"libring"}}]}]}],` +
		`"full_product_names":[{"product_id":"N","name":"A name alone"}],` +
		`"relationships":[{"category":"installed_on","product_reference":"F","relates_to_product_reference":"H","full_product_name":{"product_id":"FH","name":"Lamp firmware on Lamp 7"}},` +
		`{"category":"default_component_of","product_reference":"L","relates_to_product_reference":"D1","full_product_name":{"product_id":"LD","name":"libring in Door"}},` +
		`{"category":"optional_component_of","product_reference":"L","relates_to_product_reference":"D4","full_product_name":{"product_id":"LG","name":"libring in Gate, perhaps"}},` +
		`{"category":"installed_with","product_reference":"R2","relates_to_product_reference":"D1","full_product_name":{"product_id":"R1","name":"round"}},` +
		`{"category":"installed_with","product_reference":"R1","relates_to_product_reference":"D1","full_product_name":{"product_id":"R2","name":"and round"}}],` +
		`"product_groups":[{"group_id":"G","product_ids":["D1","D4"]}]},`
)

// doc is a document with these vulnerabilities.
func doc(vulnerabilities ...string) string {
	return head + doors + `"vulnerabilities":[` + strings.Join(vulnerabilities, ",") + "]}"
}

// vuln is a vulnerability with these members.
func vuln(n int, members string) string {
	return fmt.Sprintf(`{"cve":"CVE-2031-2%03d","notes":[{"category":"summary","text":"A door stands open."}],%s}`, n, members)
}

func read(t testing.TB, document string) feedtest.Result {
	t.Helper()
	got, err := feedtest.Sync(t.Context(), csaf.Source{}, strings.NewReader(document), "ac-31-1.json")
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// say writes what a record says of products, in short.
func say(a firmward.Advisory) []string {
	var out []string
	for _, c := range a.Configurations {
		var nodes []string
		for _, n := range c.Nodes {
			var all []string
			for _, m := range n.Matches {
				all = append(all, short(m))
			}
			nodes = append(nodes, strings.Join(all, ", "))
		}
		out = append(out, strings.Join(nodes, " on "))
	}
	for _, s := range a.Statements {
		line := string(s.Status) + " " + short(s.Match)
		if s.Platform != "" {
			line += " on " + s.Platform
		}
		if s.Justification != "" {
			line += ", " + s.Justification
		}
		if s.Text != "" {
			line += ": " + s.Text
		}
		out = append(out, line)
	}
	for _, f := range a.Fixes {
		out = append(out, "fix "+f.Vendor+":"+f.Product+" "+f.Version)
	}
	if a.NoFix {
		out = append(out, "no fix")
	}
	return out
}

func short(m firmward.CPEMatch) string {
	p := strings.Split(m.Criteria, ":")
	var s strings.Builder
	s.WriteString(strings.Join(p[2:6], ":"))
	for _, b := range [][2]string{{">=", m.VersionStartIncluding}, {">", m.VersionStartExcluding}, {"<=", m.VersionEndIncluding}, {"<", m.VersionEndExcluding}} {
		if b[1] != "" {
			s.WriteString(" " + b[0] + b[1])
		}
	}
	return s.String()
}

func TestConformance(t *testing.T) {
	good := doc(vuln(1, `"product_status":{"known_affected":["D1"]}`), vuln(2, `"product_status":{"known_affected":["D4"],"fixed":["D2"]}`))
	feedtest.Run(t, csaf.Source{}, []byte(good))
	if !(csaf.Source{}).Detect([]byte(`{ "document": { "acknowledgments": [`+strings.Repeat(" ", 4000)), "x") {
		t.Error("Detect does not know a document with long thanks")
	}
	if got := read(t, good); got.Replaced[0] != "csaf:acme.example/AC-31-1" || got.Cursor != "2026-04-01T00:00:00Z" {
		t.Errorf("%v, %s", got.Replaced, got.Cursor)
	}
}

func TestProducts(t *testing.T) {
	for _, c := range []struct {
		name, members string
		want          []string
	}{
		{"in words", `"product_status":{"known_affected":["D1"]}`, []string{"*:acme:door:* <2.0"}},
		{"by CPE", `"product_status":{"known_affected":["D4"]}`, []string{"o:acme:gate_firmware:* >=1.0 <1.5"}},
		{"one version, the others unknown", `"product_status":{"known_affected":["D5"]}`, []string{"*:acme:bell:1.1, *:acme:bell:-"}},
		{"the first and the last of them", `"product_status":{"first_affected":["D5"],"last_affected":["D5"]}`, []string{"*:acme:bell:1.1, *:acme:bell:-"}},
		{"no versions", `"product_status":{"known_affected":["D3"]}`, []string{"*:acme:door:-"}},
		{"a platform", `"product_status":{"known_affected":["FH"],"fixed":[]}`, []string{"*:acme:lamp:* <V3.1 on h:acme:lamp_7:-"}},
		{"a component counts as its product", `"product_status":{"known_affected":["LD"]}`, []string{"*:acme:door:* <2.0"}},
		{"a component that may be there", `"product_status":{"known_affected":["LG"]}`, []string{"o:acme:gate_firmware:-"}},
		{"a name alone", `"product_status":{"known_affected":["N"]}`, nil},
		{
			"fixed, by a product", `"product_status":{"known_affected":["D1"],"fixed":["D2"]},"remediations":[{"category":"vendor_fix","details":"Update to\n V2.0 or later version","product_ids":["D1"]}]`,
			[]string{"*:acme:door:* <2.0", "fixed *:acme:door:2.0", "fix acme:door 2.0", "fix acme:door V2.0"},
		},
		{
			"fixed, in words, for a group", `"product_status":{"known_affected":["D1","D4"]},"remediations":[{"category":"vendor_fix","details":"Fixed in 2.1.","group_ids":["G"]}]`,
			[]string{"*:acme:door:* <2.0, o:acme:gate_firmware:* >=1.0 <1.5", "fix acme:door 2.1", "fix acme:gate_firmware 2.1"},
		},
		{"a fix of two versions", `"product_status":{"known_affected":["D1"]},"remediations":[{"category":"vendor_fix","details":"Update to 2.1","product_ids":["D1"]},{"category":"vendor_fix","details":"Update to 2.2","product_ids":["D1"]}]`, []string{"*:acme:door:* <2.0"}},
		{"a fix that is affected", `"product_status":{"known_affected":["D1"]},"remediations":[{"category":"vendor_fix","details":"Update to 1.9","product_ids":["D1"]}]`, []string{"*:acme:door:* <2.0"}},
		{"a fix in a story", `"product_status":{"known_affected":["D1"]},"remediations":[{"category":"vendor_fix","details":"Update to 2.1 and replace the lock","product_ids":["D1"]}]`, []string{"*:acme:door:* <2.0"}},
		{
			"not affected", `"product_status":{"known_affected":["D1"],"known_not_affected":["D4","D3"]},"flags":[{"label":"component_not_present","product_ids":["D4"]}],"threats":[{"category":"impact","details":"It has no ring.","product_ids":["D4"]},{"category":"exploit_status","details":"x"}]`,
			[]string{"*:acme:door:* <2.0", "not-affected o:acme:gate_firmware:* >=1.0 <1.5, component_not_present: It has no ring.", "not-affected *:acme:door:*"},
		},
		{"not affected on a platform", `"product_status":{"known_not_affected":["FH"]}`, []string{"not-affected *:acme:lamp:* <V3.1 on cpe:2.3:h:acme:lamp_7:-:*:*:*:*:*:*:*"}},
		{"under investigation", `"product_status":{"under_investigation":["D3","D4"]}`, []string{"under-investigation *:acme:door:-", "under-investigation o:acme:gate_firmware:* >=1.0 <1.5"}},
		{
			"no fix for one", `"product_status":{"known_affected":["D1","D4"]},"remediations":[{"category":"no_fix_planned","details":"Too old.","product_ids":["D1"]}]`,
			[]string{"*:acme:door:* <2.0, o:acme:gate_firmware:* >=1.0 <1.5", "no-fix *:acme:door:* <2.0: Too old."},
		},
		{
			"no fix at all", `"product_status":{"known_affected":["D1","D4"]},"remediations":[{"category":"none_available","details":"None.","group_ids":["G"]},{"category":"mitigation","details":"Lock it.","product_ids":["D1"]}]`,
			[]string{"*:acme:door:* <2.0, o:acme:gate_firmware:* >=1.0 <1.5", "no-fix *:acme:door:* <2.0: None.", "no-fix o:acme:gate_firmware:* >=1.0 <1.5: None.", "no fix"},
		},
		{
			"no fix, and yet one", `"product_status":{"known_affected":["D1"]},"remediations":[{"category":"none_available","details":"None.","product_ids":["D1"]},{"category":"vendor_fix","details":"Update to 2.0","product_ids":["D1"]}]`,
			[]string{"*:acme:door:* <2.0", "fix acme:door 2.0"},
		},
	} {
		got := read(t, doc(vuln(0, c.members)))
		if diff := cmp.Diff(c.want, say(got.Advisories[0])); diff != "" {
			t.Errorf("%s:\n%s", c.name, diff)
		}
		if len(got.Refused) != 2 { // the two that run in a circle
			t.Errorf("%s: %v", c.name, got.Refused)
		}
	}
}

func TestVersionBranches(t *testing.T) {
	for in, want := range map[string]string{
		"vers:all/*": "*", "vers:all/<V3.0.3": "* <V3.0.3", "vers:all/>=V7.80<V9.40": "* >=V7.80 <V9.40", "vers:generic/%3E%3D1.0%7C%3C2.0": "* >=1.0 <2.0",
		"vers:generic/<1.2|>=2.0|<2.3": "* <1.2, x:* >=2.0 <2.3", "vers:generic/>=2.0|<1.2": "* >=2.0 <1.2", "vers:generic/<3|>=1": "-", "vers:generic/!=1.2": "-", "vers:generic": "-",
		">=5.3|<=6.4": "* >=5.3 <=6.4", ">= V2.3 and < V6.30": "* >=V2.3 <V6.30", "2.2.0 | 2.2.1": "2.2.0, x:2.2.1, x:-", "0 < 9.8.12": "* <9.8.12", "All versions < V05.30": "* <V05.30",
		"Door 1.4 and earlier": "* <=1.4", "<=LF": "-", "SR540": "-", "the old one": "-", ">1.0|>2.0": "-", "": "-",
	} {
		tree := strings.Replace(doors, "vers:generic/<2.0", in, 1)
		got := read(t, head+tree+`"vulnerabilities":[`+vuln(0, `"product_status":{"known_affected":["D1"]}`)+`]}`)
		text := strings.ReplaceAll(strings.Join(say(got.Advisories[0]), " | "), "*:acme:door", "x")
		if text != "x:"+want {
			t.Errorf("%q: %s, want x:%s", in, text, want)
		}
	}
}

func TestContent(t *testing.T) {
	got := read(t, strings.Replace(doc(
		vuln(1, `"cwe":{"id":"CWE-78"},"cwes":[{"id":"CWE-79"}],"references":[{"url":"https://more.example/"}],"remediations":[{"category":"vendor_fix","details":"x","url":"https://fix.example/"}],`+
			`"scores":[{"products":["D1"],"cvss_v3":{"version":"3.1","vectorString":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H","baseScore":9.8}},{"cvss_v2":{"version":"2.0","vectorString":"AV:N/AC:L/Au:N/C:C/I:C/A:C","baseScore":10},"cvss_v3":{"version":"3.1","vectorString":"severe","baseScore":9}}],`+
			`"metrics":[{"content":{"cvss_v4":{"version":"4.0","vectorString":"CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N","baseScore":9.3}}}]`),
		`{"title":"A lamp burns.","ids":[{"system_name":"bugs","text":"B-7"}]}`, `{"title":"Another."}`,
	), `"WHITE"`, `"AMBER"`, 1))
	a := got.Advisories[0]
	if a.Source != "csaf:acme.example/AC-31-1" || a.Title != "A door stands open." || a.Published.Month() != 3 || a.Modified.Month() != 4 || !a.Origin.Dated.Equal(a.Modified) {
		t.Errorf("%+v", a)
	}
	if diff := cmp.Diff([]string{"TLP:AMBER", "https://acme.example/ac-31-1.json", "https://fix.example/", "https://other.example/", "https://more.example/"}, a.References); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"CWE-79", "CWE-78"}, a.Weakness); diff != "" {
		t.Error(diff)
	}
	if len(a.Scores) != 3 || a.Scores[0].Base != 9.8 || a.Scores[0].Source != "Acme PSIRT" || a.Scores[2].Version != "4.0" {
		t.Errorf("%+v", a.Scores)
	}
	if got.Advisories[1].ID != "AC-31-1:B-7" || got.Advisories[2].ID != "AC-31-1:3" {
		t.Errorf("without a CVE id: %s, %s", got.Advisories[1].ID, got.Advisories[2].ID)
	}
}

// A broken part is refused alone, with document, record and place.
func TestRefusesParts(t *testing.T) {
	good := vuln(9, `"product_status":{"known_affected":["D1"]}`)
	for what, c := range map[string]struct {
		broken string
		left   int
		say    string
	}{
		"an id":                  {`{"cve":"CVE-1"}`, 1, "AC-31-1 vulnerability 2 CVE-1, ending at byte"},
		"a type":                 {`{"cve":7}`, 1, "AC-31-1 vulnerability 2"},
		"twice":                  {good, 1, "it stands twice"},
		"an unknown product":     {vuln(8, `"product_status":{"known_affected":["X","D1"]}`), 2, "product X: it is not in the product tree"},
		"affected and fixed":     {vuln(8, `"product_status":{"known_affected":["D1"],"fixed":["D1"]}`), 2, "it stands under affected and fixed"},
		"spared and fixed":       {vuln(8, `"product_status":{"known_not_affected":["D1"],"fixed":["D1"]}`), 2, "it stands under fixed and not affected"},
		"a circle":               {vuln(8, `"product_status":{"known_affected":["R1"]}`), 2, "product R1: it is not in the product tree"},
		"a score":                {vuln(8, `"scores":[{"cvss_v3":{"version":"3.1","vectorString":"CVSS:3.1/AV:N","baseScore":11}}]`), 2, "is no CVSS"},
		"a million in one group": {vuln(8, `"product_status":{"known_affected":["D1"]},"flags":[`+strings.Repeat(`{"group_ids":["G"]},`, 600_000)+`{}]`), 1, "it names more than 1048576 products"},
	} {
		got := read(t, doc(good, c.broken))
		if len(got.Refused) != 3 || !strings.Contains(got.Refused[2], c.say) || len(got.Advisories) != c.left {
			t.Errorf("%s: %d advisories, refused %v", what, len(got.Advisories), got.Refused)
		}
	}
	if got := read(t, doc(vuln(8, `"product_status":{"known_affected":["D1"],"fixed":["D1"]}`))); cmp.Diff([]string{"*:acme:door:* <2.0"}, say(got.Advisories[0])) != "" {
		t.Error("a product that is affected and fixed stays affected")
	}
}

// A document that is broken as a whole is an error with its place.
func TestRefusesDocuments(t *testing.T) {
	good := doc(vuln(1, `"product_status":{"known_affected":["D1"]}`))
	for what, swap := range map[string][2]string{
		"version 1":            {`"csaf_version":"2.0"`, `"csaf_version":"1.2"`},
		"a draft":              {`"status":"final"`, `"status":"draft"`},
		"no id":                {`"id":"AC-31-1"`, `"id":""`},
		"an id over two lines": {`"id":"AC-31-1"`, `"id":"AC\n1"`},
		"no namespace":         {"https://www.acme.example/", "Acme"},
		"the future":           {"2026-04-01T", "2027-04-01T"},
		"no date":              {"2026-03-01T00:00:00Z", "soon"},
		"deep branches":        {doors, `"product_tree":{"branches":[` + strings.Repeat(`{"category":"product_family","name":"x","branches":[`, 1000) + strings.Repeat("]}", 1000) + "]},"},
		"a tree of another":    {doors, `"product_tree":7,`},
		"vulnerabilities":      {`"vulnerabilities":[`, `"vulnerabilities":{"x":[`},
	} {
		broken := strings.Replace(good, swap[0], swap[1], 1)
		if broken == good {
			t.Fatalf("%s: nothing is changed", what)
		}
		_, err := feedtest.Sync(t.Context(), csaf.Source{}, strings.NewReader(broken), "x.json")
		if _, ok := errors.AsType[*feed.PositionError](err); !ok {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// A chain of a thousand relationships, and a tree of 200 kB with each id twice.
func TestTrees(t *testing.T) {
	chain := []string{`{"category":"installed_on","product_reference":"D1","relates_to_product_reference":"D2","full_product_name":{"product_id":"C0","name":"x"}}`}
	for i := range 1000 {
		chain = append(chain, fmt.Sprintf(`{"category":"installed_on","product_reference":"C%d","relates_to_product_reference":"D2","full_product_name":{"product_id":"C%d","name":"x"}}`, i, i+1))
	}
	long := strings.Replace(doors, `"relationships":[`, `"relationships":[`+strings.Join(chain, ",")+",", 1)
	got := read(t, head+long+`"vulnerabilities":[`+vuln(1, `"product_status":{"known_affected":["C5","C1000"]}`)+`]}`)
	if len(got.Refused) < 900 || len(got.Advisories[0].Configurations) != 1 || len(got.Advisories[0].Configurations[0].Nodes) != 7 {
		t.Errorf("%d refused, %d configurations", len(got.Refused), len(got.Advisories[0].Configurations))
	}
	var many []string
	for i := range 2000 {
		many = append(many, fmt.Sprintf(`{"category":"product_version","name":"1.%d","product":{"product_id":"M%d","name":"x"}}`, i, i/2))
	}
	wide := strings.Replace(doors, `"branches":[{"category":"product_version_range"`, `"branches":[`+strings.Join(many, ",")+`,{"category":"product_version_range"`, 1)
	got = read(t, head+wide+`"vulnerabilities":[`+vuln(1, `"product_status":{"known_affected":["M3","M999"]}`)+`]}`)
	if len(got.Refused) != 1002 || !strings.Contains(got.Refused[0], "two products have this id") {
		t.Errorf("%d refused, %v", len(got.Refused), got.Refused[:1])
	}
}

func FuzzCSAF(f *testing.F) {
	f.Add([]byte(doc(vuln(1, `"product_status":{"known_affected":["D1","FH","LD"],"fixed":["D2"],"known_not_affected":["D4"]},"flags":[{"label":"component_not_present","group_ids":["G"]}],"remediations":[{"category":"vendor_fix","details":"Update to V2.0 or later","product_ids":["D1"]},{"category":"no_fix_planned","product_ids":["FH"]}]`))))
	f.Add([]byte(doc(vuln(1, `"product_status":{"under_investigation":["LG","R1"]}`), `{"ids":[{"text":"B-7"}]}`)))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := feedtest.Sync(t.Context(), csaf.Source{}, bytes.NewReader(b), "fuzz")
		if _, ok := errors.AsType[*feed.PositionError](err); err != nil && !ok {
			t.Errorf("an error without position: %v", err)
		}
		for _, a := range got.Advisories {
			if a.ID == "" || a.Published.IsZero() || !strings.HasPrefix(a.Source, "csaf:") {
				t.Errorf("%+v", a)
			}
			if _, err := json.Marshal(a); err != nil {
				t.Error(err)
			}
		}
	})
}
