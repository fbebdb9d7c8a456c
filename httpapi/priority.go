package httpapi

import (
	"time"

	"github.com/firmward/firmward"
)

// SSVC is what an authority decided.
type SSVC struct {
	Exploitation    string    `json:"exploitation,omitempty" doc:"none, poc, active"`
	Automatable     string    `json:"automatable,omitempty" doc:"no, yes"`
	TechnicalImpact string    `json:"technicalImpact,omitempty" doc:"partial, total"`
	Source          string    `json:"source"`
	Dated           time.Time `json:"dated,omitzero"`
}

// Decision is the value of one decision point with where it comes from.
type Decision struct {
	Value   string `json:"value"`
	Source  string `json:"source"`
	Derived bool   `json:"derived" doc:"worked out here: no authority's own decision"`
}

// Factor is one weighed reason.
type Factor struct {
	Name  string  `json:"name"`
	Value float64 `json:"value" doc:"0 to 1"`
	Why   string  `json:"why"`
}

// Environmental is a CVSS score for one device.
type Environmental struct {
	Version string          `json:"version"`
	Vector  string          `json:"vector" doc:"with the derived metrics"`
	Base    float64         `json:"base" doc:"worked out from the vector"`
	Stated  float64         `json:"stated,omitempty" doc:"what the source gives, where it differs"`
	Score   float64         `json:"score" doc:"with the derived metrics"`
	Derived []DerivedMetric `json:"derived"`
}

// DerivedMetric is one CVSS metric that the inventory decides.
type DerivedMetric struct {
	Metric string `json:"metric"`
	Value  string `json:"value"`
	From   string `json:"from"`
}

// Priority is what one finding asks for on one device.
type Priority struct {
	Advisory        string           `json:"advisory"`
	Verdict         firmward.Verdict `json:"verdict" enum:"affected,likely,possible"`
	Exploitation    Decision         `json:"exploitation"`
	Automatable     Decision         `json:"automatable"`
	TechnicalImpact Decision         `json:"technicalImpact"`
	Outcome         string           `json:"outcome" doc:"of the SSVC deployer tree: defer, scheduled, out-of-cycle, immediate"`
	Directive       string           `json:"directive" doc:"what CISA BOD 26-04 asks for"`
	CVSS            *Environmental   `json:"cvss,omitempty" doc:"absent when no source gives a vector"`
	Probability     Factor           `json:"probability"`
	Reach           Factor           `json:"reach"`
	Certainty       Factor           `json:"certainty"`
	Path            string           `json:"path" doc:"findings of one path are mended together: only the strongest counts"`
	Value           float64          `json:"value" doc:"probability times reach times certainty"`
}

// RiskFactors is all that a risk was made of.
type RiskFactors struct {
	Policy      string     `json:"policy" doc:"name, version and digest of the risk policy"`
	Exposure    Decision   `json:"exposure"`
	HumanImpact Decision   `json:"humanImpact"`
	Likelihood  float64    `json:"likelihood" doc:"0 to 1"`
	Impact      Factor     `json:"impact" doc:"the highest of impacts"`
	Impacts     []Factor   `json:"impacts"`
	Unfound     Factor     `json:"unfound" doc:"what no source knows yet"`
	Findings    []Priority `json:"findings" doc:"the strongest first; a list of steps holds three of each"`
	More        int        `json:"more,omitempty" doc:"findings beyond those"`
}

// DueClock is a deadline of one rule.
type DueClock struct {
	Rule      string    `json:"rule"`
	Advisory  string    `json:"advisory,omitempty" doc:"the finding that set it"`
	Started   time.Time `json:"started,omitzero"`
	StartedBy string    `json:"startedBy,omitempty"`
	Due       time.Time `json:"due,omitzero" doc:"absent: at the next upgrade"`
	Asks      string    `json:"asks,omitempty" doc:"what a directive asks for, in words"`
}

// Counterfactual is what another act would make of the risk.
type Counterfactual struct {
	Action string `json:"action"`
	Risk   int    `json:"risk"`
}

// inList is how many findings a step shows in a list.
const inList = 3

func riskFactorsOf(r firmward.Risk, most int) *RiskFactors {
	if r.Impact.Name == "" {
		return nil // weighed before there were factors
	}
	shown := r.Findings[:min(most, len(r.Findings))]
	return &RiskFactors{
		Policy: r.Policy, Exposure: Decision(r.Exposure), HumanImpact: Decision(r.HumanImpact), Likelihood: r.Likelihood, Impact: Factor(r.Impact),
		Impacts: each(r.Impacts, func(f firmward.Factor) Factor { return Factor(f) }), Unfound: Factor(r.Unfound),
		Findings: each(shown, priorityOf), More: len(r.Findings) - len(shown),
	}
}

func priorityOf(p firmward.Priority) Priority {
	out := Priority{
		Advisory: p.Advisory, Verdict: p.Verdict, Exploitation: Decision(p.Exploitation), Automatable: Decision(p.Automatable),
		TechnicalImpact: Decision(p.TechnicalImpact), Outcome: p.Outcome, Directive: p.Directive,
		Probability: Factor(p.Probability), Reach: Factor(p.Reach), Certainty: Factor(p.Certainty), Path: p.Path, Value: p.Value,
	}
	if c := p.CVSS; c != nil {
		out.CVSS = &Environmental{
			c.Version, c.Vector, c.Base, c.Stated, c.Score,
			each(c.Derived, func(d firmward.DerivedScore) DerivedMetric { return DerivedMetric(d) }),
		}
	}
	return out
}

func likelihoodOf(l firmward.Likelihood) Likelihood {
	return Likelihood{l.Score, l.Percentile, l.Model, l.Dated}
}
