package priority_test

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/feed/feedtest"
	"github.com/firmward/firmward/priority"
)

// TestReferenceScores compares with the 270 vectors that FIRST's special interest group scored, one a line.
func TestReferenceScores(t *testing.T) {
	f, err := os.Open(filepath.Join(feedtest.Data(t), "cvss/cvss4-macro-scores.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n, agree := 0, 0
	for lines := bufio.NewScanner(f); lines.Scan(); n++ {
		var r struct {
			Vector string
			Score  float64
		}
		if err := json.Unmarshal([]byte(strings.ReplaceAll(lines.Text(), "'", `"`)), &r); err != nil {
			t.Fatal(err)
		}
		v, err := priority.ParseVector(r.Vector)
		if err != nil {
			t.Error(err)
			continue
		}
		if got := v.Score(); got != r.Score {
			t.Errorf("%s: %v, want %v", r.Vector, got, r.Score)
			continue
		}
		agree++
	}
	if t.Logf("%d of %d agree", agree, n); n != 270 || agree != n {
		t.Errorf("%d of %d agree", agree, n)
	}
}

func TestCheckScore(t *testing.T) {
	for _, tc := range []struct {
		version, vector string
		base, computed  float64
		wrong           string
	}{
		{"2.0", "AV:N/AC:L/Au:N/C:C/I:C/A:C", 10, 0, ""},
		{"2.0", "(AV:N/AC:L/Au:N/C:P/I:P/A:P)", 7.5, 0, ""},
		{"3.0", "CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 9.8, 0, ""},
		{"3.1", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 9.1, 9.8, ""},
		{"3.1", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/E:U/MAV:P", 9.8, 0, ""},
		{"4.0", "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N/E:U/MAV:P", 9.3, 0, ""},
		{"", "", 5, 0, ""},
		{"3.1", "CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 9.8, 0, "is not of version 3.1"},
		{"3.1", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H", 9.8, 0, "metric A is not defined"},
		{"3.1", "CVSS:3.1/AV:X/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 9.8, 0, `"CVSS:3.1/AV:X`},
		{"5.0", "CVSS:5.0/AV:N", 9.8, 0, "none of 2.0"},
		{"3.1", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 11, 0, "outside"},
		{"2.0", "nonsense", 5, 0, `"nonsense"`},
	} {
		got, err := priority.CheckScore(firmward.Score{Version: tc.version, Vector: tc.vector, Base: tc.base})
		if tc.wrong != "" {
			if err == nil || !strings.Contains(err.Error(), tc.wrong) {
				t.Errorf("%s %v: %v, want %q", tc.vector, tc.base, err, tc.wrong)
			}
			continue
		}
		if err != nil || got.Base != tc.base || got.Computed != tc.computed {
			t.Errorf("%s: base %v, computed %v, %v; want %v", tc.vector, got.Base, got.Computed, err, tc.computed)
		}
	}
}

func TestBase(t *testing.T) {
	for want, f := range map[float64]firmward.Finding{
		7.5: {Score: 7.5},
		9.8: {Score: 9.3, Threat: firmward.Threat{Scores: []firmward.Score{{Base: 5}, {Base: 9.3, Computed: 9.8}}}},
		4.3: {Score: 9, Threat: firmward.Threat{Scores: []firmward.Score{{Base: 9, Computed: 4.3}}}},
		0:   {},
	} {
		if got := priority.Base(f); got != want {
			t.Errorf("%+v: %v, want %v", f, got, want)
		}
	}
}

func FuzzParseVector(f *testing.F) {
	for _, s := range []string{"", "AV:N/AC:L/Au:N/C:C/I:C/A:C", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", "(/)", "CVSS:"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := priority.ParseVector(s)
		if err != nil {
			return
		}
		if b := v.Base(); b < 0 || b > 10 {
			t.Errorf("%q: base %v", s, b)
		}
		if _, err := priority.ParseVector(v.String()); err != nil {
			t.Errorf("%q became %q: %v", s, v, err)
		}
	})
}

func TestEnvironment(t *testing.T) {
	const (
		v2 = "AV:N/AC:L/Au:N/C:C/I:C/A:C"
		v3 = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
		v4 = "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N"
	)
	at := func(class firmward.Class, criticality int, e firmward.Exposure) priority.Setting {
		return priority.Setting{Class: class, Criticality: criticality}.In(e, "test")
	}
	for name, tc := range map[string]struct {
		s            priority.Setting
		vectors      []string
		exploitation string
		vector       string // after the base metrics
		score        float64
	}{
		"nothing is known":       {at("", 0, firmward.ExposureOpen), []string{v3}, "none", "", 9.8},
		"not exposed":            {at("", 0, firmward.ExposureControlled), []string{v3}, "none", "/MAV:A", 8.8},
		"contained":              {at("", 0, firmward.ExposureQuarantined), []string{v3}, "none", "/MAV:L", 8.4},
		"exploited camera":       {at(firmward.ClassCamera, 2, firmward.ExposureOpen), []string{v3}, "active", "/E:H/CR:H/IR:M/AR:L", 9.8},
		"proof of concept":       {at("", 0, firmward.ExposureOpen), []string{v3}, "poc", "/E:P", 9.3},
		"pump":                   {at(firmward.ClassInfusionPump, 5, firmward.ExposureControlled), []string{v4}, "active", "/E:A/CR:M/IR:H/AR:H/MAV:A/MSI:S/MSA:S", 0},
		"newest version decides": {at("", 0, firmward.ExposureOpen), []string{v2, v3, v4}, "poc", "/E:P", 0},
		"version 2":              {at(firmward.ClassPlug, 0, firmward.ExposureControlled), []string{v2}, "poc", "", 0},
	} {
		var scores []firmward.Score
		for _, v := range tc.vectors {
			scores = append(scores, firmward.Score{Vector: v, Base: 9.8})
		}
		got, err := tc.s.Environment(scores, tc.exploitation)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if tc.score != 0 && got.Score != tc.score || !strings.HasSuffix(got.Vector, tc.vector) || got.Score > 10 {
			t.Errorf("%s: %v %s, want %v …%s", name, got.Score, got.Vector, tc.score, tc.vector)
		}
		for _, d := range got.Derived {
			if !strings.Contains(got.Vector, "/"+d.Metric+":"+d.Value) || d.From == "" {
				t.Errorf("%s: %+v is not in %s", name, d, got.Vector)
			}
		}
	}
	got, err := at(firmward.ClassNAS, 0, firmward.ExposureOpen).Environment([]firmward.Score{{Vector: v4, Base: 9}}, "active")
	want := firmward.Environmental{
		Version: "4.0", Vector: v4 + "/E:A/CR:H/IR:H/AR:M", Base: 9.3, Stated: 9, Score: got.Score,
		Derived: []firmward.DerivedScore{
			{Metric: "CR", Value: "H", From: "class nas"},
			{Metric: "IR", Value: "H", From: "class nas"},
			{Metric: "AR", Value: "M", From: "class nas"},
			{Metric: "E", Value: "A", From: "exploitation active"},
		},
	}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("%v\n%s", err, d)
	}
	if _, err := at("", 0, firmward.ExposureOpen).Environment([]firmward.Score{{Base: 5}, {Vector: "CVSS:3.1/x"}}, "none"); err == nil {
		t.Error("no vector, and yet a score")
	}
}
