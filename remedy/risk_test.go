package remedy_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/lifecycle"
	"github.com/firmward/firmward/priority"
	"github.com/firmward/firmward/remedy"
)

func exploited(f *firmward.Finding) { f.Exploited, f.ExploitedAt = true, before }

func TestCounterfactuals(t *testing.T) {
	f := healthy()
	f.Device.Exposed, f.Device.Class, f.Device.Criticality, f.Device.Zone = true, firmward.ClassCamera, 4, firmward.ZoneHome
	left := finding(func(x *firmward.Finding) { x.AdvisoryID, x.FixedIn, x.Likelihood = "CVE-2", "", .1 })
	f.Findings, f.Releases = []firmward.Finding{finding(exploited), left}, []firmward.Release{release("2.0")}
	s := remedy.Choose(f, now)
	want := []firmward.Counterfactual{
		{Action: "contain it", Risk: 1}, {Action: "update to 2.0", Risk: 12}, {Action: "move to guest network, closed to the internet", Risk: 26},
	}
	if d := cmp.Diff(want, s.Otherwise); d != "" || s.Risk != 80 || s.RiskAfter != 12 || s.Counterfactual != "update to 2.0: 80 → 12" {
		t.Errorf("risk %d → %d, %s\n%s", s.Risk, s.RiskAfter, s.Counterfactual, d)
	}
	f.GuardCode, f.GuardWhy = "never-class", "a pump"
	f.Device.Exposed, f.Device.Zone = false, firmward.ZoneOffice
	s = remedy.Choose(f, now)
	var acts []string
	for _, c := range s.Otherwise {
		acts = append(acts, c.Action)
	}
	if !slices.Equal(acts, []string{"update to 2.0", "move to a segment of its own"}) {
		t.Errorf("a device that is never contained: %+v", s.Otherwise)
	}
	f.Containment = &firmward.Containment{State: firmward.ContainContained, Created: before}
	if s := remedy.Choose(f, now); s.Risk > 1 || s.Factors.Exposure.Value != "quarantined" || s.TakenOver {
		t.Errorf("contained: risk %d, %+v", s.Risk, s.Factors.Exposure)
	}
}

func TestTakenOver(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*remedy.Facts)
		want   []string // now, then, finally: parts
		over   bool
	}{
		{"patch", func(f *remedy.Facts) { f.Releases = []firmward.Release{release("2.0")} }, []string{"patch: reset it to factory settings, then update from 1.0 to 2.0", "ask: set a new credential", "look: watch whom it talks to"}, true},
		{"by hand", func(f *remedy.Facts) { f.HasDriver, f.Releases = false, []firmward.Release{release("2.0")} }, []string{"ask: then update it to 2.0 by hand", "ask: set a new credential", "look: look whether it runs 2.0, and watch"}, true},
		{"support ends", func(f *remedy.Facts) {
			f.Support = lifecycle.Support{State: lifecycle.Ending, End: later}
			f.Releases = []firmward.Release{release("2.0")}
		}, []string{"patch: reset", "ask: watch whom", "replace: replace it"}, true},
		{"nobody mends it", func(f *remedy.Facts) { hopeless(&f.Findings[0]) }, []string{"contain: contain it", "ask: assume that it was taken over: reset it", "replace: replace"}, true},
		{"likely", func(f *remedy.Facts) { f.Findings[0].Verdict = firmward.Likely }, []string{"ask: reset it", "ask: credential", "look: watch"}, true},
		{"CISA says active", func(f *remedy.Facts) {
			f.Findings[0].Exploited, f.Findings[0].Threat.SSVC = false, &firmward.SSVC{Exploitation: "active", Source: "CISA-ADP"}
		}, []string{"ask: reset it"}, true},
		{"only possible", func(f *remedy.Facts) { f.Findings[0].Verdict = firmward.Possible }, []string{"ask: ask the vendor whether"}, false},
		{"not exploited", func(f *remedy.Facts) { f.Findings[0].Exploited = false }, []string{"ask: get firmware 2.0"}, false},
		{"not exposed", func(f *remedy.Facts) { f.Device.Exposed = false }, []string{"ask: get firmware 2.0"}, false},
	} {
		f := healthy()
		f.Device.Exposed, f.Findings = true, []firmward.Finding{finding(exploited)}
		tc.change(&f)
		s := remedy.Choose(f, now)
		if s.TakenOver != tc.over || tc.over && s.Urgency != firmward.FixNow {
			t.Errorf("%s: taken over %v, %s", tc.name, s.TakenOver, s.Urgency)
		}
		for i, p := range []*firmward.Phase{&s.Now, s.Then, s.Finally} {
			if i >= len(tc.want) {
				break
			}
			kind, part, _ := strings.Cut(tc.want[i], ": ")
			if p == nil || string(p.Kind) != kind || !strings.Contains(p.Action, part) {
				t.Errorf("%s: phase %d is %+v, want %s", tc.name, i, p, tc.want[i])
			}
		}
		if !tc.over && strings.Contains(s.Now.Action, "taken over") {
			t.Errorf("%s: %s", tc.name, s.Now.Action)
		}
	}
}

func TestUrgency(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*remedy.Facts)
		want   firmward.Urgency
		bucket string
	}{
		"nothing to do":       {func(f *remedy.Facts) { f.Findings = nil }, firmward.Watch, "watch"},
		"due in four days":    {func(*remedy.Facts) {}, firmward.ThisWeek, "act-now"},
		"due in three":        {func(f *remedy.Facts) { f.Findings[0].OpenedAt = now.Add(-11 * day) }, firmward.FixNow, "act-now"},
		"overdue":             {func(f *remedy.Facts) { f.Findings[0].OpenedAt = now.Add(-30 * day) }, firmward.FixNow, "act-now"},
		"due in a month":      {func(f *remedy.Facts) { f.Findings[0].Score, f.Findings[0].OpenedAt = 7.5, now }, firmward.AtNextCheck, "plan"},
		"exploited":           {func(f *remedy.Facts) { exploited(&f.Findings[0]); f.Findings[0].OpenedAt = now }, firmward.ThisWeek, "act-now"},
		"exploited, and open": {func(f *remedy.Facts) { exploited(&f.Findings[0]); f.Device.Exposed = true }, firmward.FixNow, "act-now"},
		"accepted":            {func(f *remedy.Facts) { f.Exceptions = []firmward.Exception{{Kind: firmward.Accept, Expires: later}} }, firmward.Watch, "accept"},
		"a directive is in force": {func(f *remedy.Facts) {
			f.Policy.Regimes = []firmward.Regime{firmward.RegimePolicy, firmward.RegimeBOD}
			exploited(&f.Findings[0])
			f.Findings[0].ExploitedAt = now
		}, firmward.FixNow, "act-now"},
		"an update left it dead": {func(f *remedy.Facts) {
			f.Target = &firmward.Target{State: firmward.TargetFailed, Code: "silent", Why: "silent", EndedAt: now}
		}, firmward.FixNow, "act-now"},
	} {
		f := healthy()
		f.Findings = []firmward.Finding{finding(nil)}
		tc.change(&f)
		if s := remedy.Choose(f, now); s.Urgency != tc.want || s.Bucket() != tc.bucket {
			t.Errorf("%s: %q, %s; want %q, %s", name, s.Urgency, s.Bucket(), tc.want, tc.bucket)
		}
	}
}

func TestClocksOfAStep(t *testing.T) {
	f := healthy()
	f.Policy.Name, f.Policy.Digest = "wards", "1f2e3d4c5b6a"
	f.Policy.Regimes = []firmward.Regime{firmward.RegimePolicy, firmward.RegimeSSVC, firmward.RegimeBOD}
	f.Policy.SSVC = priority.DefaultSSVC()
	f.Findings, f.Releases = []firmward.Finding{finding(exploited)}, []firmward.Release{release("2.0")}
	s := remedy.Choose(f, now)
	var rules []string
	for _, c := range s.Clocks {
		rules = append(rules, c.Rule)
	}
	if d := cmp.Diff([]string{"cisa-bod-26-04", "policy-exploited", "ssvc-out-of-cycle"}, rules); d != "" || s.Now.Rule != rules[0] || !s.Now.By.Equal(s.Clocks[0].Due) {
		t.Errorf("%s by %s\n%s", s.Now.Rule, s.Now.By, d)
	}
	if s.Factors.Policy != "wards (1f2e3d4c5b6a)" {
		t.Errorf("policy %q", s.Factors.Policy)
	}
	f.Policy.ContainWithin = 10 * day
	f.Policy.Regimes = nil
	hopeless(&f.Findings[0])
	f.Releases = nil
	if s := remedy.Choose(f, now); len(s.Clocks) != 2 || s.Clocks[0].Rule != "contain-within" {
		t.Errorf("%+v", s.Clocks)
	}
}

func TestFlags(t *testing.T) {
	f := healthy()
	f.HasDriver, f.Support.State = false, lifecycle.Ended
	f.Findings = []firmward.Finding{finding(func(x *firmward.Finding) { x.Threat.Fixed = true })}
	want := []string{"end of support", "a password that everybody knows (CVE-2026-0001)", "no way to update it is known"}
	s := remedy.Choose(f, now)
	if d := cmp.Diff(want, s.Flags); d != "" {
		t.Error(d)
	}
	f.Support.State, f.HasDriver, f.Findings[0].Threat.Fixed = lifecycle.Supported, true, false
	plain := remedy.Choose(f, now)
	if len(plain.Flags) != 0 || plain.Risk != s.Risk {
		t.Errorf("flags %v, and the number is %d instead of %d", plain.Flags, plain.Risk, s.Risk)
	}
}

func TestTrendIsSaid(t *testing.T) {
	f := healthy()
	newest := firmward.Likelihood{Score: .41, Model: "v4", Dated: now}
	f.Findings = []firmward.Finding{finding(func(x *firmward.Finding) {
		x.Likelihood, x.Threat.EPSS = .41, &newest
		x.Threat.Trend = []firmward.Likelihood{{Score: .02, Model: "v4", Dated: now.Add(-7 * day)}}
	})}
	if s := remedy.Choose(f, now); !strings.Contains(s.Why[0], "EPSS 0.02 → 0.41 in 7 days (model v4)") {
		t.Error(s.Why)
	}
}

// TestStepIsKept stores a step as JSON and reads it again: it must be the same, or a device would be weighed anew for ever.
func TestStepIsKept(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := healthy()
		f.Device.Exposed, f.Device.Class = rapid.Bool().Draw(t, "exposed"), rapid.SampledFrom(firmward.Classes()).Draw(t, "class")
		if rapid.Bool().Draw(t, "findings") {
			f.Findings = []firmward.Finding{finding(func(x *firmward.Finding) {
				x.Likelihood, x.Exploited = rapid.Float64Range(0, 1).Draw(t, "EPSS"), rapid.Bool().Draw(t, "exploited")
				x.Threat.Scores = []firmward.Score{{Version: "3.1", Vector: "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", Base: 9.1}}
			})}
		}
		s := remedy.Choose(f, now)
		b, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var again firmward.NextStep
		if err := json.Unmarshal(b, &again); err != nil || !reflect.DeepEqual(s, again) {
			t.Fatalf("%v\n%s", err, cmp.Diff(s, again))
		}
		if s.Factors.Number != s.Risk {
			t.Fatalf("the number is %d, its factors make %d", s.Risk, s.Factors.Number)
		}
	})
}

// TestMendingOnce gives one more finding, or one less: the risk never moves the wrong way.
func TestMendingOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := healthy()
		f.Device.Exposed = rapid.Bool().Draw(t, "exposed")
		finds := rapid.Custom(func(t *rapid.T) firmward.Finding {
			return finding(func(x *firmward.Finding) {
				x.AdvisoryID = rapid.StringMatching("CVE-[1-9]").Draw(t, "id")
				x.Verdict = rapid.SampledFrom([]firmward.Verdict{firmward.Affected, firmward.Likely, firmward.Possible}).Draw(t, "verdict")
				x.FixedIn, x.Exploited = rapid.SampledFrom([]string{"", "1.1", "2.0"}).Draw(t, "fix"), rapid.Bool().Draw(t, "exploited")
				x.Likelihood = rapid.Float64Range(0, 1).Draw(t, "EPSS")
			})
		})
		f.Findings = rapid.SliceOfN(finds, 1, 6).Draw(t, "findings")
		all := remedy.Choose(f, now)
		f.Findings = f.Findings[1:]
		if less := remedy.Choose(f, now); less.Risk > all.Risk {
			t.Fatalf("mending raises the risk: %d → %d", all.Risk, less.Risk)
		}
		for _, c := range all.Otherwise {
			if c.Risk >= all.Risk {
				t.Fatalf("%s: %d → %d", c.Action, all.Risk, c.Risk)
			}
		}
		if by, ok := all.Deadline(); ok && by.Equal(time.Time{}) {
			t.Fatal("a deadline without a date")
		}
	})
}
