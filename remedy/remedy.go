// Package remedy is the only place that says what happens next to a device: now, then, finally.
//
// Everything that people see (badges, lists, reports) and everything that jobs do comes from Choose,
// so that the words on the screen and the acts of the machine cannot differ. The order of the rules is
// the order of safety: what runs already, what cannot be known, what is being attacked, what can be
// mended, what must go, what can wait.
package remedy

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/lifecycle"
	"github.com/firmward/firmward/priority"
	"github.com/firmward/firmward/upgrade"
)

// Facts is all that the answer rests on.
type Facts struct {
	Device      firmward.Device
	Model       firmward.Model
	Network     *firmward.Network // nil when no named network shows it
	Gateways    []firmward.Device // through which it is reached, the nearest first
	Findings    []firmward.Finding
	Exceptions  []firmward.Exception
	Support     lifecycle.Support
	Releases    []firmward.Release // of its family, withdrawn ones included
	Runs        upgrade.State      // its variant and the versions of its parts; its firmware is that of the device
	HasDriver   bool
	Takes       func(channel string) bool                 // whether its rollout policy takes releases of a channel; nil: any
	Refusal     func(firmward.Release) (code, why string) // why a rollout would not take it; nil without driver
	Target      *firmward.Target                          // latest rollout target, nil when never
	Rollout     *firmward.Rollout                         // its header
	Work        []firmward.WorkOrder                      // open ones
	Containment *firmward.Containment                     // latest, nil when never
	GuardCode   string                                    // never-contain guard, empty when it may be contained
	GuardWhy    string
	Auto        string    // whether it updates itself, as a probe read it: "on", "off", empty when nobody knows
	Looked      time.Time // when its version was last read by a probe
	Healthy     time.Time // when its services were last seen to answer as before; zero: not known
	Knowledge   string    // how deep the feeds are
	Policy      firmward.RiskPolicy
}

// Choose gives the one next step. It never fails and never says nothing.
func Choose(f Facts, now time.Time) firmward.NextStep {
	open, excused := split(f, now)
	s := firmward.NextStep{
		DeviceID: f.Device.ID, DecidedAt: now, Knowledge: f.Knowledge,
		Support: firmward.Support{State: string(f.Support.State), End: f.Support.End, Forecast: string(f.Support.Forecast), Source: f.Support.Source},
	}
	weigh(f, open, &s)
	decide(f, open, excused, &s, now)
	finish(f, open, &s, now)
	return s
}

// decide asks the rules in their order.
func decide(f Facts, open []firmward.Finding, excused []time.Time, s *firmward.NextStep, now time.Time) {
	for _, rule := range [...]func(Facts, []firmward.Finding, *firmward.NextStep, time.Time) bool{
		retired, inFlight, afterFailure, missing, unknown, attacked, recalled, patchable, overtaken, unsupported, unmended, unread,
	} {
		if rule(f, open, s, now) {
			return
		}
	}
	switch {
	case len(excused) > 0:
		until := excused[0]
		s.Now = firmward.Phase{Kind: firmward.StepAccept, Action: "carry the accepted risk until " + day(until), By: until, Rule: "exception"}
		s.Then = &firmward.Phase{Kind: firmward.StepLook, Action: "decide again", By: until, Rule: "exception"}
	case !f.Looked.IsZero() && now.Sub(f.Looked) > f.Policy.LookEvery:
		s.Now = firmward.Phase{Kind: firmward.StepLook, Action: "look again: its version was last read " + day(f.Looked), Rule: "policy"}
	default:
		s.Now = firmward.Phase{Kind: firmward.StepWait, Action: "nothing to do by what is known", Rule: "policy"}
		if !f.Looked.IsZero() {
			s.Now.By = f.Looked.Add(f.Policy.LookEvery)
			s.Then = &firmward.Phase{Kind: firmward.StepLook, Action: "look again", By: s.Now.By, Rule: "policy"}
		}
	}
}

// split separates findings that need an answer from those under a running exception; the latter are
// given by their expiry, earliest first.
func split(f Facts, now time.Time) (open []firmward.Finding, excused []time.Time) {
	for _, fd := range f.Findings {
		if !fd.Open() {
			continue
		}
		var until time.Time
		for _, e := range f.Exceptions {
			if e.Kind != firmward.Waive && e.Applies(f.Device.ID, fd.AdvisoryID, now) && e.Expires.After(until) {
				until = e.Expires
			}
		}
		if until.IsZero() {
			open = append(open, fd)
		} else {
			excused = append(excused, until)
		}
	}
	slices.SortFunc(excused, time.Time.Compare)
	return open, excused
}

func retired(f Facts, _ []firmward.Finding, s *firmward.NextStep, _ time.Time) bool {
	if !f.Device.Retired {
		return false
	}
	s.Now = firmward.Phase{Kind: firmward.StepRetire, Action: "stay away: it is retired, and its return would be an alarm", Rule: "retired"}
	s.Risk, s.RiskAfter, s.Factors, s.Why, s.Flags, s.Clocks, s.TakenOver = 0, 0, firmward.Risk{}, nil, nil, nil, false
	return true
}

func inFlight(f Facts, open []firmward.Finding, s *firmward.NextStep, now time.Time) bool {
	if t := f.Target; t != nil && t.State.InFlight() {
		s.Now = firmward.Phase{Kind: firmward.StepPatch, Action: fmt.Sprintf("update to %s is under way: %s", t.Want, t.Why), By: t.Deadline, Rule: "deadline"}
		s.Ref, s.RiskAfter = t.RolloutID, riskWithout(f, open, t.Want, nil)
		return true
	}
	if t := f.Target; t != nil && t.State == firmward.TargetAsked {
		for _, w := range f.Work {
			if w.RolloutID == t.RolloutID {
				s.Now = firmward.Phase{Kind: firmward.StepAsk, Action: ask(f, w.Kind, t.Want), By: w.Due, Rule: "work-order"}
				s.Ref, s.RiskAfter = w.ID, riskWithout(f, open, t.Want, nil)
				s.Blocker, s.BlockerCode = "waits for "+cmp.Or(w.Assignee, "somebody"), "person"
				if w.State == firmward.WorkNotYet {
					s.Blocker, s.BlockerCode = w.Why, "not-done-yet"
				}
				return true
			}
		}
	}
	for _, w := range f.Work {
		if w.State == firmward.WorkReported {
			s.Now = firmward.Phase{Kind: firmward.StepLook, Action: "look whether the reported work was done", Rule: "work-order"}
			s.Ref = w.ID
			return true
		}
	}
	return false
}

// afterFailure keeps a device that an update left in a bad state from being forgotten. Silence and a
// stranger are over when its version was read again; a dead service is over when it was seen to answer
// or when the device runs another version: running the wanted one is what killed it.
func afterFailure(f Facts, _ []firmward.Finding, s *firmward.NextStep, _ time.Time) bool {
	t := f.Target
	if t == nil || t.State != firmward.TargetFailed {
		return false
	}
	back := f.Looked.After(t.EndedAt)
	if t.Code == "service-dead" {
		back = back && f.Device.Firmware != t.Want || f.Healthy.After(t.EndedAt)
	}
	if back {
		return false
	}
	switch t.Code {
	case "silent", "other-device", "service-dead", "behind-silent":
		c := firmward.Clock{Rule: "failed-update", Started: t.EndedAt, StartedBy: "the end of the update", Due: t.EndedAt.Add(seeWithin)}
		s.Clocks = priority.Join(s.Clocks, c)
		s.Now = firmward.Phase{Kind: firmward.StepAsk, Action: "go and see: " + t.Why, By: c.Due, Rule: c.Rule}
		if r := f.Model.Recovery.Value; r != "" {
			s.Then = &firmward.Phase{Kind: firmward.StepAsk, Action: "recover it: " + r, Rule: "failed-update"}
		}
		s.Ref = t.RolloutID
		s.Why = append([]string{"the update left it in a bad state"}, s.Why...)
		return true
	}
	return false
}

// seeWithin is the time in which somebody shall look after a device that an update left in a bad state.
const seeWithin = 24 * time.Hour

// Missed is how long before the end of its network's last scan a device must have been seen last to count
// as missing from it.
const Missed = 12 * time.Hour

// missing is for devices that the last scan of their network did not find.
func missing(f Facts, _ []firmward.Finding, s *firmward.NextStep, _ time.Time) bool {
	away := func(d firmward.Device) time.Duration {
		if f.Network == nil || d.LastSeen.IsZero() || !f.Network.Began.IsZero() && !d.LastSeen.Before(f.Network.Began) {
			return 0 // a scan can take longer than a device may be missing: who was seen in it was seen
		}
		return f.Network.Scanned.Sub(d.LastSeen)
	}
	if away(f.Device) < Missed {
		return false
	}
	for _, g := range slices.Backward(f.Gateways) { // one step for all that hang on it, and that is its own
		if away(g) >= Missed {
			s.Now = firmward.Phase{Kind: firmward.StepWait, Action: "wait for " + g.Name + ": it is reached through it, and that is silent", Rule: "policy"}
			s.Blocker, s.BlockerCode = g.Name+" is silent since "+minute(g.LastSeen), "gateway-silent"
			return true
		}
	}
	if len(f.Device.Addrs) == 0 && away(f.Device) < Missed+24*time.Hour {
		return false // only another device tells of it, and that one left it out once: a second scan shall say so too
	}
	s.Now = firmward.Phase{Kind: firmward.StepAsk, Action: "go and see: silent since " + minute(f.Device.LastSeen) + ", the last scan did not find it", Rule: "policy"}
	s.Then = &firmward.Phase{Kind: firmward.StepRetire, Action: "retire it if it is gone (devices set --retired)", Rule: "policy"}
	return true
}

func unknown(f Facts, _ []firmward.Finding, s *firmward.NextStep, _ time.Time) bool {
	if f.Device.Model != "" {
		return false
	}
	s.Now = firmward.Phase{Kind: firmward.StepLook, Action: "find out what it is", Rule: "policy"}
	s.Why = []string{"nobody knows what it is, so nobody knows whether it is safe"}
	if n := f.Network; n != nil && n.Allowed < firmward.Polite {
		s.Now = firmward.Phase{Kind: firmward.StepAsk, Action: "allow polite probes for " + n.Prefix.String() + ", or say by hand what it is", Rule: "policy"}
		s.Blocker = "the network's profile is " + string(n.Profile) + ": not one byte is sent until a person allows it (networks allow " + n.Prefix.String() + " --step polite)"
		s.BlockerCode = "not-allowed"
	} else {
		s.Then = &firmward.Phase{Kind: firmward.StepAsk, Action: "say by hand what it is (devices set)", Rule: "policy"}
	}
	return true
}

// attacked is for vulnerabilities that are being exploited and that nobody mends.
func attacked(f Facts, open []firmward.Finding, s *firmward.NextStep, now time.Time) bool {
	var worst *firmward.Finding
	for i, fd := range open {
		hopeless := fd.NoFix || fd.FixedIn == "" && f.Support.State == lifecycle.Ended && f.Support.Newer == ""
		if fd.Exploited && hopeless && (worst == nil || fd.Score > worst.Score) {
			worst = &open[i]
		}
	}
	if worst == nil {
		return false
	}
	gone := replaceBy(f, now, worst.OpenedAt)
	cut := firmward.Clock{Rule: "contain-within", Advisory: worst.AdvisoryID, Started: worst.OpenedAt, StartedBy: "found here", Due: worst.OpenedAt.Add(f.Policy.ContainWithin)}
	final := &firmward.Phase{Kind: firmward.StepReplace, Action: "replace it", By: gone, Rule: "policy"}
	c := f.Containment
	switch {
	case c != nil && c.State == firmward.ContainContained:
		s.Now, s.Ref = *final, c.ID
		s.Now.Action = "replace it (it is cut off meanwhile, proven " + day(c.Created) + ")"
		s.RiskAfter = 0
		s.Order = &firmward.Wanted{Kind: "replace"}
		for _, w := range f.Work {
			if w.Kind == "replace" {
				s.Ref = w.ID
			}
		}
	case f.GuardCode != "":
		s.Now = firmward.Phase{Kind: firmward.StepAsk, Action: "agree with " + owner(f) + " how it is kept away from attackers", By: cut.Due, Rule: cut.Rule}
		s.Clocks = priority.Join(s.Clocks, cut)
		s.Finally = final
		s.Blocker, s.BlockerCode = "never contained by machine: "+f.GuardWhy, f.GuardCode
	default:
		s.Now = firmward.Phase{Kind: firmward.StepContain, Action: "contain it: cut it off except for what is needed", By: cut.Due, Rule: cut.Rule}
		s.Clocks = priority.Join(s.Clocks, cut)
		s.Finally = final
		s.RiskAfter = riskIn(f, open, firmward.ExposureQuarantined)
		s.Counterfactual = fmt.Sprintf("contain it: %d → %d", s.Risk, s.RiskAfter)
		if c != nil && c.State != firmward.ContainReleased {
			s.Ref, s.Blocker, s.BlockerCode = c.ID, c.Why, c.Code
		}
	}
	return true
}

// recalled is for devices of which an authority says that they may harm people: who answers for their use decides, whatever
// version is at hand, and as soon as on a critical vulnerability: a recall gives no score.
func recalled(f Facts, open []firmward.Finding, s *firmward.NextStep, _ time.Time) bool {
	for _, fd := range open {
		if !slices.ContainsFunc(fd.Records, func(r firmward.RecordRef) bool { return r.Source == recalls }) {
			continue
		}
		k := firmward.Clock{Rule: "fda-recall", Advisory: fd.AdvisoryID, Started: fd.OpenedAt, StartedBy: "found here", Due: fd.OpenedAt.Add(f.Policy.Critical)}
		s.Clocks = priority.Join(s.Clocks, k)
		due, rule := k.Due, k.Rule
		who := "its clinical owner"
		if f.Device.Owner != "" {
			who = f.Device.Owner
		}
		s.Now = firmward.Phase{Kind: firmward.StepAsk, Action: "decide with " + who + " what FDA recall " + fd.AdvisoryID + " asks for: read it before the device is used again", By: due, Rule: rule}
		s.Then = &firmward.Phase{Kind: firmward.StepAsk, Action: "record what was done (accept, or devices set --retired)", Rule: rule}
		if f.Device.Owner == "" {
			s.Blocker, s.BlockerCode = "nobody answers for it (devices set --owner)", "no-owner"
		}
		return true
	}
	return false
}

// recalls is the source of recalls of medical devices.
const recalls = "fda"

// blockPatch says what a patch waits for, from the rollout that carries it or from the plan's rules.
func blockPatch(f Facts, rel firmward.Release, s *firmward.NextStep) {
	if t := f.Target; t != nil && f.Rollout != nil && t.Want == rel.Version {
		s.Ref = t.RolloutID
		switch {
		case !t.State.Final() && f.Rollout.State == firmward.RolloutRunning:
			s.Blocker, s.BlockerCode = t.Why, "waits-its-turn"
			return
		case !t.State.Final():
			s.Blocker, s.BlockerCode = "the rollout is "+string(f.Rollout.State)+": "+f.Rollout.Why, "rollout-"+string(f.Rollout.State)
			return
		case t.State == firmward.TargetRolledBack || t.State == firmward.TargetFailed:
			s.Now.Kind, s.Now.Action = firmward.StepWait, "wait for a person's decision: the update to "+rel.Version+" was tried and failed"
			s.Blocker, s.BlockerCode = t.Why, "failed-before"
			return
		}
	}
	if f.Refusal == nil {
		return
	}
	if code, why := f.Refusal(rel); code != "" {
		s.Blocker, s.BlockerCode = why, code
		return
	}
	s.Blocker, s.BlockerCode = "no rollout carries it yet (rollout plan "+rel.ID+")", "not-planned"
}

// unmended is for findings with no release at hand.
func unmended(f Facts, open []firmward.Finding, s *firmward.NextStep, now time.Time) bool {
	var sure []firmward.Finding
	for _, fd := range open {
		if fd.Verdict != firmward.Possible {
			sure = append(sure, fd)
		}
	}
	if len(sure) == 0 {
		return false
	}
	due, rule := clock(f, sure)
	want := nearestFix(f, sure)
	if want != "" {
		s.Fix = fix(f, open, want, "", nil)
	}
	switch kind := personal(f); {
	case want == "" && !slices.ContainsFunc(sure, func(fd firmward.Finding) bool { return !fd.NoFix }): // an update would mend nothing
		s.Now = firmward.Phase{Kind: firmward.StepAsk, Action: "limit who can reach it: no fix exists; or accept the risk for a time", By: due, Rule: rule}
		s.Then = &firmward.Phase{Kind: firmward.StepLook, Action: "look again whether its vendor mends it", Rule: rule}
		s.Blocker, s.BlockerCode = "the sources say that no fix exists", "no-fix"
	case bySelf(f, sure, want, s, now):
	case kind != "":
		s.Now = firmward.Phase{Kind: firmward.StepAsk, Action: ask(f, kind, want), By: due, Rule: rule}
		s.Order = &firmward.Wanted{Kind: kind, Want: want}
		withWork(f, s)
	case want != "":
		s.Now = firmward.Phase{Kind: firmward.StepAsk, Action: "get firmware " + want + " or newer for " + f.Device.Model + " (releases import)", By: due, Rule: rule}
		s.Blocker, s.BlockerCode = "no release for this model and hardware revision is in the depot", "no-release"
	default:
		s.Now = firmward.Phase{Kind: firmward.StepAsk, Action: "ask the vendor for a fix, or accept the risk for a time", By: due, Rule: rule}
		s.Blocker, s.BlockerCode = "no fixed version is known", "no-fix-known"
	}
	s.RiskAfter = riskWithout(f, open, want, nil)
	return true
}

// unread is for devices whose version nobody could read.
func unread(f Facts, open []firmward.Finding, s *firmward.NextStep, _ time.Time) bool {
	if f.Device.Firmware == "" {
		s.Now = firmward.Phase{Kind: firmward.StepLook, Action: "read its firmware version", Rule: "policy"}
		s.Then = &firmward.Phase{Kind: firmward.StepAsk, Action: "read it on the device and enter it (devices set --firmware)", Rule: "policy"}
		if f.Device.Network == "" {
			s.Then = nil
			s.Now = firmward.Phase{Kind: firmward.StepAsk, Action: "read its firmware version on the device and enter it (devices set --firmware)", Rule: "policy"}
		}
		if len(open) > 0 {
			s.Why = append([]string{fmt.Sprintf("might be affected by %d known vulnerabilities: version unknown", len(open))}, s.Why...)
		}
		return true
	}
	if len(open) == 0 {
		return false
	}
	due, rule := clock(f, open)
	s.Now = firmward.Phase{Kind: firmward.StepAsk, Action: fmt.Sprintf("ask the vendor whether %s is affected by %s", f.Device.Firmware, open[0].AdvisoryID), By: due, Rule: rule}
	s.Blocker, s.BlockerCode = "the sources do not say which versions are affected", "unspecified"
	return true
}

// finish says what follows from the step that was decided.
func finish(f Facts, open []firmward.Finding, s *firmward.NextStep, now time.Time) {
	s.Why = s.Why[:min(3, len(s.Why))]
	if s.TakenOver {
		assumeTaken(s)
	}
	if s.Now.Kind != firmward.StepRetire {
		s.Otherwise = otherwise(f, open, s)
	}
	if s.Counterfactual == "" && s.RiskAfter < s.Risk {
		s.Counterfactual = fmt.Sprintf("%s: %d → %d", s.Now.Action, s.Risk, s.RiskAfter)
	}
	s.Urgency = urgency(s, now)
}
