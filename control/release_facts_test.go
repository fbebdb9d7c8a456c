package control_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/rollout"
)

// TestRegressionBlocks: while a rollout runs somebody learns that the very jump breaks something: devices that wait do not make it, and a new plan
// refuses them.
func TestRegressionBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := plugHouse(t, 2, "")
		ctx := s.house.ctx
		s.release([]string{"release", "p1", "1.4.4"})
		for name, bad := range map[string]firmward.Regression{
			"no version":        {Why: "it stops", Source: "a forum"},
			"no reason":         {From: "1.0.3", Source: "a forum"},
			"no source":         {From: "1.0.3", Why: "it stops"},
			"of another model":  {From: "1.0.3", Why: "it stops", Source: "a forum", Model: "AXIS P3265-LV"},
			"from itself":       {From: "1.4.4", Why: "it stops", Source: "a forum"},
			"the release alone": {},
		} {
			if _, err := s.house.AddRegression(ctx, anna, s.rel.ID, bad); firmward.CodeOf(err) != firmward.Invalid {
				t.Errorf("%s: %v", name, err)
			}
		}
		s.start()
		s.until("5m") // the canary soaks
		if _, err := s.house.AddRegression(ctx, anna, s.rel.ID, firmward.Regression{From: "1.0.3", Why: "it stops after a day", Source: "a forum"}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.house.AddRegression(ctx, anna, s.rel.ID, firmward.Regression{From: "1.0.3", Why: "again", Source: "another"}); firmward.CodeOf(err) != firmward.Conflict {
			t.Errorf("twice: %v", err)
		}
		time.Sleep(5 * time.Hour)
		synctest.Wait()
		s.check("total", "runs 1.4.4 1")
		waits := "p1"
		if d, _ := s.lab.Device("p1"); d.Facts().InstalledVersion == "1.4.4" {
			waits = "p2"
		}
		s.check(waits, "target pending known-regression: from 1.0.3 to 1.4.4 something is known to break: it stops after a day (a forum)")
		p, err := s.house.PlanRollout(ctx, anna, s.rel.ID, "", firmward.Filter{})
		s.must(err)
		var codes strings.Builder
		for _, r := range p.Refusals {
			codes.WriteString(r.Code + " ")
		}
		if len(p.Targets) != 0 || !strings.Contains(codes.String(), rollout.RefuseRegression) || !strings.Contains(codes.String(), rollout.RefuseCurrent) {
			t.Errorf("%+v, refused: %s", p.Targets, codes.String())
		}
		s.check("leaves", "release-regression 1")
	})
}

// TestPermission: what is said of a manufacturer's permission is checked, and the region of a site is where it counts.
func TestPermission(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := plugHouse(t, 1, "")
		ctx := s.house.ctx
		s.release([]string{"release", "p1", "1.4.4"})
		for name, bad := range map[string]firmward.Permission{
			"no model":      {Region: "EU", Source: "letter"},
			"no source":     {Model: s.rel.Models[0], Region: "EU"},
			"no region":     {Model: s.rel.Models[0], Source: "letter"},
			"odd region":    {Model: s.rel.Models[0], Region: "europe", Source: "letter"},
			"another model": {Model: "M", Region: "EU", Source: "letter"},
		} {
			if _, err := s.house.AddPermission(ctx, anna, s.rel.ID, bad); firmward.CodeOf(err) != firmward.Invalid {
				t.Errorf("%s: %v", name, err)
			}
		}
		rel, err := s.house.AddPermission(ctx, anna, s.rel.ID, firmward.Permission{Model: s.rel.Models[0], Region: "EU", Source: "letter"})
		if err != nil || len(rel.Permissions) != 1 || rel.Permissions[0].By != "anna" {
			t.Errorf("%+v, %v", rel.Permissions, err)
		}
		site, err := s.house.SetSite(ctx, anna, "home", nil, new("EU"))
		if err != nil || site.Region != "EU" {
			t.Errorf("%+v, %v", site, err)
		}
		if _, err := s.house.SetSite(ctx, anna, "home", nil, nil); firmward.CodeOf(err) != firmward.Invalid {
			t.Errorf("nothing set: %v", err)
		}
		if site, err = s.house.SetSite(ctx, anna, "home", new("Europe/Berlin"), nil); err != nil || site.Region != "EU" || site.TimeZone != "Europe/Berlin" {
			t.Errorf("the region went with the clock: %+v, %v", site, err)
		}
		s.check("leaves", "release-permit 1")
		s.check("leaves", "site-set 2")
	})
}
