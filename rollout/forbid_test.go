package rollout_test

import (
	"strings"
	"testing"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/rollout"
	"github.com/firmward/firmward/topology"
)

func TestForbidden(t *testing.T) {
	rel := firmward.Release{
		ID: "rel-1", Version: "12.1.3",
		Regressions: []firmward.Regression{{Model: "8015", From: "12.1.1", Why: "it loses its drug library", Source: "bulletin 7"}, {From: "9.0", Why: "it does not start", Source: "a forum"}},
		Permissions: []firmward.Permission{{Model: "8015", Region: "EU", Source: "letter of 2 March"}, {Model: "8100", Region: firmward.AnyRegion, Source: "bulletin 8"}},
	}
	for _, tt := range []struct{ name, model, from, region, code, why string }{
		{"permitted", "8015", "10.0", "EU", "", ""},
		{"permitted everywhere", "8100", "10.0", "", "", ""},
		{"in another region", "8015", "10.0", "US", rollout.RefusePermission, "nothing is recorded for 8015, version 12.1.3 and region US (releases permit rel-1)"},
		{"in no region", "8015", "10.0", "", rollout.RefusePermission, "a region that nobody has said (sites set SITE --region REGION)"},
		{"another model", "8120", "10.0", "EU", rollout.RefusePermission, "nothing is recorded for 8120"},
		{"a known regression, though permitted", "8015", "12.1.1", "EU", rollout.RefuseRegression, "from 12.1.1 to 12.1.3 something is known to break: it loses its drug library (bulletin 7)"},
		{"that of another model", "8100", "12.1.1", "EU", "", ""},
		{"that of all models", "8100", "9.0", "EU", rollout.RefuseRegression, "it does not start"},
	} {
		c := rollout.Candidate{Device: firmward.Device{ID: "p", Class: firmward.ClassInfusionPump, Model: tt.model, Firmware: tt.from}, Region: tt.region}
		code, why := rollout.Forbidden(rel, &c)
		if code != tt.code || !strings.Contains(why, tt.why) {
			t.Errorf("%s: %s: %s", tt.name, code, why)
		}
		c.Device.Class = firmward.ClassCamera
		if code, _ := rollout.Forbidden(rel, &c); code == rollout.RefusePermission {
			t.Errorf("%s: a camera wants no permission", tt.name)
		}
	}
}

// TestForbiddenIsPicked: what became known after the plan holds a device that waits for its turn.
func TestForbiddenIsPicked(t *testing.T) {
	r := &firmward.Rollout{State: firmward.RolloutRunning, Policy: firmward.RolloutPolicy{MaxInFlight: 1}}
	slot := rollout.Slot{
		Target: firmward.Target{DeviceID: "a", State: firmward.TargetPending}, Local: time.Now(),
		Candidate: rollout.Candidate{Device: firmward.Device{ID: "a"}, Forbidden: rollout.Refusal{Code: rollout.RefuseRegression, Why: "it breaks"}},
	}
	if picks, no := rollout.Pick(r, []rollout.Slot{slot}, rollout.Claims{}, topology.Map{}, false); len(picks) != 0 || no[0].Code != rollout.RefuseRegression || no[0].Why != "it breaks" {
		t.Errorf("%+v %+v", picks, no)
	}
}
