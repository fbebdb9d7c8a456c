package remedy

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/lifecycle"
	"github.com/firmward/firmward/priority"
	"github.com/firmward/firmward/version"
)

// setting is what the formula needs to know of the device's place and role.
func setting(f Facts) priority.Setting {
	return priority.Of(f.Device, contained(f), f.Policy)
}

func contained(f Facts) bool {
	return f.Containment != nil && f.Containment.State == firmward.ContainContained
}

// weigh fills what a step says of risk, whichever rule decides it.
func weigh(f Facts, open []firmward.Finding, s *firmward.NextStep) {
	at := setting(f)
	s.Factors = priority.Risk(open, at, f.Policy)
	s.Risk = s.Factors.Number
	s.RiskAfter = s.Risk
	s.Clocks = priority.Clocks(open, at, f.Policy)
	s.TakenOver = s.Factors.Exposure.Value == string(firmward.ExposureOpen) && slices.ContainsFunc(s.Factors.Findings, exploited)
	s.Why = reasons(f, open, s.Factors)
	s.Flags = flags(f, open)
}

func sure(v firmward.Verdict) bool { return v == firmward.Affected || v == firmward.Likely }

// exploited reports whether what the device has, and not only may have, is being exploited.
func exploited(p firmward.Priority) bool {
	return sure(p.Verdict) && p.Exploitation.Value == priority.Active
}

// reasons are the top factors in words, the strongest first.
func reasons(f Facts, open []firmward.Finding, r firmward.Risk) []string {
	byID := map[string]firmward.Finding{}
	for _, fd := range open {
		byID[fd.AdvisoryID] = fd
	}
	var out []string
	for i, p := range r.Findings {
		if i == 1 {
			break // what makes it worse on this device comes before the second finding
		}
		out = append(out, describe(byID[p.Advisory]))
	}
	if f.Device.Exposed && !contained(f) {
		out = append(out, "reachable from the internet")
	}
	if f.Support.State == lifecycle.Ended {
		text := "no support"
		if f.Support.Branch != "" {
			text += " for branch " + f.Support.Branch
		}
		if f.Support.End.IsZero() {
			text += " any more"
		} else {
			text += " since " + day(f.Support.End)
		}
		out = append(out, text)
	}
	if c := f.Device.Criticality; c >= 4 {
		out = append(out, fmt.Sprintf("criticality %d of 5", c))
	} else if r.Impact.Name == "safety" {
		out = append(out, "people may be harmed: "+r.Impact.Why)
	}
	for _, p := range r.Findings[min(1, len(r.Findings)):] {
		out = append(out, describe(byID[p.Advisory]))
	}
	return out
}

func describe(fd firmward.Finding) string {
	s := fd.AdvisoryID + " " + string(fd.Verdict)
	if base := priority.Base(fd); base > 0 {
		s += fmt.Sprintf(", CVSS %.1f", base)
	}
	switch moved := priority.Trend(fd.Threat); {
	case fd.Exploited && fd.ExploitedAt.IsZero():
		s += ", exploited"
	case fd.Exploited:
		s += ", exploited since " + day(fd.ExploitedAt)
	case moved != "":
		s += ", EPSS " + moved
	case fd.Likelihood >= .01:
		s += fmt.Sprintf(", EPSS %.2g", fd.Likelihood)
	}
	if fd.NoFix {
		s += ", no fix"
	}
	return s
}

// flags stand beside the number and are not hidden in it.
func flags(f Facts, open []firmward.Finding) (out []string) {
	if f.Support.State == lifecycle.Ended {
		out = append(out, "end of support")
	}
	for _, fd := range open {
		if fd.Threat.Fixed && sure(fd.Verdict) {
			out = append(out, "a password that everybody knows ("+fd.AdvisoryID+")")
			break
		}
	}
	mechanism := f.Model.Mechanism.Value
	if f.Device.Model != "" && !f.HasDriver && len(f.Model.Update.Steps)+len(f.Model.VendorCall.Steps) == 0 &&
		mechanism != string(firmward.ByVendorCloud) && mechanism != string(firmward.ByVendorService) {
		out = append(out, "no way to update it is known")
	}
	return out
}

// riskWithout is the expected risk once the device runs want. An empty want mends nothing.
func riskWithout(f Facts, open []firmward.Finding, want string, fixes []string) int {
	return priority.Number(without(f, open, want, fixes), setting(f), f.Policy)
}

// riskIn is the expected risk with another exposure.
func riskIn(f Facts, open []firmward.Finding, e firmward.Exposure) int {
	return priority.Number(open, setting(f).In(e, "if it were so"), f.Policy)
}

// otherwise works out what each act that is open would make of the risk, the best first.
func otherwise(f Facts, open []firmward.Finding, s *firmward.NextStep) (out []firmward.Counterfactual) {
	put := func(action string, risk int) {
		if risk < s.Risk {
			out = append(out, firmward.Counterfactual{Action: action, Risk: risk})
		}
	}
	if rel := seek(f).goal(); rel != nil {
		put("update to "+rel.Version, riskWithout(f, open, rel.Version, rel.Fixes))
	} else if want := nearestFix(f, open); want != "" {
		put("update to "+want, riskWithout(f, open, want, nil))
	}
	exposure := firmward.Exposure(s.Factors.Exposure.Value)
	if e := priority.Stricter(exposure); e != "" {
		move := "move to a segment of its own"
		if f.Device.Zone == firmward.ZoneHome {
			move = "move to guest network"
		}
		if exposure == firmward.ExposureOpen {
			move += ", closed to the internet"
		}
		put(move, riskIn(f, open, e))
	}
	if f.GuardCode == "" && exposure != firmward.ExposureQuarantined {
		put("contain it", riskIn(f, open, firmward.ExposureQuarantined))
	}
	slices.SortStableFunc(out, func(a, b firmward.Counterfactual) int { return cmp.Compare(a.Risk, b.Risk) })
	return out
}

// How near a deadline is for a person.
const (
	nowWithin  = 3 * 24 * time.Hour
	weekWithin = 7 * 24 * time.Hour
)

// urgency says in plain words how soon: the decision of the tables and the clocks, not the number.
func urgency(s *firmward.NextStep, now time.Time) firmward.Urgency {
	switch s.Now.Kind {
	case firmward.StepWait, firmward.StepLook, firmward.StepAccept, firmward.StepRetire:
		return firmward.Watch
	}
	by, clocked := s.Deadline()
	outcome := func(is string) bool {
		return slices.ContainsFunc(s.Factors.Findings, func(p firmward.Priority) bool { return sure(p.Verdict) && p.Outcome == is })
	}
	cut := s.Factors.Exposure.Value == string(firmward.ExposureQuarantined)
	switch {
	case s.TakenOver, outcome(priority.OutcomeImmediate), clocked && by.Sub(now) <= nowWithin:
		return firmward.FixNow
	case !cut && slices.ContainsFunc(s.Factors.Findings, exploited), outcome(priority.OutcomeOutOfCycle), clocked && by.Sub(now) <= weekWithin:
		return firmward.ThisWeek
	}
	return firmward.AtNextCheck
}

// assumeTaken is for a device that attackers reach and that has what they use: mending it does not throw out who is in.
// The order is reset, patch, new credential, watch; a device that is cut off keeps its traces until somebody looks at them.
func assumeTaken(s *firmward.NextStep) {
	const credential = "set a new credential, here and wherever the old one was used"
	rule := "taken-over"
	switch {
	case s.Now.Kind == firmward.StepContain, s.Now.Rule == "deadline", s.Fix == nil:
		if s.Then == nil {
			s.Then = &firmward.Phase{Kind: firmward.StepAsk, Action: "assume that it was taken over: reset it to factory settings, and " + credential, Rule: rule}
		}
	default:
		s.Now.Action = "assume that it was taken over: reset it to factory settings, then " + s.Now.Action
		watch := "watch whom it talks to for a week"
		if s.Then != nil {
			watch = s.Then.Action + ", and " + watch
		}
		s.Then = &firmward.Phase{Kind: firmward.StepAsk, Action: credential, Rule: rule}
		if s.Finally == nil {
			s.Finally = &firmward.Phase{Kind: firmward.StepLook, Action: watch, Rule: rule}
		} else {
			s.Then.Action += "; " + watch
		}
	}
}

// without is what is left of open once the device runs want: findings fixed at or before it, or listed
// by the release, are gone.
func without(f Facts, open []firmward.Finding, want string, fixes []string) []firmward.Finding {
	var left []firmward.Finding
	for _, fd := range open {
		gone := slices.Contains(fixes, fd.AdvisoryID)
		if !gone && want != "" && fd.FixedIn != "" {
			order, _ := version.Compare(f.Model.Scheme, want, fd.FixedIn)
			gone = order == version.Equal || order == version.Greater
		}
		if !gone {
			left = append(left, fd)
		}
	}
	return left
}

// fix says what a version would be worth for this device.
func fix(f Facts, open []firmward.Finding, want, release string, fixes []string) *firmward.Mending {
	minutes := outageUnknown
	if n, err := strconv.Atoi(f.Model.Outage.Value); err == nil && n > 0 {
		minutes = n
	}
	return &firmward.Mending{
		Model: f.Device.Model, Version: want, Release: release,
		Closes: len(open) - len(without(f, open, want, fixes)), Minutes: minutes,
	}
}

// outageUnknown is the maintenance time, in minutes, of a model whose card does not tell.
const outageUnknown = 10

// nearestFix is the smallest version that mends every finding that has a fix, or "".
func nearestFix(f Facts, open []firmward.Finding) string {
	want := ""
	for _, fd := range open {
		if fd.FixedIn == "" {
			continue
		}
		if order, _ := version.Compare(f.Model.Scheme, want, fd.FixedIn); want == "" || order == version.Less {
			want = fd.FixedIn
		}
	}
	return want
}

// clock gives the strictest due date among findings, over all regimes in force, and the rule that set it
// (priority.Clocks says when each starts).
func clock(f Facts, open []firmward.Finding) (due time.Time, rule string) {
	for _, c := range priority.Clocks(open, setting(f), f.Policy) {
		if !c.Due.IsZero() {
			return c.Due, c.Rule
		}
	}
	return due, "newer-version"
}
