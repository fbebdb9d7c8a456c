package sim

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"runtime"
	"strconv"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/calendar"
	"github.com/firmward/firmward/rollout"
)

// large plays one rollout over a fleet of any size, as World does and by the same engine: what is decided for a fleet is the same in
// both (large_test.go). It knows no crashes and no persons but willing ones, and keeps a hundred and some bytes of a device. Whom something
// holds back that another device must first make room for is not asked again until it has (large_start.go).
//
// World checks every invariant after every step; here those are checked that cost no look at the whole fleet: whatever must hold when a
// target starts, when an image is sent and when a wave is left, and that the header counts what the targets say. That no window is
// closed and no freeze holds is looked at for one start in a thousand, minute by minute.
type large struct {
	c     Case
	dice  World // of the seed
	fleet crowd
	run   firmward.Rollout
	now   time.Time
	said  texts

	all    []record  // by the number of the device
	waves  [][]int32 // devices of each wave, in the order of the plan
	counts []rollout.WaveCount
	claims rollout.Claims
	agenda agenda
	order  uint32
	steps  int

	lines  []line // who waits, per wave
	parked map[string]*places
	again  []int32          // places of those who are asked at the next occasion
	stay   []waits          // who was not chosen of a page
	freed  map[int32]string // device → what made room for it
	shops  []hoursOf        // clocks and freezes of the fleet's sites
	shopOf map[hoursKey]int
	cal    calendar.Calendar
	slots  []rollout.Slot
	page   []int32 // places of the slots

	dirty   bool
	gateDue time.Time
	openDue map[int64]bool
	down    map[string]int
	peak    int
	nights  map[int64]bool
	out     Outcome
	sum     hash.Hash
	line    []byte
	ended   time.Time

	odd        []int32        // devices that took an image and have a habit: those that may fall
	watched    map[string]int // family → devices that may fall
	fallen     map[int32]rollout.Fallen
	tally      [13]int   // targets by state
	lastGood   time.Time // when a target of the open wave succeeded last
	behind     behind
	target0    firmward.Target // of the event at hand
	input      rollout.Input
	commands   [1]rollout.Command
	violations error
}

// playLarge plays a case without a World.
func (c Case) playLarge(seed uint64) Outcome {
	l := &large{
		c: c, dice: World{Seed: seed}, fleet: c.crowd(), now: c.Begin, ended: c.Begin, said: newTexts(), sum: sha256.New(), down: map[string]int{}, nights: map[int64]bool{},
		claims: rollout.Claims{Device: map[string]string{}, Group: map[string]string{}, Model: map[string]int{}, Site: map[string]int{}, Domain: map[string]int{}},
		parked: map[string]*places{}, freed: map[int32]string{}, shopOf: map[hoursKey]int{}, openDue: map[int64]bool{}, fallen: map[int32]rollout.Fallen{},
		behind: behind{mute: map[int32][]string{}, missing: map[int32]bool{}},
		out:    Outcome{Seed: seed, Refused: map[string]int{}, States: map[firmward.TargetState]int{}, Waits: map[string]int{}},
	}
	l.plan()
	if l.run.Total > 0 {
		l.steer("start")
		l.settle()
	}
	l.play(c.Begin.Add(horizon))
	return l.outcome()
}

// plan makes the rollout.
func (l *large) plan() {
	c := l.c
	held, refused := rollout.PlanFleet(c.Release, c.Policy, l.fleet.size(), func(i int) *rollout.Candidate { return &l.fleet.known(int32(i)).Candidate })
	for _, ref := range refused {
		l.tell(ref.DeviceID, "refused "+ref.Code, ref.Why)
		l.out.Refused[ref.Why]++
	}
	var sizes []int
	for _, p := range held {
		for len(sizes) <= int(p.Wave) {
			sizes = append(sizes, 0)
		}
		sizes[p.Wave]++
	}
	l.run = firmward.Rollout{
		ID: run, ReleaseID: c.Release.ID, Policy: c.Policy, State: firmward.RolloutPlanned, Author: "the author", Created: l.now, Waves: max(1, len(sizes)), Sizes: sizes, Total: len(held), Staging: "not-staged",
	}
	l.counts = make([]rollout.WaveCount, l.run.Waves)
	l.waves, l.lines = make([][]int32, l.run.Waves), make([]line, l.run.Waves)
	for w, n := range sizes {
		l.waves[w] = make([]int32, 0, n)
		l.counts[w].Pending = n
	}
	if l.fleet.size() > 1<<17 {
		runtime.GC() // what the plan needed is as large as what comes now
	}
	l.all = make([]record, l.fleet.size())
	for i := range l.all {
		k := l.fleet.known(int32(i))
		l.hours(k)
		l.all[i].habit = c.habit(&l.dice, k.Candidate.Device.ID)
		l.behind.cutters = l.behind.cutters || l.all[i].habit.has(LosesChild)
	}
	waits := make([]text, l.run.Waves)
	for w := range waits {
		waits[w] = l.said.number("waits for wave " + strconv.Itoa(w))
	}
	waits[0] = l.said.number("waits for the canary wave")
	for _, p := range held {
		l.waves[p.Wave] = append(l.waves[p.Wave], p.Candidate)
		l.all[p.Candidate] = l.first(p, waits[p.Wave])
	}
	l.tally[0] = len(held)
	l.cal, l.violations = calendar.New(c.Policy)
	l.watch()
}

// first is the record of a device before anything happens.
func (l *large) first(p rollout.Place, why text) record {
	k := l.fleet.known(p.Candidate)
	r := record{
		wave: p.Wave, why: why, from: l.said.number(k.Candidate.Device.Firmware), habit: l.all[p.Candidate].habit,
	}
	ask, send, boot := l.dice.paces(k)
	r.ask, r.send, r.boot = int32(ask/time.Millisecond), int32(send/time.Millisecond), int32(boot/time.Millisecond)
	r.runs = r.from
	if k.Abilities.DeadMan {
		r.habit |= DeadMan
	}
	if k.Abilities.CanRevert {
		r.habit |= WayBack
	}
	return r
}

// play lets happen what happens, until nothing is left or the end.
func (l *large) play(end time.Time) {
	until := ns(end)
	for l.violations == nil && len(l.agenda) > 0 && l.agenda[0].at <= until {
		h := l.agenda.pop()
		l.now = instant(h.at)
		l.steps++
		switch h.kind {
		case turns:
			delete(l.openDue, h.at)
			l.release(personName(h.at), -1)
			l.dirty = true
		case ticks:
			if r := &l.all[h.device]; r.at().InFlight() && r.due != 0 && r.due <= h.at {
				l.apply(h.device, rollout.Event{Kind: rollout.Tick})
			}
		case ends:
			l.end(h)
		case lights:
			l.lighten(h.device)
		case sweeps:
			l.sweep()
		}
		l.settle()
		if l.steps%(1<<16) == 0 && l.away() {
			return
		}
	}
}

// away tells how far the run is, and reports whether it must end.
func (l *large) away() bool {
	if l.c.Watch != nil {
		done := 0
		for i, n := range l.tally {
			if states[i].Final() {
				done += n
			}
		}
		l.c.Watch(done, l.run.Total, l.now)
	}
	if l.c.stop == nil {
		return false
	}
	return l.c.stop() != nil
}

// at puts something on the agenda.
func (l *large) at(when int64, h happening) {
	h.at, h.order = when, l.order
	l.order++
	l.agenda.push(h)
}

// settle turns the rollout until nothing changes.
func (l *large) settle() {
	for range 10_000 {
		if !l.dirty || l.violations != nil {
			return
		}
		l.dirty = false
		l.turn()
	}
	l.fail("the rollout never settles at one point of time")
}

func (l *large) steer(order string) {
	was := l.run.State
	if err := rollout.Steer(&l.run, order, "", l.now); err != nil {
		l.tell(l.run.Author, order, "refused: "+err.Error())
		return
	}
	l.tell(l.run.Author, order, "")
	l.steered(was)
}

func (l *large) steered(was firmward.RolloutState) {
	l.dirty = true
	if l.run.State != was {
		l.tell(l.run.ID, string(l.run.State), l.run.Why)
	}
}

// turn asks the gate, lets devices be looked at after their soak, and starts whoever may start.
func (l *large) turn() {
	agree(&l.run, l.now)
	r := &l.run
	was, wave, why := r.State, r.Wave, r.Why
	count := rollout.WaveCount{}
	if r.Wave < len(l.counts) {
		count = l.counts[r.Wave]
		if r.Wave == 0 && count.Pending+count.InFlight == 0 {
			count.Bare = rollout.Count(l.canaries()).Bare
		}
	}
	look, due := rollout.Gate(r, count, l.now)
	switch {
	case r.State != was:
		l.left(wave, was)
		l.steered(was)
	case r.Wave != wave:
		l.left(wave, was)
		l.tell(r.ID, "wave", r.Why)
		l.dirty = true
	case r.Why != why:
		l.tell(r.ID, string(r.State), r.Why)
	}
	if look {
		for _, i := range l.waves[r.Wave] {
			if t := &l.all[i]; t.at() == firmward.TargetSucceeded && !t.is.has(soaked) {
				l.apply(i, rollout.Event{Kind: rollout.SoakDue})
			}
		}
	}
	if due.After(l.now) && !due.Equal(l.gateDue) {
		l.gateDue = due
		l.later(ns(due))
	}
	if r.State == firmward.RolloutRunning {
		l.start()
	}
}

// later turns the rollout at a time, once.
func (l *large) later(when int64) {
	if !l.openDue[when] {
		l.openDue[when] = true
		l.at(when, happening{kind: turns})
	}
}

// canaries are the targets of the canary wave with their models.
func (l *large) canaries() []firmward.Target {
	out := make([]firmward.Target, len(l.waves[0]))
	for k, i := range l.waves[0] {
		out[k] = firmward.Target{State: l.all[i].at(), Model: l.fleet.known(i).Candidate.Device.Model}
	}
	return out
}

// tell adds a line to the trace.
func (l *large) tell(who, what, why string) {
	if who == run && firmward.RolloutState(what) != firmward.RolloutRunning {
		l.ended = l.now
	}
	if what != waiting {
		l.line = appendLine(l.line[:0], l.now, who, what, why)
		l.sum.Write(l.line)
	}
	if l.c.Trace != nil {
		l.c.Trace(l.now, who, what, why)
	}
}

// waiting is what a trace tells of a device that must wait, and why. It is no decision and not part of a trace's sum.
const waiting = "waits"

func appendLine(b []byte, now time.Time, who, what, why string) []byte {
	b = strconv.AppendInt(b, now.Unix(), 10)
	for _, s := range [...]string{who, what, why} {
		b = append(append(b, 0), s...)
	}
	return append(b, '\n')
}

func (l *large) fail(format string, args ...any) {
	if l.violations == nil {
		l.violations = fmt.Errorf("at %s: %s", l.now.Format("2006-01-02 15:04:05"), fmt.Sprintf(format, args...))
	}
}

func (l *large) outcome() Outcome {
	o, r := &l.out, &l.run
	o.Devices, o.Steps, o.State, o.Why, o.PeakDown, o.Nights = r.Total, l.steps, r.State, r.Why, l.peak, len(l.nights)
	o.Trace, o.Took = hex.EncodeToString(l.sum.Sum(nil)[:8]), l.ended.Sub(l.c.Begin)
	for _, wave := range l.waves {
		for _, i := range wave {
			t := &l.all[i]
			o.States[t.at()]++
			switch t.at() {
			case firmward.TargetPending:
				o.Waits[l.said.all[t.why]]++
			case firmward.TargetFailed, firmward.TargetRolledBack:
				o.Bad++
			}
		}
	}
	l.counted()
	if l.violations != nil {
		o.Violation = l.violations.Error()
	}
	return *o
}
