package calendar

import "time"

// moment is when the wall clock of a place first shows a time of a day or, where it jumps over that, the moment of the
// jump. day is a midnight in UTC that stands for a date; minute may exceed a day.
//
// It walks through the stretches between changes of the clock: with offset o, the stretch from a to b shows a+o to b+o.
func moment(day time.Time, minute int, loc *time.Location) time.Time {
	wall := day.Add(time.Duration(minute) * time.Minute) // the reading, as if the place were in UTC
	at := wall.Add(-36 * time.Hour).In(loc)              // no offset is larger: the reading lies ahead
	for {
		start, end := at.ZoneBounds()
		_, offset := at.Zone()
		t := wall.Add(-time.Duration(offset) * time.Second).In(loc)
		switch {
		case !start.IsZero() && t.Before(start):
			return start.In(loc) // the clock jumped over it
		case end.IsZero() || t.Before(end):
			return t
		}
		at = end.In(loc)
	}
}

// date is the date of t at its place, as a midnight in UTC.
func date(t time.Time) time.Time {
	y, m, d := t.Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}
