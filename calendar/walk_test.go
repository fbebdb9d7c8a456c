package calendar_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/teambition/rrule-go"
	"pgregory.net/rapid"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/calendar"
)

// walker goes through a year minute by minute and looks at the wall clock, without any search in the table of zones: what
// the clock first shows opens or ends. Readings are minutes since 1970 as if the place were in UTC.
type walker struct {
	w     firmward.Window     // the short form
	rule  firmward.WindowRule // else
	days  map[int]bool        // days of the rule, since 1970
	shown int                 // the latest reading so far
	until int64               // end of what is open, in Unix seconds
	ends  []int               // readings at which a night of the short form ends
}

const dayLong = 24 * 60

func reading(t time.Time) int {
	_, offset := t.Zone()
	return int(t.Unix()+int64(offset)) / 60
}

// step looks at the clock and reports whether the window is open.
func (k *walker) step(t time.Time) bool {
	now := reading(t)
	for ; k.shown < now; k.shown++ { // readings shown, or jumped over, for the first time
		day, minute := (k.shown+1)/dayLong, (k.shown+1)%dayLong
		switch {
		case k.days != nil && minute == k.rule.Start && k.days[day]:
			k.until = max(k.until, t.Add(k.rule.Duration).Unix())
		case k.days == nil && minute == k.w.Start && k.opens(time.Weekday((day+4)%7)): // 1970 began on a Thursday
			end := day*dayLong + k.w.End
			if k.w.End <= k.w.Start {
				end += dayLong
			}
			k.ends = append(k.ends, end)
		}
	}
	k.ends = slices.DeleteFunc(k.ends, func(end int) bool { return k.shown >= end })
	return t.Unix() < k.until || len(k.ends) > 0
}

func (k *walker) opens(d time.Weekday) bool {
	return len(k.w.Days) == 0 || slices.Contains(k.w.Days, d)
}

var zones = []string{"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC", "America/Santiago", "Africa/Casablanca"}

// TestWalk compares Open with the walker over a year, minute by minute, and each change that it names with the minute at
// which the walker sees it.
func TestWalk(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		loc, err := time.LoadLocation(rapid.SampledFrom(zones).Draw(t, "zone"))
		if err != nil {
			t.Fatal(err)
		}
		k, p := draw(t)
		c, err := calendar.New(p)
		if err != nil {
			t.Skip(err.Error())
		}
		year := rapid.IntRange(2024, 2032).Draw(t, "year")
		begin := time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC).In(loc)
		k.shown = reading(begin.AddDate(0, 0, -40))
		for at := begin.AddDate(0, 0, -40); at.Before(begin); at = at.Add(time.Minute) {
			k.step(at)
		}
		var was bool
		var named time.Time // the change that Open named last
		for n := range 366 * 24 * 60 {
			at := begin.Add(time.Duration(n) * time.Minute)
			open := k.step(at)
			if n > 0 && open == was && at.Before(named) && n%611 != 0 { // in between only a sample: each change is asked
				continue
			}
			if n > 0 && open != was && !at.Equal(named) {
				t.Fatalf("%s in %s: changes at %s, was said to change at %s", p.Hours(), loc, at, named)
			}
			got, change := c.Open(at)
			if got != open {
				t.Fatalf("%s in %s at %s: open %v, want %v", p.Hours(), loc, at, got, open)
			}
			if !change.IsZero() && !change.After(at) {
				t.Fatalf("%s in %s at %s: changes at %s", p.Hours(), loc, at, change)
			}
			if n > 0 && open == was && !named.IsZero() && !change.Equal(named) {
				t.Fatalf("%s in %s at %s: changes at %s, was said to change at %s", p.Hours(), loc, at, change, named)
			}
			was, named = open, change
			if named.IsZero() {
				named = at.AddDate(1, 0, 0)
			}
		}
	})
}

func draw(t *rapid.T) (*walker, firmward.RolloutPolicy) {
	start := rapid.IntRange(0, 287).Draw(t, "start") * 5
	if rapid.Bool().Draw(t, "short") {
		w := firmward.Window{Start: start, End: (start + 5*rapid.IntRange(1, 287).Draw(t, "length")) % (24 * 60)}
		w.Days = rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) time.Weekday { return time.Weekday(rapid.IntRange(0, 6).Draw(t, "weekday")) }), 0, 3, rapid.ID).Draw(t, "days")
		return &walker{w: w}, firmward.RolloutPolicy{Window: w}
	}
	rules := []string{
		"FREQ=DAILY", "FREQ=WEEKLY;BYDAY=SA,SU", "FREQ=MONTHLY;BYDAY=2TU", "FREQ=MONTHLY;BYDAY=-1SU", "FREQ=MONTHLY;BYMONTHDAY=1,15,-1",
		"FREQ=DAILY;INTERVAL=%d", "FREQ=WEEKLY;INTERVAL=%d;BYDAY=SU,WE", "FREQ=WEEKLY;INTERVAL=%d;WKST=SU;BYDAY=SU,MO", "FREQ=MONTHLY;INTERVAL=%d", "FREQ=YEARLY;BYMONTH=3,10;BYDAY=-1SU",
		"FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "FREQ=YEARLY;BYWEEKNO=13,44", "FREQ=YEARLY;BYYEARDAY=88,-69", "FREQ=WEEKLY;BYMONTH=3,10,11;BYDAY=SU", "FREQ=MONTHLY;BYMONTHDAY=31",
	}
	text := rapid.SampledFrom(rules).Draw(t, "rule")
	if strings.Contains(text, "%d") {
		text = fmt.Sprintf(text, rapid.IntRange(2, 9).Draw(t, "interval"))
	}
	from := time.Date(2023, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, rapid.IntRange(0, 27).Draw(t, "from"))
	rule := firmward.WindowRule{
		RRule: text, From: from.Format(time.DateOnly), Start: start,
		Duration: time.Duration(5*rapid.IntRange(1, 800).Draw(t, "duration")) * time.Minute,
	}
	// The library walks from the rule's own first day here.
	opt, err := rrule.StrToROption(text)
	if err != nil {
		t.Fatal(err)
	}
	opt.Dtstart = from
	r, err := rrule.NewRRule(*opt)
	if err != nil {
		t.Fatal(err)
	}
	days := map[int]bool{}
	for _, d := range r.Between(from, from.AddDate(12, 0, 0), true) {
		days[int(d.Unix())/60/dayLong] = true
	}
	return &walker{rule: rule, days: days}, firmward.RolloutPolicy{Windows: []firmward.WindowRule{rule}}
}

// FuzzRule: whatever stands in a rule, it is refused with a reason or opens, and its next change lies ahead.
func FuzzRule(f *testing.F) {
	f.Add("FREQ=MONTHLY;BYDAY=2TU", "2026-01-05", "Europe/Berlin", 1320, int64(240))
	f.Add("FREQ=WEEKLY;INTERVAL=3;WKST=SU;BYDAY=SU", "2026-01-07", "", 60, int64(120))
	f.Add("FREQ=YEARLY;BYWEEKNO=53;BYDAY=MO", "", "Australia/Lord_Howe", 135, int64(1440))
	f.Add("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;UNTIL=20400301", "2200-12-31", "UTC", 0, int64(44640))
	f.Add("FREQ=MONTHLY;BYDAY=MO,FR;BYSETPOS=-1;BYMONTH=1", "", "", 0, int64(1))
	at := time.Date(2026, 3, 29, 0, 30, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text, from, zone string, start int, minutes int64) {
		w := firmward.WindowRule{RRule: text, From: from, Zone: zone, Start: start, Duration: time.Duration(minutes) * time.Minute}
		c, err := calendar.New(firmward.RolloutPolicy{Windows: []firmward.WindowRule{w}})
		if err != nil {
			if firmward.CodeOf(err) != firmward.Invalid || err.Error() == "" {
				t.Errorf("%+v: %v", w, err)
			}
			return
		}
		open, change := c.Open(at)
		if !change.IsZero() && !change.After(at) {
			t.Fatalf("%+v: open %v, changes at %s", w, open, change)
		}
		if change.IsZero() {
			return
		}
		if before, _ := c.Open(change.Add(-time.Nanosecond)); before != open {
			t.Errorf("%+v: open %v just before %s", w, before, change)
		}
		if after, _ := c.Open(change); after == open {
			t.Errorf("%+v: still open %v at %s", w, after, change)
		}
	})
}

// FuzzFreeze: whatever stands in a freeze, it is refused with a reason, over, or a time that holds or lies ahead.
func FuzzFreeze(f *testing.F) {
	f.Add("2025-12-20", "2026-01-06", true, int64(1774742400))
	f.Add("2026-03-29T02:30", "2026-03-29 02:45", true, int64(1774742400))
	f.Add("2024-02-29", "2024-02-29", true, int64(1900000000))
	f.Add("2026-05-01T10:00:00+02:00", "2026-05-01T10:00:00Z", false, int64(0))
	f.Add("9999-12-31", "9999-12-31", false, int64(-62135596800))
	loc := load(f, "Europe/Berlin")
	f.Fuzz(func(t *testing.T, from, to string, yearly bool, at int64) {
		freeze := firmward.Freeze{Name: "f", From: from, To: to, Yearly: yearly}
		err := calendar.CheckFreeze(freeze)
		if err != nil && firmward.CodeOf(err) != firmward.Invalid {
			t.Fatal(err)
		}
		when := time.Unix(at%(1<<36), 0).In(loc)
		begins, ends, ok := calendar.Span(freeze, when)
		switch {
		case ok && err != nil:
			t.Errorf("%+v is refused (%v) and holds", freeze, err)
		case ok && (!begins.Before(ends) || !ends.After(when)):
			t.Errorf("%+v at %s: %s to %s", freeze, when, begins, ends)
		case !ok && err == nil && yearly:
			t.Errorf("%+v comes each year and is over", freeze)
		}
	})
}
