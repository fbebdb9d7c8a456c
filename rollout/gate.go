package rollout

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/firmward/firmward"
)

// WaveCount tells how the targets of the open wave stand.
type WaveCount struct {
	Pending  int
	InFlight int // those that wait for a person or to wake too
	Ended    int
	Good     int // succeeded
	Unsoaked int // succeeded, not yet looked at after the soak
	// Bare lists models of wave 0 of which a canary neither succeeded nor failed (not reachable,
	// refused): nothing is known about them. Each canary stands for its model and hardware revision.
	Bare []string
}

// Gate decides what the header does next. It changes r in place and reports whether the caller must
// look at the wave's succeeded devices now (soak ends on evidence), and when to ask again (zero: on
// the next event).
func Gate(r *firmward.Rollout, c WaveCount, now time.Time) (lookAgain bool, due time.Time) {
	switch r.State {
	case firmward.RolloutPlanned, firmward.RolloutAwaiting:
		Approve(r, now)
		return false, time.Time{}
	case firmward.RolloutRunning:
	default:
		return false, time.Time{}
	}
	if c.Pending > 0 || c.InFlight > 0 {
		r.SoakFrom = time.Time{}
		return false, time.Time{}
	}
	if r.SoakFrom.IsZero() {
		r.SoakFrom = now
	}
	if end := r.SoakFrom.Add(soak(r)); now.Before(end) && c.Good > 0 {
		r.Why = fmt.Sprintf("%s soaks until %s", waveName(r.Wave), end.Format("2006-01-02 15:04 MST"))
		return false, end
	}
	if c.Unsoaked > 0 {
		r.Why = waveName(r.Wave) + ": looking at its devices after the soak"
		return true, now.Add(time.Minute)
	}
	return false, promote(r, c, now)
}

// promote opens the next wave, or says why not.
func promote(r *firmward.Rollout, c WaveCount, now time.Time) time.Time {
	switch {
	case r.Wave == 0 && len(c.Bare) > 0:
		r.State = firmward.RolloutPaused
		r.Why = fmt.Sprintf("inconclusive: no canary of %v could be tried; nothing is known, so nothing is promoted (plan a new rollout when it can)", c.Bare)
	case r.Wave+1 >= r.Waves:
		r.State = firmward.RolloutFinished
		r.Why = fmt.Sprintf("%d succeeded, %d failed", r.Succeeded, r.Failed)
		if why := unremedied(r); why != "" {
			r.Why += "; " + why
		}
	case c.Good == 0 && c.Ended > 0 && r.Wave > 0:
		r.State = firmward.RolloutPaused
		r.Why = fmt.Sprintf("inconclusive: wave %d had no success", r.Wave)
	case r.Wave >= r.Waived && unsure(r, c) != "":
		r.State, r.Unsure = firmward.RolloutPaused, true
		r.Why = "inconclusive: " + unsure(r, c) + " (resume it with a reason if that suffices)"
	case r.Policy.ApproveWaves && approvals(r, r.Wave+1, now) < max(1, r.Policy.Approvals):
		r.Why = fmt.Sprintf("wave %d waits for an approval%s", r.Wave+1, lapsed(r, r.Wave+1, now))
	default:
		r.Wave++
		r.StillOpen = 0
		r.WaveOpen, r.SoakFrom = now, time.Time{}
		r.Why = fmt.Sprintf("wave %d is open", r.Wave)
		return now
	}
	return time.Time{}
}

// Approve moves a rollout that waits for approvals to running once enough persons other than its
// author have approved the start.
func Approve(r *firmward.Rollout, now time.Time) {
	if r.State != firmward.RolloutAwaiting {
		return
	}
	switch r.Staging {
	case "running":
		r.Why = "waits for the staging verdict"
		return
	case "failed":
		r.State, r.Why = firmward.RolloutHalted, "staging failed: nothing was sent to production devices"
		return
	}
	have, want := approvals(r, 0, now), r.Policy.Approvals
	if have < want {
		r.Why = fmt.Sprintf("%d of %d approvals by somebody other than %s%s", have, want, r.Author, lapsed(r, 0, now))
		if r.Void != "" {
			r.Why += "; earlier ones are void: " + r.Void
		}
		return
	}
	r.State, r.Why, r.WaveOpen, r.Void = firmward.RolloutRunning, "the canary wave is open", now, ""
}

// approvals counts different persons other than the author whose approval of a wave still holds.
func approvals(r *firmward.Rollout, wave int, now time.Time) int {
	seen := map[string]bool{}
	for _, a := range r.Approvals {
		if a.Wave == wave && a.Actor != r.Author && holds(r, a, now) {
			seen[a.Actor] = true
		}
	}
	return len(seen)
}

func holds(r *firmward.Rollout, a firmward.Approval, now time.Time) bool {
	return r.Policy.ApprovalValid == 0 || now.Before(a.At.Add(r.Policy.ApprovalValid))
}

// lapsed names an approval of a wave that was given and has lapsed unused.
func lapsed(r *firmward.Rollout, wave int, now time.Time) string {
	for _, a := range r.Approvals {
		if a.Wave == wave && !holds(r, a, now) {
			return fmt.Sprintf("; that of %s has lapsed after %s", a.Actor, days(r.Policy.ApprovalValid))
		}
	}
	return ""
}

func days(d time.Duration) string {
	switch {
	case d == 24*time.Hour:
		return "a day"
	case d%(24*time.Hour) == 0:
		return fmt.Sprintf("%d days", d/(24*time.Hour))
	}
	return d.String()
}

// Steer applies a person's order to a rollout: start, pause, resume, stop. It refuses orders that do
// not fit the state.
func Steer(r *firmward.Rollout, order, why string, now time.Time) error {
	refuse := func() error {
		return firmward.Errorf(firmward.Conflict, fmt.Sprintf("cannot %s a rollout that is %s", order, r.State))
	}
	if r.Withdrawn != "" && (order == "start" || order == "resume") {
		return firmward.Errorf(firmward.Refused, withdrawn(r)+"; it can only be stopped")
	}
	switch order {
	case "start":
		if r.State != firmward.RolloutPlanned {
			return refuse()
		}
		if r.Total == 0 {
			return firmward.Errorf(firmward.Refused, "the plan has no device: see why each was refused (rollout show)")
		}
		r.State = firmward.RolloutAwaiting
		r.Why = "started"
		Approve(r, now)
	case "pause":
		if r.State != firmward.RolloutRunning && r.State != firmward.RolloutAwaiting {
			return refuse()
		}
		r.State, r.Why = firmward.RolloutPaused, strings.TrimSuffix("paused: "+why, ": ")
	case "resume":
		if r.State != firmward.RolloutPaused && r.State != firmward.RolloutHalted {
			return refuse()
		}
		if r.State == firmward.RolloutHalted && why == "" {
			return firmward.Errorf(firmward.Invalid, "a halted rollout is resumed only with a reason")
		}
		if r.Unsure && why == "" {
			return firmward.Errorf(firmward.Invalid, "say why what the wave showed suffices (--why)")
		}
		if r.WaveOpen.IsZero() { // it never ran: staging and approvals still decide
			if r.Staging == "failed" {
				return firmward.Errorf(firmward.Refused, "staging failed: plan a new rollout when the release has passed")
			}
			r.State, r.Why = firmward.RolloutAwaiting, "resumed"
			Approve(r, now)
			return nil
		}
		if err := reapproved(r, now); err != nil {
			return err
		}
		if r.Unsure {
			r.Unsure, r.Waived = false, r.Wave+1
		}
		r.State, r.Why = firmward.RolloutRunning, "resumed: "+why
	case "stop":
		if r.State == firmward.RolloutFinished || r.State == firmward.RolloutStopped {
			return refuse()
		}
		r.State, r.Why = firmward.RolloutStopped, "stopped: "+why
	default:
		return firmward.Errorf(firmward.Invalid, "unknown order "+order+": want start, pause, resume or stop")
	}
	return nil
}

// Count tells how the targets of one wave stand.
func Count(targets []firmward.Target) WaveCount {
	var c WaveCount
	for _, t := range targets {
		switch {
		case t.State == firmward.TargetPending:
			c.Pending++
		case t.State.InFlight(), t.State.Waits():
			c.InFlight++
		default:
			c.Ended++
		}
		switch t.State {
		case firmward.TargetSucceeded:
			c.Good++
			if t.SoakedAt.IsZero() {
				c.Unsoaked++
			}
		case firmward.TargetSkipped, firmward.TargetRefused:
			c.Bare = append(c.Bare, t.Model)
		}
	}
	slices.Sort(c.Bare)
	c.Bare = slices.Compact(c.Bare)
	return c
}

// waveName is how people call a wave.
func waveName(n int) string {
	if n == 0 {
		return "the canary wave"
	}
	return fmt.Sprintf("wave %d", n)
}
