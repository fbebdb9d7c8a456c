package sim

import (
	"fmt"
	"time"

	"github.com/firmward/firmward"
)

// Lived is what a fleet lived through.
type Lived struct {
	Days, Devices, Rollouts, Steps           int
	Images                                   int // that were sent
	Finished, Halted, Stopped                int // rollouts by their end; a halted one was stopped by a person too
	Succeeded, Failed, Lost, Frozen, Pressed int
}

// Add sums up.
func (l *Lived) Add(o Lived) {
	l.Days, l.Devices, l.Rollouts, l.Steps, l.Images = l.Days+o.Days, l.Devices+o.Devices, l.Rollouts+o.Rollouts, l.Steps+o.Steps, l.Images+o.Images
	l.Finished, l.Halted, l.Stopped, l.Succeeded = l.Finished+o.Finished, l.Halted+o.Halted, l.Stopped+o.Stopped, l.Succeeded+o.Succeeded
	l.Failed, l.Lost, l.Frozen, l.Pressed = l.Failed+o.Failed, l.Lost+o.Lost, l.Frozen+o.Frozen, l.Pressed+o.Pressed
}

// The months of a simulated year: a release comes on the first day of each, and what did not end by itself is stopped on the 28th.
const (
	months  = 12
	restDay = 22 // from here on people approve and resume whatever waits for them
	stopDay = 26
	lastDay = 28
)

// Year lets a random fleet live through one year. Each month a release comes, with a policy, flaws, drifts, freezes, people who steer, pause for
// days and press the red button, vendors who strike, push and withdraw, a firmward that crashes, and answers that come twice, late or
// never. Every invariant is checked after every step, and at the end of each month that nothing hangs: what people resume
// again and again, and then stop, is over. Lost devices are replaced by new ones with the version of the month.
func Year(seed uint64, begin time.Time, cast Cast) (Lived, error) {
	w := New(begin, seed)
	w.Check, w.cast = true, cast
	order := w.settlers()
	if w.dice("zone", 2) == 0 {
		w.Zone = zones[w.dice("which zone", len(zones))]
	}
	l := Lived{Devices: len(order)}
	for m := range months {
		first := begin.AddDate(0, m, 0)
		if err := w.Run(first); err != nil {
			return l, err
		}
		if err := w.month(m, order, &l); err != nil {
			return l, err
		}
	}
	err := w.Run(begin.AddDate(1, 0, 0))
	l.Steps, l.Days = w.Steps, int(w.Now.Sub(begin)/(24*time.Hour))
	return l, err
}

// month plays one month from its first day on.
func (w *World) month(m int, order []string, l *Lived) error {
	first, name := w.Now, fmt.Sprintf("month %d ", m)
	roll := func(what string, sides int) int { return w.dice(name+what, sides) }
	w.Odds = Odds{CrashBefore: roll("before", 60), CrashAfter: roll("after", 60), Twice: roll("twice", 60), Late: roll("late", 40), Kill: max(0, roll("kill", 160)-80)}
	w.Flaws, w.Freezes = nil, nil
	w.luck(name, order)
	version := fmt.Sprintf("%d.0.0", m+2)
	rel := firmward.Release{
		ID: "rel-" + version, Family: "f", Models: []string{"M0", "M1"}, Version: version, Fixes: fixes,
		Hardware: [][]string{{"*"}, {"*"}, {"h0"}, {"h0", "h1"}}[roll("revisions", 4)],
	}
	const busy = restDay * 24 * 60
	w.trouble(name, version, busy)
	w.persons(w.Plan(fmt.Sprintf("ro%d", 2*m+1), "anna", rel, w.policy(name+"one"), order), name+"one", busy)
	if roll("second rollout", 3) == 0 {
		w.persons(w.Plan(fmt.Sprintf("ro%d", 2*m+2), "dora", rel, w.policy(name+"two"), order), name+"two", busy)
	}
	w.beside(name, order, busy)
	w.stops(name, busy)
	if err := w.Run(first.AddDate(0, 0, restDay)); err != nil {
		return err
	}
	l.Frozen += len(w.Freezes)
	if w.StopAll {
		l.Pressed++
	}
	return w.monthEnds(first, order, version, l)
}

// monthEnds brings everything to an end, counts, and replaces what was lost.
func (w *World) monthEnds(first time.Time, order []string, version string, l *Lived) error {
	w.calm()
	for at := first.AddDate(0, 0, restDay); at.Before(first.AddDate(0, 0, stopDay)); at = at.Add(12 * time.Hour) {
		for _, r := range w.runs {
			for wave := range r.Waves {
				w.Approve(r, "bert", wave)
				w.Approve(r, "carl", wave)
			}
			w.Steer(r, r.Author, "start", "")
			w.Steer(r, "bert", "resume", "looked at it")
		}
		w.settle()
		if err := w.Run(at.Add(12 * time.Hour)); err != nil {
			return err
		}
	}
	for _, r := range w.runs {
		l.Rollouts++
		switch r.State {
		case firmward.RolloutFinished:
			l.Finished++
		case firmward.RolloutHalted:
			l.Halted++
		}
		w.Steer(r, "bert", "stop", "the next release comes")
	}
	w.settle()
	if err := w.Run(first.AddDate(0, 0, lastDay)); err != nil {
		return err
	}
	if err := w.over(l); err != nil {
		return err
	}
	w.runs, w.issued = nil, map[string]bool{}
	for _, id := range order {
		w.replace(id, version, l)
	}
	return nil
}

// over checks that every rollout has come to its end, with every target.
func (w *World) over(l *Lived) error {
	if err := w.Stuck(); err != nil {
		return err
	}
	for _, r := range w.runs {
		if r.State != firmward.RolloutFinished && r.State != firmward.RolloutStopped {
			return fmt.Errorf("%s is %s after it was stopped (%s)", r.ID, r.State, r.Why)
		}
		if r.State == firmward.RolloutStopped {
			l.Stopped++
		}
		l.Succeeded += r.Succeeded
		l.Failed += r.Failed
	}
	return nil
}

// luck deals habits anew: what goes wrong with which device this month.
func (w *World) luck(name string, order []string) {
	bad := w.dice(name+"bad", 60)
	for _, id := range order {
		d := w.devices[id]
		d.Habit &= DeadMan
		if w.dice(name+id+"bad", 100) < bad {
			d.Habit |= 1<<w.dice(name+id+"habit", dealt) | 1<<w.dice(name+id+"second", dealt)
		}
		if w.dice(name+id+"loses", 16) == 0 {
			d.Habit |= LosesChild
		}
		if w.dice(name+id+"stays open", 24) == 0 {
			d.Habit |= StaysOpen
		}
	}
	w.lows(name, order)
}

// replace puts a new device in the place of one that is lost or became another model.
func (w *World) replace(id, version string, l *Lived) {
	d := w.devices[id]
	d.pass(w.Now)
	for _, n := range d.flashes {
		l.Images += n
	}
	lost := d.lost(w.Now)
	if lost {
		l.Lost++
	}
	facts := d.Facts
	switch {
	case facts.Model != "M0" && facts.Model != "M1":
		facts.Model = "M0"
	case !lost && !d.dead && !d.cuts && !d.trial:
		d.flashes, d.unread, d.touched = nil, "", false
		return
	}
	facts.Firmware = version
	delete(w.fallen, id)
	w.devices[id] = &Device{Facts: facts, Habit: d.Habit, Manner: d.Manner, Path: d.Path, Open: d.Open}
}
