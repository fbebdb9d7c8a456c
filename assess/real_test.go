package assess_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/assess"
	"github.com/firmward/firmward/feed"
	"github.com/firmward/firmward/feed/feedtest"
	"github.com/firmward/firmward/feed/sources"
	"github.com/firmward/firmward/feed/starter"
	"github.com/firmward/firmward/index"
)

func device(id, vendor, model, version string, m firmward.Model) assess.Subject {
	m.Vendor, m.Name = vendor, model
	return assess.Subject{Device: firmward.Device{ID: id, Vendor: vendor, Model: model, Firmware: version, Origin: firmward.OriginByHand}, Model: m}
}

func hpCard() []string {
	var out []string
	for i := 5; i <= 12; i++ {
		p := fmt.Sprintf("laserjet_pro_mfp_m478-m479_w1a%02da", 70+i)
		out = append(out, "cpe:2.3:o:hp:"+p+"_firmware:*:*:*:*:*:*:*:*", "cpe:2.3:h:hp:"+p+":-:*:*:*:*:*:*:*")
	}
	return out
}

// The devices of the demo with the cards that the catalogue should carry.
func demo() []assess.Subject {
	return []assess.Subject{
		device("plug", "Shelly", "SNPL-00112EU", "1.0.3", firmward.Model{Scheme: "shelly", CPE: []string{"cpe:2.3:o:shelly:plus_plug_s_firmware:*:*:*:*:*:*:*:*", "cpe:2.3:h:shelly:plus_plug_s:-:*:*:*:*:*:*:*"}}),
		device("camera", "AXIS", "P3265-LV", "10.12.206", firmward.Model{Scheme: "axis", CPE: []string{"cpe:2.3:o:axis:axis_os:*:*:*:*:*:*:*:*", "cpe:2.3:h:axis:p3265-lv:-:*:*:*:*:*:*:*"}}),
		device("printer", "HP", "Color LaserJet MFP M478f", "20200612", firmward.Model{Scheme: "date", CPE: hpCard()}),
		device("pump", "BD", "Alaris 8015", "9.33.1", firmward.Model{Scheme: "dotted", CPE: []string{"cpe:2.3:o:bd:alaris_8015_pcu_firmware:*:*:*:*:*:*:*:*", "cpe:2.3:h:bd:alaris_8015_pcu:-:*:*:*:*:*:*:*", "cpe:2.3:a:bd:alaris_8015_pc_unit:*:*:*:*:*:*:*:*"}}),
		device("nas", "D-Link", "DNS-320L", "1.11", firmward.Model{Scheme: "dlink", CPE: []string{"cpe:2.3:o:dlink:dns-320l_firmware:*:*:*:*:*:*:*:*", "cpe:2.3:h:dlink:dns-320l:-:*:*:*:*:*:*:*"}}),
		device("router", "MikroTik", "RouterOS", "6.42", firmward.Model{Scheme: "routeros", CPE: []string{"cpe:2.3:o:mikrotik:routeros:*:*:*:*:*:*:*:*"}}),
	}
}

func evaluate(t testing.TB, s assess.Subject, got feedtest.Result, x *index.Index) []firmward.Finding {
	t.Helper()
	e := assess.Extras{Exploited: map[string]firmward.Exploited{}}
	for _, k := range got.Exploited {
		e.Exploited[k.Advisory] = k
	}
	return assess.NewEvaluator(x).Evaluate(s, e, now)
}

func indexOf(t testing.TB, all []firmward.Advisory) *index.Index {
	t.Helper()
	b := index.NewBuilder()
	for _, a := range all {
		b.Add(a)
	}
	block, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	x, err := index.Open(block)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("index: %d products of %d advisories in %d bytes", x.Products(), x.Records(), len(block))
	return x
}

func table(t testing.TB, s assess.Subject, findings []firmward.Finding) {
	t.Helper()
	for _, f := range findings {
		t.Logf("%-24s %-12s %-16s %-13s %-24s kev=%-5v fixed=%-12s nofix=%v", s.Device.Vendor+" "+s.Device.Model, s.Device.Firmware, f.AdvisoryID, f.Verdict, f.Reason, f.Exploited, f.FixedIn, f.NoFix)
	}
	if len(findings) == 0 {
		t.Logf("%-24s %-12s no advisory names it", s.Device.Vendor+" "+s.Device.Model, s.Device.Firmware)
	}
}

func TestDemoDevices(t *testing.T) {
	got, err := feedtest.Sync(t.Context(), starter.Source{}, starter.Document(), starter.Name)
	if err != nil {
		t.Fatal(err)
	}
	x := indexOf(t, got.Advisories)
	verdicts := map[string]firmward.Finding{}
	for _, s := range demo() {
		findings := evaluate(t, s, got, x)
		table(t, s, findings)
		for _, f := range findings {
			verdicts[s.Device.ID+" "+f.AdvisoryID] = f
		}
	}
	for _, want := range []struct {
		key     string
		verdict firmward.Verdict
		fixed   string
	}{
		{"camera CVE-2024-0066", firmward.Affected, "10.12.236"},
		{"camera CVE-2023-21413", firmward.Likely, ""},
		{"printer CVE-2022-24292", firmward.Likely, "002_2208a"},
		{"pump CVE-2020-25165", firmward.Affected, "12.1.1"},
		{"nas CVE-2024-3273", firmward.Affected, ""},
		{"nas CVE-2014-7857", firmward.NotAffected, ""},
		{"router CVE-2018-14847", firmward.Affected, "6.42.1"},
	} {
		f := verdicts[want.key]
		if f.Verdict != want.verdict || f.FixedIn != want.fixed {
			t.Errorf("%s: %q, fixed in %q; want %s, %q\n%s", want.key, f.Verdict, f.FixedIn, want.verdict, want.fixed, tree(f.Explanation, 0))
		}
	}
	if nas := verdicts["nas CVE-2024-3273"]; !nas.Exploited || !nas.NoFix {
		t.Errorf("the NAS: %+v", nas)
	}
	for k := range verdicts {
		if strings.HasPrefix(k, "plug ") {
			t.Errorf("no true CVE for the plug is known to the starter set, yet it has %s", k)
		}
	}
}

func TestRealFeeds(t *testing.T) {
	dir := feedtest.Data(t)
	var all feedtest.Result
	for _, file := range []string{
		"nvd-1.1/nvdcve-1.1-2014.json.gz", "nvd-1.1/nvdcve-1.1-2017.json.gz", "nvd-1.1/nvdcve-1.1-2018.json.gz",
		"nvd-1.1/nvdcve-1.1-2022-asof-2022-11.json.gz", "kev/kev-2026-03-15.json.gz",
	} {
		d, err := feed.Open(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		s, ok := sources.Detect(d)
		if !ok {
			t.Fatalf("%s: no source knows it", file)
		}
		got, err := feedtest.Sync(t.Context(), s, d, d.Name)
		if err != nil {
			t.Fatal(err)
		}
		_ = d.Close()
		all.Advisories, all.Exploited = append(all.Advisories, got.Advisories...), append(all.Exploited, got.Exploited...)
	}
	x := indexOf(t, all.Advisories)
	find := func(s assess.Subject, id string) firmward.Finding {
		findings := evaluate(t, s, all, x)
		table(t, s, findings[:min(len(findings), 12)])
		for _, f := range findings {
			if f.AdvisoryID == id {
				return f
			}
		}
		return firmward.Finding{}
	}
	none := firmward.Model{}
	for _, c := range []struct {
		s       assess.Subject
		id      string
		verdict firmward.Verdict
	}{
		{device("h", "Hikvision", "DS-2CD2032-I", "V5.4.0 build 160401", none), "CVE-2017-7921", firmward.Possible},
		{device("a", "AXIS", "P1365", "6.50.1.2", none), "CVE-2018-10660", firmward.Likely},
		{device("a2", "AXIS", "P1365", "6.50.5.3", none), "CVE-2018-10660", firmward.NotAffected},
		{device("p", "HP", "LaserJet Pro MFP M478-M479 W1A75A", "20200612", none), "CVE-2022-24292", firmward.Likely},
		{demo()[2], "CVE-2022-24292", firmward.Likely},
		{device("d", "D-Link", "DNS-320L", "1.03", none), "CVE-2014-7857", firmward.Likely},
		{demo()[4], "CVE-2014-7857", firmward.NotAffected},
		{demo()[5], "CVE-2018-14847", firmward.Affected},
	} {
		if f := find(c.s, c.id); f.Verdict != c.verdict {
			t.Errorf("%s %s %s: %q, want %s\n%s", c.s.Device.Model, c.s.Device.Firmware, c.id, f.Verdict, c.verdict, tree(f.Explanation, 0))
		}
	}
}
