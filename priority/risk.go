package priority

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/firmward/firmward"
)

// Formula is the formula in words, printed with scores.
const Formula = "risk = 100 × likelihood × impact. Likelihood: 1 − product over exploit paths of (1 − exploited × reachable × certain), " +
	"where exploited is 1 for what is known to be exploited, else EPSS, else the policy's prior, and all that one firmware mends is one path. " +
	"Impact: the highest of safety, mission, data and lateral movement. The policy holds the weights"

// Weigh works out one finding on one device: the decisions of SSVC and of BOD 26-04, the CVSS score there, and the three
// factors of its value.
func Weigh(f firmward.Finding, s Setting, p firmward.RiskPolicy) firmward.Priority {
	read := readBest(f.Threat.Scores)
	out := value(f, read, s, weights(p))
	out.Verdict = f.Verdict
	out.Automatable, out.TechnicalImpact = automatable(f.Threat, read), technicalImpact(f.Threat, read)
	out.Outcome = s.outcome(out.Exploitation, out.Automatable)
	out.Directive = s.directive(f, out.Automatable, out.TechnicalImpact).String()
	if e, err := s.environment(read, out.Exploitation.Value); err == nil {
		out.CVSS = &e
	}
	return out
}

// outcome asks the deployer tree.
func (s Setting) outcome(exploitation, automatable firmward.Point) string {
	exposure := s.Exposure.Value
	if s.exposure() == firmward.ExposureQuarantined {
		exposure = string(firmward.ExposureSmall) // SSVC has nothing narrower
	}
	outcome, _ := Deployer(exploitation.Value, exposure, automatable.Value, s.Human().Value)
	return outcome
}

// directive asks BOD 26-04.
func (s Setting) directive(f firmward.Finding, automatable, impact firmward.Point) Directive {
	return BOD(f.Exploited, s.open(), automatable.Value == "yes", impact.Value == "total")
}

// value is a finding's part in the number, and what that rests on.
func value(f firmward.Finding, read reading, s Setting, w firmward.RiskWeights) firmward.Priority {
	out := firmward.Priority{
		Advisory: f.AdvisoryID, Path: cmp.Or(f.FixedIn, f.AdvisoryID), Exploitation: Exploitation(f),
		Certainty: firmward.Factor{Name: "certainty", Value: w.Certainty[f.Verdict], Why: string(f.Verdict)},
	}
	out.Probability = probability(f, out.Exploitation, w)
	out.Reach = s.reach(read, w)
	out.Value = out.Probability.Value * out.Reach.Value * out.Certainty.Value
	return out
}

func probability(f firmward.Finding, exploitation firmward.Point, w firmward.RiskWeights) firmward.Factor {
	score, ok := epss(f)
	switch {
	case exploitation.Value == Active:
		return firmward.Factor{Name: "exploited", Value: 1, Why: "active: " + exploitation.Source}
	case ok:
		why := "EPSS " + epssText(score)
		if moved := Trend(f.Threat); moved != "" {
			why = "EPSS " + moved
		}
		return firmward.Factor{Name: "exploited", Value: score.Score, Why: why}
	}
	return firmward.Factor{Name: "exploited", Value: w.Prior, Why: "prior of the policy: no source gives a probability"}
}

// reach is how likely an attacker gets to the device, and with the vulnerability's own access: what must be done on the
// device itself (AV:L, AV:P) is as hard to reach as a segment of its own, what must be done from beside it (AV:A) is not
// reachable from the internet.
func (s Setting) reach(read reading, w firmward.RiskWeights) firmward.Factor {
	out := firmward.Factor{Name: "reachable", Value: w.Reach[s.exposure()], Why: s.Exposure.Value + ": " + s.Exposure.Source}
	if !read.ok {
		return out
	}
	least, access := out.Value, read.vector.Metric("AV")
	switch access {
	case "L", "P":
		least = w.Reach[firmward.ExposureSmall]
	case "A":
		least = w.Reach[firmward.ExposureControlled]
	}
	if least < out.Value {
		out.Value = least
		out.Why += fmt.Sprintf("; CVSS %s AV:%s", read.vector.Version, access)
	}
	return out
}

// Risk is the risk of a device with its open findings: a number from 0 to 100 and all that it was made of.
func Risk(findings []firmward.Finding, s Setting, p firmward.RiskPolicy) firmward.Risk {
	out := firmward.Risk{Policy: p.Label(), Exposure: s.Exposure, HumanImpact: s.Human(), Unfound: s.unfound(weights(p))}
	out.Impact, out.Impacts = s.Impacts(p)
	for _, f := range findings {
		out.Findings = append(out.Findings, Weigh(f, s, p))
	}
	out.Likelihood = likelihood(out.Unfound, out.Findings)
	out.Number = number(out.Likelihood, out.Impact)
	return out
}

// Number is the number of Risk alone.
func Number(findings []firmward.Finding, s Setting, p firmward.RiskPolicy) int {
	w := weights(p)
	impact, _ := s.Impacts(p)
	all := make([]firmward.Priority, 0, len(findings))
	for _, f := range findings {
		all = append(all, value(f, readBest(f.Threat.Scores), s, w))
	}
	return number(likelihood(s.unfound(w), all), impact)
}

func number(likelihood float64, impact firmward.Factor) int {
	return int(math.Round(100 * min(1, max(0, likelihood*impact.Value))))
}

// unfound stands for what no source knows yet.
func (s Setting) unfound(w firmward.RiskWeights) firmward.Factor {
	if !s.Known {
		return firmward.Factor{Name: "unfound", Value: w.Unknown * w.Reach[s.exposure()], Why: "prior of the policy: nobody knows what it is"}
	}
	return firmward.Factor{Name: "unfound", Value: w.Prior * w.Reach[s.exposure()], Why: "prior of the policy: what no source knows yet"}
}

// likelihood sorts findings, the strongest first, and joins their paths.
func likelihood(unfound firmward.Factor, all []firmward.Priority) float64 {
	slices.SortStableFunc(all, func(a, b firmward.Priority) int {
		return cmp.Or(cmp.Compare(b.Value, a.Value), cmp.Compare(a.Advisory, b.Advisory))
	})
	paths, safe := map[string]bool{}, 1-unfound.Value
	for _, f := range all { // the strongest of a path comes first, and it alone counts
		if !paths[f.Path] {
			paths[f.Path] = true
			safe *= 1 - f.Value
		}
	}
	return 1 - safe
}
