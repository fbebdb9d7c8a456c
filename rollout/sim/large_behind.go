package sim

import (
	"slices"
	"strconv"
	"strings"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/rollout"
)

// behind is what is known of those who stand behind others. Most answer: who did not before a start is kept.
type behind struct {
	numbers map[string]int32        // of devices by their id, where the fleet is listed; made when it is asked for
	cutters bool                    // some device may lose whom it carries
	mute    map[int32][]string      // devices behind one that did not count before its start, or were changed themselves since
	missing map[int32]bool          // devices whose last look missed one behind them
	before  []firmward.ServiceState // who answered behind the device of the look at hand before its start
}

// number finds a device of the fleet; -1: it is none.
func (l *large) number(id string) int32 {
	if l.c.made != nil {
		if digits, ok := strings.CutPrefix(id, idPrefix); ok {
			if n, err := strconv.Atoi(digits); err == nil && n < l.fleet.size() {
				return int32(n)
			}
		}
		return -1
	}
	if l.behind.numbers == nil {
		l.behind.numbers = make(map[string]int32, l.fleet.size())
		for i := range int32(l.fleet.size()) {
			l.behind.numbers[l.fleet.id(i)] = i
		}
	}
	if n, ok := l.behind.numbers[id]; ok {
		return n
	}
	return -1
}

// cut is World.cut.
func (l *large) cut(id string) bool {
	if !l.behind.cutters {
		return false
	}
	for _, up := range l.c.Topo.Above(id) {
		n := l.number(up)
		if n < 0 {
			continue
		}
		r := &l.all[n]
		d := l.device(r)
		d.pass(l.now)
		l.rest(&d, r)
		if d.cuts && l.c.Topo.Below(up)[0] == id {
			return true
		}
	}
	return false
}

// answers is World.answers.
func (l *large) answers(id string) bool {
	if l.cut(id) {
		return false
	}
	n := l.number(id)
	if n < 0 {
		return true
	}
	r := &l.all[n]
	if (r.habit|r.got)&^(DeadMan|WayBack) == 0 && !r.is.has(trial) && !r.is.has(gone) {
		return r.dark <= ns(l.now)
	}
	d := l.device(r)
	d.pass(l.now)
	l.rest(&d, r)
	return d.reachable(l.now)
}

// askBehind is World.askBehind.
func (l *large) askBehind(i int32, ev *rollout.Event) {
	l.behind.before = nil
	preflight := ev.Kind == rollout.PreflightOK
	if !preflight && (ev.Kind != rollout.Looked || !ev.Seen.Reachable) {
		return
	}
	names := l.c.Topo.Below(l.fleet.id(i))
	if len(names) == 0 {
		return // as most
	}
	list := make([]firmward.ServiceState, 0, len(names))
	if preflight {
		delete(l.behind.mute, i)
		for _, id := range names {
			busy, ok := l.claims.Device[id] != "", l.answers(id)
			if busy || !ok {
				l.behind.mute[i] = append(l.behind.mute[i], id)
			}
			if !busy {
				list = append(list, firmward.ServiceState{Probe: Behind(l.name(id)), OK: ok, Behind: id})
			}
		}
		ev.Seen.Services = append(slices.Clip(ev.Seen.Services), list...)
		return
	}
	for _, id := range names {
		if !slices.Contains(l.behind.mute[i], id) {
			list = append(list, firmward.ServiceState{Probe: Behind(l.name(id)), OK: true, Behind: id})
		}
	}
	l.behind.before = list
	delete(l.behind.missing, i)
	ev.Seen.Services = append(slices.Clip(ev.Seen.Services), list...)
	for k := range list {
		if s := &ev.Seen.Services[len(ev.Seen.Services)-len(list)+k]; !l.answers(s.Behind) {
			s.OK, l.behind.missing[i] = false, true
		}
	}
}

// itself notes that a device is changed itself: those before it that were asked already do not answer for it any more.
func (l *large) itself(id string) {
	for _, up := range l.c.Topo.Above(id) {
		if n := l.number(up); n >= 0 && l.all[n].is.has(asked) && !slices.Contains(l.behind.mute[n], id) {
			l.behind.mute[n] = append(l.behind.mute[n], id)
		}
	}
}

// name is what people call a device.
func (l *large) name(id string) string {
	if n := l.number(id); n >= 0 && l.c.made == nil {
		return l.fleet.known(n).Candidate.Device.Name
	}
	return id
}

// assess is World.assess, where all that the release closes is open on every device.
func (l *large) assess(r *record, ev *rollout.Event) {
	switch fixes := l.c.Release.Fixes; {
	case ev.Kind == rollout.PreflightOK:
		ev.Seen.Closes = fixes
	case ev.Kind == rollout.Looked && ev.Seen.Version != "" && ev.Seen.Version != l.said.all[r.from] && (r.habit | r.got).has(StaysOpen):
		ev.Seen.StillOpen = fixes
	}
}
