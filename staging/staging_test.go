package staging_test

import (
	"testing"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/staging"
)

var rel = firmward.Release{ID: "r", SHA256: "ab", Models: []string{"M1"}, Hardware: []string{"h1"}}

func TestPick(t *testing.T) {
	d := func(name string, spare bool, hardware, site string) firmward.Device {
		return firmward.Device{Name: name, Spare: spare, Model: "M1", Hardware: hardware, Site: site, Network: "n"}
	}
	got, ok, _ := staging.Pick(rel, "M1", "h1", "here", []firmward.Device{d("a", true, "h1", "there"), d("z", true, "h1", "here"), d("b", false, "h1", "here"), d("c", true, "h2", "here")})
	if !ok || got.Name != "z" {
		t.Errorf("%+v", got)
	}
	for _, none := range [][]firmward.Device{nil, {d("b", false, "h1", "here")}, {d("c", true, "h2", "here")}} {
		if got, ok, why := staging.Pick(rel, "M1", "h1", "here", none); ok || why == "" {
			t.Errorf("%+v %q", got, why)
		}
	}
}

func TestJudgeAndSum(t *testing.T) {
	for state, want := range map[firmward.TargetState]string{firmward.TargetSucceeded: staging.Passed, firmward.TargetFailed: staging.Failed, firmward.TargetRolledBack: staging.Failed, firmward.TargetSkipped: staging.NotStaged, firmward.TargetRefused: staging.NotStaged} {
		v := staging.Judge(rel, "push", firmward.Device{Model: "M1", Hardware: "h1"}, firmward.Target{State: state, Why: "why"}, time.Time{})
		if v.Result != want || !staging.Covers(v, "ab", "push", "M1", "h1") || staging.Covers(v, "ab", "pull", "M1", "h1") || staging.Covers(v, "cd", "push", "M1", "h1") {
			t.Errorf("%s: %+v", state, v)
		}
	}
	if v := staging.Judge(rel, "push", firmward.Device{}, firmward.Target{State: firmward.TargetSucceeded, Code: "already-installed"}, time.Time{}); v.Result != staging.NotStaged {
		t.Errorf("a spare that ran it already proves nothing: %+v", v)
	}
	for want, results := range map[string][][]string{staging.Passed: {{"passed", "passed"}}, staging.Failed: {{"passed", "failed", "not-staged"}}, staging.NotStaged: {nil, {"passed", "not-staged"}}} {
		for _, list := range results {
			var vs []firmward.StagingVerdict
			for _, r := range list {
				vs = append(vs, firmward.StagingVerdict{Result: r})
			}
			if got := staging.Sum(vs); got != want {
				t.Errorf("%v: %s, want %s", list, got, want)
			}
		}
	}
}
