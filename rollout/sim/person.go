package sim

import (
	"fmt"
	"strings"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/rollout"
)

// Manner is how a device and the people who look after it are, beside what goes wrong with updates; manners add up.
type Manner uint8

// The manners.
const (
	ByHand    Manner = 1 << iota // no driver can update it: a person does
	Idle                         // that person never comes by itself
	Wordless                     // does not say when the work begins
	Forgetful                    // does not say when it is done
	Careless                     // changes nothing the first time, and says that it is done
	Sleeper                      // answers for half an hour every six hours
)

var manners = [...]string{"by-hand", "idle", "wordless", "forgetful", "careless", "sleeper"}

// ParseManner finds a manner by its name.
func ParseManner(name string) (Manner, bool) {
	for i, m := range manners {
		if m == name {
			return 1 << i, true
		}
	}
	return 0, false
}

// Manners lists all names.
func Manners() string { return strings.Join(manners[:], ", ") }

func (m Manner) has(o Manner) bool { return m&o != 0 }

// The hours of a sleeper.
const (
	sleepTime = 6 * time.Hour
	wakeTime  = 30 * time.Minute
)

// asleep reports whether a sleeper does not answer now.
func (d *Device) asleep(now time.Time) bool {
	return d.Manner.has(Sleeper) && !now.Before(d.awakeTo) && now.Sub(now.Truncate(sleepTime)) >= wakeTime
}

// wakes tells firmward, each time that a sleeper wakes, that it was seen: as long as its rollout has something to ask it.
func (w *World) wakes(r *Run, s *slot) {
	if !s.dev.Manner.has(Sleeper) || s.alarmed {
		return
	}
	s.alarmed = true
	w.At(w.Now.Truncate(sleepTime).Add(sleepTime+time.Second), func() {
		s.alarmed = false
		if !s.dev.reachable(w.Now) || over(r) && !s.State.InFlight() {
			return
		}
		w.up(func() { w.apply(r, s, rollout.Event{Kind: rollout.Woke}) })
		if !s.State.Final() || s.State == firmward.TargetSucceeded && s.SoakedAt.IsZero() {
			w.wakes(r, s)
		}
	})
}

// asked is what a work order brings about: its person comes when the dice say.
func (w *World) asked(r *Run, s *slot) {
	switch {
	case !w.Check:
	case r.recalled:
		w.fail("somebody is asked to bring %s an image that was withdrawn", s.DeviceID)
	case w.StopAll || r.State != firmward.RolloutRunning:
		w.fail("somebody is asked to update %s although the rollout is %s, red button %v", s.DeviceID, r.State, w.StopAll)
	case s.Wave > r.Wave:
		w.fail("somebody is asked to update %s of wave %d in wave %d", s.DeviceID, s.Wave, r.Wave)
	default:
		w.agreed(r, s.DeviceID, "is given to a person")
	}
	w.comes(r, s, time.Duration(w.dice(s.Command+"comes", int(r.Policy.WorkOrders/time.Minute)))*time.Minute)
}

// comes lets the person of a device come after a time.
func (w *World) comes(r *Run, s *slot, in time.Duration) {
	if s.dev.Manner.has(Idle) {
		return
	}
	w.after(in, func() {
		switch {
		case s.State != firmward.TargetAsked || s.dev.Facts.Firmware == s.Want:
		case s.dev.Manner.has(Wordless):
			w.Work(r, s.DeviceID)
			w.reports(r, s)
		case !w.Begin(r, s.DeviceID):
			w.visited(r, s)
		}
	})
}

// visited lets a person whose visit was in vain come again.
func (w *World) visited(r *Run, s *slot) {
	s.visits++
	w.comes(r, s, time.Duration(10+w.dice(fmt.Sprint(s.DeviceID, r.ID, "again", s.visits), 60<<min(s.visits, 5)))*time.Minute)
}

// worksFrom lets the person of a target go on after its state changed.
func (w *World) worksFrom(r *Run, s *slot, before firmward.TargetState) {
	switch {
	case !s.ByHand || s.dev.Manner.has(Idle):
	case s.State == firmward.TargetInstalling:
		w.after(time.Duration(5+w.dice(s.Command+"works", 100))*time.Minute, func() {
			w.Work(r, s.DeviceID)
			w.reports(r, s)
		})
	case s.State == firmward.TargetAsked && before.InFlight():
		w.visited(r, s)
	}
}

func (w *World) reports(r *Run, s *slot) {
	if !s.dev.Manner.has(Forgetful) {
		w.after(time.Minute, func() { w.Report(r, s.DeviceID) })
	}
}

// Begin is a person's word that the work at a device begins. It reports whether firmward agreed.
func (w *World) Begin(r *Run, device string) bool {
	s := r.byID[device]
	if w.deaf(device, "begin") || s.State != firmward.TargetAsked {
		return false
	}
	picks, not := w.engine.pick(&r.Rollout, []rollout.Slot{w.slot(s)}, w.claims, w.Topo, w.StopAll)
	if len(picks) == 0 {
		w.tell(device, "not-yet", not[0].Why)
		return false
	}
	w.started(r, picks[0])
	w.apply(r, s, rollout.Begin(picks[0]))
	return true
}

// Work is what a person does at a device, whatever firmward knows of it.
func (w *World) Work(r *Run, device string) {
	s := r.byID[device]
	d := s.dev
	d.pass(w.Now)
	if d.Manner.has(Careless) && !s.careless {
		s.careless = true
		w.tell(device, "visited", "nothing is done")
		return
	}
	if w.Check && (!r.Release.FitsModel(d.Facts.Model) || !r.Release.FitsHardware(d.Facts.Hardware)) {
		return // a person reads the label
	}
	was := d.darkTo
	d.image = w.fate(r.Release, d)
	d.alive = !d.dead
	d.install(r.Release.Version, 0, w.Now)
	d.trial, d.before = false, "" // whoever stands before it keeps it
	if d.darkTo.After(was) {
		w.darken(d)
	}
	w.fall(d.diesAt)
	w.tell(device, "worked-on", "runs "+d.Facts.Firmware)
}

// Report is a person's word that the work is done.
func (w *World) Report(r *Run, device string) {
	s := r.byID[device]
	if s.State == firmward.TargetAsked || s.State == firmward.TargetInstalling {
		w.up(func() { w.apply(r, s, rollout.Event{Kind: rollout.Reported, Why: "somebody says that it is done"}) })
	}
}
