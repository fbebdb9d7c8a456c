package priority_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/priority"
)

var now = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

func TestDerived(t *testing.T) {
	vector := func(v string) firmward.Threat { return firmward.Threat{Scores: []firmward.Score{{Vector: v}}} }
	cisa := &firmward.SSVC{Exploitation: "poc", Automatable: "no", TechnicalImpact: "partial", Source: "CISA-ADP", Dated: now}
	for name, tc := range map[string]struct {
		f    firmward.Finding
		want [3]string // exploitation, automatable, technical impact; * marks what an authority decided
		says string    // part of a source
	}{
		"nothing is known":            {firmward.Finding{}, [3]string{"none", "yes", "total"}, "assumed"},
		"listed":                      {firmward.Finding{Exploited: true, ExploitedAt: now}, [3]string{"active", "yes", "total"}, "since 2026-03-02"},
		"EPSS of 0.1":                 {firmward.Finding{Likelihood: .1}, [3]string{"poc", "yes", "total"}, "EPSS 0.1"},
		"EPSS below 0.1":              {firmward.Finding{Likelihood: .09}, [3]string{"none", "yes", "total"}, ""},
		"an exploit is published":     {firmward.Finding{Threat: firmward.Threat{Proof: "https://x"}}, [3]string{"poc", "yes", "total"}, "https://x"},
		"3.1, all of it":              {firmward.Finding{Threat: vector("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H")}, [3]string{"none", "yes", "total"}, "CVSS 3.1 AV:N/AC:L/PR:N/UI:N"},
		"3.0, a person is needed":     {firmward.Finding{Threat: vector("CVSS:3.0/AV:N/AC:L/PR:N/UI:R/S:U/C:H/I:L/A:H")}, [3]string{"none", "no", "partial"}, "UI:R"},
		"4.0, luck is needed":         {firmward.Finding{Threat: vector("CVSS:4.0/AV:N/AC:L/AT:P/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N")}, [3]string{"none", "no", "total"}, "AT:P"},
		"4.0, says so itself":         {firmward.Finding{Threat: vector("CVSS:4.0/AV:L/AC:L/AT:P/PR:N/UI:N/VC:L/VI:H/VA:H/SC:N/SI:N/SA:N/AU:Y")}, [3]string{"none", "yes", "partial"}, "AU:Y"},
		"2.0":                         {firmward.Finding{Threat: vector("AV:N/AC:L/Au:N/C:C/I:C/A:P")}, [3]string{"none", "yes", "partial"}, "Au:N"},
		"CISA's own":                  {firmward.Finding{Likelihood: .9, Threat: firmward.Threat{SSVC: cisa}}, [3]string{"poc*", "no*", "partial*"}, "CISA-ADP 2026-03-02"},
		"CISA's own, listed since":    {firmward.Finding{Exploited: true, Threat: firmward.Threat{SSVC: cisa}}, [3]string{"active", "no*", "partial*"}, "listed"},
		"CISA's own, in part":         {firmward.Finding{Threat: firmward.Threat{SSVC: &firmward.SSVC{Automatable: "no"}}}, [3]string{"none", "no*", "total"}, "an authority"},
		"CISA says so, and is listed": {firmward.Finding{Exploited: true, Threat: firmward.Threat{SSVC: &firmward.SSVC{Exploitation: "active"}}}, [3]string{"active*", "yes", "total"}, ""},
	} {
		var got [3]string
		var sources strings.Builder
		for i, p := range []firmward.Point{priority.Exploitation(tc.f), priority.Automatable(tc.f.Threat), priority.TechnicalImpact(tc.f.Threat)} {
			got[i] = p.Value
			if !p.Derived {
				got[i] += "*"
			}
			if p.Source == "" {
				t.Errorf("%s: %s has no source", name, p.Value)
			}
			sources.WriteString(p.Source + "\n")
		}
		if got != tc.want || !strings.Contains(sources.String(), tc.says) {
			t.Errorf("%s: %v from\n%swant %v, %s", name, got, sources.String(), tc.want, tc.says)
		}
	}
}

func TestTrend(t *testing.T) {
	at := func(daysAgo int, score float64, model string) firmward.Likelihood {
		return firmward.Likelihood{Score: score, Model: model, Dated: now.Add(-time.Duration(daysAgo) * day)}
	}
	for want, earlier := range map[string][]firmward.Likelihood{
		"0.02 → 0.41 in 7 days (model v4)": {at(3, .2, "v4"), at(7, .02, "v4"), at(9, .9, "v3"), at(40, .01, "v4")},
		"0.2 → 0.41 in 1 day (model v4)":   {at(1, .2, "v4")},
		"":                                 {at(9, .02, "v3")},
	} {
		newest := at(0, .41, "v4")
		if got := priority.Trend(firmward.Threat{EPSS: &newest, Trend: earlier}); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := priority.Trend(firmward.Threat{}); got != "" {
		t.Errorf("without a score: %q", got)
	}
}

func TestThreats(t *testing.T) {
	old, fresh := &firmward.SSVC{Exploitation: "none", Dated: now.Add(-day)}, &firmward.SSVC{Exploitation: "poc", Dated: now}
	score := firmward.Score{Version: "3.1", Vector: "v", Base: 9.8}
	epss := firmward.Likelihood{Advisory: "CVE-1", Score: .4}
	got := priority.Threats([]firmward.Advisory{
		{ID: "CVE-1", Source: "a", SSVC: fresh, Scores: []firmward.Score{score}, References: []string{"https://vendor.example/x"}},
		{ID: "CVE-1", Source: "b", SSVC: old, Scores: []firmward.Score{score}, References: []string{"https://www.exploit-db.com/exploits/50441"}, Weakness: []string{"CWE-798"}},
		{ID: "CVE-2"},
	}, map[string]firmward.Likelihood{"CVE-1": epss}, nil)
	want := map[string]firmward.Threat{
		"CVE-1": {Scores: []firmward.Score{score}, SSVC: fresh, EPSS: &epss, Proof: "https://www.exploit-db.com/exploits/50441", Fixed: true},
		"CVE-2": {},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
