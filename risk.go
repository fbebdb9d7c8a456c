package firmward

import "time"

// RiskPolicy sets the clocks and weights of prioritisation. Package policy reads it, packages priority and remedy
// obey it and print it with each score. The zero Weights are replaced by priority.Defaults.
type RiskPolicy struct {
	Name             string
	Version          string        // the author's own mark, may be empty
	Digest           string        // of all values, 12 hexadecimal digits: tells two forms of one policy apart
	ExploitedExposed time.Duration // exploited and reachable from the internet
	Exploited        time.Duration
	Critical         time.Duration // CVSS 9.0 and above
	High             time.Duration // CVSS 7.0 and above
	Other            time.Duration
	ContainWithin    time.Duration // exploited and no fix: cut off within this time
	ReplaceWithin    time.Duration // unsupported: replaced within this time
	LookEvery        time.Duration // evidence older than this asks for another look

	Regimes  []Regime            // whose clocks run; none means RegimePolicy alone
	SSVC     SSVCTimes           // for RegimeSSVC
	Segments map[string]Exposure // how reachable the devices of a named network are, by its CIDR, where firmward cannot know
	Weights  RiskWeights
}

// Label names a policy as it is printed beside a score: "clinical v3 (1f2e3d4c5b6a)".
func (p RiskPolicy) Label() string {
	s := p.Name
	if p.Version != "" {
		s += " " + p.Version
	}
	if p.Digest != "" {
		s += " (" + p.Digest + ")"
	}
	return s
}

// Regime is a set of rules that gives deadlines.
type Regime string

// The regimes.
const (
	RegimePolicy Regime = "policy"         // the clocks of the risk policy itself
	RegimeSSVC   Regime = "ssvc"           // the outcome of the SSVC deployer tree, in the policy's days
	RegimeBOD    Regime = "cisa-bod-26-04" // CISA's Binding Operational Directive 26-04 of 2026-06-10
)

// SSVCTimes is the time that an SSVC outcome leaves. Zero: no clock runs. "Defer" never has one.
type SSVCTimes struct {
	Immediate  time.Duration
	OutOfCycle time.Duration
	Scheduled  time.Duration
}

// Exposure is the SSVC decision point System Exposure (1.0.1), with the state that a containment brings.
type Exposure string

// The exposures, the widest first.
const (
	ExposureOpen        Exposure = "open"        // reachable from the internet
	ExposureControlled  Exposure = "controlled"  // reachable from a network that is looked after
	ExposureSmall       Exposure = "small"       // in a segment of its own, or without an address
	ExposureQuarantined Exposure = "quarantined" // cut off, proven by packets; SSVC knows no such value and takes small
)

// RiskWeights are the numbers of the formula of package priority. All lie in 0 … 1.
type RiskWeights struct {
	Reach     map[Exposure]float64 // how likely an attacker gets to the device, for each of the four exposures
	Certainty map[Verdict]float64  // affected, likely, possible
	Prior     float64              // probability of exploitation where no source gives one
	Unknown   float64              // the same for a device of which nobody knows what it is
	Safety    float64              // how much of the impact each kind of harm can make
	Mission   float64
	Data      float64
	Lateral   float64
}

// Threat is what sources say of the use of a vulnerability. It is kept with the finding: what a priority was worked out
// from can be read years later.
type Threat struct {
	Scores []Score      `json:",omitempty"` // each source's, whichever version
	SSVC   *SSVC        `json:",omitempty"` // an authority's own; nil where none decided
	EPSS   *Likelihood  `json:",omitempty"` // the newest
	Trend  []Likelihood `json:",omitempty"` // earlier ones, the newest first
	Proof  string       `json:",omitempty"` // reference to an exploit that anyone can get
	Fixed  bool         `json:",omitempty"` // its weakness is a password that everybody knows (CWE-259, 798, 1392, 1393)
}

// Point is one decision point with where its value comes from.
type Point struct {
	Value   string
	Source  string // "CISA-ADP 2024-10-24", "CVSS 3.1 AV:N/AC:L/PR:N/UI:N"
	Derived bool   // worked out here, no authority's own decision
}

// Factor is one weighed reason, 0 … 1.
type Factor struct {
	Name  string
	Value float64
	Why   string
}

// Environmental is a CVSS score for one device: the base score and what the inventory makes of it.
type Environmental struct {
	Version string
	Vector  string         // with the derived metrics
	Base    float64        // worked out from the vector
	Stated  float64        `json:",omitempty"` // what the source gives, where it differs from Base
	Score   float64        // with the derived metrics
	Derived []DerivedScore `json:",omitempty"`
}

// DerivedScore is one CVSS metric that the inventory decides.
type DerivedScore struct {
	Metric string // "CR", "MAV"
	Value  string // "H", "A"
	From   string // "class nas"
}

// Priority is what one finding asks for on one device: a decision first, a number second.
type Priority struct {
	Advisory        string
	Verdict         Verdict
	Exploitation    Point // none, poc, active
	Automatable     Point // no, yes
	TechnicalImpact Point // partial, total
	Outcome         string
	Directive       string         // what BOD 26-04 asks for: "14 days", "3 days & forensic triage"
	CVSS            *Environmental `json:",omitempty"` // nil when no source gives a vector
	Probability     Factor         // 1 when known to be exploited, else EPSS, else the policy's prior
	Reach           Factor
	Certainty       Factor
	Path            string // findings of one path are mended by one firmware; only the strongest counts
	Value           float64
}

// Risk is a device's number with every factor that it was made of.
type Risk struct {
	Policy      string // RiskPolicy.Label
	Exposure    Point  // open, controlled, small, quarantined
	HumanImpact Point  // low, medium, high, very high
	Likelihood  float64
	Impact      Factor
	Impacts     []Factor   `json:",omitempty"` // safety, mission, data, lateral; Impact is the highest
	Unfound     Factor     // what no source knows yet: the policy's prior, times reach
	Findings    []Priority `json:",omitempty"` // the strongest first
	Number      int        // 0 … 100
}

// Clock is a deadline of one rule.
type Clock struct {
	Rule      string // "policy-critical", "ssvc-out-of-cycle", "cisa-bod-26-04"
	Advisory  string // the finding that set it
	Started   time.Time
	StartedBy string    // "found here" or "listed as exploited"
	Due       time.Time // zero: at the next upgrade
	Asks      string    // what a directive asks for in words: "3 days, with forensic triage"
}

// Counterfactual is what another act would make of the risk.
type Counterfactual struct {
	Action string // "update to 5.7.3"
	Risk   int
}
