package firmward

import (
	"fmt"
	"strings"
	"time"
)

// Window is a nightly maintenance window in the site's time zone, from one reading of the wall clock to another. The
// zero value is always open.
type Window struct {
	Start, End int            // minutes after midnight; End may be smaller than Start
	Days       []time.Weekday // nights on which it opens; empty means every day
}

// Always reports whether the window never closes.
func (w Window) Always() bool { return w.Start == w.End && len(w.Days) == 0 }

func (w Window) String() string {
	if w.Always() {
		return "any time"
	}
	s := fmt.Sprintf("%02d:%02d–%02d:%02d", w.Start/60, w.Start%60, w.End/60, w.End%60)
	if len(w.Days) > 0 {
		names := make([]string, len(w.Days))
		for i, d := range w.Days {
			names[i] = d.String()[:3]
		}
		s += " " + strings.Join(names, ",")
	}
	return s
}

// WindowRule is a maintenance window that opens on the days of an RFC 5545 recurrence rule. Package calendar knows
// which rules there are and when they open.
type WindowRule struct {
	RRule    string        // FREQ=MONTHLY;BYDAY=2TU
	From     string        // day such as 2026-01-05: nothing before it, and INTERVAL counts from it; may be empty
	Start    int           // minutes after midnight, by the wall clock
	Duration time.Duration // time that passes, also over a change of the clock
	Zone     string        // IANA name; empty: the zone of the site
}

func (w WindowRule) String() string {
	s := fmt.Sprintf("%02d:%02d for %s, %s", w.Start/60, w.Start%60, plain(w.Duration), w.RRule)
	if w.From != "" {
		s += " from " + w.From
	}
	if w.Zone != "" {
		s += " (" + w.Zone + ")"
	}
	return s
}

// plain writes 4h0m0s as 4h.
func plain(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}

// Hours says in words when the policy lets devices be changed.
func (p RolloutPolicy) Hours() string {
	if len(p.Windows) == 0 {
		return p.Window.String()
	}
	rules := make([]string, len(p.Windows))
	for i, w := range p.Windows {
		rules[i] = w.String()
	}
	return strings.Join(rules, "; ")
}

// AskTime is the time for the questions before an image is sent. Without it a device that needs a whole window would be
// asked each night and be too late each night.
const AskTime = 5 * time.Minute

// Need is the time that a device must have before its window closes or a freeze begins: it is asked, it is dark for as
// long as its model card says, and then it is verified and committed.
func (p RolloutPolicy) Need(outage time.Duration) time.Duration {
	return AskTime + outage + p.CommitWithin
}

// Freeze is a time in which nothing starts. From and To are a day (2026-12-20; a day in To is within it), a reading of
// the site's wall clock (2026-12-20T18:00), or a time with its offset (RFC 3339).
type Freeze struct {
	Name     string
	From, To string
	Yearly   bool // again in each later year
	Why      string
	By       string    // the person who set it for a site; empty in a policy
	At       time.Time // when that was
}

func (f Freeze) String() string {
	s := fmt.Sprintf("%s, %s to %s", f.Name, f.From, f.To)
	if f.Yearly {
		s += ", each year"
	}
	if f.Why != "" {
		s += ": " + f.Why
	}
	return s
}
