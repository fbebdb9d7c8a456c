package firmward

import "time"

// StepKind is one of the eight things that can happen next to a device.
type StepKind string

// The kinds of step.
const (
	StepPatch   StepKind = "patch"
	StepAsk     StepKind = "ask"
	StepContain StepKind = "contain"
	StepReplace StepKind = "replace"
	StepRetire  StepKind = "retire"
	StepAccept  StepKind = "accept"
	StepWait    StepKind = "wait"
	StepLook    StepKind = "look"
)

// Phase is one part of the answer "now, then, finally".
type Phase struct {
	Kind   StepKind
	Action string    // plain words: "contain it", "replace it"
	By     time.Time // zero when no clock runs
	Rule   string    // text id of the clock, "kev-due", "policy", "support-end"
}

// NextStep is the one next step of a device. remedy.Choose is its only source.
type NextStep struct {
	DeviceID       string
	Now            Phase
	Then           *Phase   `json:",omitempty"`
	Finally        *Phase   `json:",omitempty"`
	Why            []string // top factors, strongest first, at most three
	Blocker        string   // what keeps it from happening, in plain words; empty when nothing does
	BlockerCode    string   // for machines
	Risk           int      // 0 … 100
	RiskAfter      int      // expected after Now succeeded
	Counterfactual string   // "update to 5.7.3: 71 → 9"
	Knowledge      string   // how deep the knowledge behind it is: never falsely green
	Ref            string   // id of the rollout, work order or containment that carries it
	Order          *Wanted  `json:",omitempty"` // a work order that must exist for the step
	DecidedAt      time.Time
}

// Wanted is a work order that a step asks for.
type Wanted struct {
	Kind string // update, vendor-service, replace, retire
	Want string // firmware version wanted, empty when any other will do
}

// Bucket sorts steps for people.
func (s NextStep) Bucket() string {
	switch s.Now.Kind {
	case StepAccept:
		return "accept"
	case StepWait, StepLook:
		return "watch"
	}
	if s.Risk >= 70 {
		return "act-now"
	}
	return "plan"
}
