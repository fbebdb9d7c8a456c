package main

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/firmward/firmward/httpapi"
)

// printStep shows the one next step of a device: what, how soon, and what its risk is made of.
func printStep(a *app, s *httpapi.NextStep) {
	if s == nil {
		fmt.Fprintln(a.out, "not weighed yet")
		return
	}
	a.para(0, "Now: "+s.Now.Action+dueBy(s.Now))
	if s.Then != nil {
		a.para(0, "Then: "+s.Then.Action+dueBy(*s.Then))
	}
	if s.Finally != nil {
		a.para(0, "Finally: "+s.Finally.Action+dueBy(*s.Finally))
	}
	if s.Urgency != "" {
		a.para(0, "How soon: "+s.Urgency)
	}
	risk := fmt.Sprintf("Risk: %d of 100", s.Risk)
	switch {
	case s.RiskAfter == s.Risk:
	case s.Counterfactual != "":
		risk += " (" + s.Counterfactual + ")"
	default:
		risk += fmt.Sprintf(", then %d", s.RiskAfter)
	}
	a.para(0, risk)
	for _, w := range s.Why {
		a.para(2, "- "+w)
	}
	if len(s.Flags) > 0 {
		a.para(0, "Beside the number: "+strings.Join(s.Flags, "; "))
	}
	for _, o := range s.Otherwise {
		if text := fmt.Sprintf("%s: %d → %d", o.Action, s.Risk, o.Risk); text != s.Counterfactual {
			a.para(0, "Or "+text)
		}
	}
	printFactors(a, s.Factors)
	printClocks(a, s.Clocks)
	if s.Blocker != "" {
		a.para(0, "Held up: "+s.Blocker)
	}
	if s.Ref != "" {
		a.para(0, "See: "+s.Ref)
	}
	a.para(0, "Knowledge: "+s.Knowledge)
}

// shownFactors is how many findings are explained; --json has all.
const shownFactors = 3

func printFactors(a *app, r *httpapi.RiskFactors) {
	if r == nil {
		return
	}
	a.para(0, fmt.Sprintf("Made of: likelihood %.2g × impact %.2g, by policy %s", r.Likelihood, r.Impact.Value, r.Policy))
	a.para(2, fmt.Sprintf("- impact: %s %.2g, %s", r.Impact.Name, r.Impact.Value, r.Impact.Why))
	a.para(2, fmt.Sprintf("- exposure %s: %s", r.Exposure.Value, r.Exposure.Source))
	for _, p := range r.Findings[:min(shownFactors, len(r.Findings))] {
		a.para(2, "- "+factorText(p))
	}
	if more := len(r.Findings) + r.More - shownFactors; more > 0 {
		a.para(2, fmt.Sprintf("- and %d more: --json shows them", more))
	}
	if len(r.Findings) == 0 {
		a.para(2, fmt.Sprintf("- %.2g: %s", r.Unfound.Value, r.Unfound.Why))
	}
}

// factorText is one finding as the formula sees it. What was worked out here and not decided by an authority says so.
func factorText(p httpapi.Priority) string {
	text := fmt.Sprintf("%s: %.2g exploited (%s) × %.2g reachable × %.2g %s", p.Advisory, p.Probability.Value, p.Probability.Why, p.Reach.Value, p.Certainty.Value, p.Certainty.Why)
	var points []string
	for _, d := range []struct {
		name string
		httpapi.Decision
	}{{"exploitation", p.Exploitation}, {"automatable", p.Automatable}, {"technical impact", p.TechnicalImpact}} {
		by := d.Source
		if d.Derived {
			by = "derived"
		}
		points = append(points, d.name+" "+d.Value+" ("+by+")")
	}
	text += ". SSVC " + cmp.Or(p.Outcome, "unknown") + ": " + strings.Join(points, ", ")
	if c := p.CVSS; c != nil {
		text += fmt.Sprintf(". CVSS %s %.1f, here %.1f", c.Version, c.Base, c.Score)
		if c.Stated != 0 {
			text += fmt.Sprintf(" (the source says %.1f)", c.Stated)
		}
	}
	return text
}

func printClocks(a *app, clocks []httpapi.DueClock) {
	for i, c := range clocks {
		due := "at the next upgrade"
		if !c.Due.IsZero() {
			due = "by " + when(c.Due)
		}
		text := due + " (" + c.Rule + "), since " + when(c.Started) + ": " + c.StartedBy
		if c.Advisory != "" {
			text += ", " + c.Advisory
		}
		if c.Asks != "" {
			text += "; it asks for: " + c.Asks
		}
		if i == 0 {
			a.para(0, "Clocks, the strictest first:")
		}
		a.para(2, "- "+text)
	}
}
