package sim

import (
	"maps"
	"slices"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/rollout"
)

var verbs = [...]rollout.Verb{rollout.DoPreflight, rollout.DoInstall, rollout.DoLook, rollout.DoCommit, rollout.DoRevert}

func verbNumber(v rollout.Verb) uint8 {
	for i, name := range verbs {
		if v == name {
			return uint8(i)
		}
	}
	panic("sim: no such verb: " + string(v))
}

// apply gives one event to the engine, keeps what it decides and carries its commands out.
func (l *large) apply(i int32, ev rollout.Event) {
	r, was := &l.all[i], l.run.State
	before, whyBefore, dueBefore, soakedBefore := r.at(), r.why, r.due, r.is.has(soaked)
	t := &l.target0 // one for all: millions of them would keep the collector busy
	*t = l.target(i, r)
	if ev.Kind == rollout.Looked {
		t.Baseline = append(slices.Clip(t.Baseline), l.behind.before...)
	}
	count := &l.counts[r.wave]
	tally(count, t, -1)
	l.tally[r.state]--
	if ev.Kind != rollout.Tick && ev.Kind != rollout.Start && ev.Kind != rollout.SoakDue {
		ev.Command = current
	}
	l.input = rollout.Input{Now: l.now, Rollout: &l.run, Target: t, Abilities: l.fleet.able(i), Event: ev}
	commands := rollout.Advance(&l.input, l.commands[:0])
	l.keep(t, r)
	tally(count, t, 1)
	l.tally[r.state]++
	l.claim(i, before, t.State)
	if t.State != before || r.why != whyBefore && t.State != firmward.TargetPending {
		l.tell(t.DeviceID, string(t.State), t.Why)
	}
	if t.State == firmward.TargetPending && before != firmward.TargetPending {
		l.lines[r.wave].join(i)
	}
	if r.is.has(soaked) != soakedBefore && lastLook(l.c.Policy, *count) {
		l.dirty = true // its gate waits for that
	}
	if t.State != before {
		l.dirty = true
		l.changed(i, t, before)
	}
	if l.run.State != was {
		l.steered(was)
	}
	if r.due != 0 && r.due != dueBefore {
		switch {
		case t.State.InFlight():
			l.at(r.due, happening{kind: ticks, device: i})
		case t.State == firmward.TargetSucceeded:
			l.later(r.due)
		}
	}
	for _, c := range commands {
		l.tell(t.DeviceID, ">", string(c.Verb))
		l.at(ns(l.now.Add(r.pace(c.Verb))), happening{kind: ends, device: i, seq: uint16(t.Seq), verb: verbNumber(c.Verb)})
	}
}

// end carries a command out on the device, unless the target has gone on without it, and brings its outcome.
func (l *large) end(h happening) {
	r, v := &l.all[h.device], verbs[h.verb]
	if r.seq != h.seq || r.is.has(answered) {
		return
	}
	if v == rollout.DoInstall {
		if ev, no := l.held(h.device, r); no {
			l.apply(h.device, ev)
			return
		}
		l.sending(h.device, r)
	}
	dark, dies := r.dark, r.dies
	ev := l.act(h.device, r, v)
	l.askBehind(h.device, &ev)
	l.assess(r, &ev)
	if v == rollout.DoInstall && r.habit&^(DeadMan|WayBack) != 0 {
		l.odd = append(l.odd, h.device)
	}
	if r.dark > dark {
		l.darken(h.device, r.dark)
	}
	if r.dies != dies {
		l.fall(r.dies)
	}
	l.apply(h.device, ev)
}

// held says why an image is not sent now.
func (l *large) held(i int32, r *record) (rollout.Event, bool) {
	if l.run.State != firmward.RolloutRunning {
		return rollout.Event{Kind: rollout.NotSent, Why: "the rollout is " + string(l.run.State)}, true
	}
	if rollout.TooLate(firmward.Target{StartBy: instant(r.startBy)}, l.now.Add(-r.pace(rollout.DoInstall))) { // when the exchange began
		return rollout.Event{Kind: rollout.NotSent, Code: rollout.RefuseWindow, Why: "it would not be done in time"}, true
	}
	if l.neverFrozen() {
		return rollout.Event{}, false
	}
	k := l.fleet.known(i)
	if why := rollout.Frozen(&l.run, local(l.now, k.Zone), k.Freezes); why != "" {
		return rollout.Event{Kind: rollout.NotSent, Code: rollout.RefuseFreeze, Why: why}, true
	}
	return rollout.Event{}, false
}

// claim keeps who is being changed, and frees who waited for that.
func (l *large) claim(i int32, was, is firmward.TargetState) {
	n := 0
	switch {
	case !was.InFlight() && is.InFlight():
		n = 1
	case was.InFlight() && !is.InFlight():
		n = -1
	default:
		return
	}
	l.dirty = true
	d := &l.fleet.known(i).Candidate.Device
	group := l.c.Topo.Group(d.ID)
	if n > 0 {
		l.claims.Device[d.ID] = l.run.ID
		l.itself(d.ID)
	} else {
		delete(l.claims.Device, d.ID)
	}
	if group != "" && n > 0 {
		l.claims.Group[group] = l.run.ID
	} else if group != "" {
		delete(l.claims.Group, group)
	}
	if !d.Lab {
		l.claims.Model[d.Model] += n
	}
	l.claims.Site[d.Site] += n
	var domains []string
	if l.c.Policy.PerDomain > 0 {
		domains = l.c.Topo.Domains(d.ID)
	}
	for _, name := range domains {
		l.claims.Domain[name] += n
	}
	if n < 0 && len(l.parked) > 0 {
		l.free(d, group, domains)
	}
}

// darken counts a device, and what it carries, as dark until it is back.
func (l *large) darken(i int32, until int64) {
	id := l.fleet.id(i)
	l.down[id]++
	for _, other := range l.c.Topo.Dark(id) {
		l.down[other]++
	}
	l.peak = max(l.peak, len(l.down))
	l.at(until, happening{kind: lights, device: i})
}

func (l *large) lighten(i int32) {
	up := func(id string) {
		if l.down[id]--; l.down[id] == 0 {
			delete(l.down, id)
		}
	}
	id := l.fleet.id(i)
	up(id)
	for _, other := range l.c.Topo.Dark(id) {
		up(other)
	}
}

// fall lets the sweep after a time look who fell.
func (l *large) fall(at int64) {
	if at != 0 {
		if when := ns(sweepAfter(instant(at))); !l.openDue[-when] {
			l.openDue[-when] = true
			l.at(when, happening{kind: sweeps})
		}
	}
}

// sweep looks at the devices that may have fallen, and asks the engine whether many of one family did.
func (l *large) sweep() {
	delete(l.openDue, -ns(l.now))
	watched := make(map[string]int, len(l.watched))
	maps.Copy(watched, l.watched)
	var fallen []rollout.Fallen
	var who []int32
	for _, i := range l.odd {
		r := &l.all[i]
		d := l.device(r)
		d.pass(l.now)
		l.rest(&d, r)
		f, seen := l.fallen[i]
		if d.reachable(l.now) && !d.dead || r.habit.has(Unreachable) {
			delete(l.fallen, i)
			continue
		}
		if !seen {
			facts := &l.fleet.known(i).Candidate.Device
			f = rollout.Fallen{DeviceID: facts.ID, Family: facts.Family, Site: facts.Site, At: l.now}
			l.fallen[i] = f
		}
		fallen, who = append(fallen, f), append(who, i)
		if l.now.Sub(f.At) > time.Hour {
			watched[f.Family]--
		}
	}
	for _, e := range rollout.VendorEvents(fallen, watched, l.claims, l.c.Topo, l.now) {
		in := make(map[string]bool, len(e.Devices))
		for _, id := range e.Devices {
			in[id] = true
		}
		for k, f := range fallen {
			if in[f.DeviceID] {
				f.Told = true
				l.fallen[who[k]] = f
			}
		}
		l.tell("firmward", "event", e.String())
		if was := l.run.State; l.c.Release.Family == e.Family && e.Halt(&l.run) {
			l.steered(was)
		}
	}
}

// watch counts the devices of each family that may fall.
func (l *large) watch() {
	l.watched = map[string]int{}
	for i := range l.all {
		if !l.all[i].habit.has(Unreachable) {
			l.watched[l.fleet.known(int32(i)).Candidate.Device.Family]++
		}
	}
}
