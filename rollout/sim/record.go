package sim

import (
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/rollout"
)

// record is a target and its device at rest: all that must be known of one of a million. Times are nanoseconds since 1970, 0 for none;
// texts are numbers in a table of all that were ever said.
type record struct {
	accepted, deadline, startBy, due int64 // of the target
	dark, dies                       int64 // of the device
	then                             int64 // when it falls back; half way: when it runs the wanted version; before any image: when it is not too low any more
	low                              int64 // of the target: when it was found too low first
	why, code, from, runs, before    text
	boot, ask, send                  int32 // milliseconds that the device takes
	wave                             int32
	habit, got                       Habit
	is                               mark
	seq                              uint16
	attempt, state                   uint8
}

// mark is one of the small facts of a record.
type mark uint16

const (
	answered mark = 1 << iota // the target
	asked                     // its services are known as they were before
	wasUp                     // and answered
	soaked                    // it was looked at after its soak
	sawNew                    // the target was seen with the wanted version
	trial                     // the device, from here on
	touched
	dead
	alive
	gone
	halfway
	looked // a look really saw the wanted version
	sent   // an image was sent to it
	fellBack
	losesChild
)

func (m mark) has(o mark) bool { return m&o != 0 }

func (m *mark) set(o mark, on bool) {
	if *m &^= o; on {
		*m |= o
	}
}

// text is the number of something said.
type text int32

// texts is the table of all that was said. Number 0 is the empty text.
type texts struct {
	numbers map[string]text
	all     []string
}

func newTexts() texts { return texts{map[string]text{"": 0}, []string{""}} }

func (t *texts) number(s string) text {
	n, ok := t.numbers[s]
	if !ok {
		n = text(len(t.all))
		t.numbers[s], t.all = n, append(t.all, s)
	}
	return n
}

// again gives the number of a text that mostly is the same as before.
func (t *texts) again(before text, s string) text {
	if t.all[before] == s {
		return before
	}
	return t.number(s)
}

var states = [...]firmward.TargetState{
	firmward.TargetPending, firmward.TargetClaimed, firmward.TargetInstalling, firmward.TargetSettling, firmward.TargetVerifying, firmward.TargetCommitting,
	firmward.TargetFalling, firmward.TargetInDoubt, firmward.TargetSucceeded, firmward.TargetFailed, firmward.TargetRolledBack, firmward.TargetSkipped, firmward.TargetRefused,
}

func stateNumber(s firmward.TargetState) uint8 {
	for i, name := range states {
		if s == name {
			return uint8(i)
		}
	}
	panic("sim: no such state: " + string(s))
}

func (r *record) at() firmward.TargetState { return states[r.state] }

func ns(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func instant(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

// The states of a simulated device's service.
var (
	serviceUp   = []firmward.ServiceState{{Probe: "video", OK: true}}
	serviceDown = []firmward.ServiceState{{Probe: "video"}}
)

func service(up bool) []firmward.ServiceState {
	if up {
		return serviceUp
	}
	return serviceDown
}

// current is the command of a target that has one: its id is made only when it is issued, and answers are matched by number.
const current = "the last one"

// target makes the whole target of a record.
func (l *large) target(i int32, r *record) firmward.Target {
	t := firmward.Target{
		RolloutID: l.run.ID, DeviceID: l.fleet.id(i), Wave: int(r.wave), State: r.at(), Why: l.said.all[r.why], Code: l.said.all[r.code], From: l.said.all[r.from], Want: l.c.Release.Version,
		Answered: r.is.has(answered), Attempt: int(r.attempt), Seq: int(r.seq), AcceptedAt: instant(r.accepted), SawNew: r.is.has(sawNew), Deadline: instant(r.deadline), StartBy: instant(r.startBy), NextDue: instant(r.due), LowSince: instant(r.low),
	}
	if r.is.has(soaked) {
		t.SoakedAt = l.c.Begin // when is of no account
	}
	if r.is.has(asked) {
		t.Baseline, t.Closes = service(r.is.has(wasUp)), l.c.Release.Fixes // as all that the release closes is open on every device
	}
	if r.seq > 0 {
		t.Command = current
	}
	return t
}

// keep puts a target back into its record.
func (l *large) keep(t *firmward.Target, r *record) {
	r.state, r.seq, r.attempt = stateNumber(t.State), uint16(t.Seq), uint8(t.Attempt)
	r.why, r.code, r.from = l.said.again(r.why, t.Why), l.said.again(r.code, t.Code), l.said.again(r.from, t.From)
	r.accepted, r.deadline, r.startBy, r.due = ns(t.AcceptedAt), ns(t.Deadline), ns(t.StartBy), ns(t.NextDue)
	r.low = ns(t.LowSince)
	r.is.set(soaked, !t.SoakedAt.IsZero())
	r.is.set(answered, t.Answered)
	r.is.set(sawNew, t.SawNew)
	r.is.set(asked, len(t.Baseline) > 0)
	r.is.set(wasUp, len(t.Baseline) > 0 && t.Baseline[0].OK)
}

// act lets the device of a record do what a verb says.
func (l *large) act(i int32, r *record, v rollout.Verb) rollout.Event {
	d := l.device(r)
	if l.behind.cutters {
		d.cut = l.cut(l.fleet.id(i))
	}
	ev := d.do(v, l.c.Release.Version, l.c.Policy.CommitWithin, l.now)
	l.rest(&d, r)
	return ev
}

func (l *large) device(r *record) Device {
	d := Device{
		Habit: r.habit, got: r.got, gone: r.is.has(gone), trial: r.is.has(trial), touched: r.is.has(touched), dead: r.is.has(dead), cuts: r.is.has(losesChild), alive: r.is.has(alive), sawNew: r.is.has(looked),
		darkTo: instant(r.dark), fallAt: instant(r.then), diesAt: instant(r.dies), aim: l.c.Release.Version, before: l.said.all[r.before],
		boot: millis(r.boot), fell: r.is.has(fellBack),
	}
	d.Facts.Firmware = l.said.all[r.runs]
	if !d.touched {
		d.healsAt, d.fallAt = d.fallAt, time.Time{}
	}
	if r.is.has(halfway) {
		d.halfway, d.wholeAt, d.fallAt = d.Facts.Firmware, d.fallAt, time.Time{}
	}
	return d
}

// pace is how long a command to the device takes.
func (r *record) pace(v rollout.Verb) time.Duration {
	if v == rollout.DoInstall {
		return millis(r.send)
	}
	return millis(r.ask)
}

func millis(n int32) time.Duration { return time.Duration(n) * time.Millisecond }

func (l *large) rest(d *Device, r *record) {
	r.got, r.dark, r.dies, r.then = d.got, ns(d.darkTo), ns(d.diesAt), ns(d.fallAt)
	switch {
	case d.halfway != "":
		r.then = ns(d.wholeAt)
	case !d.touched:
		r.then = ns(d.healsAt)
	}
	r.runs, r.before = l.said.again(r.runs, d.Facts.Firmware), l.said.again(r.before, d.before)
	r.is.set(gone, d.gone)
	r.is.set(fellBack, d.fell)
	r.is.set(trial, d.trial)
	r.is.set(touched, d.touched)
	r.is.set(dead, d.dead)
	r.is.set(losesChild, d.cuts)
	r.is.set(alive, d.alive)
	r.is.set(looked, d.sawNew)
	r.is.set(halfway, d.halfway != "")
}
