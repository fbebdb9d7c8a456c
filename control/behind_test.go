package control_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/lab"
	"github.com/firmward/firmward/rollout"
	"github.com/firmward/firmward/store"
)

// behind says who behind a device was asked, and who answered.
func behind(seen []firmward.ServiceState) string {
	var out []string
	for _, s := range seen {
		if s.Behind != "" {
			out = append(out, fmt.Sprintf("%s %v", s.Probe, s.OK))
		}
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

// plugsBehind is a router with plugs p1 … behind it.
func plugsBehind(t *testing.T, plugs int) *faultStory {
	t.Helper()
	s := newFaultStory(t, "")
	s.device([]string{"router", "r1"})
	for i := range plugs {
		s.device([]string{"plug", fmt.Sprintf("p%d", i+1), "behind=r1"})
	}
	s.settle()
	for i := range plugs {
		_, err := s.house.LinkDevices(s.house.ctx, anna, fmt.Sprintf("p%d", i+1), []firmward.RelationKind{firmward.Behind, firmward.PoweredBy}[i%2], "r1")
		s.must(err)
	}
	return s
}

// TestBehind: before an update all directly behind a device are asked, afterwards those that answered. Who is retired, is or was changed itself, or stands in
// a network that nobody names does not count.
func TestBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := plugsBehind(t, 5)
		ctx := s.house.ctx
		began := time.Now()
		look := func() rollout.Seen {
			t.Helper()
			seen, err := s.house.LookBehind(ctx, s.known("r1"))
			s.must(err)
			return seen
		}
		after := func(before []firmward.ServiceState) string {
			t.Helper()
			seen, err := s.house.LookAfter(ctx, s.known("r1"), before, began)
			s.must(err)
			return behind(seen.Services)
		}
		s.must(s.lab.Fault("p5", lab.FaultSilent)) // as one that sleeps
		all := look()
		if got := behind(all.Services); got != "p1 behind it true, p2 powered by it true, p3 behind it true, p4 powered by it true, p5 behind it false" || all.Unasked != 0 {
			t.Errorf("before: %s, %d were not asked", got, all.Unasked)
		}
		if got := after(all.Services); got != "p1 behind it true, p2 powered by it true, p3 behind it true, p4 powered by it true" {
			t.Errorf("who did not answer before is not asked: %s", got)
		}
		s.must(s.lab.Fault("p2", lab.FaultSilent))
		if got := after(all.Services); !strings.Contains(got, "p2 powered by it false") || !strings.Contains(got, "p1 behind it true") {
			t.Errorf("one is silent: %s", got)
		}
		s.must(s.house.Store.Tx(ctx, func(tx *store.Tx) error {
			_, err := tx.Claim(ctx, "ro-other", store.Claimant{Device: s.ids["p2"]})
			return err
		}))
		if got := behind(look().Services); strings.Contains(got, "p2") {
			t.Errorf("who is being changed does not count: %s", got)
		}
		time.Sleep(time.Second)
		s.must(s.house.Store.Tx(ctx, func(tx *store.Tx) error {
			return tx.PutTarget(ctx, firmward.Target{RolloutID: "ro-other", DeviceID: s.ids["p2"], State: firmward.TargetFailed, StartedAt: time.Now()})
		}))
		if got := after(all.Services); !strings.Contains(got, "p2 powered by it true") {
			t.Errorf("who was changed itself since is not missed: %s", got)
		}
		retired := true
		_, err := s.house.SetDevice(ctx, anna, s.ids["p1"], control.DeviceFacts{Retired: &retired})
		s.must(err)
		s.must(s.lab.Fault("p1", lab.FaultSilent))
		if got := after(all.Services); !strings.Contains(got, "p1 behind it true") {
			t.Errorf("who was retired meanwhile is not missed: %s", got)
		}
		if got := behind(look().Services); strings.Contains(got, "p1") {
			t.Errorf("who is retired does not count: %s", got)
		}
	})
}

// TestBehindBarred: nobody behind a device is asked in a network that no one has named, and nobody there counts.
func TestBehindBarred(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := plugsBehind(t, 1)
		ctx := s.house.ctx
		elsewhere := firmward.Device{ID: store.NewID("dev"), Name: "far", Site: "home", Addrs: []netip.Addr{netip.MustParseAddr("10.99.0.7")}, Origin: firmward.OriginByHand}
		s.must(s.house.Store.Tx(ctx, func(tx *store.Tx) error {
			if err := tx.PutDevice(ctx, elsewhere, store.Change{Actor: "anna", At: time.Now()}); err != nil {
				return err
			}
			return tx.PutRelation(ctx, firmward.Relation{From: elsewhere.ID, To: s.ids["r1"], Kind: firmward.Behind})
		}))
		seen, err := s.house.LookBehind(ctx, s.known("r1"))
		s.must(err)
		if got := behind(seen.Services); got != "p1 behind it true" || seen.Unasked != 0 {
			t.Errorf("%s, %d were not asked", got, seen.Unasked)
		}
		sent, _, err := s.house.Store.TransmissionsOf(ctx, elsewhere.Addrs[0], store.Page{})
		if err != nil || len(sent) > 0 {
			t.Errorf("%d packets went to a network that nobody named: %v", len(sent), err)
		}
		seen, err = s.house.LookAfter(ctx, s.known("r1"), append(seen.Services, firmward.ServiceState{Probe: "far behind it", OK: true, Behind: elsewhere.ID}), time.Now())
		s.must(err)
		if got := behind(seen.Services); !strings.Contains(got, "far behind it true") {
			t.Errorf("whose network nobody names any more is not missed: %s", got)
		}
	})
}

// TestBehindMany: of very many behind one device as many are asked as there is time for, and it is said how many were not.
func TestBehindMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := plugsBehind(t, 1)
		ctx := s.house.ctx
		const more = 300
		important := 5
		s.must(s.house.Store.Tx(ctx, func(tx *store.Tx) error {
			for i := range more { // addresses at which nobody is
				d := firmward.Device{
					ID: store.NewID("dev"), Name: fmt.Sprint("gone-", i), Site: "home", Network: home.String(), Class: firmward.ClassPlug, Origin: firmward.OriginByHand,
					Addrs: []netip.Addr{netip.AddrFrom4([4]byte{192, 168, 20, byte(100 + i%150)})},
				}
				if err := tx.PutDevice(ctx, d, store.Change{Actor: "anna", At: time.Now()}); err != nil {
					return err
				}
				if err := tx.PutRelation(ctx, firmward.Relation{From: d.ID, To: s.ids["r1"], Kind: firmward.Behind}); err != nil {
					return err
				}
			}
			return nil
		}))
		_, err := s.house.SetDevice(ctx, anna, s.ids["p1"], control.DeviceFacts{Criticality: &important})
		s.must(err)
		began := time.Now()
		seen, err := s.house.LookBehind(ctx, s.known("r1"))
		s.must(err)
		took, asked := time.Since(began), strings.Count(behind(seen.Services), "behind it")
		t.Logf("%d asked, %d not, in %s", asked, seen.Unasked, took)
		if asked+seen.Unasked != more+1 || asked > control.BehindMost || seen.Unasked < more+1-control.BehindMost || took > 20*time.Second {
			t.Errorf("%d asked, %d not, in %s", asked, seen.Unasked, took)
		}
		if !strings.Contains(behind(seen.Services), "p1 behind it true") {
			t.Error("the most important one was not asked first")
		}
	})
}

// TestBehindABridge: lamps have no address; their bridge tells of them in the same look.
func TestBehindABridge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _, bridge, lamps := hueHouse(t, false)
		seen, err := b.LookBehind(b.ctx, bridge)
		if err != nil {
			t.Fatal(err)
		}
		if got := behind(seen.Services); got != "Desk behind it true, Hall behind it true, Sofa behind it true" {
			t.Errorf("before: %s", got)
		}
		stranger := firmward.ServiceState{Probe: "Attic behind it", OK: true, Behind: lamps[0].ID + "-x"}
		after, err := b.LookAfter(b.ctx, bridge, append(seen.Services, stranger), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if got := behind(after.Services); got != "Attic behind it true, Desk behind it true, Hall behind it true, Sofa behind it true" {
			t.Errorf("after: %s", got)
		}
		gone := firmward.Device{ID: store.NewID("dev"), Name: "Cellar", Site: "home", Network: home.String(), Origin: firmward.OriginSeen}
		if err := b.Store.Tx(b.ctx, func(tx *store.Tx) error {
			if err := tx.PutDevice(b.ctx, gone, store.Change{Actor: "anna", At: time.Now()}); err != nil {
				return err
			}
			return tx.PutRelation(b.ctx, firmward.Relation{From: gone.ID, To: bridge.ID, Kind: firmward.Behind})
		}); err != nil {
			t.Fatal(err)
		}
		after, err = b.LookAfter(b.ctx, bridge, append(seen.Services, firmward.ServiceState{Probe: "Cellar behind it", OK: true, Behind: gone.ID}), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if got := behind(after.Services); !strings.Contains(got, "Cellar behind it false") {
			t.Errorf("a lamp of which the bridge does not tell: %s", got)
		}
	})
}

// TestCircle: discovery may find a circle of dependencies, where no person may say one. Nothing runs for ever for it: its members are updated in turn, each
// when the other answers again.
func TestCircle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := plugHouse(t, 3, "")
		ctx := s.house.ctx
		s.must(s.house.Store.Tx(ctx, func(tx *store.Tx) error {
			for _, e := range [][2]string{{"p1", "p2"}, {"p2", "p3"}, {"p3", "p1"}} {
				if err := tx.PutRelation(ctx, firmward.Relation{From: s.ids[e[0]], To: s.ids[e[1]], Kind: firmward.Behind, Source: "probe:test"}); err != nil {
					return err
				}
			}
			return nil
		}))
		s.look()
		for name := range s.ids {
			s.house.step(s.ids[name])
			if _, err := s.house.WayTo(ctx, name, "1.4.4", ""); firmward.CodeOf(err) == firmward.Internal {
				t.Error(err)
			}
		}
		s.release([]string{"release", "p1", "1.4.4"})
		f, _, err := s.house.ForecastRollout(ctx, control.Forecasting{Release: s.rel.ID, Runs: 1, Seed: 1})
		s.must(err)
		if f.Finished != 1 || f.Runs[0].Violation != "" {
			t.Errorf("forecast: %+v", f.Runs)
		}
		s.start()
		s.until("ended")
		r, err := s.house.Store.Rollout(ctx, s.ro)
		s.must(err)
		if r.State != firmward.RolloutFinished || r.Succeeded != 3 {
			t.Errorf("%s: %s", r.State, r.Why)
		}
		targets, _, err := s.house.Store.Targets(ctx, s.ro, store.TargetFilter{}, store.Page{})
		s.must(err)
		for _, g := range targets {
			if got := behind(g.Baseline); !strings.HasSuffix(got, "behind it true") || strings.Contains(got, ", ") {
				t.Errorf("behind %s: %s", g.DeviceID, got)
			}
		}
	})
}

// TestBehindMerged: one behind a device that turned out to be another one meanwhile is asked as that.
func TestBehindMerged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := plugsBehind(t, 1)
		ctx := s.house.ctx
		entered, err := s.house.AddDevice(ctx, anna, control.DeviceFacts{Name: new("lamp"), Site: new("home")})
		s.must(err)
		_, err = s.house.MergeDevices(ctx, anna, "p1", "lamp", "same sticker")
		s.must(err)
		before := []firmward.ServiceState{{Probe: "lamp behind it", OK: true, Behind: entered.ID}}
		seen, err := s.house.LookAfter(ctx, s.known("r1"), before, time.Now())
		s.must(err)
		if got := behind(seen.Services); got != "lamp behind it true" {
			t.Errorf("it answers: %s", got)
		}
		s.must(s.lab.Fault("p1", lab.FaultSilent))
		seen, err = s.house.LookAfter(ctx, s.known("r1"), before, time.Now())
		s.must(err)
		if got := behind(seen.Services); got != "lamp behind it false" {
			t.Errorf("it is silent: %s", got)
		}
	})
}
