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
	w := weights(p)
	out := firmward.Priority{
		Advisory: f.AdvisoryID, Verdict: f.Verdict, Path: cmp.Or(f.FixedIn, f.AdvisoryID),
		Exploitation: Exploitation(f), Automatable: Automatable(f.Threat), TechnicalImpact: TechnicalImpact(f.Threat),
		Certainty: firmward.Factor{Name: "certainty", Value: w.Certainty[f.Verdict], Why: string(f.Verdict)},
	}
	exposure := s.Exposure.Value
	if s.exposure() == firmward.ExposureQuarantined {
		exposure = string(firmward.ExposureSmall) // SSVC has nothing narrower
	}
	out.Outcome, _ = Deployer(out.Exploitation.Value, exposure, out.Automatable.Value, s.Human().Value)
	out.Directive = BOD(f.Exploited, s.open(), out.Automatable.Value == "yes", out.TechnicalImpact.Value == "total").String()
	if e, err := s.Environment(f.Threat.Scores, out.Exploitation.Value); err == nil {
		out.CVSS = &e
	}
	out.Probability = probability(f, out.Exploitation, w)
	out.Reach = s.reach(f, w)
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
func (s Setting) reach(f firmward.Finding, w firmward.RiskWeights) firmward.Factor {
	out := firmward.Factor{Name: "reachable", Value: w.Reach[s.exposure()], Why: s.Exposure.Value + ": " + s.Exposure.Source}
	_, v, _ := best(f.Threat.Scores)
	if v.metrics == nil {
		return out
	}
	least := out.Value
	switch v.Metric("AV") {
	case "L", "P":
		least = w.Reach[firmward.ExposureSmall]
	case "A":
		least = w.Reach[firmward.ExposureControlled]
	}
	if least < out.Value {
		out.Value = least
		out.Why += fmt.Sprintf("; CVSS %s AV:%s", v.Version, v.Metric("AV"))
	}
	return out
}

// Risk is the risk of a device with its open findings: a number from 0 to 100 and all that it was made of.
func Risk(findings []firmward.Finding, s Setting, p firmward.RiskPolicy) firmward.Risk {
	w := weights(p)
	out := firmward.Risk{Policy: p.Label(), Exposure: s.Exposure, HumanImpact: s.Human()}
	out.Impact, out.Impacts = s.Impacts(p)
	out.Unfound = firmward.Factor{Name: "unfound", Value: w.Prior * w.Reach[s.exposure()], Why: "prior of the policy: what no source knows yet"}
	if !s.Known {
		out.Unfound.Value, out.Unfound.Why = w.Unknown*w.Reach[s.exposure()], "prior of the policy: nobody knows what it is"
	}
	for _, f := range findings {
		out.Findings = append(out.Findings, Weigh(f, s, p))
	}
	slices.SortStableFunc(out.Findings, func(a, b firmward.Priority) int {
		return cmp.Or(cmp.Compare(b.Value, a.Value), cmp.Compare(a.Advisory, b.Advisory))
	})
	paths, safe := map[string]bool{}, 1-out.Unfound.Value
	for _, f := range out.Findings { // the strongest of a path comes first, and it alone counts
		if !paths[f.Path] {
			paths[f.Path] = true
			safe *= 1 - f.Value
		}
	}
	out.Likelihood = 1 - safe
	out.Number = int(math.Round(100 * min(1, max(0, out.Likelihood*out.Impact.Value))))
	return out
}
