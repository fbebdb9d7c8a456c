package control_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/firmward/firmward"
)

// TestStaging plays each file of testdata/staging: a release is rehearsed on a spare of the lab, real protocol bytes, in a bubble.
func TestStaging(t *testing.T) {
	files, err := filepath.Glob("testdata/staging/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal(len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { newFaultStory(t, file).play(string(text)) })
		})
	}
}

// judged is the one verdict on the story's release that was made on a device, or the one that says why there is none.
func (s *faultStory) judged() firmward.StagingVerdict {
	s.t.Helper()
	all, err := s.house.Store.StagingsOf(s.house.ctx, s.rel.SHA256)
	s.must(err)
	for _, v := range all {
		if v.SpareID != "" || len(all) == 1 {
			return v
		}
	}
	s.t.Fatalf("%s:%d: %d verdicts, none of a device", s.file, s.line, len(all))
	return firmward.StagingVerdict{}
}

// verdict compares the verdict, and checks one of its checks, its gaps or its differences.
func (s *faultStory) verdict(result, why string) {
	s.t.Helper()
	v := s.judged()
	s.t.Logf("verdict %s: %s", v.Result, v.Why)
	for _, c := range v.Checks {
		s.t.Logf("  %-18s %-10s %s", c.Name, c.Verdict, c.Why)
	}
	if v.Result != result || !strings.Contains(v.Why, why) {
		s.fail("the verdict is %s: %s", v.Result, v.Why)
	}
	if v.SpareID != "" && v.Config.Class == "" || v.Result == "passed" && !v.Expires.After(v.At) {
		s.fail("a verdict is bound to a configuration and expires: %+v", v)
	}
}

func (s *faultStory) checked(name, want string) {
	s.t.Helper()
	verdict, why, _ := strings.Cut(want, " ")
	for _, c := range s.judged().Checks {
		if c.Name == name && c.Verdict == verdict && strings.Contains(c.Why, why) {
			return
		}
	}
	s.fail("no check %s is %s: %s", name, verdict, why)
}

// differs looks for a cluster whose representative differs from it so.
func (s *faultStory) differs(want string) {
	s.t.Helper()
	plan, err := s.house.StagingPlan(s.house.ctx, s.rel.ID, "", firmward.Filter{})
	s.must(err)
	for _, c := range plan {
		if c.By != nil && strings.Contains(strings.Join(c.By.Differences, "\n"), want) {
			return
		}
	}
	s.fail("no cluster of %d differs so", len(plan))
}
