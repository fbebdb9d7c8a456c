package calendar

import (
	"fmt"
	"time"

	"github.com/firmward/firmward"
)

// Hold is one time in which a freeze holds.
type Hold struct {
	firmward.Freeze
	Begins, Ends time.Time
	Site         bool // a person set it for the site; else the policy has it
}

type freeze struct {
	firmward.Freeze
	from, to bound
}

// bound is one end of a freeze: a reading of the wall clock, or a moment.
type bound struct {
	day    time.Time // midnight in UTC that stands for the date
	minute int
	exact  time.Time // set instead when the offset was written
}

// CheckFreeze says what is wrong with a freeze, or nil.
func CheckFreeze(f firmward.Freeze) error {
	_, err := parseFreeze(f)
	return err
}

// Span gives the time in which a freeze holds at t or next, at the place of t. ok is false when it is over for good or
// cannot be read.
func Span(f firmward.Freeze, t time.Time) (from, to time.Time, ok bool) {
	parsed, err := parseFreeze(f)
	if err != nil {
		return from, to, false
	}
	return parsed.at(t)
}

func parseFreeze(f firmward.Freeze) (freeze, error) {
	out := freeze{Freeze: f}
	var err error
	if out.from, err = parseBound(f.From, false); err != nil {
		return out, bad("from: %w", err)
	}
	if out.to, err = parseBound(f.To, true); err != nil {
		return out, bad("to: %w", err)
	}
	if f.Yearly && (!out.from.exact.IsZero() || !out.to.exact.IsZero()) {
		return out, bad("what comes each year has days or readings of the clock: leave the offset away")
	}
	from, to := out.from.in(0, time.UTC), out.to.in(0, time.UTC)
	switch {
	case out.from.exact.IsZero() != out.to.exact.IsZero():
		return out, bad("from %s has an offset or to %s has one: write both with it or both without", f.From, f.To)
	case !from.Before(to):
		return out, bad("from %s is not before to %s: swap them", f.From, f.To)
	case f.Yearly && out.to.in(-1, time.UTC).After(from):
		return out, bad("from %s to %s is longer than a year, so it cannot come each year: leave yearly away", f.From, f.To)
	}
	return out, nil
}

func bad(format string, args ...any) error {
	return firmward.Errorf(firmward.Invalid, fmt.Errorf(format, args...).Error())
}

// parseBound reads one end of a freeze. A day as the last one is within it.
func parseBound(s string, last bool) (bound, error) {
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		b := bound{day: t}
		if last {
			b.minute = 24 * 60
		}
		return b, nil
	}
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02 15:04"} {
		if t, err := time.Parse(layout, s); err == nil {
			return bound{day: date(t), minute: t.Hour()*60 + t.Minute()}, nil
		}
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return bound{exact: t}, nil
	}
	return bound{}, fmt.Errorf("%q is no time: want a day such as 2026-12-20, a time at the site such as 2026-12-20T18:00, or one with its offset such as 2026-12-20T18:00:00+01:00", s)
}

// in is the moment of a bound so many years later. 29 February is the 28th in other years.
func (b bound) in(years int, loc *time.Location) time.Time {
	if !b.exact.IsZero() {
		return b.exact.In(loc)
	}
	y, m, d := b.day.Date()
	end := time.Date(y+years, m+1, 0, 0, 0, 0, 0, time.UTC).Day()
	return moment(time.Date(y+years, m, min(d, end), 0, 0, 0, 0, time.UTC), b.minute, loc)
}

// at gives the time in which the freeze holds at t or next; not ok: it is over for good.
func (f freeze) at(t time.Time) (from, to time.Time, ok bool) {
	years := 0
	if f.Yearly {
		years = max(0, t.Year()-f.from.day.Year()-2)
	}
	for ; ; years++ {
		from, to = f.from.in(years, t.Location()), f.to.in(years, t.Location())
		switch {
		case to.After(t) && to.After(from):
			return from, to, true
		case !f.Yearly:
			return from, to, false
		}
	}
}
