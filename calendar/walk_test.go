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

// walker goes through a year minute by minute and looks at the wall clock, without any arithmetic of zones: what the
// clock first shows opens or ends.
type walker struct {
	w     firmward.Window     // the short form
	rule  firmward.WindowRule // else
	days  map[time.Time]bool  // days of the rule, as midnights in UTC
	shown time.Time           // the latest reading so far
	until time.Time           // end of what is open
	ends  []time.Time         // readings at which a night of the short form ends
}

// reading is what the wall clock shows at t, as if it were in UTC.
func reading(t time.Time) time.Time {
	y, m, d := t.Date()
	return time.Date(y, m, d, t.Hour(), t.Minute(), 0, 0, time.UTC)
}

// step looks at the clock and reports whether the window is open.
func (k *walker) step(t time.Time) bool {
	now := reading(t)
	for r := k.shown.Add(time.Minute); !r.After(now); r = r.Add(time.Minute) { // readings shown, or jumped over, for the first time
		day := r.Truncate(24 * time.Hour)
		minute := int(r.Sub(day) / time.Minute)
		switch {
		case k.days != nil && k.days[day] && minute == k.rule.Start:
			if end := t.Add(k.rule.Duration); end.After(k.until) {
				k.until = end
			}
		case k.days == nil && minute == k.w.Start && k.opens(day.Weekday()):
			end := day.Add(time.Duration(k.w.End) * time.Minute)
			if k.w.End <= k.w.Start {
				end = end.Add(24 * time.Hour)
			}
			k.ends = append(k.ends, end)
		}
		k.shown = r
	}
	left := k.ends[:0]
	for _, e := range k.ends {
		if k.shown.Before(e) {
			left = append(left, e)
		}
	}
	k.ends = left
	return t.Before(k.until) || len(k.ends) > 0
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
	days := map[time.Time]bool{}
	for _, d := range r.Between(from, from.AddDate(12, 0, 0), true) {
		days[d] = true
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
