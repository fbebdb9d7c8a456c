package policy_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/policy"
	"github.com/firmward/firmward/priority"
)

const clocks = "    exploited-and-exposed: 2d\n    exploited: 14d\n    critical: 14d\n    high: 30d\n    other: 90d\n    contain-within: 24h\n    replace-within: 365d\n    look-every: 7d\n"

func TestRiskPolicy(t *testing.T) {
	text := "risk-policies:\n  - name: wards\n    version: 3\n    select: zone == \"clinical\"\n" + clocks +
		"    regimes: [policy, ssvc, cisa-bod-26-04]\n    ssvc: {immediate: 1d, scheduled: 0d}\n    segments: {10.9.0.0/24: small}\n" +
		"    weights: {reach: {controlled: 0.5}, certainty: {likely: 0.9}, prior: 0.02, data: 1}\n" +
		"  - name: old\n" + clocks
	f, err := policy.Parse([]byte(text), "p.yaml")
	if err != nil {
		t.Fatal(err)
	}
	got := f.RiskFor(firmward.Device{Zone: firmward.ZoneClinical})
	const day = 24 * time.Hour
	weights := priority.Defaults()
	weights.Reach[firmward.ExposureControlled], weights.Certainty[firmward.Likely], weights.Prior, weights.Data = .5, .9, .02, 1
	want := firmward.RiskPolicy{
		Name: "wards", Version: "3", Digest: got.Digest, ExploitedExposed: 2 * day, Exploited: 14 * day, Critical: 14 * day, High: 30 * day, Other: 90 * day,
		ContainWithin: day, ReplaceWithin: 365 * day, LookEvery: 7 * day,
		Regimes: []firmward.Regime{firmward.RegimePolicy, firmward.RegimeSSVC, firmward.RegimeBOD},
		SSVC:    firmward.SSVCTimes{Immediate: day, OutOfCycle: 14 * day}, Segments: map[string]firmward.Exposure{"10.9.0.0/24": firmward.ExposureSmall}, Weights: weights,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if got.Label() != "wards 3 ("+got.Digest+")" || len(got.Digest) != 12 {
		t.Errorf("label %q", got.Label())
	}
	old := f.RiskFor(firmward.Device{Zone: firmward.ZoneHome})
	if old.Name != "old" || !cmp.Equal(old.Regimes, []firmward.Regime{firmward.RegimePolicy}) || !cmp.Equal(old.Weights, priority.Defaults()) {
		t.Errorf("a policy of before: %+v", old)
	}
	again, err := policy.Parse([]byte(strings.Replace(text, "prior: 0.02", "prior: 0.03", 1)), "p.yaml")
	if err != nil || again.Risk[0].Digest == got.Digest || again.Risk[1].Digest != old.Digest {
		t.Errorf("digests: %s and %s, %s and %s, %v", got.Digest, again.Risk[0].Digest, old.Digest, again.Risk[1].Digest, err)
	}
}

func TestShippedRiskPolicies(t *testing.T) {
	f, err := policy.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	for zone, want := range map[firmward.Zone]string{firmward.ZoneClinical: "clinical", firmward.ZoneHome: "default", firmward.ZonePlant: "default"} {
		p := f.RiskFor(firmward.Device{Zone: zone})
		if p.Name != want || len(p.Regimes) != 2 || p.ContainWithin != 24*time.Hour || p.Digest == "" {
			t.Errorf("zone %s: %+v", zone, p)
		}
	}
}

func TestRiskPolicyRefuses(t *testing.T) {
	good := "risk-policies:\n  - name: r\n" + clocks
	for want, more := range map[string]string{
		`unknown key "colour"`:    "    weights: {colour: 1}\n",
		`line 11: unknown key`:    "    colour: red\n",
		"want policy, ssvc or":    "    regimes: [policy, pci]\n",
		"must name policy":        "    regimes: [ssvc]\n",
		"more time than":          "    ssvc: {immediate: 20d}\n",
		"nor that more than":      "    ssvc: {out-of-cycle: 100d}\n",
		"is no network":           "    segments: {guests: small}\n",
		"in CIDR form":            "    segments: {10.9.0.1/24: small}\n",
		"want open, controlled":   "    segments: {10.9.0.0/24: quarantined}\n",
		"reach lies from 0 to 1":  "    weights: {reach: {open: 2}}\n",
		"reach must not rise":     "    weights: {reach: {small: 0.9}}\n",
		"certainty lies from":     "    weights: {certainty: {possible: .nan}}\n",
		"certainty must not rise": "    weights: {certainty: {possible: 0.8}}\n",
		"prior lies from 0 to 1":  "    weights: {prior: -0.1}\n",
		"have no clock":           "    select: zone == \"home\"\n",
		"line 11: selector of":    "    select: colour == \"red\"\n",
	} {
		_, err := policy.Parse([]byte(good+more), "p.yaml")
		if firmward.CodeOf(err) != firmward.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}
