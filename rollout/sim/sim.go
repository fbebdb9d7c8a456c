// Package sim plays rollouts over simulated fleets, deterministically and without waiting.
//
// World is a discrete-event shell around the decisions of package rollout, as package control is
// around a store and real devices: it saves what Advance decides, carries commands out on simulated
// devices, and hands their outcomes back, also lost, repeated and late. After every step the
// invariants of a rollout are checked against the simulated truth (see check.go); that they catch what they
// should is shown by engines with deliberate bugs (bug_test.go). Devices have habits (device.go), people and sleep their manners (person.go), images have flaws and vendors push, strike and
// withdraw (flaw.go), firmward is killed after any write (kill.go); a fleet lives through a year of all that (year.go). A forecast over a large
// fleet is played with less of a shell (large.go). Everything follows from the world's content
// and one seed, so a failure can be repeated by its seed alone.
package sim

import (
	"container/heap"
	"fmt"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/rollout"
	"github.com/firmward/firmward/topology"
)

// The times that simulated work takes.
const (
	askTime     = 10 * time.Second // preflight, look, commit, revert
	installTime = time.Minute
	bootTime    = 3 * time.Minute
	leaseTime   = 2 * time.Minute // from a crash until its command comes back as lost
)

// pageSize is how many pending targets Pick sees at a time.
const pageSize = 256

// Odds are the chances of trouble between engine and devices, each in per mille of commands.
type Odds struct {
	CrashBefore int // firmward stops before the command is carried out; its outcome is lost
	CrashAfter  int // firmward stops after it was carried out; its outcome is lost
	Twice       int // the outcome arrives twice
	Late        int // the outcome arrives up to three hours late
	Kill        int // firmward is killed right after a write, per mille of writes, and is back within three hours
}

// World is a fleet with rollouts. Fill the fields, then call Add and Run.
type World struct {
	Now     time.Time
	Topo    topology.Map
	StopAll bool
	Odds    Odds
	Seed    uint64
	Trace   func(who, what, why string) // nil: nothing is told
	Check   bool                        // check invariants after every step
	Willing bool                        // people approve whatever waits for it, at once
	Depot   []firmward.Release          // what could lead a device to the release of a plan
	Allowed []firmward.Allowance        // risks that whoever plans takes on
	Zone    *time.Location              // of the one site; nil: UTC
	Freezes []firmward.Freeze           // of the one site
	Flaws   []Flaw                      // what is wrong with images

	Steps    int // things that happened so far
	PeakDown int // most devices that were dark at one time, those behind them included

	engine     engine
	cast       Cast
	devices    map[string]*Device
	ids        []string // of devices, sorted; see everyone
	runs       []*Run
	claims     rollout.Claims
	queue      queue
	seq        int
	issued     map[string]bool           // command ids
	down       map[string]int            // devices that are dark; how often, where several carry one
	sweeps     map[time.Time]bool        // that will be
	fallen     map[string]rollout.Fallen // devices that fell, as the sweeps saw it
	backAt     time.Time                 // when firmward is back after it was killed
	kills      int
	downs      []firmward.Span        // when it did not run
	modelPaces map[modelKey]modelPace // drawn so far
	broken     error                  // first broken invariant
}

// Run is one rollout in a world.
type Run struct {
	firmward.Rollout
	Release  firmward.Release
	Refusals []rollout.Refusal

	waves    [][]*slot
	pending  [][]*slot // per wave, in order; entries that are not pending any more are dropped late
	counts   []rollout.WaveCount
	byID     map[string]*slot
	recalled bool      // its image was withdrawn
	struck   bool      // its family fell in one event; until a person resumes it
	resumed  bool      // by a person since the last halt or pause
	streak   int       // successes since the last failure, as the targets tell it
	yes      []consent // approvals given since a device that waits last changed by itself
	gateDue  time.Time // when the gate asked to be asked again
	openDue  time.Time // when the window changes next
	dirty    bool
	log      log
}

// slot is one target with its device.
type slot struct {
	firmward.Target
	dev      *Device
	visits   int       // of its person, in vain
	careless bool      // its person was there and did nothing
	stopped  bool      // a person took it out
	goBack   bool      // a person has said that it goes back
	alarmed  bool      // firmward hears when it wakes
	lowAt    time.Time // when it was found too low last

	closes  []string // what is open on it and its release is to close
	carried []string // devices directly behind it that answered before the start
	missing []string // of these: those that were silent when it was looked at last, and were not changed themselves since
}

// item is one thing that happens at a time.
type item struct {
	at  time.Time
	seq int
	do  func()
}

type queue []item

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	return q[i].at.Before(q[j].at) || q[i].at.Equal(q[j].at) && q[i].seq < q[j].seq
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push implements heap.Interface.
func (q *queue) Push(x any) { *q = append(*q, x.(item)) }

// Pop implements heap.Interface.
func (q *queue) Pop() any {
	old := *q
	it := old[len(old)-1]
	*q = old[:len(old)-1]
	return it
}

// New returns an empty world at a time.
func New(now time.Time, seed uint64) *World {
	return &World{
		Now: now, Seed: seed, engine: sound, devices: map[string]*Device{}, issued: map[string]bool{}, down: map[string]int{}, fallen: map[string]rollout.Fallen{}, sweeps: map[time.Time]bool{},
		claims: rollout.Claims{Device: map[string]string{}, Group: map[string]string{}, Model: map[string]int{}, Site: map[string]int{}, Domain: map[string]int{}},
	}
}

// Put adds a device to the fleet.
func (w *World) Put(d *Device) { w.devices[d.Facts.ID] = d }

// Plan makes a rollout over all devices, in the state planned.
func (w *World) Plan(id, author string, rel firmward.Release, p firmward.RolloutPolicy, order []string) *Run {
	cands := make([]rollout.Candidate, len(order))
	for i, name := range order {
		d := w.devices[name]
		if cands[i] = d.candidate(); d.Policy != "" && d.Policy != p.Name {
			cands[i].Policy = d.Policy
		}
		if len(w.Depot)+len(w.Allowed) > 0 {
			cands[i].Releases, cands[i].Allowed = w.Depot, w.Allowed
		}
	}
	targets, refusals := w.engine.plan(rel, p, cands)
	r := &Run{Release: rel, Refusals: refusals, byID: make(map[string]*slot, len(targets))}
	r.Rollout = firmward.Rollout{ID: id, ReleaseID: rel.ID, Policy: p, State: firmward.RolloutPlanned, Author: author, Created: w.Now, Waves: 1, Sizes: rollout.Sizes(targets), Total: len(targets), Staging: "not-staged"}
	for _, t := range targets {
		t.RolloutID = id
		r.Waves = max(r.Waves, t.Wave+1)
		for len(r.waves) <= t.Wave {
			r.waves = append(r.waves, nil)
		}
		s := &slot{Target: t, dev: w.devices[t.DeviceID]}
		r.waves[t.Wave] = append(r.waves[t.Wave], s)
		r.byID[t.DeviceID] = s
	}
	for _, ref := range refusals {
		w.tell(ref.DeviceID, "refused "+ref.Code, ref.Why)
	}
	for len(r.waves) < r.Waves {
		r.waves = append(r.waves, nil)
	}
	for _, wave := range r.waves {
		r.pending = append(r.pending, append([]*slot(nil), wave...))
		r.counts = append(r.counts, rollout.WaveCount{Pending: len(wave)})
	}
	w.runs = append(w.runs, r)
	r.log.begin(r)
	w.planned(r, order)
	return r
}

// At lets do happen at a time.
func (w *World) At(t time.Time, do func()) {
	w.seq++
	heap.Push(&w.queue, item{t.UTC(), w.seq, do})
}

func (w *World) after(d time.Duration, do func()) { w.At(w.Now.Add(d), do) }

// Run lets the world go on until nothing is left to happen before end. It returns the first broken
// invariant.
func (w *World) Run(end time.Time) error {
	for w.broken == nil && len(w.queue) > 0 && !w.queue[0].at.After(end) {
		it := heap.Pop(&w.queue).(item)
		w.Now = it.at
		w.Steps++
		it.do()
		w.settle()
	}
	if w.broken == nil && w.Now.Before(end) {
		w.Now = end
	}
	return w.broken
}

// settle turns every rollout in which something changed until nothing changes.
func (w *World) settle() {
	for range 10_000 {
		busy := false
		for _, r := range w.runs {
			if r.dirty && !w.off() {
				r.dirty = false
				busy = true
				w.turn(r)
			}
		}
		w.check()
		if !busy || w.broken != nil {
			return
		}
	}
	w.fail("the rollouts never settle at one point of time")
}

// Steer gives a person's order to a rollout.
func (w *World) Steer(r *Run, who, order, why string) {
	if w.deaf(who, order) {
		return
	}
	was := r.State
	now := w.Now
	w.logged(r, func(h *firmward.Rollout, _ map[string]*firmward.Target) { _ = rollout.Steer(h, order, why, now) })
	err := rollout.Steer(&r.Rollout, order, why, now)
	if err != nil {
		w.tell(who, order, "refused: "+err.Error())
		return
	}
	w.tell(who, order, why)
	r.resumed = r.resumed || order == "resume"
	r.struck = r.struck && order != "resume"
	w.steered(r, was)
}

// Approve records a person's consent to a wave.
func (w *World) Approve(r *Run, who string, wave int) {
	if w.deaf(who, "approve") {
		return
	}
	was := r.State
	given := firmward.Approval{Actor: who, Wave: wave, At: w.Now}
	w.logged(r, func(h *firmward.Rollout, _ map[string]*firmward.Target) {
		h.Approvals = append(h.Approvals, given)
		rollout.Approve(h, given.At)
	})
	r.Approvals = append(r.Approvals, given)
	r.yes = append(r.yes, consent{who, wave})
	w.tell(who, "approve", fmt.Sprintf("wave %d", wave))
	rollout.Approve(&r.Rollout, w.Now)
	w.steered(r, was)
}

// StopOne takes one device out of a rollout, if nothing was sent to it.
func (w *World) StopOne(r *Run, who, device, why string) {
	s := r.byID[device]
	if s == nil || w.deaf(who, "stop-one") {
		return
	}
	w.tell(who, "stop-one", device+": "+why)
	s.stopped = s.stopped || s.untouched()
	w.apply(r, s, rollout.Event{Kind: rollout.Abandon, Why: "stopped by " + who + ": " + why})
}

// StopWave takes all devices of a wave out of a rollout to which nothing was sent.
func (w *World) StopWave(r *Run, who string, wave int, why string) {
	if wave >= len(r.waves) {
		return
	}
	for _, s := range r.waves[wave] {
		if s.untouched() {
			w.StopOne(r, who, s.DeviceID, why)
		}
	}
}

// Hasten shortens the soaks of a rollout because of an advisory that is exploited.
func (w *World) Hasten(r *Run, who, advisory string) {
	if w.deaf(who, "hasten") {
		return
	}
	why := advisory + " is being exploited"
	now, hurry, because := w.Now, rollout.Hurry{Exploited: []string{advisory}}, why
	w.logged(r, func(h *firmward.Rollout, _ map[string]*firmward.Target) { _ = rollout.Hasten(h, because, hurry, now) })
	if err := rollout.Hasten(&r.Rollout, why, hurry, now); err != nil {
		why = "refused: " + err.Error()
	}
	w.tell(who, "hasten", why)
	r.dirty = true
}

// Press presses or releases the red button.
func (w *World) Press(who string, on bool) {
	if w.deaf(who, "stop-all") {
		return
	}
	w.StopAll = on
	w.tell(who, map[bool]string{true: "stop-all", false: "stop-all-end"}[on], "")
	w.wake()
}

// steered tells a header's new state and ends what a stopped rollout has not touched.
func (w *World) steered(r *Run, was firmward.RolloutState) {
	r.dirty = true
	if r.State == was {
		return
	}
	w.tell(r.ID, string(r.State), r.Why)
	if r.State == firmward.RolloutHalted || r.State == firmward.RolloutPaused {
		r.resumed = false
	}
	w.abandon(r)
}

func over(r *Run) bool {
	return r.State == firmward.RolloutStopped || r.State == firmward.RolloutFinished
}

func (s *slot) untouched() bool {
	return s.State == firmward.TargetPending || s.State == firmward.TargetClaimed || s.State.Waits()
}
