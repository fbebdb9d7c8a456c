package rollout

import (
	"fmt"
	"strings"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/calendar"
)

// The codes of what Pick holds back for its time.
const (
	RefuseWindow = "window"
	RefuseFreeze = "freeze"

	RefuseUnreleased = "not-released"
)

// RefuseShort is the code of Plan for a device that no window of the policy could ever hold.
const RefuseShort = "window-too-short"

// need is the time that a device must have.
func need(p *firmward.RolloutPolicy, m *firmward.Model) time.Duration { return p.Need(Outage(*m)) }

// madeOf says what the time is made of that a device must have.
func madeOf(p *firmward.RolloutPolicy, m *firmward.Model) string {
	return fmt.Sprintf("it needs %s (%s to be asked, %s dark, %s to be verified and committed)", short(need(p, m)), short(firmward.AskTime), short(Outage(*m)), short(p.CommitWithin))
}

// tooShort refuses what would wait for ever: no window of the policy is as long as the device needs.
func tooShort(p *firmward.RolloutPolicy, longest time.Duration, m *firmward.Model) (code, why string) {
	needs := need(p, m)
	if longest == 0 || needs <= longest {
		return "", ""
	}
	return RefuseShort, fmt.Sprintf("the longest window of policy %s is %s, %s: lengthen the window by %s or shorten commit-within",
		p.Name, short(longest), madeOf(p, m), short(needs-longest))
}

// longestWindow is the longest that a policy's windows stay open; 0: they never close.
func longestWindow(p firmward.RolloutPolicy) time.Duration {
	c, err := calendar.New(p)
	if err != nil {
		return 0 // Pick says it
	}
	return c.Longest()
}

// hours answers for the devices of one Pick. Devices of a site share an answer.
type hours struct {
	r   *firmward.Rollout
	cal calendar.Calendar
	err error
	got map[place]calendar.State
}

type place struct {
	site string
	at   time.Time
}

func newHours(r *firmward.Rollout) *hours {
	h := &hours{r: r}
	h.cal, h.err = calendar.New(r.Policy)
	return h
}

// hold gives the reason why a device must not start at this time, or by when its image must be on its way.
func (h *hours) hold(s *Slot) (startBy time.Time, code, why string) {
	if h.err != nil {
		return startBy, RefuseWindow, "the windows of the policy cannot be read: " + h.err.Error()
	}
	if h.cal.Always() && len(h.r.Policy.Freezes)+len(s.Freezes) == 0 && !mustBeReleased(&s.Candidate) {
		return startBy, "", ""
	}
	st, err := h.at(s)
	switch {
	case err != nil:
		return startBy, RefuseFreeze, err.Error()
	case st.Held:
		return startBy, RefuseFreeze, h.frozen(st.Freeze)
	case !st.Open && st.Change.IsZero():
		return startBy, RefuseWindow, "the maintenance window never opens any more: plan anew with a policy whose window does"
	case !st.Open:
		return startBy, RefuseWindow, "waits for the maintenance window at " + stamp(st.Change)
	}
	closes, code, what := end(s, st)
	if closes.IsZero() {
		return startBy, "", ""
	}
	latest := closes.Add(-need(&h.r.Policy, &s.Candidate.Model))
	if !s.Local.After(latest) {
		return latest.Add(firmward.AskTime), "", ""
	}
	return startBy, code, fmt.Sprintf("%s and %s: %s are missing", what, madeOf(&h.r.Policy, &s.Candidate.Model), short(s.Local.Sub(latest)))
}

// end is when a device that starts must be done: its window closes, a freeze begins or its owner's release ends.
func end(s *Slot, st calendar.State) (at time.Time, code, what string) {
	at, frozen := st.Closes()
	code, what = RefuseWindow, "the window closes at "+stamp(at)
	if frozen {
		code, what = RefuseFreeze, fmt.Sprintf("freeze %s begins at %s", st.Next.Name, stamp(at))
	}
	if to := s.Candidate.Device.Released.To; mustBeReleased(&s.Candidate) && (at.IsZero() || to.Before(at)) {
		at, code, what = to, RefuseUnreleased, "its owner's release ends at "+stamp(to.In(s.Local.Location()))
	}
	return at, code, what
}

func (h *hours) at(s *Slot) (calendar.State, error) {
	key := place{s.Candidate.Device.Site, s.Local}
	if st, ok := h.got[key]; ok {
		return st, nil
	}
	st, err := h.cal.At(s.Local, s.Freezes)
	if err != nil {
		return st, err
	}
	if h.got == nil {
		h.got = map[place]calendar.State{}
	}
	h.got[key] = st
	return st, nil
}

// frozen says which freeze holds, why, until when, and who can lift it. Being hastened lifts none.
func (h *hours) frozen(f calendar.Hold) string {
	why := fmt.Sprintf("frozen until %s by %s", stamp(f.Ends), f.Name)
	lift := "take it out of policy " + h.r.Policy.Name + " and plan anew"
	if f.Site {
		lift = "firmward sites unfreeze"
		why += ", which " + f.By + " set for the site"
	} else {
		why += " of policy " + h.r.Policy.Name
	}
	if f.Why != "" {
		why += ": " + f.Why
	}
	if h.r.Emergency != "" {
		why += "; the rollout is hastened, and that lifts no freeze: a person has to (" + lift + ")"
	}
	return why
}

// Frozen says which freeze holds at a time and place, or "". The shell asks once more just before it sends an image, and
// answers NotSent with the code RefuseFreeze.
func Frozen(r *firmward.Rollout, local time.Time, freezes []firmward.Freeze) string {
	if len(r.Policy.Freezes)+len(freezes) == 0 {
		return ""
	}
	h := newHours(r)
	if h.err != nil {
		return h.err.Error()
	}
	switch st, err := h.cal.At(local, freezes); {
	case err != nil:
		return err.Error()
	case st.Held:
		return h.frozen(st.Freeze)
	}
	return ""
}

// Ahead refuses to plan with a policy whose windows open no more: every device would wait for ever.
func Ahead(p firmward.RolloutPolicy, now time.Time) error {
	c, err := calendar.New(p)
	if err != nil {
		return err
	}
	if !c.Always() && len(c.Openings(now, 1)) == 0 {
		return firmward.Errorf(firmward.Refused, fmt.Sprintf("no window of policy %s (%s) opens after %s: give it one that does", p.Name, p.Hours(), stamp(now)))
	}
	return nil
}

// Due is when a device that waits must be looked at again for its time alone; zero: never.
func Due(p firmward.RolloutPolicy, local time.Time, freezes []firmward.Freeze) time.Time {
	c, err := calendar.New(p)
	if err != nil {
		return time.Time{}
	}
	st, err := c.At(local, freezes)
	if err != nil {
		return time.Time{}
	}
	return st.Due()
}

func stamp(t time.Time) string { return t.Format("2006-01-02 15:04 MST") }

// short writes whole minutes, rounded up: 25m, 1h5m.
func short(d time.Duration) string {
	s := (d + time.Minute - 1).Truncate(time.Minute).String()
	s = strings.TrimSuffix(s, "0s")
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
