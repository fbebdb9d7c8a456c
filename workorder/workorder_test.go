package workorder_test

import (
	"testing"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/workorder"
)

func TestJudge(t *testing.T) {
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		state firmward.WorkState
		kind  string
		want  string
		seen  string
		at    time.Time
		to    firmward.WorkState
	}{
		"done":                      {firmward.WorkReported, "update", "2.0", "2.0", now, firmward.WorkDone},
		"newer is done":             {firmward.WorkReported, "update", "2.0", "2.1", now, firmward.WorkDone},
		"done without a word":       {firmward.WorkOpen, "update", "2.0", "2.0", now, firmward.WorkDone},
		"still old":                 {firmward.WorkReported, "update", "2.0", "1.0", now, firmward.WorkNotYet},
		"looked before the report":  {firmward.WorkReported, "update", "2.0", "1.0", now.Add(-time.Hour), firmward.WorkReported},
		"old and nobody claimed":    {firmward.WorkOpen, "update", "2.0", "1.0", now, firmward.WorkOpen},
		"any other version":         {firmward.WorkReported, "update", "", "1.1", now, firmward.WorkDone},
		"the same version":          {firmward.WorkReported, "update", "", "1.0", now, firmward.WorkNotYet},
		"incomparable is not done":  {firmward.WorkReported, "update", "2.0", "unknown build", now, firmward.WorkNotYet},
		"nothing read":              {firmward.WorkReported, "update", "2.0", "", now, firmward.WorkReported},
		"a replacement is not read": {firmward.WorkReported, "replace", "", "9", now, firmward.WorkReported},
		"void stays":                {firmward.WorkVoid, "update", "2.0", "2.0", now, firmward.WorkVoid},
	} {
		w := firmward.WorkOrder{State: tc.state, Kind: tc.kind, From: "1.0", Want: tc.want, ReportedAt: now}
		if got := workorder.Judge(w, "", tc.seen, "obs", tc.at); got.State != tc.to || tc.to == firmward.WorkDone && got.Evidence != "obs" {
			t.Errorf("%s: %+v, want %s", name, got, tc.to)
		}
	}
}

func TestNewAlwaysInstructs(t *testing.T) {
	for _, kind := range []string{"update", "vendor-service", "replace", "retire"} {
		w := workorder.New("w", kind, firmward.Device{ID: "d", Name: "cam", Owner: "anna", Firmware: "1.0"}, firmward.Model{}, "", "bert", time.Time{}, time.Time{})
		if w.Title == "" || len(w.Instruction.Steps) == 0 || w.Assignee != "anna" || w.State != firmward.WorkOpen {
			t.Errorf("%s: %+v", kind, w)
		}
	}
	w := firmward.WorkOrder{State: firmward.WorkOpen, Want: "1.1", Instruction: firmward.Instruction{Title: "Update"}}
	if got, changed := workorder.Refresh(w, "1.2"); !changed || got.Title != "Update to 1.2" {
		t.Errorf("%+v", got)
	}
	if _, err := workorder.Report(firmward.WorkOrder{State: firmward.WorkDone}, "anna", "", time.Time{}); firmward.CodeOf(err) != firmward.Conflict {
		t.Errorf("%v", err)
	}
}
