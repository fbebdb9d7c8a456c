package assess_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/assess"
)

// formOf is what history keeps of a verdict, as it comes back from a database.
func formOf(t *rapid.T, s assess.Subject, f firmward.Finding) firmward.Form {
	judged := assess.EssenceOf(s).Remember("1.0")
	text, err := json.Marshal(firmward.Form{Finding: f, Since: now, Judged: &judged})
	if err != nil {
		t.Fatal(err)
	}
	var form firmward.Form
	if err := json.Unmarshal(text, &form); err != nil {
		t.Fatal(err)
	}
	return form
}

// TestReplaySame: whatever the device and the records, the same ones give the same answer, also when the records have come with
// another document since and other sources have joined.
func TestReplaySame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := router(rapid.SampledFrom([]string{"", "1.0.0.100", "1.0.1.10", "x"}).Draw(t, "firmware"))
		s.Device.Hardware = rapid.SampledFrom([]string{"", "v2"}).Draw(t, "hardware")
		s.Device.Origin = rapid.SampledFrom([]firmward.Origin{firmward.OriginSeen, firmward.OriginByHand}).Draw(t, "origin")
		s.Model.Scheme = rapid.SampledFrom([]string{"", "netgear"}).Draw(t, "scheme")
		s.Model.CPE = rapid.SampledFrom([][]string{nil, {fw}, {fw, hw}}).Draw(t, "card")
		if c := rapid.IntRange(-1, 100).Draw(t, "confidence"); c >= 0 {
			s.Identity.Claims = []firmward.Claim{{Field: firmward.FieldModel, Value: "R7000", Confidence: c}}
		}
		var records []firmward.Advisory
		for _, source := range []string{"nvd", "cve", "csaf"} {
			a := adv(source, or(before(rapid.SampledFrom([]string{fw, na, hwX}).Draw(t, source), "1.0.1.0")), or(firmward.CPEMatch{Criteria: rapid.SampledFrom([]string{hw, hw2}).Draw(t, source+" platform")}))
			a.Modified, a.Origin.Document = now, "first.json"
			records = append(records, a)
		}
		for _, f := range assess.Evaluate(s, records, assess.Extras{Snapshot: 3}, now) {
			later := append([]firmward.Advisory{adv("starter", or(vuln(fw)))}, records...)
			for i := range later {
				later[i].Origin = firmward.Origins{Document: "second.json", Dated: now.AddDate(0, 0, 1)}
			}
			if got := assess.Replay(formOf(t, s, f), later, "1.0"); got.Result != assess.ReplaySame {
				t.Fatalf("%+v\n%+v", got, f)
			}
		}
	})
}

func TestReplayResults(t *testing.T) {
	record := adv("nvd", or(before(fw, "1.0.1.0")))
	record.Modified = now
	s := router("1.0.0.100")
	f := assess.Evaluate(s, []firmward.Advisory{record}, assess.Extras{}, now)[0]
	other := s
	other.Device.Model, other.Model.Name, other.Model.CPE = "R8000", "R8000", []string{hwX}
	judged := assess.EssenceOf(s).Remember("1.0")
	changed := record
	changed.Modified = now.Add(time.Hour)
	for _, tc := range []struct {
		name   string
		change func(*firmward.Form)
		then   []firmward.Advisory
		want   assess.ReplayResult
		text   string
	}{
		{"same", nil, []firmward.Advisory{record}, assess.ReplaySame, ""},
		{"another matcher", func(f *firmward.Form) { f.Digest = "0123" }, []firmward.Advisory{record}, assess.ReplayDiffers, "Version 1.0 judged then, this is 1.1"},
		{"the same version", func(f *firmward.Form) { f.Digest, f.Judged = "0123", new(judged); f.Judged.By = "1.1" }, []firmward.Advisory{record}, assess.ReplayDiffers, "though version 1.1 judged then too"},
		{"another matcher finds nothing", func(f *firmward.Form) { f.Judged = new(assess.EssenceOf(other).Remember("1.0")) }, []firmward.Advisory{record}, assess.ReplayDiffers, "no finding"},
		{"the record changed", nil, []firmward.Advisory{changed}, assess.ReplayImpossible, "nvd"},
		{"the record is gone", nil, nil, assess.ReplayImpossible, "nvd"},
		{"before the device was kept", func(f *firmward.Form) { f.Judged = nil }, []firmward.Advisory{record}, assess.ReplayImpossible, "before"},
		{"named no more", func(f *firmward.Form) { f.ClosedAt = now }, []firmward.Advisory{record}, assess.ReplayImpossible, "closed"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			form := firmward.Form{Finding: f, Since: now, Judged: &judged}
			if tc.change != nil {
				tc.change(&form)
			}
			got := assess.Replay(form, tc.then, "1.1")
			if got.Result != tc.want || !strings.Contains(got.Text, tc.text) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestUnnamed(t *testing.T) {
	many := adv("nvd", or(vuln("cpe:2.3:o:a:b:*:*:*:*:*:*:*:*"), vuln("cpe:2.3:o:a:c:*:*:*:*:*:*:*:*"), vuln("cpe:2.3:o:a:d:*:*:*:*:*:*:*:*"), vuln("cpe:2.3:o:a:e:*:*:*:*:*:*:*:*")))
	for _, tc := range []struct {
		name    string
		subject assess.Subject
		record  firmward.Advisory
		want    string
	}{
		{"others", router("1"), many, "It names other products: a b, a c, a d and 1 more. This device goes by netgear r7000_firmware, netgear r7000."},
		{"none", router("1"), adv("nvd"), "Its record names no product at all. This device goes by netgear r7000_firmware, netgear r7000."},
		{"unknown device", assess.Subject{}, many, "Nobody knows what product this device is"},
	} {
		if got := assess.Unnamed(tc.subject, []firmward.Advisory{tc.record}); !strings.HasPrefix(got, tc.want) {
			t.Errorf("%s: %s", tc.name, got)
		}
	}
}
