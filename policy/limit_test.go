package policy_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/policy"
)

const limits = "rollout-policies:\n  - name: a\n    waves: [50, 100]\n    canary-soak: 1h\n    max-in-flight: 20\n    deadline: 30m\n    failure-budget-percent: 10\n"

func TestWaves(t *testing.T) {
	for text, want := range map[string]string{
		"[50, 100]":         "[50% 100%]",
		"[10%, 50 %, 100%]": "[10% 50% 100%]",
		`[{count: 5}, {percent: 20}, {select: 'site == "lab"'}, {percent: 100}]`: `[count 5 20% select site == "lab" 100%]`,
	} {
		f, err := policy.Parse([]byte(strings.Replace(limits, "[50, 100]", text, 1)), "p.yaml")
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := fmt.Sprint(f.Rollout[0].Waves); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
		for _, w := range f.Rollout[0].Waves {
			if w.Source != "" && (!w.Select.Match(firmward.Device{Site: "lab"}) || w.Select.Match(firmward.Device{Site: "home"})) {
				t.Errorf("%s matches other devices than the lab's", w)
			}
		}
	}
	for text, want := range map[string]string{
		"[ten, 100]":                                  `line 3: "ten" is no wave`,
		"[10.5, 100]":                                 "is no wave",
		"[{count: 0}, 100]":                           "at least 1",
		"[{count: few}, 100]":                         "line 3",
		"[{count: 1, percent: 2}, 100]":               "one of percent, count and select",
		"[{share: 1}, 100]":                           `unknown key "share"`,
		"[{select: 'sight == \"lab\"'}, 100]":         "undeclared reference",
		"[{select: 'true'}, 100]":                     "selects every device",
		"[{select: 'false'}, 100]":                    "selects no device",
		"[{select: exposed}, {select: exposed}, 100]": "the second would be empty",
		"[50, {count: 1}, 40, 100]":                   "40% after 50% takes nobody",
		"[10, {count: 5}]":                            "must end with 100%",
		"[0, 100]":                                    "takes nobody",
		"[]":                                          "must end with 100%",
	} {
		_, err := policy.Parse([]byte(strings.Replace(limits, "[50, 100]", text, 1)), "p.yaml")
		if firmward.CodeOf(err) != firmward.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: want %q, got %v", text, want, err)
		}
	}
}

func TestLimits(t *testing.T) {
	f, err := policy.Parse([]byte(limits+`    confidence: 95
    failure-budget-count: 4
    silence-budget-count: 0
    inconclusive-limit: 3
    soak-min-devices: 5
    ramp: {start: 2, double-every: 10}
    per-model: 7
    per-site: 4
    per-domain: 1
    work-orders: 7d
    wake-within: 36h
    restore: ask
`), "p.yaml")
	if err != nil {
		t.Fatal(err)
	}
	p := f.Rollout[0]
	if p.Confidence != 95 || *p.FailureCount != 4 || *p.SilenceCount != 0 || *p.Inconclusive != 3 || p.SoakMin != 5 || p.PerModelInFlight != 7 || p.PerSite != 4 || p.PerDomain != 1 || p.WorkOrders != 7*24*time.Hour || p.WakeWithin != 36*time.Hour || !p.AskRestore ||
		p.Ramp != (firmward.Ramp{Start: 2, DoubleEvery: 10, Max: 20}) {
		t.Errorf("%+v", p.RolloutPolicy)
	}
	if f, err = policy.Parse([]byte(limits), "p.yaml"); err != nil || f.Rollout[0].FailureCount != nil || f.Rollout[0].SilenceCount != nil || f.Rollout[0].Inconclusive != nil || f.Rollout[0].Ramp != (firmward.Ramp{}) || f.Rollout[0].PerModelInFlight != 1 {
		t.Errorf("what is left out must hold nothing back: %+v, %v", f.Rollout[0].RolloutPolicy, err)
	}
	for text, want := range map[string]string{
		"confidence: 49":           "from 50 to 99",
		"confidence: 100":          "from 50 to 99",
		"confidence: -95":          "from 50 to 99",
		"failure-budget-count: -1": "leave it out for no limit",
		"silence-budget-count: -1": "leave it out for no limit",
		"inconclusive-limit: -1":   "leave it out for no limit",
		"soak-min-devices: -1":     "must not be negative",
		"per-model: -1":            "0 stands for no cap",
		"per-site: -1":             "must not be negative",
		"per-domain: -1":           "must not be negative",
		"per-site: 21":             "over max-in-flight 20",
		"per-domain: 21":           "over max-in-flight 20",
		"failure-floor: 3\n    failure-budget-count: 2":        "failure-floor 3 is over",
		"silence-budget-count: 3\n    failure-budget-count: 2": "silent devices are failures",
		"work-orders: 10m":                             "too short for a person",
		"work-orders: 7d\n    require-staged: true":    "cannot be staged",
		"restore: never":                               "want auto, or ask",
		"wake-within: soon":                            `"soon" is no duration`,
		"ramp: {}":                                     "each at least 1",
		"ramp: {start: 2}":                             "each at least 1",
		"ramp: {start: 2, double-every: 5, max: 40}":   "never reached",
		"ramp: {start: 20, double-every: 5}":           "nothing to grow",
		"ramp: {start: 2, double-every: 5, factor: 3}": `unknown key "factor"`,
	} {
		_, err := policy.Parse([]byte(limits+"    "+text+"\n"), "p.yaml")
		if firmward.CodeOf(err) != firmward.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: want %q, got %v", text, want, err)
		}
	}
	if _, err := policy.Parse([]byte(strings.Replace(limits, "percent: 10", "percent: 0", 1)+"    confidence: 95\n"), "p.yaml"); err == nil || !strings.Contains(err.Error(), "under 0 %") {
		t.Errorf("a budget of 0 cannot be shown: %v", err)
	}
}
