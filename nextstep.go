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
	Then           *Phase           `json:",omitempty"`
	Finally        *Phase           `json:",omitempty"`
	Urgency        Urgency          `json:",omitempty"`
	Why            []string         // top factors, strongest first, at most three
	Flags          []string         `json:",omitempty"` // what stands beside the number: no support, no way to update
	TakenOver      bool             `json:",omitempty"` // exploited and reachable from the internet: assume that somebody is in
	Blocker        string           // what keeps it from happening, in plain words; empty when nothing does
	BlockerCode    string           // for machines
	Risk           int              // 0 … 100
	RiskAfter      int              // expected after Now succeeded
	Counterfactual string           // "update to 5.7.3: 71 → 9"
	Otherwise      []Counterfactual `json:",omitempty"` // what each act that is open would make of the risk, the best first
	Clocks         []Clock          `json:",omitempty"` // one of each rule in force, the strictest first
	Factors        Risk             `json:",omitzero"`  // all that the risk was made of
	Knowledge      string           // how deep the knowledge behind it is: never falsely green
	Ref            string           // id of the rollout, work order or containment that carries it
	Order          *Wanted          `json:",omitempty"` // a work order that must exist for the step
	Fix            *Mending         `json:",omitempty"` // what would mend it: steps with the same fix are one piece of work
	Support        Support
	DecidedAt      time.Time
}

// Mending is a version that would mend a device, with what it is worth there.
type Mending struct {
	Model   string
	Version string
	Release string // id when its file is in the depot, else empty
	Closes  int    // findings that it mends
	Minutes int    // maintenance time of the device
}

// Support says how long somebody still mends the device.
type Support struct {
	State    string    // supported, ending, ended, unknown
	End      time.Time // zero when unknown
	Forecast string    // now, 12-months, 18-months, later, unknown
	Source   string
}

// Wanted is a work order that a step asks for.
type Wanted struct {
	Kind string // update, vendor-service, replace, retire
	Want string // firmware version wanted, empty when any other will do
}

// Urgency says in plain words how soon.
type Urgency string

// The urgencies.
const (
	FixNow      Urgency = "fix now"
	ThisWeek    Urgency = "this week"
	AtNextCheck Urgency = "at next check"
	Watch       Urgency = "watch"
)

// Bucket sorts steps for people.
func (s NextStep) Bucket() string {
	switch s.Now.Kind {
	case StepAccept:
		return "accept"
	case StepWait, StepLook:
		return "watch"
	}
	if s.Urgency == FixNow || s.Urgency == ThisWeek {
		return "act-now"
	}
	return "plan"
}

// Deadline gives when the step must be done. ok is false when no clock runs: what only waits, looks or carries an
// accepted risk has a time to look again and no deadline.
func (s NextStep) Deadline() (by time.Time, ok bool) {
	if b := s.Bucket(); b == "watch" || b == "accept" {
		return time.Time{}, false
	}
	if s.Now.Rule == "deadline" && len(s.Clocks) > 0 { // that is the machine's own; what it mends has a clock for people
		by = s.Clocks[0].Due
	} else {
		by = s.Now.By
	}
	return by, !by.IsZero()
}
