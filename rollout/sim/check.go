package sim

import (
	"fmt"
	"slices"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/calendar"
	"github.com/firmward/firmward/rollout"
)

func (w *World) fail(format string, args ...any) {
	if w.broken == nil {
		w.broken = fmt.Errorf("at %s: %s", w.Now.Format("2006-01-02 15:04:05"), fmt.Sprintf(format, args...))
	}
}

// started checks what must hold when a target starts.
func (w *World) started(r *Run, p rollout.Slot) {
	t, dev, shut := p.Target, r.byID[p.Target.DeviceID].dev, ""
	held := dev.held()
	if w.Check {
		shut = w.closed(r, dev, w.local(dev))
	}
	switch {
	case !w.Check:
	case r.byID[t.DeviceID].stopped:
		w.fail("%s starts although a person took it out", t.DeviceID)
	case r.recalled:
		w.fail("%s starts although its image was withdrawn", t.DeviceID)
	case r.struck:
		w.fail("%s starts although its family fell in one event and nobody has said that it goes on", t.DeviceID)
	case shut != "":
		w.fail("%s starts although %s", t.DeviceID, shut)
	case w.Now.Before(held.Until):
		w.fail("%s starts before %s, while its release is held back", t.DeviceID, held.Until)
	case held.Release && !dev.Facts.Released.Contains(w.Now):
		w.fail("%s starts and nobody has released it for that", t.DeviceID)
	case r.State != firmward.RolloutRunning || w.StopAll:
		w.fail("%s starts although the rollout is %s, red button %v", t.DeviceID, r.State, w.StopAll)
	case t.Wave > r.Wave:
		w.fail("%s of wave %d starts in wave %d", t.DeviceID, t.Wave, r.Wave)
	case w.claims.Device[t.DeviceID] != "":
		w.fail("%s starts although %s holds it", t.DeviceID, w.claims.Device[t.DeviceID])
	case r.InFlight >= r.Policy.MaxInFlight:
		w.fail("%s starts over the cap of %d", t.DeviceID, r.Policy.MaxInFlight)
	default:
		w.capped(r, p)
		w.rested(r, r.byID[t.DeviceID])
		w.agreed(r, t.DeviceID, "starts")
	}
}

// closed says what is wrong with changing a device at a time: no window is open, a freeze holds, or one of them comes
// before the device would be back. It looks at each minute by itself.
func (w *World) closed(r *Run, d *Device, from time.Time) string {
	return closed(r.Policy, w.freezes(d), rollout.Outage(d.candidate().Model), from)
}

func closed(p firmward.RolloutPolicy, freezes []firmward.Freeze, outage time.Duration, from time.Time) string {
	if p.Window.Always() && len(p.Windows)+len(p.Freezes)+len(freezes) == 0 {
		return ""
	}
	cal, err := calendar.New(p)
	if err != nil {
		return err.Error()
	}
	need := outage + p.CommitWithin
	for after := time.Duration(0); after < need; after += time.Minute {
		at := from.Add(after)
		if open, _ := cal.Open(at); !open {
			return fmt.Sprintf("its window is closed %s later", after)
		}
		for _, f := range slices.Concat(p.Freezes, freezes) {
			if begins, ends, ok := calendar.Span(f, at); ok && !at.Before(begins) && at.Before(ends) {
				return fmt.Sprintf("freeze %s holds %s later", f.Name, after)
			}
		}
	}
	return ""
}

// installing checks what must hold when an image is sent.
func (w *World) installing(r *Run, s *slot) {
	d := s.dev
	if d.flashes == nil {
		d.flashes = map[string]int{}
	}
	if d.flashes[r.ID]++; d.flashes[r.ID] == 1 {
		d.ranFirst = d.Facts.Firmware
	}
	unread := d.unread == r.ID
	d.unread = r.ID
	why, low := "", ""
	if w.Check {
		low = lacks(r.Policy, d.vitals(w.Now))
		why = w.closed(r, s.dev, w.local(s.dev).Add(-s.dev.pace(rollout.DoInstall)))
	}
	switch {
	case !w.Check:
	case r.recalled:
		w.fail("%s gets an image that was withdrawn", s.DeviceID)
	case d.halfway != "" && d.halfway != d.ranFirst && d.flashes[r.ID] > 1:
		w.fail("%s gets its image again while it runs the small one of the first time", s.DeviceID)
	case why != "":
		w.fail("%s gets an image although %s", s.DeviceID, why)
	case low != "":
		w.fail("%s gets an image although %s", s.DeviceID, low)
	case w.Now.Before(d.busyTo):
		w.fail("%s gets an image while it still restarts into another", s.DeviceID)
	case d.flashes[r.ID] > 2:
		w.fail("%s gets its %dth image in one rollout", s.DeviceID, d.flashes[r.ID])
	case s.State != firmward.TargetInstalling:
		w.fail("%s gets an image in state %s", s.DeviceID, s.State)
	case unread:
		w.fail("%s gets an image again and nobody has looked what became of the one before", s.DeviceID)
	case !r.Release.FitsModel(d.Facts.Model) || !r.Release.FitsHardware(d.Facts.Hardware):
		w.fail("%s, a %s of revision %s, gets an image for %v of revision %v", s.DeviceID, d.Facts.Model, d.Facts.Hardware, r.Release.Models, r.Release.Hardware)
	default:
		w.agreed(r, s.DeviceID, "gets an image")
	}
}

// changed checks one target's step.
func (w *World) changed(r *Run, s *slot, before firmward.Target) {
	if !w.Check {
		return
	}
	back := before.MayRestore && s.goBack && s.State == firmward.TargetFalling
	if before.State.Final() && !back && !(before.State == firmward.TargetSucceeded && s.State == firmward.TargetFailed) {
		w.fail("%s went from %s to %s", s.DeviceID, before.State, s.State)
	}
	switch s.State {
	case firmward.TargetSucceeded:
		if s.Code == "" {
			r.streak++
		}
		if !s.dev.sawNew && s.Code != "already-installed" {
			w.fail("%s succeeded, but no look ever saw the new version at work", s.DeviceID)
		}
		w.remedied(s)
		if len(s.missing) > 0 && s.Code != "already-installed" {
			w.fail("%s is verified, and %v directly behind it answered before and does not now", s.DeviceID, s.missing)
		}
	case firmward.TargetFailed, firmward.TargetRolledBack:
		if s.Wave == 0 && r.State == firmward.RolloutRunning {
			w.fail("canary %s failed and the rollout goes on", s.DeviceID)
		}
		r.streak = 0
		w.budgeted(r)
		r.resumed = false
	case firmward.TargetSkipped:
		if s.dev.flashes[r.ID] > 0 && s.Attempt > 0 && s.dev.is(Silent) && s.dev.unread == r.ID {
			w.fail("%s was touched, is silent, and counts as skipped", s.DeviceID)
		}
		w.known(r, s)
	case firmward.TargetRefused:
		w.known(r, s)
	}
	if s.State.Final() && s.Why == "" || s.State.InFlight() && s.NextDue.IsZero() {
		w.fail("%s is %s without a reason or a due time", s.DeviceID, s.State)
	}
}

// gated checks the gate: what it leaves behind is over, was watched, and did not fail unless a person
// said that it goes on.
func (w *World) gated(r *Run, wave int, was firmward.RolloutState) {
	if !w.Check || r.Wave == wave && r.State != firmward.RolloutFinished {
		return
	}
	if was != firmward.RolloutRunning {
		w.fail("wave %d was left while the rollout was %s", wave, was)
	}
	failed := false
	for _, s := range r.waves[wave] {
		switch {
		case !s.State.Final():
			w.fail("wave %d was left while %s is %s", wave, s.DeviceID, s.State)
		case s.State == firmward.TargetSucceeded && s.SoakedAt.IsZero():
			w.fail("wave %d was left before %s was looked at after its soak", wave, s.DeviceID)
		case s.State == firmward.TargetSucceeded && len(s.missing) > 0:
			w.fail("wave %d was left, and %v directly behind %s answered before and does not now", wave, s.missing, s.DeviceID)
		case wave == 0 && (s.State == firmward.TargetSkipped || s.State == firmward.TargetRefused):
			w.fail("canary %s was never tried and the rollout went on", s.DeviceID)
		case s.State == firmward.TargetFailed || s.State == firmward.TargetRolledBack:
			failed = true
		}
	}
	if wave == 0 && failed && !r.resumed && r.State != firmward.RolloutFinished {
		w.fail("a canary failed and wave %d opened without a person's word", r.Wave)
	}
	w.soaked(r, wave)
	if r.State != firmward.RolloutFinished {
		w.shown(r, wave)
		w.consented(r)
	}
}

// check compares the headers' counters with the targets and looks for double work.
func (w *World) check() {
	if !w.Check || w.broken != nil {
		return
	}
	busy, groups := map[string]string{}, map[string]string{}
	for _, r := range w.runs {
		var started, good, bad, silent, untried, flying, open int
		for _, wave := range r.waves {
			for _, s := range wave {
				switch s.State {
				case firmward.TargetSucceeded:
					good++
					if s.Wave == r.Wave && s.Code == rollout.StillOpen {
						open++
					}
				case firmward.TargetFailed, firmward.TargetRolledBack:
					bad++
					if s.Code == "silent" || s.Code == "not-reachable" {
						silent++
					}
				case firmward.TargetSkipped, firmward.TargetRefused:
					if s.Code != "stopped" && s.Code != rollout.RefuseDrifted {
						untried++
					}
				}
				if s.State.Waits() && w.Now.After(s.WaitsTo.Add(patience+w.outage(s.WaitsTo))) {
					w.fail("%s is %s long after its time", s.DeviceID, s.State)
				}
				if !s.State.InFlight() {
					continue
				}
				flying++
				if w.Now.After(s.Deadline.Add(patience)) && w.Now.After(s.Deadline.Add(patience+w.outage(s.Deadline))) {
					w.fail("%s is %s long after its deadline: silence must become failure", s.DeviceID, s.State)
				}
				if by := busy[s.DeviceID]; by != "" {
					w.fail("%s is changed by %s and %s at once", s.DeviceID, by, r.ID)
				}
				busy[s.DeviceID] = r.ID
				if g := w.Topo.Group(s.DeviceID); g != "" {
					if groups[g] != "" {
						w.fail("%s and %s keep each other alive and are both being changed", s.DeviceID, groups[g])
					}
					groups[g] = s.DeviceID
				}
			}
		}
		started = good + bad + flying
		if r.Started != started || r.Succeeded != good || r.Failed != bad || r.InFlight != flying {
			w.fail("%s counts started %d succeeded %d failed %d in flight %d, its targets say %d %d %d %d", r.ID, r.Started, r.Succeeded, r.Failed, r.InFlight, started, good, bad, flying)
		}
		if r.Silent != silent || r.Inconclusive != untried || r.Streak != r.streak || r.StillOpen != open {
			w.fail("%s counts silent %d inconclusive %d in a row %d still open %d, its targets say %d %d %d %d", r.ID, r.Silent, r.Inconclusive, r.Streak, r.StillOpen, silent, untried, r.streak, open)
		}
		if own := r.Policy.CanaryInFlight; r.Wave == 0 && own > 0 && flying > own {
			w.fail("%s changes %d canaries at once, their cap is %d", r.ID, flying, own)
		}
		if flying > r.Policy.MaxInFlight {
			w.fail("%s changes %d devices at once, the cap is %d", r.ID, flying, r.Policy.MaxInFlight)
		}
	}
	for d := range busy {
		for _, dark := range w.Topo.Dark(d) {
			if busy[dark] != "" {
				w.fail("%s and %s, which it carries, are changed at once", d, dark)
			}
		}
	}
	if len(busy) != len(w.claims.Device) {
		w.fail("%d devices are in flight, %d are claimed", len(busy), len(w.claims.Device))
	}
}

// patience is how long after its deadline a device may still be waited for while firmward runs: an answer may be three hours late.
const patience = 12 * time.Hour

// Stuck names what neither ended nor waits for a person or a time, after everything has been run, and what its log does not tell.
func (w *World) Stuck() error {
	if err := w.replayed(); err != nil {
		return err
	}
	for _, r := range w.runs {
		if r.Total == 0 {
			continue // every device was refused: nobody can start it
		}
		over := r.State == firmward.RolloutFinished || r.State == firmward.RolloutStopped
		for _, wave := range r.waves {
			for _, s := range wave {
				switch {
				case s.State.InFlight(), s.State.Waits():
					return fmt.Errorf("%s: %s is %s for ever (%s)", r.ID, s.dev, s.State, s.Why)
				case over && !s.State.Final():
					return fmt.Errorf("%s is %s and %s is still %s", r.ID, r.State, s.DeviceID, s.State)
				}
			}
		}
		if nobody := r.State == firmward.RolloutPlanned && r.Total == 0; nobody {
			continue
		}
		if r.State == firmward.RolloutRunning || r.State == firmward.RolloutAwaiting || r.Why == "" {
			return fmt.Errorf("%s is %s for ever (%s)", r.ID, r.State, r.Why)
		}
	}
	return nil
}
