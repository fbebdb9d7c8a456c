package sim

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/rollout"
	"github.com/firmward/firmward/upgrade"
)

// Habit is how a device behaves; habits add up.
type Habit uint32

// The habits.
const (
	Unreachable Habit = 1 << iota // answers nothing from the beginning
	Unfit                         // the driver refuses before the start
	Refuses                       // says no to the image
	Unsent                        // the driver cannot begin the installation
	BreaksOff                     // the exchange breaks off, the image was taken
	Nothing                       // says yes and does nothing
	OldVersion                    // restarts with the old version
	Silent                        // never comes back with the new version
	DeadService                   // the new version's service is dead
	DeadMan                       // runs on trial and falls back by itself unless committed
	WayBack                       // the driver can go back
	NoHold                        // says yes to the commit and stays on trial
	CommitFails                   // says no to the commit
	NoFall                        // stays on the new version although nobody committed
	Stranger                      // another device answers at its address afterwards
	Mute                          // its version cannot be read afterwards
	Dies                          // dies half an hour after the update
	Slow                          // needs twenty minutes to come back
	Bricks                        // takes the image and is dead for good, whatever way back it had
	PowerCut                      // loses its power while it writes: with one slot it is dead for good, with two it is back with the old version
	Minimal                       // takes a small image first and by itself the wanted one after it; PowerCut hits it in between
	DiesLate                      // dies three days after the update
	Skewed                        // its clock is wrong: it says five minutes more than it has until it falls back
	LosesChild                    // with the new version it does not reach the first device behind it
	StaysOpen                     // the new version does not close what it should
	BatteryLow                    // its battery is nearly empty; it is charged some time after it was asked first
	BatteryFlat                   // the same, and nobody ever charges it
	WeakSignal                    // it hardly hears its network; somebody mends that some time after it was asked first
	OutOfRange                    // the same, and nobody ever does
)

// dealt is how many habits the dice deal out to fleets made by chance. Later ones have dice of their own, so that a seed stays what it was.
const dealt = 23

var habits = [...]string{
	"unreachable", "unfit", "refuses", "unsent", "breaks-off", "nothing", "old-version", "silent", "dead-service", "dead-man",
	"way-back", "no-hold", "commit-fails", "no-fall", "stranger", "mute", "dies", "slow", "bricks", "power-cut", "minimal", "dies-late", "skewed",
	"loses-child", "stays-open", "battery-low", "battery-flat", "weak-signal", "out-of-range",
}

// ParseHabit finds a habit by its name.
func ParseHabit(name string) (Habit, bool) {
	for i, h := range habits {
		if h == name {
			return 1 << i, true
		}
	}
	return 0, false
}

// Habits lists all names.
func Habits() string { return strings.Join(habits[:], ", ") }

// String lists the names.
func (h Habit) String() string {
	var out []string
	for i, name := range habits {
		if h&(1<<i) != 0 {
			out = append(out, name)
		}
	}
	return strings.Join(out, " ")
}

// Device is one simulated device: the facts that firmward knows, and the truth.
type Device struct {
	Facts  firmward.Device
	Runs   upgrade.State // its variant and the versions of its parts
	Habit  Habit
	Manner Manner
	Open   []string // advisories that are open on it
	Script []string // trouble with its next commands, as "crash-after install"; each is used once

	Path    string // delivery path of its images
	Policy  string // rollout policy that it falls under; empty: that of whoever plans
	Verdict firmward.StagingVerdict

	Candidate *rollout.Candidate // what is known of a real one; nil: a card that all simulated ones share
	Able      *rollout.Abilities // the same
	Zone      *time.Location     // of its site; nil: that of the world
	Freezes   []firmward.Freeze  // of its site; nil: those of the world
	Held      rollout.Held       // where Candidate is nil
	Says      firmward.Vitals    // of its battery and radio, unless a habit says otherwise

	image    fate      // what the image that is sent would do to it
	got      Habit     // what the image that it took last does to it
	gone     bool      // dead for good: firmward's image, its vendor or a date did that
	halfway  string    // version of the small image that it runs on its way
	wholeAt  time.Time // when it runs the wanted one; zero: never
	aim      string    // the version wanted then
	before   string    // version in the other slot
	trial    bool
	fallAt   time.Time
	darkTo   time.Time
	awakeTo  time.Time // until when a sleeper stays awake, whatever its hours
	diesAt   time.Time
	touched  bool // an installation was taken
	fell     bool // it went back by itself to what it ran before
	dead     bool // its service
	cuts     bool // it does not reach the first device behind it
	cut      bool // the one before it does not reach it
	busyTo   time.Time
	healsAt  time.Time      // when its battery is charged, or its radio hears again; zero: nobody has asked it yet
	boot     time.Duration  // until it is back; 0: bootTime
	asked    time.Duration  // that a question takes; 0: askTime
	sent     time.Duration  // that sending the image takes; 0: installTime
	alive    bool           // its service answered before the start
	sawNew   bool           // a look really saw the wanted version, at work if it was before
	flashes  map[string]int // images sent, per rollout
	ranFirst string         // what it ran when a rollout sent it its first image
	unread   string         // the rollout that sent an image and has not looked since
}

var card = firmward.Model{
	Rollback: firmward.Fact{Value: "slot"}, Settle: firmward.Fact{Value: "5"}, Outage: firmward.Fact{Value: "10"},
}

func (d *Device) candidate() rollout.Candidate {
	if d.Candidate != nil {
		c := *d.Candidate
		c.Device = d.Facts
		return c
	}
	return rollout.Candidate{Device: d.Facts, Model: card, HasDriver: !d.Manner.has(ByHand), Runs: d.Runs, Path: d.Path, Staging: d.Verdict, Held: d.Held}
}

func (d *Device) held() rollout.Held {
	if d.Candidate != nil {
		return d.Candidate.Held
	}
	return d.Held
}

func (d *Device) abilities() rollout.Abilities {
	if d.Able != nil {
		return *d.Able
	}
	return rollout.Abilities{Settle: 5 * time.Minute, ByHand: 2 * time.Hour, DeadMan: d.Habit&DeadMan != 0, CanRevert: d.Habit&WayBack != 0}
}

func (d *Device) is(h Habit) bool { return (d.Habit|d.got)&h != 0 }

// trouble takes the next trouble that the script has for a verb.
func (d *Device) trouble(v rollout.Verb) string {
	for i, line := range d.Script {
		if kind, verb, _ := strings.Cut(line, " "); verb == string(v) {
			d.Script = append(d.Script[:i:i], d.Script[i+1:]...)
			return kind
		}
	}
	return ""
}

// pace is how long a command to the device takes.
func (d *Device) pace(v rollout.Verb) time.Duration {
	if v == rollout.DoInstall {
		return cmp.Or(d.sent, installTime)
	}
	return cmp.Or(d.asked, askTime)
}

// pass lets happen what has happened in the device until now.
func (d *Device) pass(now time.Time) {
	if d.trial && !d.fallAt.IsZero() && !now.Before(d.fallAt) && !d.is(NoFall) {
		d.Facts.Firmware, d.before = d.before, ""
		d.trial, d.dead, d.cuts, d.fell = false, false, false, true
		d.darkTo = d.fallAt.Add(bootTime)
	}
	if d.halfway != "" && !d.wholeAt.IsZero() && !now.Before(d.wholeAt) {
		d.Facts.Firmware, d.halfway, d.dead, d.cuts = d.aim, "", d.is(DeadService), d.is(LosesChild)
	}
}

func (d *Device) reachable(now time.Time) bool {
	return !d.dark(now) && !now.Before(d.darkTo) && !d.cut && !d.asleep(now)
}

// dark reports whether the device will never answer again by itself.
func (d *Device) dark(now time.Time) bool {
	return d.gone || d.is(Unreachable) || d.touched && d.is(Silent) && !d.fell || !d.diesAt.IsZero() && !now.Before(d.diesAt)
}

// lost reports whether the device is worse than before for good: it never answers again, or does not serve all that it served, and has no way back of its own.
func (d *Device) lost(now time.Time) bool {
	back := d.trial && !d.is(NoFall) || d.is(WayBack) && d.before != ""
	return d.dark(now) && !d.Habit.has(Unreachable) || (d.dead || d.cuts) && !back || d.halfway != "" && d.wholeAt.IsZero()
}

func (h Habit) has(o Habit) bool { return h&o != 0 }

// do carries a verb out.
func (d *Device) do(v rollout.Verb, want string, commitWithin time.Duration, now time.Time) rollout.Event {
	d.pass(now)
	up := d.reachable(now)
	switch v {
	case rollout.DoPreflight:
		switch {
		case !up:
			return rollout.Event{Kind: rollout.PreflightFailed, Why: "nothing came back in time"}
		case d.is(Unfit):
			return rollout.Event{Kind: rollout.PreflightRefused, Code: "driver-refused", Why: "the driver says no"}
		}
		d.alive, d.awakeTo = !d.dead, now.Add(wakeTime)
		if d.healsAt.IsZero() {
			d.healsAt = now.Add(healTime)
		}
		seen := d.look(want, now)
		seen.Vitals = d.vitals(now)
		return rollout.Event{Kind: rollout.PreflightOK, Seen: seen}
	case rollout.DoInstall:
		return d.install(want, commitWithin, now)
	case rollout.DoCommit:
		switch {
		case !up || d.is(CommitFails):
			return rollout.Event{Kind: rollout.CommitFailed, Why: "the device did not take it"}
		case !d.is(NoHold):
			d.trial, d.before = false, ""
		}
		return rollout.Event{Kind: rollout.Committed}
	case rollout.DoRevert:
		if !up || d.before == "" {
			return rollout.Event{Kind: rollout.RevertFailed, Why: "the device did not take it"}
		}
		d.Facts.Firmware, d.before = d.before, ""
		d.dead, d.cuts, d.trial = false, false, false
		d.darkTo = now.Add(bootTime)
		return rollout.Event{Kind: rollout.Reverted}
	}
	return rollout.Event{Kind: rollout.Looked, Seen: d.look(want, now)}
}

func (d *Device) look(want string, now time.Time) rollout.Seen {
	if !d.reachable(now) {
		return rollout.Seen{Note: "nothing came back in time"}
	}
	s := rollout.Seen{
		Reachable: true, SameDevice: !(d.touched && d.is(Stranger)), Version: d.Facts.Firmware, Uncommitted: d.trial,
		Busy:     d.halfway != "" && !d.wholeAt.IsZero(),
		Services: service(!d.dead),
	}
	if d.touched && d.is(Mute) {
		s.Version = ""
	}
	if d.trial {
		s.FallsBackIn = max(0, d.fallAt.Sub(now))
		if d.is(Skewed) {
			s.FallsBackIn += 5 * time.Minute
		}
	}
	if s.Version == want && (!d.dead || !d.alive) {
		d.sawNew = true
	}
	return s
}

func (d *Device) install(want string, commitWithin time.Duration, now time.Time) rollout.Event {
	switch {
	case d.is(Unsent):
		return rollout.Event{Kind: rollout.NotSent, Why: "the device did not answer before the upload"}
	case (d.Habit | d.image.habit).has(Refuses):
		return rollout.Event{Kind: rollout.InstallRefused, Why: "invalid image"}
	case (d.Habit | d.image.habit).has(Nothing):
		return rollout.Event{Kind: rollout.Accepted}
	}
	d.touched, d.fell, d.got = true, false, d.image.habit
	boot := cmp.Or(d.boot, bootTime)
	if d.is(Slow) {
		boot = 20 * time.Minute
	}
	d.darkTo, d.busyTo, d.awakeTo = now.Add(boot), now.Add(boot), now.Add(boot+wakeTime)
	slots := d.is(DeadMan | WayBack)
	switch {
	case d.is(Bricks), d.is(PowerCut) && !d.is(Minimal) && !slots:
		d.gone = true
	case d.is(OldVersion), d.is(PowerCut) && slots:
	case d.is(Minimal):
		d.before, d.halfway, d.aim = "", "minimal-"+want, want
		d.Facts.Firmware, d.dead, d.trial = d.halfway, true, false
		if d.wholeAt = now.Add(2 * boot); d.is(PowerCut) {
			d.wholeAt = time.Time{}
		}
		d.busyTo = now.Add(2 * boot)
	default:
		d.before, d.Facts.Firmware = d.Facts.Firmware, want
		d.dead, d.cuts = d.is(DeadService), d.is(LosesChild)
		if d.trial = d.is(DeadMan); d.trial {
			d.fallAt = now.Add(boot + commitWithin)
		}
		if d.is(Dies) {
			d.diesAt = now.Add(boot + 30*time.Minute)
		} else if d.is(DiesLate) {
			d.diesAt = now.Add(boot + 72*time.Hour)
		} else {
			d.diesAt = d.image.dies
		}
	}
	if d.is(BreaksOff) {
		return rollout.Event{Kind: rollout.InstallUnknown, Why: "connection reset"}
	}
	return rollout.Event{Kind: rollout.Accepted}
}

func (d *Device) String() string {
	return fmt.Sprintf("%s %s %s [%s]", d.Facts.ID, d.Facts.Model, d.Facts.Firmware, d.Habit)
}
