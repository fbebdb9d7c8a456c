package policy_test

import (
	"strings"
	"testing"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/policy"
)

func TestBuiltin(t *testing.T) {
	f, err := policy.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	for zone, want := range map[firmward.Zone]string{firmward.ZoneClinical: "clinical", firmward.ZonePlant: "plant", firmward.ZoneUnmarked: "plant", firmward.ZoneHome: "home", firmward.ZoneOffice: "default"} {
		if p, ok := f.For(firmward.Device{Zone: zone}); !ok || p.Name != want || p.PerModelInFlight != 1 || !p.RequireOwner || !p.HoldCore {
			t.Errorf("zone %s: %s, %+v", zone, p.Name, p.RolloutPolicy)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	const good = "rollout-policies:\n  - name: a\n    waves: [50, 100]\n    canary-soak: 1h\n    max-in-flight: 1\n    deadline: 30m\n"
	f, err := policy.Parse([]byte(good), "p.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if p := f.Rollout[0]; p.CommitWithin != 15*time.Minute || p.ApprovalValid != 7*24*time.Hour || !p.RequireOwner || !p.HoldCore {
		t.Errorf("what is left out: %+v", p)
	}
	if f, err = f.Complete(); err != nil || len(f.Rollout) != 1 || len(f.Risk) == 0 {
		t.Errorf("completed: %+v, %v", f, err)
	}
	for want, text := range map[string]string{
		"line 7":                good + "    colour: red\n",
		"line 7: selector":      good + "    select: zone = \"home\"\n",
		"stands twice":          good + strings.TrimPrefix(good, "rollout-policies:\n"),
		"end with 100":          strings.Replace(good, "[50, 100]", "[50, 90]", 1),
		"rising":                strings.Replace(good, "[50, 100]", "[50, 50, 100]", 1),
		"max-in-flight":         strings.Replace(good, "max-in-flight: 1", "max-in-flight: 0", 1),
		"silence must become":   strings.Replace(good, "    deadline: 30m\n", "", 1),
		"proves nothing":        strings.Replace(good, "canary-soak: 1h", "canary-soak: 0s", 1),
		"line 4":                strings.Replace(good, "canary-soak: 1h", "canary-soak: soon", 1),
		"is no window":          good + "    window: 02:00-02:00\n",
		"needs a name":          strings.Replace(good, "name: a", "name: \"\"", 1),
		"one document a file":   good + "---\n" + good,
		"every clock must be":   "risk-policies:\n  - name: r\n    high: 1d\n",
		"nobody's word":         good + "    approval-valid: 0s\n",
		"has to be shorter":     good + "    emergency-soak: 2h\n",
		"want stable, lts":      good + "    channels: [nightly]\n",
		"the failure budget is": good + "    failure-budget-percent: 101\n",
	} {
		_, err := policy.Parse([]byte(text), "p.yaml")
		if firmward.CodeOf(err) != firmward.Invalid || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "p.yaml") {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

func TestSelector(t *testing.T) {
	cam := firmward.Device{Site: "clinic-2", Class: firmward.ClassCamera, Criticality: 4, Exposed: true}
	for text, want := range map[string]bool{
		`true`: true, `false`: false, `exposed`: true, `!spare`: true, `class == "camera"`: true, `"camera" == class`: true, `class != "camera"`: false,
		`class in ["plug", "camera"]`: true, `criticality >= 4`: true, `criticality >= 5`: false, `site.startsWith("clinic")`: true,
		`class == "camera" && (criticality >= 5 || exposed)`: true, `exposed == false`: false, `criticality == 4`: true,
	} {
		f, err := policy.Selector(text)
		if err != nil || f.Match(cam) != want {
			t.Errorf("%s: %v, want %v", text, err, want)
		}
	}
	for _, text := range []string{``, `colour == "red"`, `class`, `criticality + 1 >= 3`, `criticality < 3`, `class == site`, `4 >= criticality`, `"clinic".startsWith(site)`, `class.endsWith("x")`, `class in [site]`, `class ==`, `exposed ? true : false`, `size(class) >= 3`} {
		if f, err := policy.Selector(text); err == nil {
			t.Errorf("%q was taken as %+v", text, f)
		}
	}
}

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{"14d": 14 * 24 * time.Hour, "36h": 36 * time.Hour, "90m": 90 * time.Minute, "0d": 0} {
		if got, err := policy.ParseDuration(text); err != nil || got != want {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "d", "1.5d", "-1d", "01d", "99999d", "-5m", "soon", "1d 2h"} {
		if got, err := policy.ParseDuration(text); err == nil {
			t.Errorf("%q was taken as %s", text, got)
		}
	}
}
