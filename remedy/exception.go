package remedy

import (
	"fmt"
	"slices"
	"time"

	"github.com/firmward/firmward"
)

// An exception is a decision under a premise: it was right to differ because something was so. Falls says when that is over. It
// errs to the safe side: what was not looked at when the decision was made was not decided.

// Falls reports whether the premise of an exception no longer holds, and why. now is the premise as PremiseOf gives it today. An
// exception of before premises were recorded falls only when something that it covers is exploited.
func Falls(e firmward.Exception, now firmward.Premise) (why string, falls bool) {
	if !e.FellAt.IsZero() {
		return "", false
	}
	var p firmward.Premise
	if e.Premise != nil {
		p = *e.Premise
	}
	for _, id := range now.Exploited {
		if !slices.Contains(p.Exploited, id) {
			return id + " is known to be exploited", true
		}
	}
	switch {
	case e.Premise == nil:
		return "", false
	case now.Exposed && !p.Exposed && e.Kind != firmward.Suppress: // who can reach it does not make a wrong finding right
		return "reachable from the internet by now", true
	case p.Control != "" && now.Control != p.Control:
		return "containment " + p.Control + " is no longer proven", true
	case p.Verdict != "" && now.Verdict.Worse(p.Verdict):
		return fmt.Sprintf("the verdict was %s (%s), now it is %s (%s)", p.Verdict, p.Reason, now.Verdict, now.Reason), true
	case e.Kind == firmward.Suppress && !e.Ground.Outlives() && p.Firmware != "" && now.Firmware != "" && now.Firmware != p.Firmware:
		return "it was decided for firmware " + p.Firmware + ", now it runs " + now.Firmware, true
	}
	return "", false
}

// PremiseOf gives what an exception rests on at one device: its facts are Device, Findings and Containment. A containment that is
// being proven anew counts for the exception that rests on it until the proof has failed.
func PremiseOf(f Facts, e firmward.Exception) firmward.Premise {
	p := firmward.Premise{Firmware: f.Device.Firmware}
	covers := e.DeviceID != "" // one for every device covers those that have the finding
	for _, fd := range f.Findings {
		if !e.About(f.Device.ID, fd.AdvisoryID) {
			continue
		}
		covers = covers || fd.Open()
		if fd.Open() && fd.Exploited {
			p.Exploited = append(p.Exploited, fd.AdvisoryID)
		}
		if fd.ClosedAt.IsZero() && e.Advisory != "" {
			p.Verdict, p.Reason = fd.Verdict, fd.Reason
		}
	}
	p.Exposed = covers && f.Device.Exposed
	slices.Sort(p.Exploited)
	if c := f.Containment; c != nil {
		again := c.State == firmward.ContainApplied || c.State == firmward.ContainOpen && c.Code == firmward.ContainRestart
		if c.State == firmward.ContainContained || again && e.Premise != nil && e.Premise.Control == c.ID {
			p.Control = c.ID
		}
	}
	return p
}

// Widen joins the premises of two devices that one exception covers: the worst of both, and nothing that only one of them has.
func Widen(a, b firmward.Premise) firmward.Premise {
	out := firmward.Premise{Exposed: a.Exposed || b.Exposed, Verdict: a.Verdict, Reason: a.Reason}
	out.Exploited = slices.Concat(a.Exploited, b.Exploited)
	slices.Sort(out.Exploited)
	out.Exploited = slices.Compact(out.Exploited)
	if out.Verdict == "" || b.Verdict.Worse(a.Verdict) {
		out.Verdict, out.Reason = b.Verdict, b.Reason
	}
	return out
}

// Rest leaves of a premise what a kind of exception rests on: that a finding is wrong, or that a rule does not apply, has nothing to do
// with a wall.
func Rest(kind firmward.ExceptionKind, p firmward.Premise) firmward.Premise {
	if kind == firmward.Suppress || kind == firmward.Waive {
		p.Control = ""
	}
	return p
}

// NeedsSecond reports whether a second person must approve before the exception is in force: where it says that firmward is wrong, and
// where somebody is attacking already.
func NeedsSecond(kind firmward.ExceptionKind, p firmward.Premise) bool {
	return kind == firmward.Suppress || len(p.Exploited) > 0
}

// Fallen separates the exceptions that stand from those whose premise no longer holds; these carry when and why.
func Fallen(f Facts, now time.Time) (stand, fallen []firmward.Exception) {
	for _, e := range f.Exceptions {
		why, falls := Falls(e, PremiseOf(f, e))
		if !falls {
			stand = append(stand, e)
			continue
		}
		if e.DeviceID == "" {
			why = f.Device.Name + ": " + why
		}
		e.FellAt, e.FellWhy = now, why
		fallen = append(fallen, e)
	}
	return stand, fallen
}
