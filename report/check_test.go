package report_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/report"
)

// monthly: the tasks are the next steps in plain words, and what went well is of this month.
func monthly(t *testing.T, h house) {
	c, err := report.MonthlyCheck(t.Context(), h.Control, "home")
	if err != nil {
		t.Fatal(err)
	}
	if c.Devices != 2 || len(c.Tasks) != 2 || c.More != 0 || !strings.HasPrefix(c.Knowledge, "starter set only") {
		t.Fatalf("%+v", c)
	}
	// In the order of package remedy, each with its answer.
	for i, want := range []struct {
		id, what, why, waits, command string
		kind                          firmward.StepKind
	}{
		{h.nas, "Cut nas off", "Attackers use a hole that it has; its maker mends it no more.", "no enforcer", "firmward device ", firmward.StepContain},
		{h.camera, ": get firmware ", "It has 3 known holes.", "no release", "firmward releases import FILE", firmward.StepAsk},
	} {
		step, err := h.Store.NextStep(t.Context(), want.id)
		if err != nil {
			t.Fatal(err)
		}
		g := c.Tasks[i]
		what := strings.Replace(want.what, "nas", g.Devices[0], 1)
		if !strings.Contains(g.What, what) || g.Why != want.why || !strings.Contains(g.Waits, want.waits) || !strings.HasPrefix(g.Command, want.command) {
			t.Errorf("task %d: %+v", i+1, g)
		}
		if g.Kind != want.kind || g.Action != step.Now.Action || g.Risk != step.Risk || !g.By.Equal(step.Now.By) {
			t.Errorf("task %d is not the next step: %+v, %+v", i+1, g, step)
		}
		if said := g.What + g.Why; strings.Contains(said, "CVE-") {
			t.Errorf("task %d speaks to specialists: %s", i+1, said)
		}
	}
	// The devices were found 40 days ago: that is no news of this month.
	if want := []string{"1 device was updated, and a look at it confirmed that.", "1 known hole was closed."}; !slices.Equal(c.Well, want) {
		t.Errorf("went well: %q", c.Well)
	}
	if c, err = report.MonthlyCheck(t.Context(), h.Control, "elsewhere"); err != nil || len(c.Tasks)+len(c.Well)+c.Devices > 0 {
		t.Errorf("another site: %+v, %v", c, err)
	}
}

// sameWork: what is the same act stands there once, and five tasks are enough.
func sameWork(t *testing.T, h house) {
	add := func(name, vendor, model, version string) {
		t.Helper()
		if _, err := h.AddDevice(t.Context(), anna, control.DeviceFacts{Name: &name, Site: new("home"), Vendor: &vendor, Model: &model, Firmware: &version}); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"-v", "it's", "upstairs", "hall", "shed"} {
		add(name, "HP", "HP Color LaserJet MFP M478f", "20200101")
	}
	for _, model := range []string{"a", "b", "c", "d"} {
		add("thing "+model, "", model, "")
	}
	synctest.Wait()
	c, err := report.MonthlyCheck(t.Context(), h.Control, "")
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(c.Tasks, func(g report.Task) bool { return len(g.Devices) == 5 })
	if at < 0 || len(c.Tasks) > 5 {
		t.Fatalf("%+v", c.Tasks)
	}
	g := c.Tasks[at]
	if !strings.Contains(g.What, " and 2 more: update it to ") || g.Minutes != 50 || len(g.Steps) == 0 || g.Never == "" {
		t.Errorf("%+v", g)
	}
	if c.Minutes < g.Minutes || g.Command != "firmward workorders" {
		t.Errorf("%+v", c)
	}
}
