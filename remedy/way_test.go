package remedy_test

import (
	"testing"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/remedy"
)

// TestWayIsNamed: the step is the first one of the way, the next ones stand behind it, and each number belongs to its own step.
func TestWayIsNamed(t *testing.T) {
	f := healthy()
	f.Findings = []firmward.Finding{finding(func(x *firmward.Finding) { x.FixedIn, x.Exploited = "3.0", true })}
	f.Releases = []firmward.Release{release("2.0"), from(release("3.0"), "2.0")}
	s := remedy.Choose(f, now)
	if s.Now.Action != "update from 1.0 to 2.0" || s.Then == nil || s.Then.Action != "update to 3.0" || s.Then.Kind != firmward.StepPatch {
		t.Errorf("%+v, then %+v", s.Now, s.Then)
	}
	if s.RiskAfter != s.Risk || s.Counterfactual != "update to 2.0, then 3.0: 16 → 1" || s.Fix == nil || s.Fix.Version != "3.0" || s.Fix.Closes != 1 {
		t.Errorf("risk %d, after the first step %d: %s, fix %+v", s.Risk, s.RiskAfter, s.Counterfactual, s.Fix)
	}

	f.Releases = []firmward.Release{release("1.5"), from(release("3.0"), "2.0")}
	if s = remedy.Choose(f, now); s.Now.Action != "update from 1.0 to 1.5" || s.Then == nil || s.Then.Action != "get firmware 2.0 for M1 (releases import): no release in the depot leads from 1.0 to 2.0; get 2.0" {
		t.Errorf("what is missing stands behind what can be done: %+v, then %+v", s.Now, s.Then)
	}
}
