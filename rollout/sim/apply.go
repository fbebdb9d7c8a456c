package sim

import (
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/rollout"
)

// apply gives one event to the engine, keeps what it decides and carries its commands out.
func (w *World) apply(r *Run, s *slot, ev rollout.Event) {
	before, was := s.Target, r.State
	count := &r.counts[s.Wave]
	tally(count, &s.Target, -1)
	in := rollout.Input{Now: w.Now, Rollout: &r.Rollout, Target: &s.Target, Abilities: s.dev.abilities(), Event: ev}
	told := in
	w.logged(r, func(h *firmward.Rollout, targets map[string]*firmward.Target) {
		again := told
		if again.Rollout, again.Target = h, targets[before.DeviceID]; again.Target != nil {
			w.engine.advance(&again, nil)
		}
	})
	var room [1]rollout.Command
	commands := w.engine.advance(&in, room[:0])
	tally(count, &s.Target, 1)
	if s.From != before.From && s.Code != "already-installed" {
		r.yes = nil // nobody has approved an update from this version
	}
	w.found(r, s, before, ev)
	w.claim(r, s, before.State)
	if s.State != before.State || s.Why != before.Why && s.State != firmward.TargetPending {
		w.tell(s.DeviceID, string(s.State), s.Why)
	}
	if s.State == firmward.TargetPending && before.State != firmward.TargetPending {
		r.pending[s.Wave] = append(r.pending[s.Wave], s)
	}
	if !s.SoakedAt.Equal(before.SoakedAt) && lastLook(r.Policy, *count) {
		r.dirty = true // its gate waits for that
	}
	if s.State != before.State {
		r.dirty = true
		w.changed(r, s, before)
		w.worksFrom(r, s, before.State)
		w.wakes(r, s)
		w.mends(r, s)
	}
	if r.State != was {
		w.steered(r, was)
	}
	if due := s.NextDue; (s.State.InFlight() || s.State.Waits()) && !due.IsZero() && !due.Equal(before.NextDue) {
		w.At(due, func() { w.up(func() { w.tick(r, s) }) })
	} else if s.State == firmward.TargetSucceeded && !due.IsZero() && !due.Equal(before.NextDue) {
		w.At(due, func() { r.dirty = true })
	}
	w.killed(string(s.State) + s.Command + string(ev.Kind))
	for _, c := range commands {
		w.issue(s, c)
		w.up(func() { w.command(r, s, c) })
	}
}

// lastLook reports whether the look after the soak just now was the last one that a gate waits for.
func lastLook(p firmward.RolloutPolicy, c rollout.WaveCount) bool {
	return c.Unsoaked == 0 || p.SoakMin > 0 && c.Good-c.Unsoaked == p.SoakMin
}

// issue tells of a command that is saved.
func (w *World) issue(s *slot, c rollout.Command) {
	w.tell(s.DeviceID, ">", string(c.Verb))
	if w.issued[c.ID] {
		w.fail("command id %s was issued twice", c.ID)
	}
	w.issued[c.ID] = true
}

// tick tells the engine that time passed, as often as it asks for it.
func (w *World) tick(r *Run, s *slot) {
	if (s.State.InFlight() || s.State.Waits()) && !s.NextDue.IsZero() && !s.NextDue.After(w.Now) {
		w.apply(r, s, rollout.Event{Kind: rollout.Tick})
	}
}

// tally adds a target to the count of its wave, or takes it off.
func tally(c *rollout.WaveCount, t *firmward.Target, n int) {
	switch {
	case t.State == firmward.TargetPending:
		c.Pending += n
	case t.State.InFlight(), t.State.Waits():
		c.InFlight += n
	default:
		c.Ended += n
	}
	if t.State == firmward.TargetSucceeded {
		c.Good += n
		if t.SoakedAt.IsZero() {
			c.Unsoaked += n
		}
	}
}

func (w *World) claim(r *Run, s *slot, was firmward.TargetState) {
	n := 0
	switch {
	case !was.InFlight() && s.State.InFlight():
		n = 1
		w.claims.Device[s.DeviceID] = r.ID
	case was.InFlight() && !s.State.InFlight():
		n = -1
		delete(w.claims.Device, s.DeviceID)
	default:
		return
	}
	if g := w.Topo.Group(s.DeviceID); g != "" && n > 0 {
		w.claims.Group[g] = r.ID
	} else if g != "" {
		delete(w.claims.Group, g)
	}
	if !s.dev.Facts.Lab {
		w.claims.Model[s.dev.Facts.Model] += n
	}
	w.claims.Site[s.dev.Facts.Site] += n
	for _, name := range w.Topo.Domains(s.DeviceID) {
		w.claims.Domain[name] += n
	}
	if n < 0 {
		w.learn(s.dev)
	}
	for _, other := range w.runs { // a claim that ends may let another rollout go on
		other.dirty = true
	}
}

// command carries one command out after its time, with the trouble that chance or the device's
// script has for it.
func (w *World) command(r *Run, s *slot, c rollout.Command) {
	if c.Verb == rollout.DoAsk { // saved with the decision
		w.asked(r, s)
		return
	}
	took := s.dev.pace(c.Verb)
	trouble := s.dev.trouble(c.Verb)
	if trouble == "" {
		trouble = w.chance(c.ID)
	}
	kills := w.kills
	w.after(took, func() {
		lost := func() {
			w.tell(s.DeviceID, "!", "firmward stops; the outcome of "+string(c.Verb)+" is lost")
			w.engine.crashed(w, s)
			w.after(leaseTime, func() { w.up(func() { w.apply(r, s, rollout.Event{Kind: rollout.Lost, Command: c.ID}) }) })
		}
		if w.kills > kills { // in the middle of it
			trouble = []string{crashBefore, crashAfter}[w.dice(c.ID+"in the middle", 2)]
		}
		if trouble == crashBefore {
			lost()
			return
		}
		ev := w.perform(r, s, c)
		ev.Command = c.ID
		answer := func() { w.up(func() { w.apply(r, s, ev) }) }
		switch trouble {
		case crashAfter:
			lost()
		case late:
			w.after(time.Duration(1+w.dice(c.ID+"late", 180))*time.Minute, answer)
		case twice:
			answer()
			w.after(time.Duration(1+w.dice(c.ID+"twice", 180))*time.Minute, answer)
			w.after(time.Duration(1+w.dice(c.ID+"again", 5))*time.Second, answer)
		default:
			answer()
		}
	})
}

// perform carries a command out on the device, unless the target has gone on without it.
func (w *World) perform(r *Run, s *slot, c rollout.Command) rollout.Event {
	if s.Command != c.ID || s.Answered {
		return rollout.Event{Kind: rollout.NotSent, Why: "superseded"}
	}
	if s.ByHand && c.Verb != rollout.DoPreflight && c.Verb != rollout.DoLook {
		w.fail("%s is told to %s, and a person alone may update it", s.DeviceID, c.Verb)
	}
	if c.Verb == rollout.DoRevert && (r.Policy.AskRestore || s.dev.abilities().Careful) && !s.goBack {
		w.fail("%s is told to go back, and nobody has said so", s.DeviceID)
	}
	if c.Verb == rollout.DoInstall {
		switch {
		case w.StopAll:
			return rollout.Event{Kind: rollout.NotSent, Code: rollout.StopAll, Why: "the red button is pressed"}
		case r.State != firmward.RolloutRunning:
			return rollout.Event{Kind: rollout.NotSent, Why: "the rollout is " + string(r.State)}
		case rollout.TooLate(s.Target, w.Now.Add(-s.dev.pace(rollout.DoInstall))): // when the exchange began
			return rollout.Event{Kind: rollout.NotSent, Code: rollout.RefuseWindow, Why: "it would not be done in time"}
		}
		if why := rollout.Frozen(&r.Rollout, w.local(s.dev), w.freezes(s.dev)); why != "" {
			return rollout.Event{Kind: rollout.NotSent, Code: rollout.RefuseFreeze, Why: why}
		}
		w.installing(r, s)
	}
	was := s.dev.darkTo
	s.dev.image, s.dev.cut = w.fate(r.Release, s.dev), w.cut(s.DeviceID)
	died := s.dev.diesAt
	ev := s.dev.do(c.Verb, r.Release.Version, r.Policy.CommitWithin, w.Now)
	w.askBehind(r, s, &ev)
	w.assess(r, s, &ev)
	if s.dev.darkTo.After(was) {
		w.darken(s.dev)
	}
	if at := s.dev.diesAt; !at.Equal(died) {
		w.fall(at)
	}
	if ev.Kind == rollout.NotSent || ev.Kind == rollout.InstallRefused || ev.Kind == rollout.Looked && ev.Seen.Reachable {
		s.dev.unread = "" // nothing was written, or somebody saw what became of it
	}
	return ev
}

// The kinds of trouble.
const (
	crashBefore = "crash-before"
	crashAfter  = "crash-after"
	twice       = "twice"
	late        = "late"
)

func (w *World) chance(id string) string {
	n := w.dice(id, 1000)
	for _, o := range [...]struct {
		odds int
		name string
	}{{w.Odds.CrashBefore, crashBefore}, {w.Odds.CrashAfter, crashAfter}, {w.Odds.Twice, twice}, {w.Odds.Late, late}} {
		if n < o.odds {
			return o.name
		}
		n -= o.odds
	}
	return ""
}

// dice gives 0 … sides-1 from the seed and a name (FNV-1a, then the finaliser of SplitMix64).
func (w *World) dice(name string, sides int) int {
	var room [64]byte
	return w.roll(append(room[:0], name...), sides)
}

func (w *World) roll(name []byte, sides int) int {
	h := uint64(14695981039346656037) ^ w.Seed
	for i := range len(name) {
		h = (h ^ uint64(name[i])) * 1099511628211
	}
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return int((h ^ h>>31) % uint64(sides))
}
