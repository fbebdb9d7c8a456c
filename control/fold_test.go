package control_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/control/controltest"
	"github.com/firmward/firmward/rollout"
	"github.com/firmward/firmward/store"
)

// rows is a control over a rollout whose rows were written as they are: nothing runs, and no device is there but in the store.
type rows struct {
	*control.Control
	t    testing.TB
	path string
	ids  []string
	r    firmward.Rollout
}

const rowsID = "ro-rows"

// openRows writes n devices that wait for their turn in wave 1 of a running rollout. site says where each stands.
func openRows(t testing.TB, n int, policy firmward.RolloutPolicy, site func(i int) string, change ...func(*control.Config)) *rows {
	t.Helper()
	path := filepath.Join(t.TempDir(), "firmward.db")
	return openRowsIn(t, store.Options{URL: path}, n, policy, site, change...)
}

func openRowsIn(t testing.TB, o store.Options, n int, policy firmward.RolloutPolicy, site func(i int) string, change ...func(*control.Config)) *rows {
	t.Helper()
	w := rowsIn(t, o, change...)
	s := w.Store
	policy.Name, policy.Deadline, policy.FailureBudget = "p", max(policy.Deadline, time.Hour), 100
	w.r = firmward.Rollout{ID: rowsID, ReleaseID: "rel-1", Policy: policy, State: firmward.RolloutRunning, Wave: 1, Waves: 2, Total: n, WaveOpen: w.Clock.Now()}
	w.must(s.Tx(t.Context(), func(tx *store.Tx) error {
		var targets []firmward.Target
		for i := range n {
			d := firmward.Device{ID: fmt.Sprintf("dev-%05d", i), Name: fmt.Sprintf("plug %d", i), Model: "M1", Firmware: "1.0", Origin: firmward.OriginSeen, Site: site(i)}
			if err := tx.PutDevice(t.Context(), d, store.Change{Actor: "test"}); err != nil {
				return err
			}
			w.ids = append(w.ids, d.ID)
			targets = append(targets, firmward.Target{RolloutID: rowsID, DeviceID: d.ID, Wave: 1, State: firmward.TargetPending, Model: "M1", From: "1.0", Want: "2.0"})
		}
		if _, err := tx.PutRollout(t.Context(), w.r); err != nil {
			return err
		}
		if err := tx.PutRelease(t.Context(), firmward.Release{ID: "rel-1", Models: []string{"M1"}, Version: "2.0"}); err != nil {
			return err
		}
		return tx.PutTargets(t.Context(), targets)
	}))
	return w
}

// rowsIn is what is in a database already.
func rowsIn(t testing.TB, o store.Options, change ...func(*control.Config)) *rows {
	t.Helper()
	w := &rows{t: t, path: o.URL}
	s, err := store.Open(t.Context(), o)
	w.must(err)
	t.Cleanup(func() { s.Close() })
	w.Control = controltest.Open(t, func(cfg *control.Config) {
		cfg.Store = s
		for _, f := range change {
			f(cfg)
		}
	})
	return w
}

func anywhere(int) string { return "home" }

func (w *rows) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *rows) target(id string) firmward.Target {
	w.t.Helper()
	g, err := w.Store.Target(w.t.Context(), rowsID, id)
	w.must(err)
	return g
}

// fold saves events of which none may fail.
func (w *rows) fold(some ...control.Happening) {
	w.t.Helper()
	errs, err := w.Fold(w.t.Context(), rowsID, false, some...)
	w.must(err)
	for _, err := range errs {
		w.must(err)
	}
}

// start starts devices.
func (w *rows) start(ids ...string) {
	w.t.Helper()
	var some []control.Happening
	for _, id := range ids {
		some = append(some, control.Happening{Device: id, Event: rollout.Event{Kind: rollout.Start}})
	}
	w.fold(some...)
}

// answer is the outcome of the last command of a device.
func (w *rows) answer(id string, ev rollout.Event) control.Happening {
	w.t.Helper()
	ev.Command = w.target(id).Command
	return control.Happening{Device: id, Command: ev.Command, Event: ev}
}

// counts compares the header with what its targets say, and claims with who is in flight.
func (w *rows) counts() firmward.Rollout {
	w.t.Helper()
	r, err := w.Store.Rollout(w.t.Context(), rowsID)
	w.must(err)
	states, err := w.Store.CountTargets(w.t.Context(), rowsID)
	w.must(err)
	flying := 0
	for state, n := range states {
		if state.InFlight() {
			flying += n
		}
	}
	claims, err := w.Store.ClaimsOf(w.t.Context(), rowsID)
	w.must(err)
	held := 0
	for _, c := range claims {
		if c.Kind == store.ClaimDevice {
			held++
		}
	}
	if r.InFlight != flying || held != flying || r.Succeeded != states[firmward.TargetSucceeded] || r.Failed != states[firmward.TargetFailed] {
		w.t.Errorf("the header counts %d in flight, %d succeeded, %d failed; targets say %v, %d devices are claimed", r.InFlight, r.Succeeded, r.Failed, states, held)
	}
	return r
}

var ready = rollout.Event{Kind: rollout.PreflightOK, Seen: rollout.Seen{Reachable: true, SameDevice: true, Version: "1.0"}}

// TestFold: what arrives while the store is busy goes into one transaction, 256 events at most, and one that comes alone into its own.
// Header, targets, claims, commands and leaves say the same afterwards.
func TestFold(t *testing.T) {
	const n = 300
	w := openRows(t, n, firmward.RolloutPolicy{MaxInFlight: n}, anywhere)
	before := w.Store.Commits()
	w.start(w.ids[:control.FoldAtOnce]...)
	w.start(w.ids[control.FoldAtOnce:]...)
	if got := w.Store.Commits() - before; got != 2 {
		t.Errorf("%d devices were started in %d transactions", n, got)
	}
	before = w.Store.Commits()
	w.must(w.Report(t.Context(), rowsID, w.answer(w.ids[0], ready)))
	if got := w.Store.Commits() - before; got != 1 {
		t.Errorf("one outcome took %d transactions", got)
	}
	var answers []control.Happening
	for _, id := range w.ids[1:] {
		answers = append(answers, w.answer(id, ready))
	}
	before = w.Store.Commits()
	var all sync.WaitGroup
	w.must(w.Store.Tx(t.Context(), func(*store.Tx) error { // the store is busy while they arrive
		arrived := make(chan bool, len(answers))
		for _, h := range answers {
			all.Go(func() {
				arrived <- true
				if err := w.Report(t.Context(), rowsID, h); err != nil {
					t.Error(err)
				}
			})
		}
		for range answers {
			<-arrived
		}
		return nil
	}))
	all.Wait()
	if got := w.Store.Commits() - before - 1; got > 20 { // a handful in fact; how many came before the first began is the scheduler's
		t.Errorf("%d outcomes took %d transactions", len(answers), got)
	}
	if r := w.counts(); r.InFlight != n || r.Started != n {
		t.Errorf("%d in flight, %d started", r.InFlight, r.Started)
	}
	commands, leaves := map[string]int{}, 0
	for c, err := range store.All(func(p store.Page) ([]store.Command, string, error) {
		return w.Store.Commands(t.Context(), "", rowsID, p)
	}) {
		w.must(err)
		commands[c.Kind+" "+string(c.State)+" "+c.Outcome]++
	}
	if diff := cmp.Diff(map[string]int{"preflight done preflight-ok": n, "install queued ": n}, commands); diff != "" {
		t.Error(diff)
	}
	_, _, err := w.Store.Sequence(t.Context(), time.Now(), w.Signer)
	w.must(err)
	for from := int64(0); ; {
		some, err := w.Store.Leaves(t.Context(), from, 1000)
		w.must(err)
		if len(some) == 0 {
			break
		}
		for _, l := range some {
			from = l.Seq + 1
			if l.Action == "target-claimed" || l.Action == "target-installing" {
				leaves++
			}
		}
	}
	if leaves != 2*n {
		t.Errorf("%d leaves of %d changes", leaves, 2*n)
	}
}

// TestFoldPoison: a target that cannot be read holds no other back.
func TestFoldPoison(t *testing.T) {
	w := openRows(t, 6, firmward.RolloutPolicy{MaxInFlight: 6}, anywhere)
	w.start(w.ids...)
	var answers []control.Happening
	for _, id := range w.ids {
		answers = append(answers, w.answer(id, ready))
	}
	db, err := sql.Open("sqlite", w.path)
	w.must(err)
	defer db.Close()
	_, err = db.ExecContext(t.Context(), "UPDATE target SET body = '{' WHERE device = $1", w.ids[2])
	w.must(err)
	errs, err := w.Fold(t.Context(), rowsID, false, answers...)
	w.must(err)
	for i, err := range errs {
		if (err != nil) != (i == 2) {
			t.Errorf("device %d: %v", i, err)
		}
		if i != 2 && w.target(w.ids[i]).State != firmward.TargetInstalling {
			t.Errorf("device %d is %s", i, w.target(w.ids[i]).State)
		}
	}
}

// TestStrays: outcomes of commands that nobody knows, that are finished, or that the target has gone on without change nothing, and are
// counted.
func TestStrays(t *testing.T) {
	w := openRows(t, 2, firmward.RolloutPolicy{MaxInFlight: 2}, anywhere)
	w.start(w.ids...)
	first := w.answer(w.ids[0], ready)
	w.fold(first)
	lost := w.answer(w.ids[1], rollout.Event{Kind: rollout.Lost}) // the answer to what was given up comes late
	lost.Command = ""
	late := w.answer(w.ids[1], ready)
	w.fold(lost)
	was := []any{w.target(w.ids[0]), w.target(w.ids[1]), w.counts()}
	unknown := control.Happening{Device: w.ids[0], Command: "no-such", Event: rollout.Event{Kind: rollout.Accepted, Command: "no-such"}}
	nobody := control.Happening{Device: "dev-none", Event: rollout.Event{Kind: rollout.Lost, Command: "x"}}
	w.fold(first, unknown, late, nobody, late)
	if diff := cmp.Diff(was, []any{w.target(w.ids[0]), w.target(w.ids[1]), w.counts()}); diff != "" {
		t.Errorf("they changed something:\n%s", diff)
	}
	got := map[string]int{}
	strays, err := w.Store.Strays(t.Context())
	w.must(err)
	for _, s := range strays {
		got[s.Why] = s.N
	}
	if diff := cmp.Diff(map[string]int{"finished": 2, "unknown": 2, "late": 1}, got); diff != "" {
		t.Error(diff)
	}
}

// TestOvertaken: who was picked by claims that others have added to since does not start, and holds nothing.
func TestOvertaken(t *testing.T) {
	w := openRows(t, 2, firmward.RolloutPolicy{MaxInFlight: 2}, anywhere)
	w.start(w.ids[0])
	errs, err := w.Fold(t.Context(), rowsID, true, control.Happening{Device: w.ids[1], Event: rollout.Event{Kind: rollout.Start}})
	w.must(err)
	if firmward.CodeOf(errs[0]) != firmward.Conflict || w.target(w.ids[1]).State != firmward.TargetPending {
		t.Errorf("%v, %s", errs, w.target(w.ids[1]).State)
	}
	w.counts()
	w.must(w.StopAll(t.Context(), anna, true, "test"))
	errs, err = w.Fold(t.Context(), rowsID, false, control.Happening{Device: w.ids[1], Event: rollout.Event{Kind: rollout.Start}})
	w.must(err)
	if firmward.CodeOf(errs[0]) != firmward.Conflict || w.target(w.ids[1]).State != firmward.TargetPending {
		t.Errorf("with the red button pressed: %v, %s", errs, w.target(w.ids[1]).State)
	}
}

// TestNoStarvation: those who wait for nothing are found behind any number that wait for their site.
func TestNoStarvation(t *testing.T) {
	for name, policy := range map[string]firmward.RolloutPolicy{
		"frozen site": {MaxInFlight: 100},
		"site cap":    {MaxInFlight: 100, PerSite: 60},
	} {
		t.Run(name, func(t *testing.T) {
			w := openRows(t, 3000, policy, func(i int) string { return map[bool]string{true: "a", false: "b"}[i < 2000] })
			if policy.PerSite == 0 {
				w.must(w.Store.Tx(t.Context(), func(tx *store.Tx) error {
					if err := tx.PutSite(t.Context(), firmward.Site{Name: "a"}); err != nil {
						return err
					}
					return tx.AddFreeze(t.Context(), "a", firmward.Freeze{Name: "fair", From: "2000-01-01", To: "2199-01-01", By: "anna"})
				}))
			}
			_, err := w.DeployStep(t.Context())
			w.must(err)
			claims, err := w.Store.ClaimsOf(t.Context(), rowsID)
			w.must(err)
			at := map[string]int{}
			for _, c := range claims {
				if c.Kind == store.ClaimSite {
					at[c.Name]++
				}
			}
			want := map[string]int{"b": 100}
			if policy.PerSite > 0 {
				want = map[string]int{"a": 60, "b": 40}
			}
			if diff := cmp.Diff(want, at); diff != "" {
				t.Errorf("started at each site:\n%s", diff)
			}
			w.counts()
			if g := w.target(w.ids[0]); policy.PerSite == 0 && g.Code != rollout.RefuseFreeze {
				t.Errorf("the first one waits because %s (%s)", g.Why, g.Code)
			}
		})
	}
}

// TestAbandonGoesOn: of a large rollout that is stopped the first targets end at once and the others by the loop, also by that of
// another server when the one that was told has died.
func TestAbandonGoesOn(t *testing.T) {
	const n = control.AbandonAtOnce + 300
	w := openRows(t, n, firmward.RolloutPolicy{MaxInFlight: 2}, anywhere)
	w.start(w.ids[0], w.ids[1])
	w.fold(w.answer(w.ids[0], ready)) // its image is on its way: it is watched to its end
	_, err := w.SteerRollout(t.Context(), anna, rowsID, "stop", "enough")
	w.must(err)
	states := func() map[firmward.TargetState]int {
		states, err := w.Store.CountTargets(t.Context(), rowsID)
		w.must(err)
		return states
	}
	if s := states(); s[firmward.TargetSkipped] != control.AbandonAtOnce+1 || s[firmward.TargetInstalling] != 1 {
		t.Errorf("at once: %v", s)
	}
	other := controltest.Open(t, func(cfg *control.Config) { cfg.Store = w.Store })
	_, err = other.DeployStep(context.WithoutCancel(t.Context()))
	w.must(err)
	if s := states(); s[firmward.TargetSkipped] != n-1 || s[firmward.TargetPending] != 0 {
		t.Errorf("by another server: %v", s)
	}
	w.counts()
}
