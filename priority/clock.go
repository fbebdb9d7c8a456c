package priority

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/firmward/firmward"
)

// Clocks gives the deadlines of all regimes that the policy names, the strictest of each rule, strictest first; those
// without a date come last.
//
// When a clock starts:
//   - Clocks of the policy and of SSVC start when firmward found the vulnerability on the device: before that nobody here
//     knew. Where they rest on exploitation they start when it was listed, if that was later: the finding was a smaller
//     matter until then.
//   - BOD 26-04 counts for what is listed in KEV from the day of its entry, whenever it was found here: a directive's time
//     does not wait for a scanner. For what is not listed it counts from when it was found.
//
// What is only possible has the policy's clock, within which it must be settled; SSVC and the directive speak of what a
// device has.
func Clocks(findings []firmward.Finding, s Setting, p firmward.RiskPolicy) []firmward.Clock {
	regimes := p.Regimes
	if len(regimes) == 0 {
		regimes = []firmward.Regime{firmward.RegimePolicy}
	}
	strictest := map[string]firmward.Clock{}
	for _, f := range findings {
		for _, r := range regimes {
			c, ok := clock(r, f, s, p)
			if have, seen := strictest[c.Rule]; ok && (!seen || stricter(c, have) < 0) {
				strictest[c.Rule] = c
			}
		}
	}
	var out []firmward.Clock
	for _, c := range strictest {
		out = append(out, c)
	}
	slices.SortFunc(out, stricter)
	return out
}

// Join adds a clock of another rule to clocks in their order.
func Join(clocks []firmward.Clock, c firmward.Clock) []firmward.Clock {
	all := append(slices.Clone(clocks), c)
	slices.SortStableFunc(all, stricter)
	return all
}

// stricter orders clocks by their deadline, those without one last. At one deadline the policy's own word comes first.
func stricter(a, b firmward.Clock) int {
	switch {
	case a.Due.IsZero() != b.Due.IsZero() && a.Due.IsZero():
		return 1
	case a.Due.IsZero() != b.Due.IsZero():
		return -1
	}
	foreign := func(c firmward.Clock) int {
		if strings.HasPrefix(c.Rule, "policy-") {
			return 0
		}
		return 1
	}
	return cmp.Or(a.Due.Compare(b.Due), foreign(a)-foreign(b), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Advisory, b.Advisory))
}

func clock(r firmward.Regime, f firmward.Finding, s Setting, p firmward.RiskPolicy) (c firmward.Clock, ok bool) {
	sure := f.Verdict == firmward.Affected || f.Verdict == firmward.Likely
	switch {
	case r == firmward.RegimePolicy:
		return policyClock(f, s, p), true
	case r == firmward.RegimeSSVC && sure:
		return ssvcClock(f, s, p)
	case r == firmward.RegimeBOD && sure:
		return bodClock(f, s), true
	}
	return c, false
}

func policyClock(f firmward.Finding, s Setting, p firmward.RiskPolicy) firmward.Clock {
	within, rule := p.Other, "policy-other"
	active := Exploitation(f).Value == Active
	switch base := Base(f); {
	case active && s.open():
		within, rule = p.ExploitedExposed, "policy-exploited-exposed"
	case active:
		within, rule = p.Exploited, "policy-exploited"
	case base >= 9:
		within, rule = p.Critical, "policy-critical"
	case base >= 7:
		within, rule = p.High, "policy-high"
	}
	c := started(f, active)
	c.Rule, c.Due = rule, c.Started.Add(within)
	return c
}

func ssvcClock(f firmward.Finding, s Setting, p firmward.RiskPolicy) (c firmward.Clock, ok bool) {
	outcome := s.outcome(Exploitation(f), Automatable(f.Threat))
	within := map[string]time.Duration{OutcomeImmediate: p.SSVC.Immediate, OutcomeOutOfCycle: p.SSVC.OutOfCycle, OutcomeScheduled: p.SSVC.Scheduled}[outcome]
	if within == 0 {
		return c, false
	}
	c = started(f, f.Exploited)
	c.Rule, c.Due = "ssvc-"+outcome, c.Started.Add(within)
	return c, true
}

func bodClock(f firmward.Finding, s Setting) firmward.Clock {
	c := started(f, false)
	if f.Exploited && !f.ExploitedAt.IsZero() {
		c.Started, c.StartedBy = f.ExploitedAt, byList
	}
	read := readBest(f.Threat.Scores)
	d := s.directive(f, automatable(f.Threat, read), technicalImpact(f.Threat, read))
	c.Rule = string(firmward.RegimeBOD)
	if d.Days > 0 {
		c.Due = c.Started.Add(d.Within())
	}
	c.Asks = d.String()
	return c
}

// What starts a clock.
const (
	byFind = "found here"
	byList = "listed as exploited"
)

// started is a clock that runs since the finding was opened, or since it was listed as exploited if that was later.
func started(f firmward.Finding, exploited bool) firmward.Clock {
	c := firmward.Clock{Advisory: f.AdvisoryID, Started: f.OpenedAt, StartedBy: byFind}
	if exploited && f.ExploitedAt.After(f.OpenedAt) {
		c.Started, c.StartedBy = f.ExploitedAt, byList
	}
	return c
}
