package storetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/store"
)

var work = []check{
	{"releases and staging", releases},
	{"rehearsals", rehearsals},
	{"rollouts", rollouts},
	{"targets", targets},
	{"targets counted", counted},
	{"rollouts to end", ending},
	{"strays", strays},
	{"claims", claims},
	{"claims of many", holdMany},
	{"grants", grants},
	{"claims race", func(t *testing.T, s *store.Store) { claimsRace(t, s, s) }},
	{"shares", shares},
	{"shares race", func(t *testing.T, s *store.Store) { sharesRace(t, s, s) }},
	{"optimistic versions race", versionsRace},
	{"work orders and containments", orders},
	{"next steps", steps},
	{"outbox", outbox},
	{"leases race", func(t *testing.T, s *store.Store) { leaseRace(t, s, s) }},
}

// Shared checks that two servers on one database do not do the same thing twice.
func Shared(t *testing.T, a, b *store.Store) {
	t.Run("claims", func(t *testing.T) { claimsRace(t, a, b) })
	t.Run("shares", func(t *testing.T) { sharesRace(t, a, b) })
	t.Run("leases", func(t *testing.T) { leaseRace(t, a, b) })
	t.Run("sequencer", func(t *testing.T) { sequenceRace(t, a, b) })
}

func grants(t *testing.T, s *store.Store) {
	g := store.Grant{Path: "/f/A/fw.bin", SHA256: "aa", Addr: addr("10.0.0.7"), Expires: t0.Add(time.Hour)}
	late := store.Grant{Path: "/f/B/fw.bin", SHA256: "bb", Addr: addr("fd00::7"), Expires: t0.Add(2 * time.Hour)}
	write(t, s, func(tx *store.Tx) error {
		return errors.Join(tx.PutGrant(t.Context(), g, t0), tx.PutGrant(t.Context(), late, t0))
	})
	diff(t, "both hold", []store.Grant{g, late}, must[[]store.Grant](t)(s.Grants(t.Context(), t0)))
	diff(t, "one has expired", []store.Grant{late}, must[[]store.Grant](t)(s.Grants(t.Context(), g.Expires)))
	write(t, s, func(tx *store.Tx) error { return tx.PutGrant(t.Context(), late, g.Expires) })
	diff(t, "it is forgotten", []store.Grant{late}, must[[]store.Grant](t)(s.Grants(t.Context(), t0)))
}

func releases(t *testing.T, s *store.Store) {
	ctx := t.Context()
	rel := firmward.Release{ID: "rel-1", Family: "axis", Models: []string{"M3045"}, SHA256: "aa", Size: 1 << 40, Published: t0}
	verdict := firmward.StagingVerdict{SHA256: "aa", Path: "push", Model: "M3045", Hardware: "1", Result: "passed", At: t0}
	write(t, s, func(tx *store.Tx) error { return errors.Join(tx.PutRelease(ctx, rel), tx.PutStaging(ctx, verdict)) })
	diff(t, "release", rel, must[firmward.Release](t)(s.Release(ctx, "rel-1")))
	loader := firmward.Release{
		ID: "rel-2", Family: "mikrotik", Models: []string{"RB750"}, SHA256: "bb", Version: "7.12", MinFrom: "6.49", MaxFrom: "7.11", Floor: "7.0", Part: "bootloader",
		Variant: "long-term", FromVariants: []string{"stable"}, WipesConfig: true, MayDowngrade: true, Needs: []firmward.Need{{Part: "firmware", AtLeast: "7.0"}},
	}
	write(t, s, func(tx *store.Tx) error { return tx.PutRelease(ctx, loader) })
	diff(t, "the ways to a release", loader, must[firmward.Release](t)(s.Release(ctx, "rel-2")))
	withdraw := func(tx *store.Tx) error {
		_, err := tx.WithdrawRelease(ctx, "rel-1", "bricks", t0)
		return err
	}
	write(t, s, withdraw)
	wantCode(t, s.Tx(ctx, withdraw), firmward.Conflict)
	no := false
	if got, _, err := s.Releases(ctx, store.ReleaseFilter{Family: "axis", Withdrawn: &no}, store.Page{}); err != nil || len(got) != 0 {
		t.Errorf("valid releases: %v, %v", got, err)
	}
	other := verdict
	other.Config = firmward.ConfigClass{Class: "c1", Has: []string{"answers http"}}
	write(t, s, func(tx *store.Tx) error { return tx.PutStaging(ctx, other) })
	diff(t, "staging", []firmward.StagingVerdict{verdict, other}, must[[]firmward.StagingVerdict](t)(s.Stagings(ctx, "aa", "push", "M3045", "1")))
	diff(t, "of a file", []firmward.StagingVerdict{verdict, other}, must[[]firmward.StagingVerdict](t)(s.StagingsOf(ctx, "aa")))
	if got := must[[]firmward.StagingVerdict](t)(s.Stagings(ctx, "aa", "push", "M3045", "2")); len(got) != 0 {
		t.Errorf("of another revision: %v", got)
	}
	all, next, err := s.AllStagings(ctx, store.Page{Limit: 1})
	rest, _, err2 := s.AllStagings(ctx, store.Page{After: next})
	diff(t, "page by page", []firmward.StagingVerdict{verdict, other}, append(all, rest...))
	if err != nil || err2 != nil {
		t.Error(err, err2)
	}
}

func rehearsals(t *testing.T, s *store.Store) {
	ctx := t.Context()
	reh := firmward.Rehearsal{
		RolloutID: "stage-1", ReleaseID: "rel-1", DeviceID: "dev-1", Place: firmward.PlaceSpare, Phase: firmward.RehearseBefore, Since: t0,
		Before: firmward.TestPack{At: t0, Settings: map[string]string{"a": "1"}, Probes: []firmward.ProbeResult{{Probe: "http", Took: time.Second}}},
	}
	put := func() { write(t, s, func(tx *store.Tx) error { return tx.PutRehearsal(ctx, reh) }) }
	put()
	diff(t, "rehearsal", reh, must[firmward.Rehearsal](t)(s.Rehearsal(ctx, "stage-1")))
	diff(t, "open", []firmward.Rehearsal{reh}, must[[]firmward.Rehearsal](t)(s.OpenRehearsals(ctx, "")))
	diff(t, "open ones of another release", 0, len(must[[]firmward.Rehearsal](t)(s.OpenRehearsals(ctx, "rel-2"))))
	reh.Phase = firmward.RehearseDone
	put()
	diff(t, "none is open", 0, len(must[[]firmward.Rehearsal](t)(s.OpenRehearsals(ctx, ""))))
	diff(t, "it stays", reh, must[firmward.Rehearsal](t)(s.Rehearsal(ctx, "stage-1")))
	_, err := s.Rehearsal(ctx, "stage-2")
	wantCode(t, err, firmward.NotFound)
}

func putRollout(t *testing.T, s *store.Store, r firmward.Rollout) (firmward.Rollout, error) {
	err := s.Tx(t.Context(), func(tx *store.Tx) (err error) {
		r, err = tx.PutRollout(t.Context(), r)
		return err
	})
	return r, err
}

func rollouts(t *testing.T, s *store.Store) {
	ctx := t.Context()
	r := firmward.Rollout{
		ID: "r1", ReleaseID: "rel-1", State: firmward.RolloutRunning, Policy: firmward.RolloutPolicy{Waves: firmward.Percents(10, 100), CanarySoak: time.Hour},
		Approvals: []firmward.Approval{{Actor: "eva", At: t0}}, Created: t0,
	}
	r = must[firmward.Rollout](t)(putRollout(t, s, r))
	diff(t, "rollout", r, must[firmward.Rollout](t)(s.Rollout(ctx, "r1")))
	old := r
	r.Started = 1
	r = must[firmward.Rollout](t)(putRollout(t, s, r))
	_, err := putRollout(t, s, old)
	wantCode(t, err, firmward.Conflict)
	_, err = putRollout(t, s, firmward.Rollout{ID: "r1"})
	wantCode(t, err, firmward.Conflict)
	got := each(t, 1, func(p store.Page) ([]firmward.Rollout, string, error) {
		return s.Rollouts(ctx, store.RolloutFilter{States: []firmward.RolloutState{firmward.RolloutRunning, firmward.RolloutPaused}}, p)
	})
	diff(t, "running", []firmward.Rollout{r}, got)
}

func targets(t *testing.T, s *store.Store) {
	ctx := t.Context()
	var list []firmward.Target
	for i := range 10 {
		list = append(list, firmward.Target{RolloutID: "r1", DeviceID: fmt.Sprintf("d%d", i), Wave: i % 2, State: firmward.TargetPending, Baseline: []firmward.ServiceState{{Probe: "rtsp", OK: true}}})
	}
	list[3].State, list[3].NextDue = firmward.TargetInstalling, t0
	write(t, s, func(tx *store.Tx) error { return tx.PutTargets(ctx, list) })
	diff(t, "target", list[3], must[firmward.Target](t)(s.Target(ctx, "r1", "d3")))
	wave := 1
	for _, c := range []struct {
		want int
		f    store.TargetFilter
	}{{10, store.TargetFilter{}}, {5, store.TargetFilter{Wave: &wave}}, {9, store.TargetFilter{State: firmward.TargetPending}}} {
		got := each(t, 3, func(p store.Page) ([]firmward.Target, string, error) { return s.Targets(ctx, "r1", c.f, p) })
		if len(got) != c.want {
			t.Errorf("%+v: %d, want %d", c.f, len(got), c.want)
		}
	}
	diff(t, "counts", map[firmward.TargetState]int{firmward.TargetPending: 9, firmward.TargetInstalling: 1}, must[map[firmward.TargetState]int](t)(s.CountTargets(ctx, "r1")))
}

func strays(t *testing.T, s *store.Store) {
	ctx := t.Context()
	write(t, s, func(tx *store.Tx) error {
		return errors.Join(tx.CountStray(ctx, "late", 2, t0), tx.CountStray(ctx, "finished", 1, t0), tx.CountStray(ctx, "late", 3, t0.Add(time.Hour)))
	})
	diff(t, "strays", []store.Stray{{Why: "finished", N: 1, Last: t0}, {Why: "late", N: 5, Last: t0.Add(time.Hour)}}, must[[]store.Stray](t)(s.Strays(ctx)))
}

func claims(t *testing.T, s *store.Store) {
	ctx := t.Context()
	claim := func(device, group, rollout string) error {
		return hold(t, s, rollout, store.Claimant{Device: device, Group: group})
	}
	if err := errors.Join(claim("a", "core", "r1"), claim("a", "core", "r1")); err != nil {
		t.Error(err)
	}
	wantCode(t, claim("a", "", "r2"), firmward.Conflict)
	wantCode(t, claim("b", "core", "r1"), firmward.Conflict)
	if n := len(must[[]store.Claim](t)(s.ClaimsOf(ctx, ""))); n != 2 {
		t.Errorf("%d claims: a refused claim must leave nothing", n)
	}
	write(t, s, func(tx *store.Tx) error { return tx.Unclaim(ctx, "r1", "a") })
	if err := claim("b", "core", "r2"); err != nil {
		t.Error(err)
	}
}

// race runs f n times at once.
func race(n int, f func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { f(i) })
	}
	wg.Wait()
}

func claimsRace(t *testing.T, a, b *store.Store) {
	var mu sync.Mutex
	won := map[string]int{}
	race(8, func(i int) {
		s := []*store.Store{a, b}[i%2]
		for d := range 10 {
			device := fmt.Sprintf("race%d", d)
			err := hold(t, s, fmt.Sprintf("r%d", i), store.Claimant{Device: device})
			if err == nil {
				mu.Lock()
				won[device]++
				mu.Unlock()
			} else if firmward.CodeOf(err) != firmward.Conflict {
				t.Error(err)
			}
		}
	})
	for device, n := range won {
		if n != 1 {
			t.Errorf("%s was claimed %d times", device, n)
		}
	}
	if len(won) != 10 {
		t.Errorf("%d devices were claimed", len(won))
	}
}

func versionsRace(t *testing.T, s *store.Store) {
	r := must[firmward.Rollout](t)(putRollout(t, s, firmward.Rollout{ID: "r1"}))
	var mu sync.Mutex
	won := 0
	race(8, func(int) {
		_, err := putRollout(t, s, r)
		mu.Lock()
		defer mu.Unlock()
		if err == nil {
			won++
		} else if firmward.CodeOf(err) != firmward.Conflict {
			t.Error(err)
		}
	})
	if won != 1 {
		t.Errorf("%d of 8 changed the same version", won)
	}
}

func orders(t *testing.T, s *store.Store) {
	ctx := t.Context()
	w := firmward.WorkOrder{ID: "w1", DeviceID: "a", State: firmward.WorkOpen, Instruction: firmward.Instruction{Steps: []string{"unplug"}}, Due: t0}
	c := firmward.Containment{ID: "c1", DeviceID: "a", State: firmward.ContainApplied, Rules: []firmward.AccessRule{{Device: addr("10.0.0.5"), Direction: "from"}}}
	write(t, s, func(tx *store.Tx) error { return errors.Join(tx.PutWorkOrder(ctx, w), tx.PutContainment(ctx, c)) })
	yes := true
	gotW, _, err := s.WorkOrders(ctx, store.WorkOrderFilter{Device: "a", Open: &yes, DueBy: t0}, store.Page{})
	diff(t, "work orders", []firmward.WorkOrder{w}, gotW)
	gotC, _, err2 := s.Containments(ctx, store.ContainmentFilter{Device: "a", Open: &yes}, store.Page{})
	diff(t, "containments", []firmward.Containment{c}, gotC)
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	w.State, c.EndedAt = firmward.WorkDone, t0
	write(t, s, func(tx *store.Tx) error { return errors.Join(tx.PutWorkOrder(ctx, w), tx.PutContainment(ctx, c)) })
	gotW, _, err = s.WorkOrders(ctx, store.WorkOrderFilter{Open: &yes}, store.Page{})
	gotC, _, err2 = s.Containments(ctx, store.ContainmentFilter{Open: &yes}, store.Page{})
	if err := errors.Join(err, err2); err != nil || len(gotW)+len(gotC) != 0 {
		t.Errorf("still open: %v %v %v", gotW, gotC, err)
	}
}

func steps(t *testing.T, s *store.Store) {
	ctx := t.Context()
	step := func(id string, risk int, by time.Time, kind firmward.StepKind) firmward.NextStep {
		urgency := firmward.AtNextCheck
		if risk > 70 {
			urgency = firmward.ThisWeek
		}
		return firmward.NextStep{DeviceID: id, Risk: risk, Urgency: urgency, Now: firmward.Phase{Kind: kind, By: by}, Then: &firmward.Phase{Kind: firmward.StepReplace}}
	}
	put(t, s, t0, device("a", nil), device("b", nil))
	write(t, s, func(tx *store.Tx) error {
		return errors.Join(tx.PutNextStep(ctx, step("a", 50, time.Time{}, firmward.StepAsk)), tx.PutNextStep(ctx, step("b", 50, t0.Add(time.Hour), firmward.StepAsk)),
			tx.PutNextStep(ctx, step("c", 90, time.Time{}, firmward.StepPatch)), tx.PutNextStep(ctx, step("d", 50, t0, firmward.StepWait)),
			tx.PutNextStep(ctx, step("c", 71, t0.Add(time.Hour), firmward.StepPatch)), tx.PutNextStep(ctx, step("e", 60, time.Time{}, firmward.StepAsk)),
			tx.PutNextStep(ctx, step("f", 1, t0.Add(-48*time.Hour), firmward.StepReplace)))
	})
	order := func(f store.StepFilter) (out string) {
		for _, v := range each(t, 1, func(p store.Page) ([]firmward.NextStep, string, error) { return s.NextSteps(ctx, f, p) }) {
			out += v.DeviceID
		}
		return out
	}
	for want, f := range map[string]store.StepFilter{"fcbead": {}, "ba": {Site: "home"}, "d": {Bucket: "watch"}, "c": {Kind: firmward.StepPatch}} {
		if got := order(f); got != want {
			t.Errorf("%+v: %s, want %s", f, got, want)
		}
	}
	diff(t, "counts", []store.StepCount{{Kind: firmward.StepAsk, Bucket: "plan", N: 3}, {Kind: firmward.StepPatch, Bucket: "act-now", N: 1}, {Kind: firmward.StepReplace, Bucket: "plan", N: 1}, {Kind: firmward.StepWait, Bucket: "watch", N: 1}}, must[[]store.StepCount](t)(s.CountSteps(ctx)))
	put(t, s, t0, device("a", func(d *firmward.Device) { d.Site = "moved" }))
	if got := order(store.StepFilter{Site: "moved"}); got != "a" {
		t.Errorf("after the device moved: %q", got)
	}
}
