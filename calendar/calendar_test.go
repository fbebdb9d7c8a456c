package calendar_test

import (
	"strings"
	"testing"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/calendar"
)

func load(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func hour(h int) int { return h * 60 }

// TestNights: the short form, by the wall clock of Berlin. The offset tells the two autumn hours apart.
func TestNights(t *testing.T) {
	berlin := load(t, "Europe/Berlin")
	night := firmward.Window{Start: hour(2), End: hour(5)}
	over := firmward.Window{Start: hour(22), End: hour(4), Days: []time.Weekday{time.Saturday}}
	early := firmward.Window{Start: hour(2) + 10, End: hour(2) + 40} // within the hour that is skipped
	for _, tc := range []struct {
		w      firmward.Window
		at     string
		open   bool
		change string
	}{
		{firmward.Window{}, "2026-03-02 12:00 +01", true, ""},
		{night, "2026-03-02 01:59 +01", false, "2026-03-02 02:00 +01"},
		{night, "2026-03-02 02:00 +01", true, "2026-03-02 05:00 +01"},
		{night, "2026-03-02 05:00 +01", false, "2026-03-03 02:00 +01"},
		{over, "2026-03-07 21:59 +01", false, "2026-03-07 22:00 +01"},
		{over, "2026-03-08 03:59 +01", true, "2026-03-08 04:00 +01"}, // Sunday morning belongs to Saturday's night
		{over, "2026-03-08 22:30 +01", false, "2026-03-14 22:00 +01"},
		{over, "2026-03-06 23:00 +01", false, "2026-03-07 22:00 +01"},
		// Spring: 02:00 does not exist on 29 March; the window opens when the clock jumps and closes at 05:00.
		{night, "2026-03-29 01:59 +01", false, "2026-03-29 03:00 +02"},
		{night, "2026-03-29 03:30 +02", true, "2026-03-29 05:00 +02"},
		{early, "2026-03-29 01:59 +01", false, "2026-03-30 02:10 +02"}, // nothing of it exists that night
		// Autumn: 02:00 comes twice on 25 October; the window opens at the first one and ends at 05:00, after four hours.
		{night, "2026-10-25 01:59 +02", false, "2026-10-25 02:00 +02"},
		{night, "2026-10-25 02:30 +02", true, "2026-10-25 05:00 +01"},
		{night, "2026-10-25 02:30 +01", true, "2026-10-25 05:00 +01"},
		{early, "2026-10-25 02:20 +02", true, "2026-10-25 02:40 +02"},
		{early, "2026-10-25 02:20 +01", false, "2026-10-26 02:10 +01"}, // it opens once
	} {
		check(t, firmward.RolloutPolicy{Window: tc.w}, berlin, tc.at, tc.open, tc.change)
	}
}

const clock = "2006-01-02 15:04 -07"

func check(t *testing.T, p firmward.RolloutPolicy, loc *time.Location, at string, open bool, change string) {
	t.Helper()
	c, err := calendar.New(p)
	if err != nil {
		t.Fatal(err)
	}
	if len(at) == len(clock) { // an offset of whole hours
		at += "00"
	}
	when, err := time.Parse("2006-01-02 15:04 -0700", at)
	if err != nil {
		t.Fatal(err)
	}
	isOpen, next := c.Open(when.In(loc))
	got := ""
	if !next.IsZero() {
		got = next.Format("2006-01-02 15:04 ") + strings.TrimSuffix(next.Format("-0700"), "00")
	}
	if isOpen != open || got != change {
		t.Errorf("%s at %s in %s: open %v until %s, want %v %s", p.Hours(), at, loc, isOpen, got, open, change)
	}
}

// TestRules: recurrence rules over the changes of the clock, in zones that change by an hour, by half an hour and never.
func TestRules(t *testing.T) {
	rule := func(rrule string, start int, d time.Duration) firmward.WindowRule {
		return firmward.WindowRule{RRule: rrule, Start: start, Duration: d}
	}
	patch := rule("FREQ=MONTHLY;BYDAY=2TU", hour(22), 4*time.Hour)
	daily := rule("FREQ=DAILY", hour(2)+15, 3*time.Hour)
	third := firmward.WindowRule{RRule: "FREQ=WEEKLY;INTERVAL=3;BYDAY=SU", From: "2026-01-07", Start: hour(1), Duration: 2 * time.Hour}
	for _, tc := range []struct {
		w      firmward.WindowRule
		zone   string
		at     string
		open   bool
		change string
	}{
		{patch, "Europe/Berlin", "2026-03-02 12:00 +01", false, "2026-03-10 22:00 +01"},
		{patch, "Europe/Berlin", "2026-03-11 01:59 +01", true, "2026-03-11 02:00 +01"},
		{patch, "Europe/Berlin", "2026-03-11 02:00 +01", false, "2026-04-14 22:00 +02"},
		// The duration is time that passes: three hours from the jump, three hours from the first 02:15.
		{daily, "Europe/Berlin", "2026-03-29 01:59 +01", false, "2026-03-29 03:00 +02"},
		{daily, "Europe/Berlin", "2026-03-29 03:00 +02", true, "2026-03-29 06:00 +02"},
		{daily, "Europe/Berlin", "2026-10-25 02:15 +02", true, "2026-10-25 04:15 +01"},
		{daily, "America/New_York", "2026-03-08 01:59 -05", false, "2026-03-08 03:00 -04"},
		{daily, "America/New_York", "2026-11-01 02:14 -05", false, "2026-11-01 02:15 -05"},
		{rule("FREQ=DAILY", hour(1)+30, time.Hour), "America/New_York", "2026-11-01 01:30 -04", true, "2026-11-01 01:30 -05"},
		{daily, "Australia/Lord_Howe", "2026-10-04 01:59 +1030", false, "2026-10-04 02:30 +11"},
		{daily, "Australia/Lord_Howe", "2026-04-05 02:15 +1030", true, "2026-04-05 05:15 +1030"}, // only 01:30 to 02:00 comes twice
		{rule("FREQ=DAILY", hour(1)+45, time.Hour), "Australia/Lord_Howe", "2026-04-05 01:45 +11", true, "2026-04-05 02:15 +1030"},
		{daily, "Asia/Kolkata", "2026-03-29 02:14 +0530", false, "2026-03-29 02:15 +0530"},
		// Another zone than that of the site.
		{firmward.WindowRule{RRule: "FREQ=DAILY", Start: hour(2), Duration: time.Hour, Zone: "Europe/Berlin"}, "Asia/Kolkata", "2026-03-28 12:00 +0530", false, "2026-03-29 06:30 +0530"},
		// Intervals count from the week of their day; before it nothing opens.
		{third, "UTC", "2025-12-01 00:00 +00", false, "2026-01-11 01:00 +00"},
		{third, "UTC", "2026-01-11 03:00 +00", false, "2026-02-01 01:00 +00"},
		{third, "UTC", "2031-05-05 00:00 +00", false, "2031-05-18 01:00 +00"},
		{firmward.WindowRule{RRule: "FREQ=MONTHLY;INTERVAL=3", From: "2026-01-31", Start: hour(1), Duration: time.Hour}, "UTC", "2026-02-01 00:00 +00", false, "2026-07-31 01:00 +00"},
		{rule("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", hour(20), time.Hour), "UTC", "2026-05-02 00:00 +00", false, "2026-05-29 20:00 +00"},
		{rule("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", 0, time.Hour), "UTC", "2026-03-02 00:00 +00", false, "2028-02-29 00:00 +00"},
		{rule("FREQ=WEEKLY;BYDAY=SU;UNTIL=20260315", hour(1), time.Hour), "UTC", "2026-03-14 00:00 +00", false, "2026-03-15 01:00 +00"},
		{rule("FREQ=WEEKLY;BYDAY=SU;UNTIL=20260315", hour(1), time.Hour), "UTC", "2026-03-15 02:00 +00", false, ""},
		{rule("FREQ=WEEKLY;BYDAY=SA", hour(20), 3*24*time.Hour), "UTC", "2026-03-10 19:59 +00", true, "2026-03-10 20:00 +00"},
	} {
		check(t, firmward.RolloutPolicy{Windows: []firmward.WindowRule{tc.w}}, load(t, tc.zone), tc.at, tc.open, tc.change)
	}
	two := []firmward.WindowRule{rule("FREQ=DAILY", hour(22), 2*time.Hour), rule("FREQ=DAILY", 0, time.Hour)}
	check(t, firmward.RolloutPolicy{Windows: two}, time.UTC, "2026-03-02 22:30 +00", true, "2026-03-03 01:00 +00")
	all := []firmward.WindowRule{rule("FREQ=DAILY", 0, 12*time.Hour), rule("FREQ=DAILY", hour(12), 12*time.Hour)}
	check(t, firmward.RolloutPolicy{Windows: all}, time.UTC, "2026-03-02 22:30 +00", true, "")
	check(t, firmward.RolloutPolicy{Windows: all}, load(t, "Europe/Berlin"), "2026-03-02 22:30 +01", true, "2026-10-25 11:00 +01") // twelve hours after midnight
}

func TestBadRules(t *testing.T) {
	good := firmward.WindowRule{RRule: "FREQ=DAILY", Duration: time.Hour}
	for want, change := range map[string]func(w *firmward.WindowRule){
		"FREQ=DAILY, WEEKLY":   func(w *firmward.WindowRule) { w.RRule = "FREQ=HOURLY" },
		"want for example FRE": func(w *firmward.WindowRule) { w.RRule = "" },
		"is no part of a rule": func(w *firmward.WindowRule) { w.RRule = "FREQ=DAILY;COLOUR=RED" },
		"stands twice":         func(w *firmward.WindowRule) { w.RRule = "FREQ=DAILY;FREQ=DAILY" },
		"ends a window unseen": func(w *firmward.WindowRule) { w.RRule = "FREQ=DAILY;COUNT=3" },
		"leave BYHOUR away":    func(w *firmward.WindowRule) { w.RRule = "FREQ=DAILY;BYHOUR=3" },
		"leave DTSTART away":   func(w *firmward.WindowRule) { w.RRule = "DTSTART=20260101;FREQ=DAILY" },
		"number before a week": func(w *firmward.WindowRule) { w.RRule = "FREQ=WEEKLY;BYDAY=2TU" },
		"goes with FREQ=YEARL": func(w *firmward.WindowRule) { w.RRule = "FREQ=MONTHLY;BYWEEKNO=3" },
		"BYDAY":                func(w *firmward.WindowRule) { w.RRule = "FREQ=MONTHLY;BYDAY=9XX" },
		"INTERVAL is a number": func(w *firmward.WindowRule) { w.RRule = "FREQ=DAILY;INTERVAL=0" },
		"INTERVAL counts from": func(w *firmward.WindowRule) { w.RRule = "FREQ=DAILY;INTERVAL=2" },
		"UNTIL is the last":    func(w *firmward.WindowRule) { w.RRule = "FREQ=DAILY;UNTIL=20261301" },
		"say on which day":     func(w *firmward.WindowRule) { w.RRule = "FREQ=WEEKLY" },
		"chooses among days":   func(w *firmward.WindowRule) { w.RRule = "FREQ=MONTHLY;BYMONTH=3;BYSETPOS=1" },
		"bymonth must be":      func(w *firmward.WindowRule) { w.RRule = "FREQ=DAILY;BYMONTH=13" },
		"never opens":          func(w *firmward.WindowRule) { w.RRule = "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30" },
		"too many":             func(w *firmward.WindowRule) { w.RRule = strings.Repeat("FREQ=DAILY;", 50) },
		"never closes":         func(w *firmward.WindowRule) { w.Duration = 24 * time.Hour },
		"duration":             func(w *firmward.WindowRule) { w.Duration = 32 * 24 * time.Hour },
		"time of the day":      func(w *firmward.WindowRule) { w.Start = 24 * 60 },
		"no time zone":         func(w *firmward.WindowRule) { w.Zone = "Mars/Olympus" },
		"is no day":            func(w *firmward.WindowRule) { w.From = "soon" },
		"of this age":          func(w *firmward.WindowRule) { w.From = "0001-01-01" },
	} {
		w := good
		change(&w)
		if err := calendar.CheckRule(w); firmward.CodeOf(err) != firmward.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", w, err, want)
		}
	}
	if err := calendar.CheckRule(firmward.WindowRule{RRule: "rrule:freq=weekly;byday=su", Duration: time.Hour}); err == nil {
		t.Error("a prefix in small letters was taken")
	}
	if err := calendar.CheckRule(firmward.WindowRule{RRule: "RRULE:freq=weekly;byday=su", Duration: time.Hour}); err != nil {
		t.Error(err)
	}
	if _, err := calendar.New(firmward.RolloutPolicy{Window: firmward.Window{End: 5}, Windows: []firmward.WindowRule{good}}); err == nil {
		t.Error("both forms were taken")
	}
}

func TestFreezes(t *testing.T) {
	berlin := load(t, "Europe/Berlin")
	holidays := firmward.Freeze{Name: "holidays", From: "2025-12-20", To: "2026-01-06", Yearly: true}
	leap := firmward.Freeze{Name: "leap", From: "2024-02-29", To: "2024-02-29", Yearly: true}
	audit := firmward.Freeze{Name: "audit", From: "2026-03-29T02:30", To: "2026-03-29 12:00"}
	exact := firmward.Freeze{Name: "exact", From: "2026-05-01T10:00:00Z", To: "2026-05-01T12:00:00Z"}
	for _, tc := range []struct {
		f        firmward.Freeze
		at       string
		from, to string
	}{
		{holidays, "2025-06-01 00:00 +02", "2025-12-20 00:00 +01", "2026-01-07 00:00 +01"},
		{holidays, "2026-01-06 23:59 +01", "2025-12-20 00:00 +01", "2026-01-07 00:00 +01"},
		{holidays, "2026-01-07 00:00 +01", "2026-12-20 00:00 +01", "2027-01-07 00:00 +01"},
		{holidays, "2041-01-01 00:00 +01", "2040-12-20 00:00 +01", "2041-01-07 00:00 +01"},
		{leap, "2026-01-07 00:00 +01", "2026-02-28 00:00 +01", "2026-03-01 00:00 +01"},
		{leap, "2028-01-07 00:00 +01", "2028-02-29 00:00 +01", "2028-03-01 00:00 +01"},
		{audit, "2026-01-07 00:00 +01", "2026-03-29 03:00 +02", "2026-03-29 12:00 +02"}, // from the jump of the clock on
		{audit, "2026-03-29 12:00 +02", "", ""},
		{exact, "2026-05-01 12:00 +02", "2026-05-01 12:00 +02", "2026-05-01 14:00 +02"},
	} {
		at, err := time.Parse(clock, tc.at)
		if err != nil {
			t.Fatal(err)
		}
		from, to, ok := calendar.Span(tc.f, at.In(berlin))
		if ok != (tc.from != "") || ok && (from.Format(clock) != tc.from || to.Format(clock) != tc.to) {
			t.Errorf("%s at %s: %s to %s, %v; want %s to %s", tc.f.Name, tc.at, from, to, ok, tc.from, tc.to)
		}
	}
	for want, f := range map[string]firmward.Freeze{
		"swap them":        {From: "2026-05-02", To: "2026-05-01"},
		"longer than a ye": {From: "2026-01-01", To: "2027-01-02", Yearly: true},
		"from: \"soon\"":   {From: "soon", To: "2026-05-01"},
		"to: \"\" is no":   {From: "2026-05-01"},
		"leave the offset": {From: "2026-05-01T10:00:00Z", To: "2026-05-01T12:00:00Z", Yearly: true},
		"both with it":     {From: "2026-05-01T10:00:00Z", To: "2026-05-01"},
	} {
		if err := calendar.CheckFreeze(f); firmward.CodeOf(err) != firmward.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", f, err, want)
		}
	}
}

func TestState(t *testing.T) {
	c, err := calendar.New(firmward.RolloutPolicy{
		Window:  firmward.Window{Start: hour(2), End: hour(5)},
		Freezes: []firmward.Freeze{{Name: "a", From: "2026-03-03", To: "2026-03-04"}, {Name: "past", From: "2025-01-01", To: "2025-01-01"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	site := []firmward.Freeze{{Name: "b", From: "2026-03-04", To: "2026-03-05T12:00"}, {Name: "c", From: "2026-03-09T03:00", To: "2026-03-10"}}
	for _, tc := range []struct {
		day, hour             int
		open, held            bool
		name, next, due, shut string
	}{
		{2, 12, false, false, "", "a", "03 00:00", "03 00:00"},
		{3, 3, true, true, "a", "b", "03 05:00", "03 05:00"},
		{4, 6, false, true, "b", "c", "05 02:00", "05 02:00"}, // of two the one that ends last is named
		{5, 12, false, false, "", "c", "06 02:00", "06 02:00"},
		{9, 2, true, false, "", "c", "09 03:00", "09 03:00"},
		{11, 2, true, false, "", "", "11 05:00", "11 05:00"},
	} {
		s, err := c.At(time.Date(2026, 3, tc.day, tc.hour, 0, 0, 0, time.UTC), site)
		if err != nil {
			t.Fatal(err)
		}
		shut, frozen := s.Closes()
		if s.Open != tc.open || s.Held != tc.held || s.Freeze.Name != tc.name || s.Next.Name != tc.next ||
			shut.Format("02 15:04") != tc.shut || s.Due().Format("02 15:04") != tc.due || frozen != shut.Equal(s.Next.Begins) {
			t.Errorf("day %d, %d:00: %+v, due %s, closes %s", tc.day, tc.hour, s, s.Due(), shut)
		}
	}
	if _, err := c.At(time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC), []firmward.Freeze{{Name: "x", From: "soon"}}); err == nil {
		t.Error("a freeze that cannot be read was passed over")
	}
}

func TestLongest(t *testing.T) {
	for _, tc := range []struct {
		p    firmward.RolloutPolicy
		want time.Duration
	}{
		{firmward.RolloutPolicy{}, 0},
		{firmward.RolloutPolicy{Window: firmward.Window{Start: hour(22), End: hour(4)}}, 6 * time.Hour},
		{firmward.RolloutPolicy{Windows: []firmward.WindowRule{
			{RRule: "FREQ=MONTHLY;BYDAY=2TU", Start: hour(22), Duration: 2 * time.Hour},
			{RRule: "FREQ=WEEKLY;BYDAY=WE", Start: 0, Duration: time.Hour},
			{RRule: "FREQ=WEEKLY;BYDAY=FR", From: "2035-01-01", Start: 0, Duration: 90 * time.Minute},
		}}, 3 * time.Hour},
	} {
		c, err := calendar.New(tc.p)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Longest(); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.p.Hours(), got, tc.want)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	loc := load(b, "Europe/Berlin")
	at := time.Date(2026, 6, 2, 12, 0, 0, 0, loc)
	for name, p := range map[string]firmward.RolloutPolicy{
		"nightly": {Window: firmward.Window{Start: hour(2), End: hour(5)}},
		"monthly": {Windows: []firmward.WindowRule{{RRule: "FREQ=MONTHLY;BYDAY=2TU", Start: hour(22), Duration: 4 * time.Hour}}},
		"rare":    {Windows: []firmward.WindowRule{{RRule: "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", Duration: time.Hour}}},
	} {
		b.Run(name, func(b *testing.B) {
			c, err := calendar.New(p)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				c.Open(at)
			}
		})
	}
}
