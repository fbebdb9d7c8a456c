package policy

import (
	"fmt"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/calendar"
)

// scalar is one value with the line on which it stands. What it means is told later, so that an error can name its line.
type scalar struct {
	value string
	line  int
}

// UnmarshalYAML takes any scalar as it is written: a day is no number and no time yet.
func (t *scalar) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.ScalarNode {
		return fmt.Errorf("line %d: want one value", n.Line)
	}
	*t = scalar{n.Value, n.Line}
	return nil
}

type windowYAML struct {
	RRule    scalar `yaml:"rrule"`
	From     scalar `yaml:"from"`
	Start    scalar `yaml:"start"`
	Duration scalar `yaml:"duration"`
	Zone     scalar `yaml:"zone"`
}

type freezeYAML struct {
	Name   scalar `yaml:"name"`
	From   scalar `yaml:"from"`
	To     scalar `yaml:"to"`
	Yearly bool   `yaml:"yearly"`
	Why    scalar `yaml:"why"`
}

// hours reads windows and freezes of a policy and checks them together. now is zero when the past is no error.
func (in rolloutYAML) hours(p *firmward.RolloutPolicy, now time.Time) error {
	at := func(line int, format string, args ...any) error {
		return fmt.Errorf("line %d: policy %q: %w", line, in.Name, fmt.Errorf(format, args...))
	}
	line := in.Window.line
	if in.Window.line > 0 && len(in.Windows) > 0 {
		return at(line, "it has window and windows: move what window says into the list")
	}
	for i, w := range in.Windows {
		rule, where, err := w.rule()
		if err != nil {
			return at(where, "window %d of the list: %w", i+1, err)
		}
		if !now.IsZero() && over(rule, now) {
			return at(w.RRule.line, "%s opens no more after %s: take it out or give it a later UNTIL", rule.RRule, now.Format(time.DateOnly))
		}
		line = w.RRule.line
		p.Windows = append(p.Windows, rule)
	}
	names := map[string]bool{}
	for i, f := range in.Freezes {
		freeze, where, err := f.freeze()
		if err == nil && names[freeze.Name] {
			where, err = f.Name.line, fmt.Errorf("another freeze is called %s too", freeze.Name)
		}
		if err != nil {
			return at(where, "freeze %d of the list: %w", i+1, err)
		}
		if _, to, ok := calendar.Span(freeze, now); !now.IsZero() && !ok {
			return at(f.To.line, "freeze %s was over at %s: take it out or say yearly: true", freeze.Name, to.Format("2006-01-02 15:04"))
		}
		names[freeze.Name] = true
		p.Freezes = append(p.Freezes, freeze)
	}
	return longEnough(p, func(format string, args ...any) error { return at(line, format, args...) })
}

// shortestOutage is less than any device is dark during an update. Plan weighs each with its own card.
const shortestOutage = time.Minute

// longEnough refuses windows in which no update could ever end: devices would wait for ever, and nobody would know why.
func longEnough(p *firmward.RolloutPolicy, at func(format string, args ...any) error) error {
	cal, err := calendar.New(*p)
	if err != nil {
		return at("%w", err)
	}
	longest, need := cal.Longest(), p.Need(shortestOutage)
	if cal.Always() || longest >= need {
		return nil
	}
	return at("its longest window is %s, and an update takes at least %s (%s to be asked, %s dark, commit-within %s): lengthen it or shorten commit-within",
		longest, need, firmward.AskTime, shortestOutage, p.CommitWithin)
}

// over reports whether a rule opens no more, wherever the site lies.
func over(w firmward.WindowRule, now time.Time) bool {
	cal, err := calendar.New(firmward.RolloutPolicy{Windows: []firmward.WindowRule{w}})
	return err == nil && len(cal.Openings(now.AddDate(0, 0, -1), 1)) == 0
}

// rule gives the rule, or the line that is wrong.
func (w windowYAML) rule() (firmward.WindowRule, int, error) {
	out := firmward.WindowRule{RRule: w.RRule.value, From: w.From.value, Zone: w.Zone.value}
	line := max(w.RRule.line, w.Start.line, w.Duration.line)
	switch {
	case w.RRule.value == "":
		return out, line, fmt.Errorf("rrule is missing: say on which days, for example rrule: FREQ=MONTHLY;BYDAY=2TU")
	case w.Start.value == "":
		return out, line, fmt.Errorf("start is missing: say at what time it opens, for example start: \"22:00\"")
	case w.Duration.value == "":
		return out, line, fmt.Errorf("duration is missing: say for how long it is open, for example duration: 4h")
	}
	start, err := time.Parse("15:04", w.Start.value)
	if err != nil {
		return out, w.Start.line, fmt.Errorf("start: %q is no time of the day: want for example 22:00", w.Start.value)
	}
	out.Start = start.Hour()*60 + start.Minute()
	if out.Duration, err = ParseDuration(w.Duration.value); err != nil {
		return out, w.Duration.line, fmt.Errorf("duration: %w", err)
	}
	if err := calendar.CheckRule(out); err != nil {
		return out, w.lineOf(err), err
	}
	return out, 0, nil
}

// lineOf finds the line of which an error of package calendar speaks: it begins with the key.
func (w windowYAML) lineOf(err error) int {
	for key, t := range map[string]scalar{"from:": w.From, "start:": w.Start, "duration:": w.Duration, "zone:": w.Zone} {
		if strings.HasPrefix(err.Error(), key) && t.line > 0 {
			return t.line
		}
	}
	return w.RRule.line
}

// freeze gives the freeze, or the line that is wrong.
func (f freezeYAML) freeze() (firmward.Freeze, int, error) {
	out := firmward.Freeze{Name: f.Name.value, From: f.From.value, To: f.To.value, Yearly: f.Yearly, Why: f.Why.value}
	line := max(f.Name.line, f.From.line, f.To.line)
	if out.Name == "" {
		return out, line, fmt.Errorf("name is missing: say what to call it where something waits for its end")
	}
	if err := calendar.CheckFreeze(out); err != nil {
		if strings.HasPrefix(err.Error(), "from:") {
			line = f.From.line
		}
		return out, line, err
	}
	return out, 0, nil
}

// window is the short form with the line on which it stands.
type window struct {
	firmward.Window
	line int
}

// UnmarshalYAML reads "02:00-05:00", optionally followed by days: "02:00-05:00 Sat Sun", or "always".
func (w *window) UnmarshalYAML(n *yaml.Node) error {
	v, err := ParseWindow(n.Value)
	if err != nil {
		return fmt.Errorf("line %d: %w", n.Line, err)
	}
	*w = window{v, n.Line}
	return nil
}

// ParseWindow reads a maintenance window: "always", "02:00-05:00" or "22:00-04:00 Sat Sun".
func ParseWindow(s string) (firmward.Window, error) {
	var w firmward.Window
	fields := strings.Fields(s)
	if len(fields) == 1 && fields[0] == "always" {
		return w, nil
	}
	wrong := fmt.Errorf("%q is no window: want for example always, 02:00-05:00 or 22:00-04:00 Sat Sun", s)
	if len(fields) == 0 {
		return w, wrong
	}
	from, to, ok := strings.Cut(fields[0], "-")
	a, errA := time.Parse("15:04", from)
	b, errB := time.Parse("15:04", to)
	if !ok || errA != nil || errB != nil || a.Equal(b) {
		return w, wrong
	}
	w.Start, w.End = a.Hour()*60+a.Minute(), b.Hour()*60+b.Minute()
	for _, f := range fields[1:] {
		day, ok := weekday(f)
		if !ok {
			return w, wrong
		}
		w.Days = append(w.Days, day)
	}
	return w, nil
}

func weekday(s string) (time.Weekday, bool) {
	for d := time.Sunday; d <= time.Saturday; d++ {
		if len(s) >= 3 && strings.HasPrefix(strings.ToLower(d.String()), strings.ToLower(s)) {
			return d, true
		}
	}
	return 0, false
}
