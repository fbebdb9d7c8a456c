package sim

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/rollout"
	"github.com/firmward/firmward/topology"
)

// Fault is a habit and the share of devices that have it, 0 … 1.
type Fault struct {
	Habit Habit
	Share float64
}

func (f Fault) String() string {
	return fmt.Sprintf("%s %s %%", f.Habit, strconv.FormatFloat(f.Share*100, 'f', -1, 64))
}

// Usual is what is assumed of a fleet where nobody says anything else: guesses to argue with, no measurement. Real
// devices do worse on an image that is bad for their model, which is a fault of another kind: try dead-service=100%.
func Usual() []Fault {
	return []Fault{{Unreachable, .02}, {Nothing, .005}, {OldVersion, .005}, {Silent, .003}, {DeadService, .002}, {Slow, .02}}
}

// ParseFaults reads "silent=0.5%,dead-service=2%"; "none" is no fault.
func ParseFaults(text string) ([]Fault, error) {
	if text = strings.TrimSpace(text); text == "none" {
		return nil, nil
	}
	var out []Fault
	sum := 0.0
	for part := range strings.SplitSeq(text, ",") {
		name, share, _ := strings.Cut(strings.TrimSpace(part), "=")
		h, known := ParseHabit(name)
		number, percent := strings.CutSuffix(strings.TrimSpace(share), "%")
		n, err := strconv.ParseFloat(number, 64)
		switch {
		case !known:
			return nil, fmt.Errorf("fault %q is none of %s", name, strings.Join(habits[:], ", "))
		case err != nil || !percent || !(n >= 0 && n <= 100):
			return nil, fmt.Errorf("share of %s: %q: want for example %s=0.5%%", name, share, name)
		}
		sum += n
		out = append(out, Fault{h, n / 100})
	}
	if sum > 100 {
		return nil, fmt.Errorf("the shares come to %s %%, more than all devices", strconv.FormatFloat(sum, 'f', -1, 64))
	}
	return out, nil
}

// Case is a rollout that is to be forecast.
type Case struct {
	Release firmward.Release
	Policy  firmward.RolloutPolicy
	Fleet   []Known
	Topo    topology.Map
	Faults  []Fault
	Habits  map[string]Habit // device id → what it is known to do; nil: as the dice give Faults out
	Begin   time.Time
	Watch   func(ended, devices int, at time.Time)    // told now and then how far a large run is; nil: nobody
	Trace   func(at time.Time, who, what, why string) // nil: nothing is told
	Decided *Decisions                                // of the last run; nil: not kept

	made *generated   // in place of Fleet
	stop func() error // asked now and then whether a large run must end
}

// Known is one device of the fleet.
type Known struct {
	Candidate rollout.Candidate
	Abilities rollout.Abilities
	Took      []firmward.UpdateTime // by its model's last updates, the newest first; empty: nothing is known
	Zone      *time.Location        // of its site; nil: UTC
	Freezes   []firmward.Freeze     // that people set for its site
}

// run is the name of the rollout.
const run = "forecast"

// horizon is after what time a rollout that has not ended never will.
const horizon = 366 * 24 * time.Hour

// Outcome is what one run came to.
type Outcome struct {
	Seed      uint64
	Devices   int            // in the plan
	Refused   map[string]int // reasons of devices that do not take part
	Steps     int
	State     firmward.RolloutState
	Why       string
	Took      time.Duration // from its begin until it finished, the last soak included, or until it stood still
	States    map[firmward.TargetState]int
	Waits     map[string]int // reasons of devices that never started
	Bad       int            // devices that got the image and did not end well: the blast radius
	PeakDown  int            // most devices dark at one time, those behind them included
	Nights    int            // windows in which something started
	Trace     string         // SHA-256 over every decision: equal for the same seed
	Violation string         // of an invariant; empty: none
}

// Play runs a case with one seed: which devices have which fault, and how long each takes, follow from it. People approve whatever
// waits for them at once.
func (c Case) Play(seed uint64) Outcome {
	if c.Size() > checked {
		c.Policy.WorkOrders, c.Policy.WakeWithin = 0, 0 // played without people and sleep: who depends on them is told as left out
		return c.playLarge(seed)
	}
	return c.playSmall(seed)
}

// playSmall plays a case in a World.
func (c Case) playSmall(seed uint64) Outcome {
	fleet := c.crowd()
	w := New(c.Begin, seed)
	w.Check, w.Willing, w.Topo = true, true, c.Topo
	sum, ended := sha256.New(), c.Begin
	if c.Decided != nil {
		*c.Decided = Decisions{Names: c.Decided.Names}
	}
	w.Trace = func(who, what, why string) {
		if c.Decided != nil {
			c.Decided.hear(w, who, what, why)
		}
		if who == run && firmward.RolloutState(what) != firmward.RolloutRunning {
			ended = w.Now
		}
		if what != waiting {
			sum.Write(appendLine(nil, w.Now, who, what, why))
		}
		if c.Trace != nil {
			c.Trace(w.Now, who, what, why)
		}
	}
	order := make([]string, fleet.size())
	for i := range order {
		k := *fleet.known(int32(i))
		id := k.Candidate.Device.ID
		order[i] = id
		able, cand := k.Abilities, k.Candidate
		d := &Device{Facts: k.Candidate.Device, Candidate: &cand, Able: &able, Zone: k.Zone, Freezes: k.Freezes, Habit: c.habit(w, id), Open: c.Release.Fixes}
		d.asked, d.sent, d.boot = w.paces(&k)
		if !cand.HasDriver || cand.Model.MayPatch.Value == firmward.VendorMayPatch {
			d.Manner |= ByHand
		}
		if able.DeadMan {
			d.Habit |= DeadMan
		}
		if able.CanRevert {
			d.Habit |= WayBack
		}
		w.Put(d)
	}
	r := w.Plan(run, "the author", c.Release, c.Policy, order)
	if r.Total > 0 {
		w.Steer(r, r.Author, "start", "")
		w.settle()
	}
	err := w.Run(c.Begin.Add(horizon))
	out := Outcome{
		Seed: seed, Devices: r.Total, Refused: map[string]int{}, Steps: w.Steps, State: r.State, Why: r.Why, PeakDown: w.PeakDown,
		States: map[firmward.TargetState]int{}, Waits: map[string]int{}, Trace: hex.EncodeToString(sum.Sum(nil)[:8]),
	}
	if err != nil {
		out.Violation = err.Error()
	}
	for _, ref := range r.Refusals {
		out.Refused[ref.Why]++
	}
	w.sum(r, &out)
	if c.Decided != nil {
		for id, s := range r.byID {
			if s.State.Final() {
				c.Decided.End(id, s.Code)
			}
		}
	}
	out.Took = ended.Sub(c.Begin)
	return out
}

// checked is up to how many devices a case is played in a World, which checks all invariants after every step: that looks at each.
const checked = 2000

// sum fills in what the targets say.
func (w *World) sum(r *Run, out *Outcome) {
	nights := map[string]bool{}
	for _, wave := range r.waves {
		for _, s := range wave {
			out.States[s.State]++
			switch s.State {
			case firmward.TargetPending, firmward.TargetAsked, firmward.TargetAsleep:
				out.Waits[s.Why]++
			case firmward.TargetFailed, firmward.TargetRolledBack:
				out.Bad++
			}
			if !s.StartedAt.IsZero() {
				nights[s.StartedAt.In(cmp.Or(s.dev.Zone, time.UTC)).Add(-12*time.Hour).Format(time.DateOnly)] = true
			}
		}
	}
	out.Nights = len(nights)
}

// habit is what a device is known to do, or at most one fault as the dice fall.
func (c Case) habit(w *World, id string) Habit {
	if c.Habits != nil {
		return c.Habits[id]
	}
	return w.habit(id, c.Faults)
}

// habit gives the device at most one fault, as the dice fall.
func (w *World) habit(id string, faults []Fault) Habit {
	n := float64(w.dice("fault "+id, 1_000_000)) / 1_000_000
	for _, f := range faults {
		if n < f.Share {
			return f.Habit
		}
		n -= f.Share
	}
	return 0
}

// darken counts a device, and what it carries, as dark until it is back. One that stays silent does not count for ever: it is lost, not dark.
func (w *World) darken(d *Device) {
	all := append([]string{d.Facts.ID}, w.Topo.Dark(d.Facts.ID)...)
	for _, id := range all {
		w.down[id]++
	}
	w.PeakDown = max(w.PeakDown, len(w.down))
	w.At(d.darkTo, func() {
		for _, id := range all {
			if w.down[id]--; w.down[id] == 0 {
				delete(w.down, id)
			}
		}
	})
}

// agree lets people approve what waits for them, and gives the approvals that are new.
func agree(r *firmward.Rollout, now time.Time) (yes []consent) {
	wave := r.Wave + 1
	switch {
	case r.State == firmward.RolloutAwaiting:
		wave = 0
	case r.State != firmward.RolloutRunning || !r.Policy.ApproveWaves || wave >= r.Waves:
		return nil
	}
	for i := range max(1, r.Policy.Approvals) {
		who := fmt.Sprintf("person %d", i+1)
		at := slices.IndexFunc(r.Approvals, func(a firmward.Approval) bool { return a.Wave == wave && a.Actor == who })
		if at < 0 {
			r.Approvals = append(r.Approvals, firmward.Approval{Actor: who, Wave: wave, At: now})
			yes = append(yes, consent{who, wave})
			continue
		}
		r.Approvals[at].At = now
	}
	return yes
}

// Forecast is what many runs of a case came to.
type Forecast struct {
	Runs     []Outcome
	Finished int // runs in which the rollout came to its end by itself
}

// Forecast plays a case with as many seeds, from seed on. It ends with the error that stop gives between two runs, or within a large one; nil: it is not asked.
func (c Case) Forecast(stop func() error, seed uint64, runs int) (Forecast, error) {
	f := Forecast{Runs: make([]Outcome, 0, runs)}
	c.stop = stop
	for i := range runs {
		o := c.Play(seed + uint64(i))
		if stop != nil {
			if err := stop(); err != nil {
				return f, err
			}
		}
		f.Runs = append(f.Runs, o)
		if o.State == firmward.RolloutFinished {
			f.Finished++
		}
	}
	return f, nil
}

// Took gives a quantile (0 … 1) of the time that finished runs took; 0 when none did.
func (f Forecast) Took(q float64) time.Duration {
	return quantile(f.Runs, q, func(o Outcome) (time.Duration, bool) { return o.Took, o.State == firmward.RolloutFinished })
}

// Quantile gives a quantile (0 … 1) of a number over all runs.
func (f Forecast) Quantile(q float64, of func(Outcome) int) int {
	return quantile(f.Runs, q, func(o Outcome) (int, bool) { return of(o), true })
}

// quantile is the nearest rank of those that count.
func quantile[T cmp.Ordered](runs []Outcome, q float64, of func(Outcome) (T, bool)) T {
	var all []T
	for _, o := range runs {
		if v, ok := of(o); ok {
			all = append(all, v)
		}
	}
	if len(all) == 0 {
		var none T
		return none
	}
	slices.Sort(all)
	return all[min(len(all)-1, int(q*float64(len(all))))]
}

// Stops lists why runs did not come to their end, the most frequent first, with how many. Which models it was is not told apart.
func (f Forecast) Stops() []Count {
	n := map[string]int{}
	for _, o := range f.Runs {
		if o.State != firmward.RolloutFinished {
			n[string(o.State)+": "+which.ReplaceAllString(o.Why, "some models")]++
		}
	}
	return counted(n)
}

var which = regexp.MustCompile(`\[[^\]]*\]`)

// Refusals lists why devices do not take part, with how many.
func (f Forecast) Refusals() []Count {
	if len(f.Runs) == 0 {
		return nil
	}
	return counted(f.Runs[0].Refused) // the plan is the same in every run
}

// Waits lists why devices never started in the runs that nobody stopped and that never end, with how many devices on average.
func (f Forecast) Waits() []Count {
	n, runs := map[string]int{}, 0
	for _, o := range f.Runs {
		if o.State != firmward.RolloutRunning {
			continue
		}
		runs++
		for why, k := range o.Waits {
			n[why] += k
		}
	}
	for why := range n {
		n[why] = (n[why] + runs - 1) / runs
	}
	return counted(n)
}

// Count is a text and how often it holds.
type Count struct {
	Text string
	N    int
}

func counted(n map[string]int) []Count {
	out := make([]Count, 0, len(n))
	for _, text := range slices.Sorted(maps.Keys(n)) {
		out = append(out, Count{text, n[text]})
	}
	slices.SortStableFunc(out, func(a, b Count) int { return cmp.Compare(b.N, a.N) })
	return out
}
