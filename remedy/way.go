package remedy

import (
	"fmt"
	"strings"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/upgrade"
	"github.com/firmward/firmward/version"
)

// Query asks for a way of the device; what is wanted is left to the caller.
func (f Facts) Query() upgrade.Query {
	q := upgrade.Query{
		From: f.Runs, Model: f.Device.Model, Hardware: f.Device.Hardware, Anyhow: !f.HasDriver,
		Scheme: f.Model.Scheme, Releases: f.Releases,
	}
	q.From.Version = f.Device.Firmware
	if f.Takes != nil {
		q.Bar = upgrade.OfChannel(f.Takes)
	}
	return q
}

// way is how the device comes to the newest release to which a way leads.
type way struct {
	path    upgrade.Path
	newest  string            // version of the newest release for it; empty when nothing is newer than what it runs
	refusal *upgrade.Refusal  // why the newest one cannot be reached, nil when path leads there
	held    *firmward.Release // the best one that was withdrawn
}

// goal is the release to which the way leads, nil when there is no way.
func (w way) goal() *firmward.Release {
	if len(w.path) == 0 {
		return nil
	}
	return &w.path[len(w.path)-1].Release
}

// seek looks for the way to the newest release, and where none leads there, as far as one leads.
func seek(f Facts) way {
	var w way
	for i, r := range f.Releases {
		order, _ := version.Compare(f.Model.Scheme, f.Device.Firmware, r.Version)
		other := r.Variant != "" && f.Runs.Variant != "" && r.Variant != f.Runs.Variant
		switch {
		case order != version.Less || r.Part != "" || other || f.Takes != nil && !f.Takes(r.Channel):
		case !r.FitsModel(f.Device.Model) || !r.FitsHardware(f.Device.Hardware) && f.HasDriver:
		case r.Withdrawn.IsZero():
			if w.newest == "" || newer(f, r.Version, w.newest) {
				w.newest = r.Version
			}
		case w.held == nil || newer(f, r.Version, w.held.Version):
			w.held = &f.Releases[i]
		}
	}
	if w.newest == "" {
		return w
	}
	q := f.Query()
	q.Want = w.newest
	if w.path, w.refusal = upgrade.Plan(q); w.refusal != nil && w.refusal.Nearest != "" {
		q.Want = w.refusal.Nearest
		w.path, _ = upgrade.Plan(q)
	}
	return w
}

func newer(f Facts, a, b string) bool {
	order, _ := version.Compare(f.Model.Scheme, b, a)
	return order == version.Less
}

// patchable is for devices for which a better version exists.
func patchable(f Facts, open []firmward.Finding, s *firmward.NextStep, now time.Time) bool {
	w := seek(f)
	rel := w.goal()
	due, rule := clock(f, open)
	if rel == nil && w.refusal == nil {
		if w.held != nil && len(open) > 0 {
			s.Now = firmward.Phase{Kind: firmward.StepWait, Action: "wait for a better release: " + w.held.Version + " was withdrawn (" + w.held.WhyGone + ")", By: due, Rule: rule}
			s.Blocker, s.BlockerCode = "no release is left that mends it", "release-withdrawn"
			return true
		}
		return false
	}
	want := w.newest
	var fixes []string
	release := ""
	if rel != nil {
		want, fixes, release = rel.Version, rel.Fixes, rel.ID
	}
	s.RiskAfter = riskWithout(f, open, want, fixes)
	s.Fix = fix(f, open, want, release, fixes)
	s.Counterfactual = fmt.Sprintf("update to %s: %d → %d", want, s.Risk, s.RiskAfter)
	if bySelf(f, open, want, s, now) {
		return true
	}
	if kind := personal(f); kind != "" {
		s.Now = firmward.Phase{Kind: firmward.StepAsk, Action: ask(f, kind, want) + w.through(), By: due, Rule: rule}
		s.Then = &firmward.Phase{Kind: firmward.StepLook, Action: "look whether it runs " + want, Rule: "work-order"}
		s.Order = &firmward.Wanted{Kind: kind, Want: want}
		withWork(f, s)
		return true
	}
	if rel == nil {
		stranded(f, *w.refusal, want, s)
		s.Now.By, s.Now.Rule = due, rule
		return true
	}
	firstHop(f, open, w, s)
	s.Now.By, s.Now.Rule = due, rule
	s.Finally = lastly(f, rel.Version, now)
	return true
}

// through adds to a person's task the way, where that is not one step, and why it does not lead to the newest release.
func (w way) through() string {
	steps := ""
	if len(w.path) > 1 {
		steps = ", in these steps: " + w.path.String()
	}
	if w.refusal != nil {
		steps += " (" + w.refusal.Why + ")"
	}
	return steps
}

// byHand is the blocker of a step that no rollout can take.
const byHand = "by-hand"

// firstHop is the step that is next on the way; the others follow when it was seen to have been done.
func firstHop(f Facts, open []firmward.Finding, w way, s *firmward.NextStep) {
	hop, more := w.path[0], w.path[1:]
	switch {
	case len(more) > 0:
		s.Then = &firmward.Phase{Kind: firmward.StepPatch, Action: "update to " + more.String(), Rule: "upgrade-path"}
		s.Counterfactual = fmt.Sprintf("update to %s: %d → %d", w.path, s.Risk, s.RiskAfter)
		s.RiskAfter = s.Risk
		if hop.Part == firmward.MainPart {
			s.RiskAfter = min(s.Risk, riskWithout(f, open, hop.To, hop.Release.Fixes))
		}
	case w.refusal != nil:
		s.Then = &firmward.Phase{Kind: firmward.StepAsk, Action: bring(f, *w.refusal, w.newest), Rule: "upgrade-path"}
	}
	if hop.Part != firmward.MainPart {
		s.Now = firmward.Phase{Kind: firmward.StepAsk, Action: fmt.Sprintf("update its %s from %s to %s by hand, and say so (devices set %s --part %[1]s=%[3]s)", hop.Part, hop.From, hop.To, f.Device.Name)}
		s.Blocker, s.BlockerCode = "drivers bring firmware alone, no other part", byHand
		return
	}
	if hop.Down || hop.From == hop.To {
		s.Now = firmward.Phase{Kind: firmward.StepAsk, Action: fmt.Sprintf("install %s over %s by hand: it %s", hop.To, hop.From, strings.Join(hop.Risks(), ", "))}
		s.Blocker, s.BlockerCode = "a rollout goes up to newer versions only", byHand
		return
	}
	s.Now = firmward.Phase{Kind: firmward.StepPatch, Action: "update from " + hop.From + " to " + hop.To}
	blockPatch(f, hop.Release, s)
}

// stranded is for a device that no release in the depot takes further, although there is a newer one.
func stranded(f Facts, no upgrade.Refusal, want string, s *firmward.NextStep) {
	s.Now = firmward.Phase{Kind: firmward.StepAsk, Action: bring(f, no, want)}
	s.Blocker, s.BlockerCode = no.Why, no.Code
	if no.Missing != "" {
		s.Then = &firmward.Phase{Kind: firmward.StepPatch, Action: "update to " + want, Rule: "upgrade-path"}
	}
}

// bring says what a person has to bring or find out before the device can go on.
func bring(f Facts, no upgrade.Refusal, want string) string {
	switch {
	case no.Missing != "" && no.Part != firmward.MainPart:
		return fmt.Sprintf("get %s %s for %s (releases import): %s", no.Part, no.Missing, f.Device.Model, no.Why)
	case no.Missing != "":
		return fmt.Sprintf("get firmware %s for %s (releases import): %s", no.Missing, f.Device.Model, no.Why)
	case no.Code == upgrade.VariantUnknown:
		return fmt.Sprintf("find out which variant it is of (devices set %s --variant VARIANT): %s", f.Device.Name, no.Why)
	case no.Code == upgrade.PartUnknown:
		return fmt.Sprintf("find out which versions its parts have (devices set %s --part PART=VERSION): %s", f.Device.Name, no.Why)
	}
	return "find another way to " + want + ": " + no.Why
}
