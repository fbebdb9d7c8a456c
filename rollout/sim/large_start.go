package sim

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/rollout"
)

// join puts a device at the end of the line.
func (q *line) join(i int32) {
	q.places.push(int32(len(q.who)))
	q.who = append(q.who, i)
}

// open lets a wave stand in line.
func (q *line) open(wave []int32) {
	if q.who != nil {
		return
	}
	q.who, q.places = slices.Clone(wave), make(places, len(wave))
	for i := range q.places {
		q.places[i] = int32(i)
	}
}

// hoursKey is what two devices share that have the same hours: the clock and the freezes of their site.
type hoursKey struct {
	zone *time.Location
	site string // empty where no site has freezes
}

// hoursOf are the hours of some devices, as they were asked for last.
type hoursOf struct {
	key     hoursKey
	freezes []firmward.Freeze
	open    bool
	until   time.Time // when that changes; zero: never
	asked   bool
}

// hours gives the number of a device's hours.
func (l *large) hours(k *Known) int {
	key := hoursKey{zone: k.Zone}
	if len(k.Freezes) > 0 {
		key.site = k.Candidate.Device.Site
	}
	n, ok := l.shopOf[key]
	if !ok {
		n = len(l.shops)
		l.shopOf[key], l.shops = n, append(l.shops, hoursOf{key: key, freezes: k.Freezes})
	}
	return n
}

func (l *large) neverFrozen() bool {
	if len(l.c.Policy.Freezes) > 0 {
		return false
	}
	for i := range l.shops {
		if len(l.shops[i].freezes) > 0 {
			return false
		}
	}
	return true
}

// anyOpen reports whether a window is open anywhere, and lets the rollout be turned when one opens.
func (l *large) anyOpen() bool {
	if l.cal.Always() && l.neverFrozen() {
		return true
	}
	any := false
	for i := range l.shops {
		h := &l.shops[i]
		if !h.asked || !h.until.IsZero() && !l.now.Before(h.until) {
			if h.asked {
				l.release(hoursName(i), -1)
			}
			st, err := l.cal.At(local(l.now, h.key.zone), h.freezes)
			h.asked, h.open, h.until = true, err == nil && st.Open && !st.Held, st.Due()
			if err != nil {
				h.until = time.Time{}
			}
			if h.until.After(l.now) {
				l.later(ns(h.until))
			}
		}
		any = any || h.open
	}
	return any
}

func hoursName(i int) string { return "hours " + strconv.Itoa(i) }

// start lets the engine choose among those that stand in line, page by page, until nobody more has room.
func (l *large) start() {
	r := &l.run
	if r.Wave >= len(l.lines) || !l.anyOpen() {
		return
	}
	q := &l.lines[r.Wave]
	q.open(l.waves[r.Wave])
	for len(q.places) > 0 && r.InFlight < r.Policy.MaxInFlight && r.State == firmward.RolloutRunning {
		size := 2*(r.Policy.MaxInFlight-r.InFlight) + 8 // as World does it
		if r.Policy.MaxInFlight > smallCap {
			most, _ := rollout.Most(r)
			if size = most - r.InFlight + 1; size <= 1 {
				break
			}
		}
		l.page = l.page[:0]
		for len(l.page) < min(pageSize, size) && len(q.places) > 0 {
			l.page = append(l.page, q.places.pop())
		}
		if l.startPage(q) {
			break
		}
	}
	for _, place := range l.again {
		q.places.push(place)
	}
	l.again = l.again[:0]
	if r.State == firmward.RolloutRunning && r.InFlight == 0 && len(q.places) == 0 {
		for key := range l.parked {
			if strings.HasPrefix(key, "room ") {
				l.fail("devices wait for %s, and nobody is being changed", key)
			}
		}
	}
}

// smallCap is up to how many devices at one time a page is exactly that of World, which also asks some for whom there is no room.
const smallCap = 100

// waits is one whom the engine did not choose.
type waits struct {
	device int32
	no     rollout.Refusal
}

// startPage starts whom the engine chooses of a page. full tells that the rollout's own cap is reached.
func (l *large) startPage(q *line) (full bool) {
	l.slots = l.slots[:0]
	for _, at := range l.page {
		i := q.who[at]
		if l.all[i].at() != firmward.TargetPending {
			l.fail("%s stands in line and is %s", l.fleet.id(i), l.all[i].at())
			return true
		}
		k := l.fleet.known(i)
		id := k.Candidate.Device.ID
		l.slots = append(l.slots, rollout.Slot{
			Target:    l.waiting(i, id),
			Candidate: k.Candidate, Local: local(l.now, k.Zone), Freezes: k.Freezes, Group: l.c.Topo.Group(id),
		})
	}
	picks, not := rollout.Pick(&l.run, l.slots, l.claims, l.c.Topo, false)
	l.stay = l.stay[:0]
	for _, n := range not {
		l.stay = append(l.stay, waits{l.device0(q, n.DeviceID), n})
	}
	for k := range picks {
		i := l.device0(q, picks[k].Target.DeviceID)
		delete(l.freed, i)
		l.starting(i, &picks[k])
		l.apply(i, rollout.Begin(picks[k]))
	}
	// Those who stay have the last places of the page, in the order in which they were asked.
	last := l.page[len(l.page)-len(l.stay):]
	for k, s := range l.stay {
		q.who[last[k]] = s.device
		if r := &l.all[s.device]; l.said.all[r.why] != s.no.Why {
			r.why, r.code = l.said.number(s.no.Why), l.said.number(s.no.Code)
			l.tell(s.no.DeviceID, waiting, s.no.Why)
		}
		full = full || s.no.Code == rollout.CapInFlight
		l.wait(last[k], s)
	}
	return full
}

// waiting is what Pick must know of a target that stands in line.
func (l *large) waiting(i int32, id string) firmward.Target {
	r := &l.all[i]
	t := firmward.Target{RolloutID: l.run.ID, DeviceID: id, Wave: int(r.wave), State: firmward.TargetPending}
	if r.due != 0 {
		t.NextDue, t.Code, t.Why = instant(r.due), l.said.all[r.code], l.said.all[r.why]
	}
	return t
}

// device0 finds a device of the page by its id.
func (l *large) device0(q *line, id string) int32 {
	for k := range l.slots {
		if l.slots[k].Target.DeviceID == id {
			return q.who[l.page[k]]
		}
	}
	panic("sim: the engine chose " + id + ", which was not asked for")
}

// wait keeps one who was not chosen: in line, or with those who wait for the same.
func (l *large) wait(place int32, s waits) {
	key := l.reason(s)
	if before, ok := l.freed[s.device]; ok && s.no.Code != rollout.CapInFlight && key != before {
		delete(l.freed, s.device)
		l.release(before, 1) // the room that was made for it is for another one
	}
	if key == "" {
		l.again = append(l.again, place)
		return
	}
	p := l.parked[key]
	if p == nil {
		p = &places{}
		l.parked[key] = p
	}
	p.push(place)
}

// reason names what must happen before a device is asked again; empty: it is asked at the next occasion.
func (l *large) reason(s waits) string {
	k := l.fleet.known(s.device)
	d := &k.Candidate.Device
	p := &l.c.Policy
	switch s.no.Code {
	case rollout.RefuseWindow, rollout.RefuseFreeze:
		return hoursName(l.hours(k))
	case rollout.RefuseHeld:
		l.later(ns(k.Candidate.Held.Until))
		return personName(ns(k.Candidate.Held.Until))
	case rollout.LowBattery, rollout.LowSignal:
		l.later(l.all[s.device].due)
		return personName(l.all[s.device].due)
	case rollout.RefuseUnreleased:
		if from := d.Released.From; from.After(l.now) {
			l.later(ns(from))
			return personName(ns(from))
		}
		return personName(0)
	case rollout.CapSite:
		if l.claims.Site[d.Site] >= p.PerSite {
			return "room site " + d.Site
		}
	case rollout.CapModel:
		if l.claims.Model[d.Model] >= p.PerModelInFlight {
			return "room model " + d.Model
		}
	case rollout.RefusePeer:
		if g := l.c.Topo.Group(d.ID); l.claims.Group[g] != "" {
			return "room group " + g
		}
	case rollout.CapDomain:
		for _, name := range l.c.Topo.Domains(d.ID) {
			if l.claims.Domain[name] >= p.PerDomain {
				return "room " + name
			}
		}
	case rollout.RefuseDepends:
		blocker := ""
		l.c.Topo.Tangled(d.ID, func(id string) bool {
			if l.claims.Device[id] != "" {
				blocker = id
			}
			return blocker != ""
		})
		if blocker != "" {
			return "room device " + blocker
		}
	}
	return ""
}

func personName(at int64) string { return "person " + strconv.FormatInt(at, 10) }

// free lets those be asked again for whom a device that is not being changed any more makes room.
func (l *large) free(d *firmward.Device, group string, domains []string) {
	l.release("room site "+d.Site, 1)
	l.release("room model "+d.Model, 1)
	l.release("room device "+d.ID, -1)
	if group != "" {
		l.release("room group "+group, 1)
	}
	for _, name := range domains {
		l.release("room "+name, 1)
	}
}

// release puts so many who wait for the same back in line, those first whose place is first; all if n is negative.
func (l *large) release(key string, n int) {
	p := l.parked[key]
	if p == nil {
		return
	}
	q := &l.lines[l.run.Wave]
	for ; n != 0 && len(*p) > 0; n-- {
		place := p.pop()
		q.places.push(place)
		if n > 0 {
			l.freed[q.who[place]] = key
		}
	}
	if len(*p) == 0 {
		delete(l.parked, key)
	}
}
