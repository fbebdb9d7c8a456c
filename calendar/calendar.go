// Package calendar says when devices may be changed: the maintenance windows of a policy, its freezes, and those of a site.
//
// A window opens by the wall clock of its place, whatever that clock does:
//
//   - A start in the hour that is skipped in spring opens at the moment at which the clock jumps.
//   - A start in the hour that comes twice in autumn opens at the first of the two, once (RFC 5545 §3.3.5).
//   - The duration of a rule is time that passes: four hours are four hours, also in a night in which the clock moves.
//   - The short form 02:00-05:00 ends by the wall clock, found as its start is: that night it lasts an hour less or more.
//     One that lies within what is skipped, and ends in it, does not open that day.
//
// Windows that touch or overlap are one. A freeze goes before every window; of several that hold, the one that ends last
// is named. A change is always given exactly, as far as a year ahead while a window is open.
//
// Recurrence rules are RFC 5545 by the day: which days come from github.com/teambition/rrule-go, which is always given its
// first day and never looks at a clock; at what moment a day's window opens is decided here. The time zone database is
// read as a table.
package calendar

import (
	"fmt"
	"slices"
	"time"

	"github.com/firmward/firmward"
)

// horizon bounds how far windows that follow each other without a gap are joined.
const horizon = 366 * 24 * time.Hour

// Calendar is a policy's windows and freezes, ready to be asked. It does not change; the zero value is always open.
type Calendar struct {
	rules   []rule
	freezes []freeze
}

// New makes a calendar of a policy. An error says what is wrong with which window or freeze.
func New(p firmward.RolloutPolicy) (Calendar, error) {
	var c Calendar
	if len(p.Windows) > 0 && !p.Window.Always() {
		return c, firmward.Errorf(firmward.Invalid, "a policy has either window or windows: move what window says into the list")
	}
	if !p.Window.Always() {
		c.rules = append(c.rules, nightly(p.Window))
	}
	for _, w := range p.Windows {
		r, err := parseRule(w)
		if err != nil {
			return c, err
		}
		c.rules = append(c.rules, r)
	}
	for _, f := range p.Freezes {
		parsed, err := parseFreeze(f)
		if err != nil {
			return c, err
		}
		c.freezes = append(c.freezes, parsed)
	}
	return c, nil
}

// Open reports whether a window is open at t, which must be in the time zone of the site, and when it opens or closes
// next. The zero time means that nothing changes any more, or that it stays open for a year.
func (c Calendar) Open(t time.Time) (open bool, change time.Time) {
	if len(c.rules) == 0 {
		return true, time.Time{}
	}
	s, ok := c.windows(t)()
	switch {
	case !ok:
		return false, time.Time{}
	case s.from.After(t):
		return false, s.from
	case s.to.Sub(t) > horizon:
		return true, time.Time{}
	}
	return true, s.to
}

// Opening is one time in which a window is open.
type Opening struct{ From, To time.Time }

// Openings gives the next n openings from t on, one that is open at t among them. A calendar that is always open has none.
func (c Calendar) Openings(t time.Time, n int) []Opening {
	var out []Opening
	next := c.windows(t)
	for len(out) < n {
		s, ok := next()
		if !ok {
			break
		}
		out = append(out, Opening{s.from, s.to})
	}
	return out
}

// Always reports whether the calendar has no windows, so that only freezes close it.
func (c Calendar) Always() bool { return len(c.rules) == 0 }

// Longest is the length of the longest opening in the year after each rule begins, in whatever zone a site lies: windows
// of different zones do not count together, since they may lie apart there. Zero: always open.
func (c Calendar) Longest() time.Duration {
	var longest time.Duration
	for _, r := range c.rules {
		first, ok := r.spans(r.begin(), 0)()
		if !ok {
			continue
		}
		alike := slices.DeleteFunc(slices.Clone(c.rules), func(o rule) bool { return o.place() != r.place() })
		next := Calendar{rules: alike}.windows(first.from)
		for s, ok := next(); ok && s.from.Sub(first.from) < horizon; s, ok = next() {
			longest = max(longest, s.to.Sub(s.from))
		}
	}
	return longest
}

// State is how a calendar stands at one time and place.
type State struct {
	Open   bool      // a window is open; a freeze may hold all the same
	Change time.Time // when a window opens or closes next; zero: never
	Held   bool      // a freeze holds
	Freeze Hold      // that one
	Next   Hold      // the freeze that begins next; its Begins is zero when there is none
}

// At gives the state at t, in the time zone of the site, with the freezes that the site has beside those of the policy.
func (c Calendar) At(t time.Time, site []firmward.Freeze) (State, error) {
	var s State
	s.Open, s.Change = c.Open(t)
	for _, f := range c.freezes {
		s.weigh(f, t, false)
	}
	for _, f := range site {
		parsed, err := parseFreeze(f)
		if err != nil {
			return State{}, fmt.Errorf("freeze %s of the site: %w", f.Name, err)
		}
		s.weigh(parsed, t, true)
	}
	return s, nil
}

// Due is when the state changes next; zero: never.
func (s State) Due() time.Time {
	due := s.Change
	for _, t := range []time.Time{s.Freeze.Ends, s.Next.Begins} {
		if !t.IsZero() && (due.IsZero() || t.Before(due)) {
			due = t
		}
	}
	return due
}

// Closes is when whatever runs now must be over: the window closes or a freeze begins. frozen says which of the two. The
// zero time means that neither comes.
func (s State) Closes() (at time.Time, frozen bool) {
	if b := s.Next.Begins; !b.IsZero() && (s.Change.IsZero() || b.Before(s.Change)) {
		return b, true
	}
	return s.Change, false
}

func (s *State) weigh(f freeze, t time.Time, site bool) {
	from, to, ok := f.at(t)
	switch {
	case !ok:
	case from.After(t):
		if s.Next.Begins.IsZero() || from.Before(s.Next.Begins) {
			s.Next = Hold{f.Freeze, from, to, site}
		}
	case !s.Held || to.After(s.Freeze.Ends):
		s.Held, s.Freeze = true, Hold{f.Freeze, from, to, site}
	}
	if ok && !from.After(t) && f.Yearly { // it holds now, and comes again
		if from, to, ok := f.at(to); ok && from.After(t) && (s.Next.Begins.IsZero() || from.Before(s.Next.Begins)) {
			s.Next = Hold{f.Freeze, from, to, site}
		}
	}
}

// span is one time from … to, the end not within.
type span struct{ from, to time.Time }

// windows yields, in order, the joined openings that end after t.
func (c Calendar) windows(t time.Time) func() (span, bool) {
	heads := make([]struct {
		span
		ok   bool
		next func() (span, bool)
	}, len(c.rules))
	var reach time.Duration
	for _, r := range c.rules {
		reach = max(reach, r.reach())
	}
	for i, r := range c.rules {
		heads[i].next = r.spans(t, reach)
		heads[i].span, heads[i].ok = heads[i].next()
	}
	take := func(until time.Time) (span, bool) { // the earliest head; none when it begins after until, unless that is zero
		best := -1
		for i, h := range heads {
			if h.ok && (best < 0 || h.from.Before(heads[best].from)) {
				best = i
			}
		}
		if best < 0 || !until.IsZero() && heads[best].from.After(until) {
			return span{}, false
		}
		s := heads[best].span
		heads[best].span, heads[best].ok = heads[best].next()
		return s, true
	}
	return func() (span, bool) {
		for {
			s, ok := take(time.Time{})
			if !ok {
				return span{}, false
			}
			start := s.from
			if start.Before(t) {
				start = t
			}
			for s.to.Sub(start) <= horizon {
				more, ok := take(s.to)
				if !ok {
					break
				}
				if more.to.After(s.to) {
					s.to = more.to
				}
			}
			if s.to.After(t) {
				return s, true
			}
		}
	}
}
