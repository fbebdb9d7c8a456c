package calendar

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/teambition/rrule-go"

	"github.com/firmward/firmward"
)

// The bounds of a rule. A window that is open for longer than a month is none.
const (
	maxDuration = 31 * 24 * time.Hour
	maxInterval = 1000
	maxRule     = 500 // characters
	oneDay      = 24 * time.Hour
)

// rule is one window: its days, and when it opens and ends on each of them.
type rule struct {
	days     rrule.ROption
	weekdays []time.Weekday // of the short form, which needs no more; empty: every day
	short    bool
	from     time.Time // nothing before this day; zero: no such day
	start    int       // minutes after midnight
	end      int       // of the short form; exceeds a day when it ends on the next
	duration time.Duration
	zone     *time.Location // nil: that of the site
}

func nightly(w firmward.Window) rule {
	r := rule{weekdays: w.Days, short: true, start: w.Start, end: w.End}
	if r.end <= r.start {
		r.end += 24 * 60
	}
	return r
}

// CheckRule says what is wrong with a rule, or nil: it cannot be read, or it never opens.
func CheckRule(w firmward.WindowRule) error {
	_, err := parseRule(w)
	return err
}

func parseRule(w firmward.WindowRule) (rule, error) {
	r := rule{start: w.Start, duration: w.Duration}
	var err error
	if w.From != "" {
		if r.from, err = time.Parse(time.DateOnly, w.From); err != nil {
			return r, bad("from: %q is no day: want for example 2026-01-05", w.From)
		}
		if y := r.from.Year(); y < 1970 || y > 2200 {
			return r, bad("from: %s is not of this age", w.From)
		}
	}
	switch {
	case w.Start < 0 || w.Start >= 24*60:
		return r, bad("start: want a time of the day such as 22:00")
	case w.Duration < time.Minute || w.Duration > maxDuration:
		return r, bad("duration: want 1m to 31d, for example 4h")
	}
	if w.Zone != "" {
		if r.zone, err = time.LoadLocation(w.Zone); err != nil || w.Zone == "Local" {
			return r, bad("zone: %q is no time zone: want an IANA name such as Europe/Berlin", w.Zone)
		}
	}
	if r.days, err = parseDays(w.RRule, r.from); err != nil {
		return r, err
	}
	s, ok := r.spans(r.begin(), 0)()
	if !ok {
		return r, bad("%s never opens: no day fits all its parts", w.RRule)
	}
	if next := (Calendar{rules: []rule{r}}).windows(s.from); r.daily() {
		if all, _ := next(); all.to.Sub(all.from) > horizon {
			return r, bad("%s for %s never closes: write window: always", w.RRule, w.Duration)
		}
	}
	return r, nil
}

// daily reports whether openings may follow each other without a gap.
func (r rule) daily() bool { return r.duration >= oneDay-2*time.Hour }

// parts are the parts of a rule that may be used, with the frequencies under which RFC 5545 allows them.
var parts = map[string][]string{
	"FREQ": nil, "INTERVAL": nil, "UNTIL": nil, "WKST": nil, "BYMONTH": nil, "BYDAY": nil, "BYSETPOS": nil,
	"BYMONTHDAY": {"DAILY", "MONTHLY", "YEARLY"}, "BYYEARDAY": {"YEARLY"}, "BYWEEKNO": {"YEARLY"},
}

// parseDays reads a rule of which the days count. Defaults that RFC 5545 takes from the first day are written out, so
// that a rule can be asked from any day on.
func parseDays(text string, from time.Time) (rrule.ROption, error) {
	var none rrule.ROption
	text = strings.ToUpper(strings.TrimPrefix(text, "RRULE:"))
	given, err := split(text)
	if err != nil {
		return none, err
	}
	freq := given["FREQ"]
	if !slices.Contains([]string{"DAILY", "WEEKLY", "MONTHLY", "YEARLY"}, freq) {
		return none, bad("rrule %s: want FREQ=DAILY, WEEKLY, MONTHLY or YEARLY", text)
	}
	for key := range given {
		if under := parts[key]; under != nil && !slices.Contains(under, freq) {
			return none, bad("rrule %s: %s goes with FREQ=%s only (RFC 5545 §3.3.10)", text, key, strings.Join(under, " or "))
		}
	}
	if err := checkNumbers(text, given); err != nil {
		return none, err
	}
	opt, err := rrule.StrToROption(text)
	if err != nil {
		return none, bad("rrule %s: %w", text, err)
	}
	for _, d := range opt.Byweekday {
		if d.N() != 0 && (freq == "DAILY" || freq == "WEEKLY" || given["BYWEEKNO"] != "") {
			return none, bad("rrule %s: a number before a weekday, as in %s, goes with FREQ=MONTHLY or YEARLY without BYWEEKNO", text, d)
		}
	}
	if err := fill(text, opt, from); err != nil {
		return none, err
	}
	opt.Dtstart = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	if _, err := rrule.NewRRule(*opt); err != nil {
		return none, bad("rrule %s: %w", text, err)
	}
	return *opt, nil
}

// split takes a rule apart and refuses what is not about days.
func split(text string) (map[string]string, error) {
	if len(text) > maxRule {
		return nil, bad("rrule: %d characters are too many for a rule that a person should understand (%d)", len(text), maxRule)
	}
	given := map[string]string{}
	for part := range strings.SplitSeq(text, ";") {
		key, value, ok := strings.Cut(part, "=")
		if _, known := parts[key]; !ok || !known || value == "" {
			return nil, badPart(text, part, key)
		}
		if given[key] != "" {
			return nil, bad("rrule %s: %s stands twice", text, key)
		}
		given[key] = value
	}
	return given, nil
}

func badPart(text, part, key string) error {
	switch key {
	case "COUNT":
		return bad("rrule %s: COUNT ends a window unseen: write until when it holds, UNTIL=20271231", text)
	case "BYHOUR", "BYMINUTE", "BYSECOND":
		return bad("rrule %s: the key start says at what time it opens: leave %s away", text, key)
	case "DTSTART", "TZID":
		return bad("rrule %s: the keys from, start and zone say that: leave %s away", text, key)
	case "":
		return bad("rrule %q: want for example FREQ=MONTHLY;BYDAY=2TU", text)
	}
	return bad("rrule %s: %q is no part of a rule: want for example FREQ=MONTHLY;BYDAY=2TU", text, part)
}

func checkNumbers(text string, given map[string]string) error {
	if v := given["INTERVAL"]; v != "" {
		if n, err := strconv.Atoi(v); err != nil || n < 1 || n > maxInterval {
			return bad("rrule %s: INTERVAL is a number from 1 to %d", text, maxInterval)
		}
	}
	if v := given["UNTIL"]; v != "" {
		if _, err := time.Parse("20060102", v); err != nil {
			return bad("rrule %s: UNTIL is the last day here, for example UNTIL=20271231", text)
		}
	}
	if given["BYSETPOS"] != "" && given["BYDAY"]+given["BYMONTHDAY"]+given["BYYEARDAY"]+given["BYWEEKNO"] == "" {
		return bad("rrule %s: BYSETPOS chooses among days: name them with BYDAY or BYMONTHDAY", text)
	}
	return nil
}

// fill writes out what a rule takes from its first day.
func fill(text string, opt *rrule.ROption, from time.Time) error {
	if opt.Interval > 1 && from.IsZero() {
		return bad("rrule %s: INTERVAL counts from a day: say from which, for example from: 2026-01-05", text)
	}
	if opt.Freq == rrule.DAILY || len(opt.Byweekno)+len(opt.Byyearday)+len(opt.Bymonthday)+len(opt.Byweekday) > 0 {
		return nil
	}
	if from.IsZero() {
		return bad("rrule %s: say on which day, for example BYDAY=SU, or with from: the day on which it opens first", text)
	}
	switch opt.Freq {
	case rrule.WEEKLY:
		opt.Byweekday = []rrule.Weekday{[...]rrule.Weekday{rrule.SU, rrule.MO, rrule.TU, rrule.WE, rrule.TH, rrule.FR, rrule.SA}[from.Weekday()]}
	case rrule.YEARLY:
		if len(opt.Bymonth) == 0 {
			opt.Bymonth = []int{int(from.Month())}
		}
		opt.Bymonthday = []int{from.Day()}
	default:
		opt.Bymonthday = []int{from.Day()}
	}
	return nil
}

// begin is a time before the first opening of a rule that has a first day, else one long ago.
func (r rule) begin() time.Time {
	if !r.from.IsZero() {
		return r.from.Add(-2 * oneDay)
	}
	return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
}

// place names the zone of a rule, "" for that of the site.
func (r rule) place() string {
	if r.zone == nil {
		return ""
	}
	return r.zone.String()
}

// reach is the longest time from a day's midnight until its opening has ended, a change of the clock included.
func (r rule) reach() time.Duration {
	if r.short {
		return time.Duration(r.end)*time.Minute + oneDay
	}
	return time.Duration(r.start)*time.Minute + r.duration + oneDay
}

// spans yields the openings in order, from before t-reach on, in the zone of t.
func (r rule) spans(t time.Time, reach time.Duration) func() (span, bool) {
	loc := t.Location()
	if r.zone != nil {
		loc = r.zone
	}
	next := r.dates(date(t.In(loc)).Add(-max(reach, r.reach()) / oneDay * oneDay))
	return func() (span, bool) {
		for {
			d, ok := next()
			if !ok {
				return span{}, false
			}
			s := span{from: moment(d, r.start, loc)}
			if r.short {
				s.to = moment(d, r.end, loc)
			} else {
				s.to = s.from.Add(r.duration)
			}
			if s.to.After(s.from) {
				return span{s.from.In(t.Location()), s.to.In(t.Location())}, true
			}
		}
	}
}

// dates yields the days of a rule that are not before first.
func (r rule) dates(first time.Time) func() (time.Time, bool) {
	if r.from.After(first) {
		first = r.from
	}
	if r.short {
		d := first.Add(-oneDay)
		return func() (time.Time, bool) {
			for d = d.Add(oneDay); len(r.weekdays) > 0 && !slices.Contains(r.weekdays, d.Weekday()); {
				d = d.Add(oneDay)
			}
			return d, true
		}
	}
	opt := r.days
	opt.Dtstart = r.period(first)
	rr, err := rrule.NewRRule(opt)
	if err != nil { // parseDays has tried it
		return func() (time.Time, bool) { return time.Time{}, false }
	}
	next := rr.Iterator()
	return func() (time.Time, bool) {
		d, ok := next()
		for ok && d.Before(first) {
			d, ok = next()
		}
		return d, ok
	}
}

// period is the first day of the period around or before a day: the library walks from there and not from the first
// day of the rule, which may be years ago. Periods that INTERVAL leaves out are left out here too.
func (r rule) period(of time.Time) time.Time {
	base, n := r.from, max(1, r.days.Interval)
	if base.IsZero() {
		base = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	switch r.days.Freq {
	case rrule.YEARLY:
		return time.Date(base.Year()+floor(of.Year()-base.Year(), n), 1, 1, 0, 0, 0, 0, time.UTC)
	case rrule.MONTHLY:
		months := (of.Year()-base.Year())*12 + int(of.Month()-base.Month())
		return time.Date(base.Year(), base.Month()+time.Month(floor(months, n)), 1, 0, 0, 0, 0, time.UTC)
	case rrule.WEEKLY:
		back := (int(base.Weekday()) + 6 - r.days.Wkst.Day() + 7) % 7 // the library counts weekdays from Monday
		base, n = base.AddDate(0, 0, -back), n*7
	}
	return base.AddDate(0, 0, floor(int(of.Sub(base)/oneDay), n))
}

// floor rounds down to a multiple of n.
func floor(v, n int) int {
	if v < 0 {
		v -= n - 1
	}
	return v / n * n
}
