package control_test

import (
	"bytes"
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/control/controltest"
	"github.com/firmward/firmward/lab"
	"github.com/firmward/firmward/policy"
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
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { newFaultStory(t, file).play(string(text)) })
		})
	}
}

// TestRehearsalGoesOn: firmward is stopped and started again every so often while a rehearsal runs. It goes on where it was, the spare gets
// the image once for the update and once more after it went back, and the verdict is the same.
func TestRehearsalGoesOn(t *testing.T) {
	for _, every := range []time.Duration{20 * time.Second, 75 * time.Second, 4 * time.Minute} {
		t.Run(every.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { goesOn(t, every) })
		})
	}
}

func goesOn(t *testing.T, every time.Duration) {
	s := newFaultStory(t, "testdata/staging/way-back.txt")
	few := netip.MustParsePrefix("192.168.20.8/30")
	for _, name := range []string{"l-spare", "l-1"} {
		if _, err := s.lab.AddWLED(lab.WLEDSpec{Place: lab.Place{Name: name, Site: "home", Addr: map[string]netip.Addr{"l-spare": netip.MustParseAddr("192.168.20.9"), "l-1": netip.MustParseAddr("192.168.20.10")}[name]}}); err != nil {
			t.Fatal(err)
		}
	}
	pol, err := policy.Parse([]byte(faultPolicy), "faults.yaml")
	if err != nil {
		t.Fatal(err)
	}
	first := controltest.Open(t, func(cfg *control.Config) {
		cfg.Network, cfg.Lab, cfg.Policies = s.lab.Attach("home"), true, pol
	})
	ctx := t.Context()
	during := func(d time.Duration, do func(c *control.Control)) {
		c, err := control.New(first.Config)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(ctx)
		done := make(chan error, 1)
		go func() { done <- c.Run(ctx) }()
		do(c)
		time.Sleep(d)
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	if _, err := first.NameNetwork(ctx, anna, control.AddNetwork{Prefix: few, Site: "home", Profile: firmward.ProfileHome}); err != nil {
		t.Fatal(err)
	}
	var rel firmward.Release
	during(time.Second, func(c *control.Control) {
		for _, d := range (bubble{c, t, ctx}).scan(few) {
			spare := d.Name == "l-spare"
			if _, err := c.SetDevice(ctx, anna, d.ID, control.DeviceFacts{Spare: &spare}); err != nil {
				t.Fatal(err)
			}
		}
		l, _ := s.lab.Device("l-spare")
		image, err := l.Image("0.15.1")
		if err != nil {
			t.Fatal(err)
		}
		rel, err = c.ImportRelease(ctx, anna, firmward.Release{
			Family: "wled", Vendor: "WLED", Models: []string{"WLED ESP32"}, Hardware: []string{"esp32"}, Version: "0.15.1", FileName: "image.bin", Origin: "the lab",
		}, bytes.NewReader(image))
		if err != nil {
			t.Fatal(err)
		}
		if n, err := c.Rehearse(ctx, anna, rel.ID, "quick", false); n != 1 || err != nil {
			t.Fatalf("%d rehearsals, %v", n, err)
		}
	})
	starts := 0
	var verdicts []firmward.StagingVerdict
	for len(verdicts) == 0 && starts < 500 {
		starts++
		during(every, func(*control.Control) {})
		if verdicts, err = first.Store.StagingsOf(ctx, rel.SHA256); err != nil {
			t.Fatal(err)
		}
	}
	if len(verdicts) != 1 || verdicts[0].Result != "passed" {
		t.Fatalf("after %d starts: %+v", starts, verdicts)
	}
	l, _ := s.lab.Device("l-spare")
	var back bool
	for _, c := range verdicts[0].Checks {
		back = back || c.Name == "rollback" && c.Verdict == firmward.CheckPassed
	}
	if f := l.Facts(); len(f.Flashes) != 2 || f.InstalledVersion != "0.15.1" || !back {
		t.Errorf("after %d starts it runs %s, flashes %+v, went back: %v", starts, f.InstalledVersion, f.Flashes, back)
	}
	t.Logf("%d starts", starts)
}

// TestStagingExpires: under a policy that wants a verdict nobody gets an image that has none, or whose verdict has expired by the time that
// the device would start; and a rehearsal asked for by a person gives it.
func TestStagingExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFaultStory(t, "testdata/staging/way-back.txt")
		s.policy = strings.Replace(faultPolicy, "require-owner: false", "require-owner: false\n    require-staged: true\n    staging-valid: 2d", 1)
		s.device([]string{"light", "l-spare", "spare"})
		s.device([]string{"light", "l-1"})
		s.release([]string{"release", "l-1", "0.15.1"})
		h := s.house
		p, err := h.PlanRollout(h.ctx, anna, s.rel.ID, "quick", firmward.Filter{})
		s.must(err)
		if why := refusal(p, s.ids["l-1"]); len(p.Targets) != 0 || !strings.Contains(why, "firmward staging run "+s.rel.ID) {
			t.Errorf("%d targets, %s", len(p.Targets), why)
		}
		rehearse := func() {
			t.Helper()
			if n, err := h.Rehearse(h.ctx, anna, s.rel.ID, "quick", false); n != 1 || err != nil {
				t.Fatalf("%d rehearsals, %v", n, err)
			}
			time.Sleep(2 * time.Hour)
			if v := s.judged(); v.Result != "passed" || v.Expires.Sub(v.At) != 48*time.Hour {
				t.Fatalf("%+v", v)
			}
		}
		rehearse()
		p, err = h.PlanRollout(h.ctx, anna, s.rel.ID, "quick", firmward.Filter{})
		s.must(err)
		if len(p.Targets) != 1 || p.Rollout.Staging != "passed" || len(p.Rollout.Covered) != 1 || p.Rollout.Covered[0].Devices != 1 || p.Rollout.Covered[0].Verdict == "" {
			t.Fatalf("%+v", p)
		}
		time.Sleep(3 * 24 * time.Hour)
		_, err = h.SteerRollout(h.ctx, anna, p.Rollout.ID, "start", "")
		s.must(err)
		time.Sleep(2 * time.Hour)
		target, err := h.Store.Target(h.ctx, p.Rollout.ID, s.ids["l-1"])
		s.must(err)
		if target.State != firmward.TargetPending || target.Code != "not-staged" || !strings.Contains(target.Why, "has expired") {
			t.Errorf("%s %s: %s", target.State, target.Code, target.Why)
		}
	})
}

func refusal(p control.Plan, device string) string {
	for _, r := range p.Refusals {
		if r.DeviceID == device {
			return r.Code + ": " + r.Why
		}
	}
	return ""
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
