package firmward

import "time"

// ExceptionKind tells false positive, acceptance, mitigation, deferral and waiver apart.
type ExceptionKind string

// The kinds of exception.
const (
	Accept   ExceptionKind = "accept"   // the risk is carried until the expiry
	Mitigate ExceptionKind = "mitigate" // a proven control keeps attackers away
	Defer    ExceptionKind = "defer"    // the work is put off until the expiry
	Suppress ExceptionKind = "suppress" // the finding is wrong: a false positive
	Waive    ExceptionKind = "waive"    // a policy rule does not apply
)

// Ground says in one word why a finding is wrong, and so what would make it right again. Where VEX has a label it is that one
// in kebab case (CISA, Vulnerability Exploitability eXchange Status Justifications, 2022).
type Ground string

// The grounds of a false positive.
const (
	GroundComponent Ground = "component-not-present"                // the vulnerable part is not built in
	GroundPlatform  Ground = "platform-not-present"                 // it needs other hardware
	GroundProduct   Ground = "other-product"                        // the device is something else
	GroundVersion   Ground = "version-not-affected"                 // this firmware version does not have it
	GroundCode      Ground = "vulnerable-code-not-in-execute-path"  // this firmware never runs it
	GroundReach     Ground = "vulnerable-code-cannot-be-controlled" // no attacker gets at it
)

// Outlives reports whether the ground holds whatever firmware runs. One that nobody named does not.
func (g Ground) Outlives() bool {
	return g == GroundComponent || g == GroundPlatform || g == GroundProduct
}

// Premise is what was so when an exception was made: it rests on that, and falls with it. What it was not made for is empty.
type Premise struct {
	Exploited []string `json:",omitempty"` // which of the advisories that it covers are known to be exploited, sorted
	Exposed   bool     `json:",omitempty"` // a device that it covers is reachable from the internet
	Verdict   Verdict  `json:",omitempty"` // on the advisory that it names, the worst where it covers every device
	Reason    string   `json:",omitempty"` // code of that verdict
	Firmware  string   `json:",omitempty"` // of the device that it names
	Control   string   `json:",omitempty"` // the containment that was proven
}

// Exception is one recorded decision to differ, always with an end.
type Exception struct {
	ID       string
	Kind     ExceptionKind
	DeviceID string // empty: every device
	Advisory string // empty: every advisory of the device
	Reason   string
	Ground   Ground `json:",omitempty"` // of a false positive
	Author   string
	Second   bool   `json:",omitempty"` // it is not in force until a second person approves
	Approver string // who did; never the author
	Created  time.Time
	Expires  time.Time
	Premise  *Premise  `json:",omitempty"` // nil for those made before premises were recorded
	FellAt   time.Time `json:",omitzero"`  // when its premise no longer held
	FellWhy  string    `json:",omitempty"`
}

// ExceptionState says whether an exception counts.
type ExceptionState string

// The states of an exception.
const (
	ExceptionInForce  ExceptionState = "in-force"
	ExceptionAwaiting ExceptionState = "awaiting-approval"
	ExceptionExpired  ExceptionState = "expired"
	ExceptionFallen   ExceptionState = "fallen" // its premise no longer held
)

// State gives the state at now.
func (e Exception) State(now time.Time) ExceptionState {
	switch {
	case !e.FellAt.IsZero():
		return ExceptionFallen
	case !now.Before(e.Expires):
		return ExceptionExpired
	case e.Second && e.Approver == "":
		return ExceptionAwaiting
	}
	return ExceptionInForce
}

// Ended is when it expired or fell, or will expire.
func (e Exception) Ended() time.Time {
	if !e.FellAt.IsZero() && e.FellAt.Before(e.Expires) {
		return e.FellAt
	}
	return e.Expires
}

// About reports whether the exception is made for the advisory on the device.
func (e Exception) About(device, advisory string) bool {
	return (e.DeviceID == "" || e.DeviceID == device) && (e.Advisory == "" || e.Advisory == advisory)
}

// Applies reports whether the exception covers the finding at now.
func (e Exception) Applies(device, advisory string, now time.Time) bool {
	return e.State(now) == ExceptionInForce && e.About(device, advisory)
}
