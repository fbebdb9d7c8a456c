package control_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/store"
)

// holed is a house with two plugs of which a release is said to close two holes, started.
func holed(t *testing.T, advisories ...string) *faultStory {
	t.Helper()
	s := plugHouse(t, 2, "")
	for _, a := range advisories {
		s.advisory(append([]string{"advisory"}, strings.Fields(a)...))
	}
	s.release([]string{"release", "p1", "1.4.4", "closes=CVE-2031-0002"})
	return s
}

// canary is the target of the canary wave.
func (s *faultStory) canary() firmward.Target {
	s.t.Helper()
	first := 0
	all, _, err := s.house.Store.Targets(s.house.ctx, s.ro, store.TargetFilter{Wave: &first}, store.Page{})
	s.must(err)
	if len(all) != 1 {
		s.t.Fatalf("%d canaries", len(all))
	}
	return all[0]
}

// TestStillOpen: one of two holes is closed by the version that a probe read, the other is not: the leaf names both, the store says the same by the same
// observation, and the next wave opens only after a person has said why that suffices.
func TestStillOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := holed(t, "CVE-2031-0001 p1 fixed=1.4.4", "CVE-2031-0002 p1")
		s.start()
		s.until("ended")
		g, ctx := s.canary(), s.house.ctx
		if g.State != firmward.TargetSucceeded || g.Code != "still-open" || !slices.Equal(g.Closed(), []string{"CVE-2031-0001"}) || !slices.Equal(g.StillOpen, []string{"CVE-2031-0002"}) {
			t.Errorf("%+v", g)
		}
		leaves := s.house.leaves("target-succeeded")
		if len(leaves) != 1 || leaves[0].Detail["closed"] != "CVE-2031-0001" || leaves[0].Detail["still-open"] != "CVE-2031-0002" || leaves[0].Detail["code"] != "still-open" {
			t.Errorf("%+v", leaves)
		}
		f, err := s.house.Store.Finding(ctx, g.DeviceID, "CVE-2031-0001")
		s.must(err)
		if f.Open() || f.Firmware != "1.4.4" || !strings.HasPrefix(f.ClosedBy, "obs-") {
			t.Errorf("the finding: %+v", f)
		}
		r, err := s.house.Store.Rollout(ctx, s.ro)
		s.must(err)
		if r.State != firmward.RolloutPaused || !r.Unsure || r.StillOpen != 1 {
			t.Errorf("%s %v %d: %s", r.State, r.Unsure, r.StillOpen, r.Why)
		}
		if _, err := s.house.SteerRollout(ctx, anna, s.ro, "resume", ""); firmward.CodeOf(err) != firmward.Invalid {
			t.Errorf("resumed without a reason: %v", err)
		}
		_, err = s.house.SteerRollout(ctx, anna, s.ro, "resume", "the vendor confirms the fix, the record is wrong")
		s.must(err)
		s.until("ended")
		r, err = s.house.Store.Rollout(ctx, s.ro)
		s.must(err)
		if r.State != firmward.RolloutFinished || r.Succeeded != 2 || r.StillOpen != 1 || !strings.Contains(r.Why, "on 1 device of wave 1") {
			t.Errorf("%s %d %d: %s", r.State, r.Succeeded, r.StillOpen, r.Why)
		}
	})
}

// TestReassessedAtTheSoak: what sources learn while a wave soaks counts, in the record too.
func TestReassessedAtTheSoak(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := holed(t, "CVE-2031-0002 p1 fixed=1.4.4")
		s.start()
		for range 40 {
			if s.canary().State == firmward.TargetSucceeded {
				break
			}
			time.Sleep(30 * time.Second)
		}
		if g := s.canary(); g.Code != "" || !strings.HasSuffix(g.Why, "services answer as before; closed: CVE-2031-0002") || !g.SoakedAt.IsZero() {
			t.Fatalf("before the soak: %+v", g)
		}
		s.advisory([]string{"advisory", "CVE-2031-0002", "p1"}) // a new record: the fix does not help
		s.until("ended")
		if g := s.canary(); g.Code != "still-open" || g.SoakedAt.IsZero() || len(g.Closed()) > 0 {
			t.Errorf("after the soak: %+v", g)
		}
		if leaves := s.house.leaves("target-succeeded"); len(leaves) != 2 {
			t.Errorf("%d leaves: %+v", len(leaves), leaves)
		}
		r, err := s.house.Store.Rollout(s.house.ctx, s.ro)
		s.must(err)
		if r.State != firmward.RolloutPaused || r.StillOpen != 1 {
			t.Errorf("%s %d: %s", r.State, r.StillOpen, r.Why)
		}
	})
}

// TestExcusedIsNotWaitedFor: what somebody has recorded as wrong or accepted holds nobody up.
func TestExcusedIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := holed(t, "CVE-2031-0001 p1 fixed=1.4.4", "CVE-2031-0002 p1")
		for _, name := range []string{"p1", "p2"} {
			_, err := s.house.AcceptRisk(s.house.ctx, anna, firmward.Exception{
				Kind: firmward.Accept, Advisory: "CVE-2031-0002", Reason: "no attacker gets there", Expires: time.Now().AddDate(0, 6, 0),
			}, name)
			s.must(err)
		}
		s.start()
		s.until("ended")
		r, err := s.house.Store.Rollout(s.house.ctx, s.ro)
		s.must(err)
		if g := s.canary(); r.State != firmward.RolloutFinished || g.Code != "" || !slices.Equal(g.Closes, []string{"CVE-2031-0001"}) {
			t.Errorf("%s (%s): %+v", r.State, r.Why, g)
		}
	})
}

// advisory imports "advisory ID NAME [fixed=VERSION]": a hole in the device NAME and all like it, in every version unless one repairs it.
func (s *faultStory) advisory(words []string) {
	s.settle()
	d, below := s.known(words[2]), "*"
	if len(words) > 3 {
		below = strings.TrimPrefix(words[3], "fixed=")
	}
	path := filepath.Join(s.t.TempDir(), "records.jsonl")
	s.must(os.WriteFile(path, holeRecord(words[1], s.house.Catalog.Model(d), below), 0o600))
	_, err := s.house.ImportFeed(s.house.ctx, anna, "", path, words[1]+".jsonl")
	s.must(err)
	synctest.Wait()
	f, err := s.house.Store.Finding(s.house.ctx, d.ID, words[1])
	s.must(err)
	if !f.Open() {
		s.fail("%s does not concern %s: %+v", words[1], words[2], f)
	}
}

// holeRecord is a record of the CVE programme: a hole in all versions of a model below one.
func holeRecord(id string, m firmward.Model, below string) []byte {
	return fmt.Appendf(nil, `{"dataType":"CVE_RECORD","dataVersion":"5.1","cveMetadata":{"cveId":%q,"state":"PUBLISHED","datePublished":"1999-01-04T10:00:00Z"},`+
		`"containers":{"cna":{"descriptions":[{"lang":"en","value":"A door stands open."}],"affected":[{"vendor":%q,"product":%q,"cpes":[%q],`+
		`"versions":[{"version":"0","lessThan":%q,"status":"affected","versionType":"semver"}]}]}}}`, id, m.Vendor, m.Name, m.CPE[0], below)
}

// known is what firmward knows of a device.
func (s *faultStory) known(name string) firmward.Device {
	s.t.Helper()
	d, err := s.house.Store.Device(s.house.ctx, s.ids[name])
	s.must(err)
	return d
}

// findHole imports the hole and waits until it is found on a device.
func findHole(t *testing.T, c *control.Control, d firmward.Device) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "records.jsonl")
	if err := os.WriteFile(path, holeRecord(hole, c.Catalog.Model(d), "*"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := c.ImportFeed(t.Context(), anna, "", path, "records.jsonl"); err != nil {
		t.Fatal(err)
	}
	if !awhile(t, func() bool {
		n, _, err := c.Store.Findings(t.Context(), store.FindingFilter{Advisory: hole}, store.Page{})
		return err == nil && len(n) > 0 && slices.ContainsFunc(n, func(f firmward.Finding) bool { return f.DeviceID == d.ID && f.Open() })
	}) {
		t.Fatal(hole + " is not found")
	}
}

// hole is a hole that by what is known is in every version.
const hole = "CVE-2031-0002"
