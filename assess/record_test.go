package assess_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/assess"
	"github.com/firmward/firmward/cpe"
	"github.com/firmward/firmward/feed"
	"github.com/firmward/firmward/feed/cve5"
	"github.com/firmward/firmward/feed/feedtest"
	"github.com/firmward/firmward/feed/starter"
)

// inWords is a match of a CVE record that names the product in words.
func inWords(vendor, product, text string) firmward.CPEMatch {
	m := vuln("cpe:2.3:*:" + vendor + ":" + product + ":*:*:*:*:*:*:*:*")
	m.Words = text
	return m
}

func TestWords(t *testing.T) {
	below := func(m firmward.CPEMatch, v string) firmward.CPEMatch {
		m.VersionEndExcluding = v
		return m
	}
	noName := router("1.0.0.100")
	noName.Model = firmward.Model{}
	other := inWords("netgear", "r8000", "NETGEAR R8000")
	firmwareOnly := router("1.0.0.100")
	firmwareOnly.Model.CPE = []string{fw}
	all := inWords("netgear", "r7000", "NETGEAR R7000")
	none := all
	none.Criteria = "cpe:2.3:*:netgear:r7000:-:*:*:*:*:*:*:*"
	one := all
	one.Criteria = "cpe:2.3:*:netgear:r7000:1.0.0.100:*:*:*:*:*:*:*"
	for _, c := range []struct {
		name    string
		s       assess.Subject
		m       []firmward.CPEMatch
		verdict firmward.Verdict
		reason  string
		fixed   string
	}{
		{"in range, at most likely", router("1.0.0.100"), []firmward.CPEMatch{below(all, "1.0.0.116")}, firmward.Likely, firmward.ReasonInRange, "1.0.0.116"},
		{"out of range", router("1.0.0.116"), []firmward.CPEMatch{below(all, "1.0.0.116")}, firmward.NotAffected, firmward.ReasonOutOfRange, ""},
		{"a card with firmware only", firmwareOnly, []firmward.CPEMatch{below(all, "1.0.0.116")}, firmward.Likely, firmward.ReasonInRange, "1.0.0.116"},
		{"no card", noName, []firmward.CPEMatch{below(all, "1.0.0.116")}, firmward.Likely, firmward.ReasonInRange, "1.0.0.116"},
		{"all versions", router("1.0.0.100"), []firmward.CPEMatch{all}, firmward.Likely, firmward.ReasonAllVersions, ""},
		{"no version", router("1.0.0.100"), []firmward.CPEMatch{none}, firmward.Possible, firmward.ReasonUnspecified, ""},
		{"this version", router("1.0.0.100"), []firmward.CPEMatch{one, none}, firmward.Likely, firmward.ReasonExact, ""},
		{"another version, nothing of the rest", router("1.0.0.99"), []firmward.CPEMatch{one, none}, firmward.Possible, firmward.ReasonUnspecified, ""},
		{"another product", router("1.0.0.99"), []firmward.CPEMatch{other}, "", "", ""},
	} {
		got := assess.Evaluate(c.s, []firmward.Advisory{adv("cve", or(c.m...))}, assess.Extras{}, now)
		if c.verdict == "" {
			if len(got) != 0 {
				t.Errorf("%s: %+v", c.name, got)
			}
			continue
		}
		if len(got) != 1 || got[0].Verdict != c.verdict || got[0].Reason != c.reason || got[0].FixedIn != c.fixed {
			t.Errorf("%s: %+v", c.name, got)
			continue
		}
		if text := tree(got[0].Explanation, 0); !strings.Contains(text, `names the product "NETGEAR R7000" in words, not by CPE.`) {
			t.Errorf("%s: the words are not in\n%s", c.name, text)
		}
	}
	f := assess.Evaluate(router("1.0.0.99"), []firmward.Advisory{adv("cve", or(one, none))}, assess.Extras{}, now)[0]
	if text := tree(f.Explanation, 0); !strings.Contains(text, "The CVE record says nothing certain of other versions of netgear r7000; this device runs 1.0.0.99.") {
		t.Error(text)
	}
}

// A card that names the firmware only is found by the product's name too.
func TestKeys(t *testing.T) {
	s := router("1")
	s.Device.Model, s.Model.Name, s.Model.CPE = "another word", "", []string{fw}
	got := assess.EssenceOf(s).Products()
	for _, want := range []string{"r7000_firmware", "r7000"} {
		if !slices.Contains(got, cpe.Key{Vendor: "netgear", Product: want}) {
			t.Errorf("%s is not in %v", want, got)
		}
	}
}

// A CVE record steps back behind a source that knows better, and says so.
func TestRecordYields(t *testing.T) {
	words := inWords("netgear", "r7000", "NETGEAR R7000")
	words.VersionEndIncluding = "9"
	const byCPE, precise = "NVD names the product by CPE, the CVE record only in words", "NVD is precise, the CVE record rests on no version"
	for _, c := range []struct {
		name    string
		nvd     firmward.CPEMatch
		record  firmward.CPEMatch
		verdict firmward.Verdict
		says    string
	}{
		{"words against a range", before(fw, "1.0.0.90"), words, firmward.NotAffected, byCPE},
		{"words against no version", vuln(na), words, firmward.Possible, byCPE},
		{"no version against a range", before(fw, "1.0.0.90"), vuln(na), firmward.NotAffected, precise},
		{"all versions against a range", before(fw, "1.0.0.90"), vuln(fw), firmward.NotAffected, precise},
		{"a story against the range that holds", before(fw, "1.0.0.116"), vuln(na), firmward.Affected, precise},
		{"a range against no version", vuln(na), before(fw, "1.0.0.116"), firmward.Affected, ""},
		{"a range against another", before(fw, "1.0.0.90"), before(fw, "1.0.0.116"), firmward.Affected, "The sources disagree"},
		{"no version against none", vuln(na), vuln(na), firmward.Possible, ""},
	} {
		f := assess.Evaluate(router("1.0.0.100"), []firmward.Advisory{adv("nvd", or(c.nvd)), adv("cve", or(c.record))}, assess.Extras{}, now)[0]
		text := tree(f.Explanation, 0)
		if f.Verdict != c.verdict || !strings.Contains(text, c.says) || strings.Count(text, " says: ") != 2 || c.says == "" && strings.Contains(text, "[merge]") {
			t.Errorf("%s: %s\n%s", c.name, f.Verdict, text)
		}
	}
}

// Records as CNAs write them, to the verdict.
func TestRecordVerdicts(t *testing.T) {
	record := func(vendor, product, rest string) string {
		return fmt.Sprintf(`{"dataType":"CVE_RECORD","dataVersion":"5.1","cveMetadata":{"cveId":"CVE-2031-0001","state":"PUBLISHED","datePublished":"2024-04-04T10:00:00Z"},`+
			`"containers":{"cna":{"descriptions":[{"lang":"en","value":"x"}],"affected":[{"vendor":%q,"product":%q,%s}]}}}`, vendor, product, rest)
	}
	zyxel := func(v string) assess.Subject {
		return device("z", "Zyxel", "VPN100", v, firmward.Model{Scheme: "zyxel", CPE: []string{"cpe:2.3:o:zyxel:vpn100_firmware:*:*:*:*:*:*:*:*"}})
	}
	const through = `"versions":[{"status":"affected","version":"4.60 through 4.73"}]` // as in CVE-2023-28771
	for _, c := range []struct {
		name    string
		s       assess.Subject
		doc     string
		verdict firmward.Verdict
	}{
		{"through, inside", zyxel("4.70"), record("Zyxel", "VPN100 firmware", through), firmward.Likely},
		{"through, behind", zyxel("4.75"), record("Zyxel", "VPN100 firmware", through), firmward.NotAffected},
		{"through, the patch after it", zyxel("V4.73(ABFV.1)"), record("Zyxel", "VPN100 firmware", through), firmward.NotAffected},
		{"through, of a model", zyxel("V4.73(ABFV.0)"), record("Zyxel", "VPN100 firmware", through), firmward.Possible},
		{"the time of a build", device("c", "Dahua", "IPC-HDW3441", "2.800.0000000.29.R", firmward.Model{}), record("Dahua", "IPC-HDW3441", `"versions":[{"status":"affected","version":"Buildtime before June, 2021"}]`), firmward.Possible}, // CVE-2021-33044
		{"the day of the report", demo()[4], record("D-Link", "DNS-320L", `"versions":[{"status":"affected","version":"20240403"}]`), firmward.Possible},                                                                                      // CVE-2024-3273
		{"n/a", demo()[4], record("n/a", "n/a", `"versions":[{"status":"affected","version":"n/a"}]`), ""},
		{"n/a of a product", demo()[4], record("D-Link", "DNS-320L", `"versions":[{"status":"affected","version":"n/a"}]`), firmward.Possible},
	} {
		got, err := feedtest.Sync(t.Context(), cve5.Source{}, strings.NewReader(c.doc), "record.json")
		if err != nil {
			t.Fatal(err)
		}
		f := firmward.Finding{}
		if all := assess.Evaluate(c.s, got.Advisories, assess.Extras{}, now); len(all) > 0 {
			f = all[0]
		}
		if f.Verdict != c.verdict {
			t.Errorf("%s: %q, want %q\n%s", c.name, f.Verdict, c.verdict, tree(f.Explanation, 0))
		}
	}
}

func TestRealCVERecords(t *testing.T) {
	d, err := feed.Open(filepath.Join(feedtest.Data(t), "cve5-vulnrichment/vulnrichment-2024-10-24-oh-cpes.jsonl.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	got, err := feedtest.Sync(t.Context(), cve5.Source{}, d, d.Name)
	if err != nil {
		t.Fatal(err)
	}
	x := indexOf(t, got.Advisories)
	none := firmward.Model{}
	plain := func(vendor, model, version, scheme, product string) assess.Subject {
		return device("d", vendor, model, version, firmward.Model{Scheme: scheme, CPE: []string{"cpe:2.3:o:" + product + "_firmware:*:*:*:*:*:*:*:*"}})
	}
	for _, c := range []struct {
		s       assess.Subject
		id      string
		verdict firmward.Verdict
		fixed   string
	}{
		{demo()[4], "CVE-2024-3273", firmward.Possible, ""},                                                                            // the version is the day of the report, no fix
		{plain("D-Link", "DIR-859", "1.06b01", "dlink", "dlink:dir-859"), "CVE-2024-0769", firmward.Affected, ""},                      // the one version, by CPE
		{plain("D-Link", "DIR-859", "1.05", "dlink", "dlink:dir-859"), "CVE-2024-0769", firmward.Possible, ""},                         // another one, of which nothing is said
		{plain("Zyxel", "NR7101", "V1.00(ABUV.7)C0", "zyxel", "zyxel:nr7101"), "CVE-2022-43391", firmward.Possible, "V1.15(ACCC.3)C0"}, // words, another model's code
		{plain("Zyxel", "NR7101", "V1.00(ACCC.1)C0", "zyxel", "zyxel:nr7101"), "CVE-2022-43391", firmward.Likely, "V1.15(ACCC.3)C0"},   // words, in range
		{plain("Zyxel", "NR7101", "V1.15(ACCC.3)C0", "zyxel", "zyxel:nr7101"), "CVE-2022-43391", firmward.NotAffected, ""},
		{demo()[5], "CVE-2023-30799", firmward.Likely, "6.49.7"},                                                        // RouterOS 6.42, words
		{demo()[5], "CVE-2023-30800", firmward.Likely, "6.49.10"},                                                       // affected by default before the spared one
		{plain("Dahua", "NVR4XXX", "4.001", "dahua", "dahuasecurity:nvr4xxx"), "CVE-2024-39945", firmward.Possible, ""}, // the time of a build
		{device("t", "Tenda", "AC18", "15.03.05.05", none), "CVE-2024-2486", firmward.Likely, ""},                       // words and a derived name
		{device("r", "NETGEAR", "R7000", "1.0.11.136_10.2.120", firmward.Model{Scheme: "netgear"}), "CVE-2024-1431", firmward.Likely, ""},
	} {
		var f firmward.Finding
		for _, one := range evaluate(t, c.s, got, x) {
			if one.AdvisoryID == c.id {
				f = one
			}
		}
		t.Logf("%-10s %-12s %-22s %-15s %-12s %-12s fixed=%-16s nofix=%v", c.s.Device.Vendor, c.s.Device.Model, c.s.Device.Firmware, c.id, f.Verdict, f.Reason, f.FixedIn, f.NoFix)
		if f.Verdict != c.verdict || f.FixedIn != c.fixed {
			t.Errorf("%s %s %s: %q, fixed in %q; want %s, %q\n%s", c.s.Device.Model, c.s.Device.Firmware, c.id, f.Verdict, f.FixedIn, c.verdict, c.fixed, tree(f.Explanation, 0))
		}
	}
	// The starter set's own statement on the NAS is not weakened by a record without versions.
	own, err := feedtest.Sync(t.Context(), starter.Source{}, starter.Document(), starter.Name)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range assess.Evaluate(demo()[4], append(own.Advisories, got.Advisories...), assess.Extras{}, now) {
		if f.AdvisoryID == "CVE-2024-3273" && (f.Verdict != firmward.Affected || !f.NoFix) {
			t.Errorf("%+v", f)
		}
	}
}
