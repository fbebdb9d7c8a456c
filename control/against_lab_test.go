package control_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/lab"
	"github.com/firmward/firmward/rollout"
	"github.com/firmward/firmward/rollout/sim"
	"github.com/firmward/firmward/store"
)

// simScale is how much faster than the wall the houses and labs live here.
const simScale = 240.0

// simPolicies are four ways to roll out: one device after the other until the first failure, some at once whatever happens, and waves that
// are judged by what they show; the last one is for fleets that people update in part.
var simPolicies = []string{
	`{name: careful, waves: [50, 100], canary-soak: 10m, wave-soak: 10m, max-in-flight: 1, failure-budget-percent: 1, failure-floor: 0`,
	`{name: stubborn, waves: [100], canary-soak: 5m, wave-soak: 5m, max-in-flight: 4, per-model: 4, failure-budget-percent: 100, failure-floor: 20`,
	`{name: by-count, waves: [{count: 2}, 100], canary-soak: 5m, wave-soak: 10m, max-in-flight: 1, failure-budget-percent: 60, failure-floor: 1, silence-budget-count: 0`,
	`{name: people, waves: [50, 100], canary-soak: 10m, wave-soak: 10m, max-in-flight: 9, per-model: 9, failure-budget-percent: 60, failure-floor: 3, work-orders: 2h`,
}

// simPolicy completes one of them.
func simPolicy(n int) string {
	return "rollout-policies:\n  - " + simPolicies[n] + `, canary-in-flight: 1, approvals: 0, deadline: 60m, commit-within: 40m, window: always, require-owner: false, hold-core-network: false, low-for: 0s}
risk-policies:
  - {name: r, exploited-and-exposed: 1d, exploited: 1d, critical: 1d, high: 1d, other: 1d, contain-within: 1d, replace-within: 1d, look-every: 7d}
`
}

// simFaults are the habits of simulated devices and what makes a device of the lab the same.
var simFaults = map[sim.Habit]string{
	sim.Nothing: lab.FaultAcceptedAndNothing, sim.OldVersion: lab.FaultOldVersionBack, sim.Silent: lab.FaultSilentAfterUpdate,
	sim.DeadService: lab.FaultDeadService, sim.Unreachable: lab.FaultOffline, sim.LosesChild: lab.FaultLosesOne,
}

// trial is what a seed is played with: devices of one kind, and whether there is a hole that their release says to close and does not.
type trial struct {
	seed uint64
	kind string
	open bool
}

// people is the kind of plugs of which a driver updates some and a person the others.
const people = "plugs and people"

// TestSimulatorAgainstLab draws policies, fleets and faults from seeds, lets the simulator play each, and then carries the same rollout out on
// the lab, over sockets and by the protocols of its devices. Decisions and ends must be the same.
func TestSimulatorAgainstLab(t *testing.T) {
	t.Parallel() // nearly all of it is waiting
	var trials []trial
	for seed := range uint64(9) { // three of each kind of device
		trials = append(trials, trial{seed: seed + 1, kind: []string{"plug", "camera", "light"}[(seed+1)%3]})
	}
	trials = append(trials, trial{seed: 22, kind: "router"}, trial{seed: 3, kind: "plug", open: true}, trial{seed: 103, kind: people}, trial{seed: 107, kind: people})
	scales, atOnce := []float64{simScale, simScale / 4}, len(trials)
	if testing.Short() || raceOn { // each exchange takes long: few, two at a time, slowly
		trials = []trial{trials[0], trials[1], trials[2], trials[11]}
		scales, atOnce = []float64{simScale / 3, simScale / 6}, 2
	}
	var all sync.WaitGroup
	room := make(chan struct{}, atOnce)
	for _, tr := range trials {
		all.Go(func() { // together, on however few cores
			room <- struct{}{}
			defer func() { <-room }()
			t.Run(fmt.Sprintf("%s seed %d, open %v", tr.kind, tr.seed, tr.open), func(t *testing.T) { agree(t, tr, scales) })
		})
	}
	all.Wait()
}

// agree plays a seed in both. Where a busy computer stood still for a moment, that was an hour for the lab, and it may have fallen back or given up: then
// the seed is played once more, slower. A real difference is there again.
func agree(t *testing.T, tr trial, scales []float64) {
	for _, scale := range scales {
		simulated, real := playBoth(t, tr, scale)
		t.Logf("%s\n%s", simulated.Sum(), simulated)
		if simulated.Sum() == real.Sum() {
			return
		}
		t.Logf("at %.0f times the pace of the wall the lab decided otherwise:\n%s", scale, real)
	}
	t.Error("simulator and lab decide otherwise")
}

func playBoth(t *testing.T, tr trial, scale float64) (simulated, real sim.Decisions) {
	seed, kind := tr.seed, tr.kind
	dice := rand.New(rand.NewPCG(seed, 0))
	number := dice.IntN(len(simPolicies) - 1)
	n := 5 + dice.IntN(4)
	if kind == people {
		number = len(simPolicies) - 1
	}
	policies := simPolicy(number)
	start := time.Now()
	l := lab.New(lab.Options{Clock: lab.ScaledClock(start, scale), Net: lab.NewNet()})
	t.Cleanup(func() { l.Close() })
	l.AddSite("home", netip.MustParsePrefix("192.168.20.0/24"))
	for i := range n {
		place := lab.Place{Name: fmt.Sprintf("%s-%d", kind, i), Site: "home"}
		var err error
		switch kind {
		case "plug", people:
			spec := lab.PlugSpec{Place: place}
			if kind == people && i%2 == 1 {
				spec.Gen, spec.Model, spec.App = 3, appPlug, "PlugSG3"
			}
			_, err = l.AddPlug(spec)
		case "camera":
			_, err = l.AddCamera(lab.CameraSpec{Place: place, Password: lab.CameraPassword})
		case "light":
			_, err = l.AddWLED(lab.WLEDSpec{Place: place, Arch: "esp32"})
		case "router":
			_, err = l.AddOpenWrt(lab.OpenWrtSpec{Place: place, Password: lab.RouterPassword})
			if err == nil {
				_, err = l.AddPlug(lab.PlugSpec{Place: lab.Place{Name: fmt.Sprintf("behind-%d", i), Site: "home", Behind: place.Name}})
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	serveLab(t, l, dir)
	ctx, cancel := context.WithCancel(t.Context())
	c, st, err := loopHouse(ctx, dir, policies, control.Clock{Base: start, Start: start, Scale: scale})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		err := c.Run(ctx)
		if ctx.Err() == nil {
			t.Error("the house ended early:", err)
		}
		done <- err
	}()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		st.Close()
	}()
	fleet := meet(t, c, l)
	if len(fleet) != n {
		t.Fatalf("%d of %d devices were found", len(fleet), n)
	}
	var fixes []string
	if tr.open {
		fixes = []string{hole}
		findHole(t, c, fleet[0])
	}
	rel := newerFor(t, c, l, fleet, fixes)

	// The same dice give out the faults, to those of the lab and to those of the simulator.
	habits := map[string]sim.Habit{}
	might := []sim.Habit{sim.Nothing, sim.OldVersion, sim.Silent, sim.DeadService, sim.Unreachable}
	if kind == "router" {
		might = append(might, sim.LosesChild, sim.LosesChild)
	}
	if kind == "light" || kind == "router" {
		might = slices.DeleteFunc(might, func(h sim.Habit) bool { return h == sim.DeadService })
	}
	var told []string
	for i, d := range fleet {
		if odds := 3; i == 0 && dice.IntN(odds) > 0 || dice.IntN(odds) > 0 { // a bad canary ends most of them too soon
			continue
		}
		h := might[dice.IntN(len(might))]
		if d.Model == appPlug && h != sim.Silent && h != sim.DeadService { // how often its person tries again differs
			continue
		}
		habits[d.ID] = h
		told = append(told, d.Name+" "+h.String())
	}
	low := map[string]sim.Habit{"plug": sim.BatteryFlat, "light": sim.OutOfRange}[kind]
	if last := fleet[len(fleet)-1]; habits[last.ID] == 0 && low != 0 { // beside what the dice give out
		habits[last.ID] = low
		told = append(told, last.Name+" "+low.String())
	}
	_, k, err := c.ForecastRollout(ctx, control.Forecasting{Release: rel.ID, Runs: 1, Seed: seed})
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]string{}
	for _, d := range fleet {
		names[d.ID] = d.Name
	}
	if tr.open {
		for _, d := range fleet {
			habits[d.ID] |= sim.StaysOpen
		}
	}
	simulated = sim.Decisions{Names: names}
	k.Habits, k.Decided = habits, &simulated
	out := k.Play(seed)
	t.Logf("it takes %s", out.Took.Round(time.Minute))
	if out.Violation != "" {
		t.Fatal(out.Violation)
	}
	for _, ld := range l.Devices() {
		for _, d := range fleet {
			if ld.Facts().Addrs[0] != d.Addrs[0] {
				continue
			}
			var err error
			switch h := habits[d.ID] &^ sim.StaysOpen; {
			case h == sim.BatteryFlat:
				err = ld.SetBattery(12, false)
			case h == sim.OutOfRange:
				err = ld.SetSignal(-92)
			case simFaults[h] != "":
				err = l.Fault(ld.Name(), simFaults[h])
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if kind == people {
		defer attend(t, c, l)()
	}
	id := carryOut(t, c, rel.ID)
	real = decided(t, st, id)
	real.Names = names
	t.Logf("seed %d: %d times %s by policy %s; %s; %s", seed, n, kind, k.Policy.Name, strings.Join(told, ", "), out.Why)
	return simulated, real
}

// attend is bert, who does whatever work order is open, at once. The answer ends that.
func attend(t *testing.T, c *control.Control, l *lab.Lab) (leave func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var gone sync.WaitGroup
	gone.Go(func() {
		look := time.NewTicker(50 * time.Millisecond)
		defer look.Stop()
		for open := true; ; {
			select {
			case <-ctx.Done():
				return
			case <-look.C:
			}
			orders, _, err := c.Store.WorkOrders(ctx, store.WorkOrderFilter{Open: &open}, store.Page{})
			for _, w := range orders {
				if w.RolloutID == "" {
					continue
				}
				if _, err := c.BeginWork(ctx, bert, w.ID); err != nil {
					continue // not yet
				}
				var d firmward.Device
				if d, err = c.Store.Device(ctx, w.DeviceID); err != nil {
					break
				}
				for _, ld := range l.Devices() {
					if ld.Facts().Addrs[0] == d.Addrs[0] {
						err = ld.InstallByHand(w.Want)
					}
				}
				if err == nil {
					_, err = c.ReportWork(ctx, bert, w.ID, "")
				}
			}
			if err != nil && ctx.Err() == nil {
				t.Error(err)
				return
			}
		}
	})
	return func() { cancel(); gone.Wait() }
}

// meet scans the lab twice, the second time with passwords, and names its devices in the order of their ids: that is the order in which
// those of the same criticality start.
// What stands behind another is linked to it and is none of them.
func meet(t *testing.T, c *control.Control, l *lab.Lab) []firmward.Device {
	t.Helper()
	ctx, prefix := t.Context(), netip.MustParsePrefix("192.168.20.0/26")
	if _, err := c.NameNetwork(ctx, anna, control.AddNetwork{Prefix: prefix, Site: "home", Profile: firmward.ProfileHome}); err != nil {
		t.Fatal(err)
	}
	for family, password := range map[string]string{"axis": lab.CameraPassword, "openwrt": lab.RouterPassword} {
		if err := c.SetCredential(ctx, anna, control.Credential{Family: family, Site: "home", User: "root", Password: password}); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		scan, err := c.StartScan(ctx, anna, prefix)
		if err != nil {
			t.Fatal(err)
		}
		over := awhile(t, func() bool {
			scan, err = c.ScanByID(scan.ID)
			return err != nil || !scan.Ended.IsZero()
		})
		if err != nil || !over || scan.Error != "" {
			t.Fatal(err, scan.Error)
		}
	}
	fleet, err := store.Every(func(p store.Page) ([]firmward.Device, string, error) {
		return c.Store.Devices(ctx, store.DeviceFilter{}, p)
	})
	if err != nil {
		t.Fatal(err)
	}
	fleet = slices.DeleteFunc(fleet, func(d firmward.Device) bool {
		for _, ld := range l.Devices() {
			behind, ok := strings.CutPrefix(ld.Name(), "behind-")
			if !ok || ld.Facts().Addrs[0] != d.Addrs[0] {
				continue
			}
			front, _ := l.Device("router-" + behind)
			if _, err := c.LinkDevices(ctx, anna, d.ID, firmward.Behind, front.Facts().Addrs[0].String()); err != nil {
				t.Fatal(err)
			}
			return true
		}
		return false
	})
	mixed := slices.ContainsFunc(fleet, func(d firmward.Device) bool { return d.Model != fleet[0].Model })
	slices.SortFunc(fleet, func(a, b firmward.Device) int {
		if mixed { // the dice shall fall for the same kind each time; nothing limits who starts there
			return a.Addrs[0].Compare(b.Addrs[0])
		}
		return strings.Compare(a.ID, b.ID)
	})
	for i := range fleet {
		fleet[i].Name = fmt.Sprintf("d%02d", i+1)
		if _, err := c.SetDevice(ctx, anna, fleet[i].ID, control.DeviceFacts{Name: &fleet[i].Name}); err != nil {
			t.Fatal(err)
		}
	}
	return fleet
}

// newerFor imports the next version of a fleet, which is said to close some advisories.
func newerFor(t *testing.T, c *control.Control, l *lab.Lab, fleet []firmward.Device, fixes []string) firmward.Release {
	t.Helper()
	d, models, hardware := fleet[0], map[string]bool{}, map[string]bool{}
	for _, like := range fleet {
		models[like.Model], hardware[like.Hardware] = true, true
		if like.Model != appPlug { // nobody uploads an image to those
			d = like
		}
	}
	want := map[string]string{"shelly-gen2": "1.4.4", "axis": "10.12.262", "wled": "0.15.3", "openwrt": "22.03.7"}[d.Family]
	for _, ld := range l.Devices() {
		if ld.Facts().Addrs[0] != d.Addrs[0] {
			continue
		}
		image, err := ld.Image(want)
		if err != nil {
			t.Fatal(err)
		}
		rel, err := c.ImportRelease(t.Context(), anna, firmward.Release{
			Family: d.Family, Vendor: d.Vendor, Models: slices.Sorted(maps.Keys(models)), Hardware: slices.Sorted(maps.Keys(hardware)), Version: want, FileName: "image.bin", Origin: "the lab", Fixes: fixes,
		}, bytes.NewReader(image))
		if err != nil {
			t.Fatal(err)
		}
		return rel
	}
	t.Fatalf("the lab has no %s", d.Name)
	return firmward.Release{}
}

// carryOut starts a rollout and waits until nothing more happens in it.
func carryOut(t *testing.T, c *control.Control, release string) string {
	t.Helper()
	ctx := t.Context()
	p, err := c.PlanRollout(ctx, anna, release, "", firmward.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.SteerRollout(ctx, anna, p.Rollout.ID, "start", ""); err != nil {
		t.Fatal(err)
	}
	over := awhile(t, func() bool {
		r, err := c.Store.Rollout(ctx, p.Rollout.ID)
		if err != nil {
			t.Fatal(err)
		}
		if r.State == firmward.RolloutRunning || r.InFlight > 0 {
			return false
		}
		waits, err := c.Store.NextTarget(ctx, r.ID) // for a person, also when everything stands
		if err != nil {
			t.Fatal(err)
		}
		return waits.IsZero()
	})
	if !over {
		targets, _, err := c.Store.Targets(ctx, p.Rollout.ID, store.TargetFilter{}, store.Page{})
		t.Fatalf("the rollout does not come to an end: %+v, %v", targets, err)
	}
	return p.Rollout.ID
}

// awhile waits in the wall's time, since sockets know no other, and says whether it was not in vain.
func awhile(t *testing.T, until func() bool) bool {
	t.Helper()
	look, deadline := time.NewTicker(50*time.Millisecond), time.NewTimer(8*time.Minute)
	defer look.Stop()
	for !until() {
		select {
		case <-look.C:
		case <-deadline.C:
			return false
		}
	}
	return true
}

// decided reads what was decided about a rollout from the audit leaves and the commands that were sent.
func decided(t *testing.T, st *store.Store, id string) sim.Decisions {
	t.Helper()
	var out sim.Decisions
	ctx := t.Context()
	leaves := func(subject string) []map[string]string {
		all, err := store.Every(func(p store.Page) (list []map[string]string, next string, err error) {
			found, next, err := st.FindLeaves(ctx, store.LeafFilter{Subject: subject}, p)
			for _, l := range found {
				detail := map[string]string{"action": l.Action}
				maps.Copy(detail, l.Detail)
				list = append(list, detail)
			}
			return list, next, err
		})
		if err != nil {
			t.Fatal(err)
		}
		slices.Reverse(all) // the newest is found first
		return all
	}
	for _, l := range leaves(id) {
		switch what := strings.TrimPrefix(l["action"], "rollout-"); what {
		case "start":
			out.Header(l["state"])
		case "running", "paused", "halted", "stopped", "finished", "wave":
			out.Header(what)
		}
	}
	targets, err := store.Every(func(p store.Page) ([]firmward.Target, string, error) {
		return st.Targets(ctx, id, store.TargetFilter{}, p)
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range targets {
		for _, l := range leaves(g.DeviceID) {
			if state, ok := strings.CutPrefix(l["action"], "target-"); ok && l["rollout"] == id {
				out.State(g.DeviceID, state)
			}
		}
		for n := 1; n <= g.Seq; n++ {
			cmd, err := st.Command(ctx, fmt.Sprintf("%s.%s.%d", id, g.DeviceID, n))
			if n == 1 && g.ByHand && firmward.CodeOf(err) == firmward.NotFound {
				cmd.Kind, err = string(rollout.DoAsk), nil // its work order was opened with the decision
			}
			if err != nil {
				t.Fatal(err)
			}
			out.Order(g.DeviceID, rollout.Verb(cmd.Kind))
		}
		if g.State.Final() && g.State != firmward.TargetRefused {
			out.End(g.DeviceID, g.Code)
		}
	}
	return out
}
