package priority_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/priority"
)

func policy() firmward.RiskPolicy {
	return firmward.RiskPolicy{
		Name: "test", Version: "v3", Digest: "1f2e3d4c5b6a",
		ExploitedExposed: 2 * day, Exploited: 14 * day, Critical: 14 * day, High: 30 * day, Other: 90 * day,
		Regimes: []firmward.Regime{firmward.RegimePolicy, firmward.RegimeSSVC, firmward.RegimeBOD},
		SSVC:    priority.DefaultSSVC(), Weights: priority.Defaults(),
	}
}

func camera(e firmward.Exposure) priority.Setting {
	return priority.Of(firmward.Device{Class: firmward.ClassCamera, Criticality: 4, Model: "M1"}, false, policy()).In(e, "test")
}

func TestRisk(t *testing.T) {
	exploited := firmward.Finding{AdvisoryID: "CVE-1", Verdict: firmward.Affected, Exploited: true, FixedIn: "2.0"}
	scored := firmward.Finding{AdvisoryID: "CVE-2", Verdict: firmward.Likely, Likelihood: .4, FixedIn: "2.0"}
	unscored := firmward.Finding{AdvisoryID: "CVE-3", Verdict: firmward.Possible}
	for name, tc := range map[string]struct {
		s        priority.Setting
		findings []firmward.Finding
		want     float64 // likelihood without what is unfound
	}{
		"none":                  {camera(firmward.ExposureOpen), nil, 0},
		"exploited and open":    {camera(firmward.ExposureOpen), []firmward.Finding{exploited}, 1},
		"controlled":            {camera(firmward.ExposureControlled), []firmward.Finding{exploited}, .3},
		"contained":             {camera(firmward.ExposureQuarantined), []firmward.Finding{exploited}, .01},
		"EPSS, likely":          {camera(firmward.ExposureControlled), []firmward.Finding{scored}, .4 * .3 * .7},
		"prior, possible":       {camera(firmward.ExposureControlled), []firmward.Finding{unscored}, .05 * .3 * .3},
		"one firmware, one way": {camera(firmward.ExposureControlled), []firmward.Finding{scored, exploited}, .3},
		"two ways":              {camera(firmward.ExposureControlled), []firmward.Finding{unscored, exploited}, 1 - .7*(1-.05*.3*.3)},
	} {
		got := priority.Risk(tc.findings, tc.s, policy())
		likelihood := 1 - (1-got.Likelihood)/(1-got.Unfound.Value)
		if math.Abs(likelihood-tc.want) > 1e-9 || got.Impact.Value != .8 || got.Policy != "test v3 (1f2e3d4c5b6a)" {
			t.Errorf("%s: likelihood %v, want %v; impact %v; %s", name, likelihood, tc.want, got.Impact, got.Policy)
		}
		for _, f := range got.Findings {
			if math.Abs(f.Value-f.Probability.Value*f.Reach.Value*f.Certainty.Value) > 1e-9 || f.Probability.Why == "" || f.Reach.Why == "" || f.Certainty.Why == "" {
				t.Errorf("%s: factors do not make the value: %+v", name, f)
			}
		}
	}
	got := priority.Risk([]firmward.Finding{unscored, exploited, scored}, camera(firmward.ExposureOpen), policy())
	var order strings.Builder
	for _, f := range got.Findings {
		order.WriteString(f.Advisory + " ")
	}
	if order.String() != "CVE-1 CVE-2 CVE-3 " || got.Number != 80 || !strings.Contains(got.Findings[2].Probability.Why, "prior") {
		t.Errorf("%s, %d, %+v", order.String(), got.Number, got.Findings[2].Probability)
	}
	unknown := priority.Risk(nil, priority.Setting{}.In(firmward.ExposureOpen, "test"), policy())
	if unknown.Unfound.Value != .3 || !strings.Contains(unknown.Unfound.Why, "nobody knows what it is") {
		t.Errorf("an unknown device: %+v", unknown.Unfound)
	}
}

func TestReachOfAccess(t *testing.T) {
	for vector, want := range map[string]float64{
		"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H": 1,
		"CVSS:3.1/AV:A/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H": .3,
		"CVSS:3.1/AV:L/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H": .05,
		"CVSS:3.1/AV:P/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H": .05,
	} {
		f := firmward.Finding{Verdict: firmward.Affected, Threat: firmward.Threat{Scores: []firmward.Score{{Vector: vector}}}}
		if got := priority.Weigh(f, camera(firmward.ExposureOpen), policy()).Reach; got.Value != want {
			t.Errorf("%s: %+v, want %v", vector, got, want)
		}
	}
}

func TestOf(t *testing.T) {
	p := policy()
	p.Segments = map[string]firmward.Exposure{"192.0.2.0/24": firmward.ExposureSmall}
	for want, tc := range map[string]struct {
		d         firmward.Device
		contained bool
	}{
		"quarantined it is contained, proven by packets":             {firmward.Device{Exposed: true}, true},
		"open reachable from the internet":                           {firmward.Device{Exposed: true, Network: "192.0.2.0/24"}, false},
		"small policy test on network 192.0.2.0/24":                  {firmward.Device{Network: "192.0.2.0/24"}, false},
		"small it has no address of its own":                         {firmward.Device{Network: "198.51.100.0/24"}, false},
		"controlled not reachable from the internet as far as known": {firmward.Device{}, false},
	} {
		if got := priority.Of(tc.d, tc.contained, p).Exposure; got.Value+" "+got.Source != want || !got.Derived {
			t.Errorf("%+v, want %s", got, want)
		}
	}
	for want, d := range map[string]firmward.Device{
		"very high": {Class: firmward.ClassVentilator, Criticality: 5},
		"high":      {Class: firmward.ClassInfusionPump},
		"medium":    {Class: firmward.ClassRouter},
		"low":       {Class: firmward.ClassPlug},
	} {
		if got := priority.Of(d, false, p).Human(); got.Value != want || !got.Derived {
			t.Errorf("%s %d: %+v, want %s", d.Class, d.Criticality, got, want)
		}
	}
}

var findings = rapid.Custom(func(t *rapid.T) firmward.Finding {
	f := firmward.Finding{
		AdvisoryID: fmt.Sprintf("CVE-%d", rapid.IntRange(1, 40).Draw(t, "id")), Exploited: rapid.Bool().Draw(t, "exploited"),
		Verdict:    rapid.SampledFrom([]firmward.Verdict{firmward.Affected, firmward.Likely, firmward.Possible}).Draw(t, "verdict"),
		Likelihood: rapid.Float64Range(0, 1).Draw(t, "EPSS"), FixedIn: rapid.SampledFrom([]string{"", "2.0", "3.0"}).Draw(t, "fix"),
		OpenedAt: now, Score: rapid.Float64Range(0, 10).Draw(t, "score"),
	}
	if v := rapid.SampledFrom([]string{"", "CVSS:3.1/AV:L/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "AV:A/AC:L/Au:N/C:P/I:P/A:P", "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N"}).Draw(t, "vector"); v != "" {
		f.Threat.Scores = []firmward.Score{{Vector: v}}
	}
	return f
})

// TestProperties holds for any weights of a policy that keep a stricter segment at most as reachable as a wider one.
func TestProperties(t *testing.T) {
	unit := rapid.Float64Range(0, 1)
	order := []firmward.Exposure{firmward.ExposureOpen, firmward.ExposureControlled, firmward.ExposureSmall, firmward.ExposureQuarantined}
	rapid.Check(t, func(t *rapid.T) {
		p := policy()
		reach := rapid.SliceOfN(unit, 4, 4).Draw(t, "reach")
		slices.SortFunc(reach, func(a, b float64) int { return int(math.Copysign(1, b-a)) })
		for i, e := range order {
			p.Weights.Reach[e] = reach[i]
		}
		p.Weights.Prior, p.Weights.Unknown, p.Weights.Data = unit.Draw(t, "prior"), unit.Draw(t, "unknown"), unit.Draw(t, "data")
		d := firmward.Device{
			Class: rapid.SampledFrom(firmward.Classes()).Draw(t, "class"), Criticality: rapid.IntRange(0, 5).Draw(t, "criticality"),
			Model: rapid.SampledFrom([]string{"", "M1"}).Draw(t, "model"),
		}
		list := rapid.SliceOfN(findings, 1, 8).Draw(t, "findings")
		at := rapid.IntRange(0, 2).Draw(t, "exposure")
		s := priority.Of(d, false, p).In(order[at], "test")
		all := priority.Risk(list, s, p)
		less := slices.Delete(slices.Clone(list), 0, 1)
		for name, other := range map[string]firmward.Risk{"mending one": priority.Risk(less, s, p), "a stricter segment": priority.Risk(list, s.In(order[at+1], "test"), p)} {
			if other.Number > all.Number || other.Likelihood > all.Likelihood+1e-12 {
				t.Fatalf("%s raises the risk: %d → %d (%v → %v)", name, all.Number, other.Number, all.Likelihood, other.Likelihood)
			}
		}
		if all.Number < 0 || all.Number > 100 || all.Likelihood < 0 || all.Likelihood > 1 || all.Impact.Value < 0 || all.Impact.Value > 1 {
			t.Fatalf("%d = 100 × %v × %v", all.Number, all.Likelihood, all.Impact.Value)
		}
		if n := priority.Number(list, s, p); n != all.Number {
			t.Fatalf("the number alone is %d, with its factors %d", n, all.Number)
		}
		if len(all.Findings) != len(list) {
			t.Fatalf("%d of %d findings are told", len(all.Findings), len(list))
		}
		clocks := priority.Clocks(list, s, p)
		if len(clocks) == 0 || clocks[0].Due.IsZero() {
			t.Fatalf("no clock runs: %+v", clocks)
		}
		for i, c := range clocks[1:] {
			if before := clocks[i]; !c.Due.IsZero() && c.Due.Before(before.Due) || c.Rule == before.Rule {
				t.Fatalf("clocks out of order: %+v", clocks)
			}
		}
	})
}

func TestClocks(t *testing.T) {
	p := policy()
	listed := now.Add(-10 * day)
	for name, tc := range map[string]struct {
		f    firmward.Finding
		e    firmward.Exposure
		want []string
	}{
		"listed before it was found": {
			firmward.Finding{AdvisoryID: "a", Verdict: firmward.Affected, Exploited: true, ExploitedAt: listed, OpenedAt: now},
			firmward.ExposureOpen,
			[]string{"cisa-bod-26-04 2026-02-23 (3 days, with forensic triage) since 2026-02-20 listed as exploited", "policy-exploited-exposed 2026-03-04 () since 2026-03-02 found here", "ssvc-out-of-cycle 2026-03-16 () since 2026-03-02 found here"},
		},
		"listed after it was found": {
			firmward.Finding{AdvisoryID: "a", Verdict: firmward.Likely, Exploited: true, ExploitedAt: now, OpenedAt: listed},
			firmward.ExposureControlled,
			[]string{"cisa-bod-26-04 2026-03-05 (3 days, with forensic triage) since 2026-03-02 listed as exploited", "policy-exploited 2026-03-16 () since 2026-03-02 listed as exploited", "ssvc-out-of-cycle 2026-03-16 () since 2026-03-02 listed as exploited"},
		},
		"not listed, not exposed": {
			firmward.Finding{AdvisoryID: "a", Verdict: firmward.Affected, Score: 9.8, OpenedAt: now, Threat: firmward.Threat{Scores: []firmward.Score{{Base: 9.6, Vector: "CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:H/I:H/A:H"}}}},
			firmward.ExposureControlled,
			[]string{"policy-critical 2026-03-16 () since 2026-03-02 found here", "ssvc-scheduled 2026-05-31 () since 2026-03-02 found here", "cisa-bod-26-04 0001-01-01 (at the next upgrade) since 2026-03-02 found here"},
		},
		"only possible": {
			firmward.Finding{AdvisoryID: "a", Verdict: firmward.Possible, Exploited: true, OpenedAt: now},
			firmward.ExposureOpen,
			[]string{"policy-exploited-exposed 2026-03-04 () since 2026-03-02 found here"},
		},
	} {
		var got []string
		for _, c := range priority.Clocks([]firmward.Finding{tc.f}, camera(tc.e), p) {
			got = append(got, fmt.Sprintf("%s %s (%s) since %s %s", c.Rule, c.Due.Format(time.DateOnly), c.Asks, c.Started.Format(time.DateOnly), c.StartedBy))
		}
		if d := cmp.Diff(tc.want, got); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
	p.Regimes = nil
	if got := priority.Clocks([]firmward.Finding{{Verdict: firmward.Affected, OpenedAt: now}}, camera(firmward.ExposureOpen), p); len(got) != 1 || got[0].Rule != "policy-other" {
		t.Errorf("a policy that names no regime: %+v", got)
	}
}
