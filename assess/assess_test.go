package assess_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/assess"
	"github.com/firmward/firmward/cpe"
)

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func vuln(criteria string) firmward.CPEMatch {
	return firmward.CPEMatch{Vulnerable: true, Criteria: criteria}
}

func before(criteria, v string) firmward.CPEMatch {
	m := vuln(criteria)
	m.VersionEndExcluding = v
	return m
}

func or(m ...firmward.CPEMatch) firmward.Node { return firmward.Node{Operator: "OR", Matches: m} }

func adv(source string, nodes ...firmward.Node) firmward.Advisory {
	return firmward.Advisory{ID: "CVE-2031-0001", Source: source, Published: now, Configurations: []firmward.Configuration{{Operator: "AND", Nodes: nodes}}}
}

const (
	fw  = "cpe:2.3:o:netgear:r7000_firmware:*:*:*:*:*:*:*:*"
	na  = "cpe:2.3:o:netgear:r7000_firmware:-:*:*:*:*:*:*:*"
	hw  = "cpe:2.3:h:netgear:r7000:-:*:*:*:*:*:*:*"
	hw2 = "cpe:2.3:h:netgear:r7000:v2:*:*:*:*:*:*:*"
	hwX = "cpe:2.3:h:netgear:r8000:-:*:*:*:*:*:*:*"
)

func router(v string) assess.Subject {
	return assess.Subject{
		Device: firmward.Device{ID: "d1", Vendor: "NETGEAR", Model: "R7000", Firmware: v, Origin: firmward.OriginByHand},
		Model:  firmward.Model{Vendor: "NETGEAR", Name: "R7000", Scheme: "netgear", CPE: []string{fw, hw}},
	}
}

func TestVerdicts(t *testing.T) {
	platform := or(firmward.CPEMatch{Criteria: hw})
	weak := router("1.0.0.100")
	weak.Device.Origin = firmward.OriginSeen
	weak.Identity = firmward.Identity{Claims: []firmward.Claim{{Field: firmward.FieldModel, Value: "R7000", Confidence: 59}}}
	firm := weak
	firm.Identity = firmward.Identity{Claims: []firmward.Claim{{Field: firmward.FieldModel, Value: "R7000", Confidence: 60}}}
	noScheme := router("1.0.0.100")
	noScheme.Model.Scheme = "generic"
	noHardware := router("1.0.0.100")
	noHardware.Model.CPE = []string{fw}
	derived := router("1.0.0.100")
	derived.Model = firmward.Model{}
	v2 := router("1.0.0.100")
	v2.Device.Hardware = "Rev. 2"
	through := vuln(fw)
	through.VersionEndIncluding = "1.0.0.100"
	after := vuln(fw)
	after.VersionStartExcluding = "1.0.0.100"
	edition := before("cpe:2.3:o:netgear:r7000_firmware:*:*:*:*:pro:*:*:*", "1.0.0.116")
	for _, c := range []struct {
		name    string
		s       assess.Subject
		a       firmward.Advisory
		verdict firmward.Verdict
		reason  string
		fixed   string
	}{
		{"in range", router("1.0.0.100"), adv("nvd", or(before(fw, "1.0.0.116")), platform), firmward.Affected, firmward.ReasonInRange, "1.0.0.116"},
		{"region suffix", router("1.0.0.116_10.2.100"), adv("nvd", or(before(fw, "1.0.0.116")), platform), firmward.NotAffected, firmward.ReasonOutOfRange, ""},
		{"at the end, included", router("1.0.0.100"), adv("nvd", or(through)), firmward.Affected, firmward.ReasonInRange, ""},
		{"at the start, excluded", router("1.0.0.100"), adv("nvd", or(after)), firmward.NotAffected, firmward.ReasonOutOfRange, ""},
		{"exact", router("v1.0.0.100"), adv("nvd", or(vuln("cpe:2.3:o:netgear:r7000_firmware:1.0.0.100:*:*:*:*:*:*:*"))), firmward.Affected, firmward.ReasonExact, ""},
		{"another exact", router("1.0.0.99"), adv("nvd", or(vuln("cpe:2.3:o:netgear:r7000_firmware:1.0.0.100:*:*:*:*:*:*:*"))), firmward.NotAffected, firmward.ReasonOutOfRange, ""},
		{"no version given", router("1.0.0.100"), adv("nvd", or(vuln(na)), platform), firmward.Possible, firmward.ReasonUnspecified, ""},
		{"all versions", router("1.0.0.100"), adv("nvd", or(vuln(fw)), platform), firmward.Affected, firmward.ReasonAllVersions, ""},
		{"all versions, device version unknown", router(""), adv("nvd", or(vuln(fw)), platform), firmward.Affected, firmward.ReasonAllVersions, ""},
		{"all versions without a scheme", noScheme, adv("nvd", or(vuln(fw)), platform), firmward.Likely, firmward.ReasonAllVersions, ""},
		{"in range without a scheme", noScheme, adv("nvd", or(before(fw, "1.0.0.116"))), firmward.Likely, firmward.ReasonInRange, "1.0.0.116"},
		{"device version unknown", router(""), adv("nvd", or(before(fw, "1.0.0.116"))), firmward.Possible, firmward.ReasonNoVersion, "1.0.0.116"},
		{"device version unreadable", router("unknown"), adv("nvd", or(before(fw, "1.0.0.116"))), firmward.Possible, firmward.ReasonIncomparable, "1.0.0.116"},
		{"weak identity", weak, adv("nvd", or(before(fw, "1.0.0.116"))), firmward.Possible, firmward.ReasonWeakIdentity, "1.0.0.116"},
		{"identity just enough", firm, adv("nvd", or(before(fw, "1.0.0.116"))), firmward.Affected, firmward.ReasonInRange, "1.0.0.116"},
		{"another hardware", router("1.0.0.100"), adv("nvd", or(before(fw, "1.0.0.116")), or(firmward.CPEMatch{Criteria: hwX})), firmward.NotAffected, firmward.ReasonPlatformAbsent, ""},
		{"one of several hardware", router("1.0.0.100"), adv("nvd", or(before(fw, "1.0.0.116")), or(firmward.CPEMatch{Criteria: hwX}, firmward.CPEMatch{Criteria: hw})), firmward.Affected, firmward.ReasonInRange, "1.0.0.116"},
		{"hardware not on the card", noHardware, adv("nvd", or(before(fw, "1.0.0.116")), or(firmward.CPEMatch{Criteria: hwX})), firmward.Possible, firmward.ReasonPlatformAbsent, "1.0.0.116"},
		{"revision unknown", router("1.0.0.100"), adv("nvd", or(before(fw, "1.0.0.116")), or(firmward.CPEMatch{Criteria: hw2})), firmward.Possible, firmward.ReasonPlatformAbsent, "1.0.0.116"},
		{"revision right", v2, adv("nvd", or(before(fw, "1.0.0.116")), or(firmward.CPEMatch{Criteria: hw2})), firmward.Affected, firmward.ReasonInRange, "1.0.0.116"},
		{"derived names", derived, adv("nvd", or(before(fw, "1.0.0.116")), platform), firmward.Likely, firmward.ReasonInRange, "1.0.0.116"},
		{"an edition nobody knows", router("1.0.0.100"), adv("nvd", or(edition)), firmward.Possible, firmward.ReasonUnspecified, "1.0.0.116"},
		{"a negated range", router("1.0.0.100"), adv("nvd", or(vuln(fw)), firmward.Node{Operator: "OR", Negate: true, Matches: []firmward.CPEMatch{before(fw, "1.0.0.50")}}), firmward.Affected, firmward.ReasonAllVersions, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := assess.Evaluate(c.s, []firmward.Advisory{c.a}, assess.Extras{}, now)
			if len(got) != 1 {
				t.Fatalf("%d findings", len(got))
			}
			f := got[0]
			if f.Verdict != c.verdict || f.Reason != c.reason || f.FixedIn != c.fixed {
				t.Errorf("%s, %s, fixed in %q; want %s, %s, %q\n%s", f.Verdict, f.Reason, f.FixedIn, c.verdict, c.reason, c.fixed, tree(f.Explanation, 0))
			}
			if f.DeviceID != "d1" || !f.OpenedAt.Equal(now) || f.Explanation.Result != string(f.Verdict) {
				t.Errorf("%+v", f)
			}
		})
	}
}

func tree(e firmward.Explanation, depth int) string {
	var s strings.Builder
	s.WriteString(strings.Repeat("  ", depth) + e.Result + ": " + e.Text + " [" + e.Source + "]\n")
	for _, c := range e.Children {
		s.WriteString(tree(c, depth+1))
	}
	return s.String()
}

func TestNoFinding(t *testing.T) {
	rejected := adv("nvd", or(vuln(fw)))
	rejected.Rejected = true
	for name, group := range map[string][]firmward.Advisory{
		"another product":           {adv("nvd", or(vuln("cpe:2.3:o:netgear:r8000_firmware:*:*:*:*:*:*:*:*")))},
		"runs on our hardware only": {adv("nvd", or(vuln("cpe:2.3:a:acme:app:1:*:*:*:*:*:*:*")), or(firmward.CPEMatch{Criteria: hw}))},
		"rejected":                  {rejected},
		"rejected by one source":    {adv("starter", or(vuln(fw))), rejected},
		"no configuration":          {{ID: "CVE-2031-0002", Source: "nvd"}},
	} {
		if got := assess.Evaluate(router("1.0.0.100"), group, assess.Extras{}, now); len(got) != 0 {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestSentences(t *testing.T) {
	f := assess.Evaluate(router("1.0.0.100"), []firmward.Advisory{adv("nvd", or(before(fw, "1.0.0.116")))}, assess.Extras{}, now)[0]
	got := tree(f.Explanation, 0)
	for _, want := range []string{"This NETGEAR R7000 is affected.", "NVD says versions before 1.0.0.116 are affected; this device runs 1.0.0.100."} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
}

func TestMerge(t *testing.T) {
	for _, c := range []struct {
		name    string
		group   []firmward.Advisory
		verdict firmward.Verdict
		says    string
	}{
		{"the vendor's range before no version", []firmward.Advisory{adv("nvd", or(vuln(na))), adv("vendor:netgear", or(before(fw, "1.0.0.90")))}, firmward.NotAffected, "the one that knows versions counts"},
		{"a correction's range before all versions", []firmward.Advisory{adv("nvd", or(vuln(fw))), adv("overrides", or(before(fw, "1.0.0.116")))}, firmward.Affected, "the one that knows versions counts"},
		{"another aggregator does not silence", []firmward.Advisory{adv("nvd", or(vuln(na))), adv("cve", or(before(fw, "1.0.0.90")))}, firmward.Possible, "The sources disagree"},
		{"two ranges, the worst counts", []firmward.Advisory{adv("nvd", or(before(fw, "1.0.0.116"))), adv("vendor", or(before(fw, "1.0.0.90")))}, firmward.Affected, "The sources disagree"},
	} {
		f := assess.Evaluate(router("1.0.0.100"), c.group, assess.Extras{}, now)[0]
		text := tree(f.Explanation, 0)
		if f.Verdict != c.verdict || !strings.Contains(text, c.says) || strings.Count(text, " says: ") != 2 {
			t.Errorf("%s: %s\n%s", c.name, f.Verdict, text)
		}
	}
}

func TestTracks(t *testing.T) {
	s := func(v string) assess.Subject {
		return assess.Subject{Device: firmward.Device{Vendor: "AXIS", Model: "P3265-LV", Firmware: v}, Model: firmward.Model{Scheme: "axis", CPE: []string{"cpe:2.3:o:axis:axis_os:*:*:*:*:*:*:*:*"}}}
	}
	long := vuln("cpe:2.3:o:axis:axis_os:*:*:*:*:*:*:*:*")
	long.VersionStartIncluding, long.VersionEndIncluding = "5.51", "11.9"
	own := adv("starter", or(long, before("cpe:2.3:o:axis:axis_os_2020:*:*:*:*:lts:*:*:*", "9.80.69"), before("cpe:2.3:o:axis:axis_os_2022:-:*:*:*:lts:*:*:*", "10.12.236")))
	alone := adv("starter", or(long))
	fixed := alone
	fixed.Fixes = []firmward.Fix{{Vendor: "axis", Product: "axis_os", Version: "10.12.230"}, {Vendor: "axis", Product: "axis_os", Version: "11.10.1"}}
	for _, c := range []struct {
		name, v string
		a       firmward.Advisory
		verdict firmward.Verdict
		fixed   string
	}{
		{"own track, old", "10.12.206", own, firmward.Affected, "10.12.236"},
		{"own track, repaired", "10.12.240", own, firmward.NotAffected, ""},
		{"the other track's fix does not count", "9.80.3", own, firmward.Affected, "9.80.69"},
		{"an older track without a word on it", "10.12.206", alone, firmward.Likely, ""},
		{"a fix of the own track, not there yet", "10.12.206", fixed, firmward.Likely, "10.12.230"},
		{"a fix of the own track, there", "10.12.231", fixed, firmward.NotAffected, ""},
	} {
		f := assess.Evaluate(s(c.v), []firmward.Advisory{c.a}, assess.Extras{}, now)[0]
		if f.Verdict != c.verdict || f.FixedIn != c.fixed {
			t.Errorf("%s: %s, fixed in %q\n%s", c.name, f.Verdict, f.FixedIn, tree(f.Explanation, 0))
		}
	}
}

func TestExtras(t *testing.T) {
	a := adv("nvd", or(vuln(fw)))
	a.NoFix = true
	a.Scores = []firmward.Score{{Base: 7.5, Vector: "low"}, {Base: 9.8, Vector: "high"}}
	x := assess.Extras{
		Exploited:  map[string]firmward.Exploited{a.ID: {Added: now.AddDate(0, 0, -3)}},
		Likelihood: map[string]firmward.Likelihood{a.ID: {Score: 0.4}}, Snapshot: 7,
	}
	f := assess.Evaluate(router("1.0"), []firmward.Advisory{a}, x, now)[0]
	if !f.Exploited || !f.ExploitedAt.Equal(now.AddDate(0, 0, -3)) || f.Likelihood != 0.4 || f.Snapshot != 7 || f.Score != 9.8 || f.Vector != "high" || !f.NoFix || f.Published != now || f.Firmware != "1.0" {
		t.Errorf("%+v", f)
	}
}

func TestNames(t *testing.T) {
	text := func(m firmward.Model, d firmward.Device) []string {
		var out []string
		for _, n := range assess.Names(m, d) {
			out = append(out, n.CPE.String())
		}
		return out
	}
	for _, c := range []struct {
		vendor, model, version string
		want                   []string
	}{
		{"Hikvision", "DS-2CD2142FWD-I", "V5.5.0", []string{"cpe:2.3:o:hikvision:ds-2cd2142fwd-i_firmware:v5.5.0:*:*:*:*:*:*:*", "cpe:2.3:h:hikvision:ds-2cd2142fwd-i:*:*:*:*:*:*:*:*"}},
		{"Hikvision", "DS-2CD2026G2-IU/SL", "", []string{`cpe:2.3:o:hikvision:ds-2cd2026g2-iu\/sl_firmware:*:*:*:*:*:*:*:*`}},
		{"AXIS", "AXIS P3265-LV", "10.12.206", []string{"cpe:2.3:o:axis:p3265-lv_firmware:10.12.206:*:*:*:*:*:*:*", "cpe:2.3:o:axis:axis_os:10.12.206:*:*:*:*:*:*:*", "cpe:2.3:o:axis:axis_os_2022:10.12.206:*:*:*:*:*:*:*"}},
		{"D-Link", "DNS-320L", "1.11", []string{"cpe:2.3:o:dlink:dns-320l_firmware:1.11:*:*:*:*:*:*:*", "cpe:2.3:h:dlink:dns-320l:*:*:*:*:*:*:*:*"}},
		{"TP-Link", "Archer AX21", "1.1", []string{"cpe:2.3:o:tp-link:archer_ax21_firmware:1.1:*:*:*:*:*:*:*"}},
		{"MikroTik", "hAP ac", "6.42", []string{"cpe:2.3:o:mikrotik:routeros:6.42:*:*:*:*:*:*:*"}},
	} {
		got := strings.Join(text(firmward.Model{}, firmward.Device{Vendor: c.vendor, Model: c.model, Firmware: c.version}), "\n")
		for _, w := range c.want {
			if !strings.Contains(got, w) {
				t.Errorf("%s %s: %s is not in\n%s", c.vendor, c.model, w, got)
			}
		}
	}
	if got := text(firmward.Model{CPE: []string{fw, hw, "broken"}}, firmward.Device{Vendor: "NETGEAR", Model: "R7000", Firmware: "1", Hardware: "v2"}); cmp.Diff([]string{"cpe:2.3:o:netgear:r7000_firmware:1:*:*:*:*:*:*:*", "cpe:2.3:h:netgear:r7000:v2:*:*:*:*:*:*:*"}, got) != "" {
		t.Errorf("the card's names: %v", got)
	}
	if got := text(firmward.Model{}, firmward.Device{}); len(got) != 0 {
		t.Errorf("an unknown device has names: %v", got)
	}
	if diff := cmp.Diff([]cpe.Key{{Vendor: "netgear", Product: "r7000_firmware"}}, assess.Products(adv("nvd", or(vuln(fw), vuln(na), vuln("broken")), or(firmward.CPEMatch{Criteria: hw})))); diff != "" {
		t.Error(diff)
	}
}

// Replay: the same input gives the same findings, in whatever order the advisories come.
func TestReplay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		match := rapid.Custom(func(t *rapid.T) firmward.CPEMatch {
			m := firmward.CPEMatch{Vulnerable: rapid.Bool().Draw(t, "vulnerable"), Criteria: rapid.SampledFrom([]string{fw, na, hw, hw2, hwX, "broken"}).Draw(t, "criteria")}
			m.VersionEndExcluding = rapid.SampledFrom([]string{"", "1.0.0.90", "1.0.0.116", "x"}).Draw(t, "end")
			return m
		})
		node := rapid.Custom(func(t *rapid.T) firmward.Node {
			return firmward.Node{Operator: rapid.SampledFrom([]string{"AND", "OR", ""}).Draw(t, "op"), Negate: rapid.Bool().Draw(t, "negate"), Matches: rapid.SliceOfN(match, 0, 3).Draw(t, "matches")}
		})
		group := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) firmward.Advisory {
			a := adv(rapid.SampledFrom([]string{"nvd", "starter", "vendor", "cve"}).Draw(t, "source"), rapid.SliceOfN(node, 0, 3).Draw(t, "nodes")...)
			a.ID = rapid.SampledFrom([]string{"CVE-2031-0001", "CVE-2031-0002"}).Draw(t, "id")
			return a
		}), 0, 4).Draw(t, "group")
		s := router(rapid.SampledFrom([]string{"", "1.0.0.100", "x"}).Draw(t, "version"))
		first := assess.Evaluate(s, group, assess.Extras{}, now)
		if diff := cmp.Diff(first, assess.Evaluate(s, group, assess.Extras{}, now)); diff != "" {
			t.Fatal(diff)
		}
		mixed := assess.Evaluate(s, rapid.Permutation(group).Draw(t, "mixed"), assess.Extras{}, now)
		for i := range first {
			if first[i].Verdict != mixed[i].Verdict || first[i].AdvisoryID != mixed[i].AdvisoryID {
				t.Fatalf("another order gave %s for %s", mixed[i].Verdict, first[i].Verdict)
			}
		}
		for _, f := range first {
			if f.Explanation.Text == "" || f.Reason == "" && f.Verdict != firmward.NotAffected && f.Verdict != firmward.Possible {
				t.Fatalf("a finding without a reason: %+v", f)
			}
		}
	})
}
