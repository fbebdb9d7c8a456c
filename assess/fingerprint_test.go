package assess_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/assess"
	"github.com/firmward/firmward/cpe"
)

// TestEssence: who judges the essence gets the answer for the device, whatever the device is.
func TestEssence(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := aSubject(t)
		var advisories []firmward.Advisory
		for _, source := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"nvd", "cve", "starter"}), 1, 3, rapid.ID).Draw(t, "sources") {
			m := vuln(rapid.SampledFrom([]string{fw, "cpe:2.3:*:netgear:r7000:*:*:*:*:*:*:*:*", "cpe:2.3:h:netgear:r7000:v2:*:*:*:*:*:*:*", "cpe:2.3:o:*:r7000_firmware:*:*:*:*:*:*:*:*"}).Draw(t, "criteria"))
			m.VersionEndExcluding = rapid.SampledFrom([]string{"", "1.0.0.5", "1.0.0.116"}).Draw(t, "end")
			advisories = append(advisories, adv(source, or(m)))
		}
		want := assess.Evaluate(s, advisories, assess.Extras{}, now)
		got := assess.Evaluate(assess.EssenceOf(s).Subject(), advisories, assess.Extras{}, now)
		for i := range got {
			got[i].DeviceID = s.Device.ID
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
		again := assess.EssenceOf(assess.EssenceOf(s).Subject()).Fingerprint()
		if f := assess.Fingerprint(s); f != again || len(f) != 32 {
			t.Errorf("fingerprint %q, of its own subject %q", f, again)
		}
		if len(want) == 0 {
			return
		}
		reached := map[cpe.Key]bool{{Vendor: "*", Product: "r7000_firmware"}: true}
		for _, k := range assess.EssenceOf(s).Products() {
			reached[k] = true
		}
		named := false
		for _, a := range advisories {
			for _, k := range assess.Products(a) {
				named = named || reached[k]
			}
		}
		if !named {
			t.Errorf("no advisory names a product of %v", assess.EssenceOf(s).Products())
		}
	})
}

func aSubject(t *rapid.T) assess.Subject {
	s := router(rapid.SampledFrom([]string{"", "1.0.0.4", "1.0.0.100", "2"}).Draw(t, "firmware"))
	s.Device.ID, s.Device.Owner = "dev-1", rapid.SampledFrom([]string{"", "anna"}).Draw(t, "owner")
	s.Device.Hardware = rapid.SampledFrom([]string{"", "v2"}).Draw(t, "hardware")
	s.Device.Origin = rapid.SampledFrom([]firmward.Origin{firmward.OriginSeen, firmward.OriginByHand}).Draw(t, "origin")
	if rapid.Bool().Draw(t, "no card") {
		s.Model = firmward.Model{}
	}
	if rapid.Bool().Draw(t, "nameless") {
		s.Device.Vendor, s.Device.Model = "", ""
	}
	s.Identity = firmward.Identity{}
	if rapid.Bool().Draw(t, "claim") {
		s.Identity.Claims = []firmward.Claim{{Field: firmward.FieldModel, Value: "R7000", Confidence: rapid.IntRange(0, 100).Draw(t, "confidence")}}
	}
	return s
}

// TestFingerprint: it tells apart what verdicts rest on, and nothing else.
func TestFingerprint(t *testing.T) {
	claim := func(confidence int) firmward.Identity {
		return firmward.Identity{Claims: []firmward.Claim{{Field: firmward.FieldModel, Value: "R7000", Confidence: confidence}}}
	}
	base := router("1.0.0.4")
	base.Identity = claim(90)
	for _, c := range []struct {
		name   string
		change func(*assess.Subject)
		same   bool
	}{
		{"id, place and owner", func(s *assess.Subject) {
			s.Device.ID, s.Device.Site, s.Device.Owner, s.Device.Serial = "x", "y", "z", "1"
		}, true},
		{"as certain", func(s *assess.Subject) { s.Identity = claim(assess.WeakIdentity) }, true},
		{"less certain", func(s *assess.Subject) { s.Identity = claim(assess.WeakIdentity - 1) }, false},
		{"no claim, seen", func(s *assess.Subject) { s.Identity, s.Device.Origin = firmward.Identity{}, firmward.OriginSeen }, false},
		{"no claim, by hand", func(s *assess.Subject) { s.Identity, s.Device.Origin = firmward.Identity{}, firmward.OriginByHand }, true},
		{"version", func(s *assess.Subject) { s.Device.Firmware = "1.0.0.5" }, false},
		{"hardware", func(s *assess.Subject) { s.Device.Hardware = "v3" }, false},
		{"scheme", func(s *assess.Subject) { s.Model.Scheme = "semver" }, false},
		{"name", func(s *assess.Subject) { s.Model.CPE = []string{fw} }, false},
	} {
		s := base
		c.change(&s)
		if same := assess.Fingerprint(s) == assess.Fingerprint(base); same != c.same {
			t.Errorf("%s: the same fingerprint: %v", c.name, same)
		}
	}
}
