package firmward

import (
	"net/netip"
	"time"
)

// WorkState is the state of a work order.
type WorkState string

// The work order states. Done is reached by a probe, never by somebody's word.
const (
	WorkOpen     WorkState = "open"
	WorkReported WorkState = "reported-done" // a person says so; a probe must look
	WorkNotYet   WorkState = "not-done-yet"  // the probe still saw the old version
	WorkDone     WorkState = "done"
	WorkVoid     WorkState = "void" // no longer needed
)

// WorkOrder asks a person to do what no machine may or can.
type WorkOrder struct {
	ID          string
	DeviceID    string
	Kind        string // "update", "vendor-service", "replace", "retire"
	Title       string
	Instruction Instruction
	Assignee    string
	From        string // firmware version when it was written
	Want        string // version wanted; empty: any other than From
	State       WorkState
	Why         string // "still 2.1.4: not done yet"
	Due         time.Time
	Created     time.Time
	By          string
	RolloutID   string    `json:",omitempty"` // of which it is a part; empty: it stands alone
	BegunBy     string    `json:",omitempty"` // who said last that the work begins
	BegunAt     time.Time `json:",omitzero"`
	ReportedBy  string
	ReportedAt  time.Time
	ClosedAt    time.Time
	Evidence    string // observation id that proved it
}

// AccessRule is one line of what a contained device may still do. Rules for a device are a full
// desired state: what no rule allows is cut.
type AccessRule struct {
	Device    netip.Addr // the contained device
	MAC       string     // optional second handle
	Direction string     // "from" the device or "to" it
	Peer      netip.Prefix
	Proto     string // tcp, udp, icmp, any
	Port      uint16 // 0 any
	Allow     bool   // the last rule per direction is a deny of everything
	Why       string
}

// ContainState is the state of a containment.
type ContainState string

// The containment states. Contained is reached by packets that prove it.
const (
	ContainOpen      ContainState = "open"      // wanted; Why says what it waits for
	ContainRefused   ContainState = "refused"   // the never-contain guard said no
	ContainApplied   ContainState = "applied"   // rules stand, undo timer runs, proof is missing
	ContainContained ContainState = "contained" // proven by packets, confirmed
	ContainUndone    ContainState = "undone"    // not confirmed in time, or proof failed
	ContainReleased  ContainState = "released"
)

// ContainRestart is the code of an open containment that stood before firmward was started again: it is being proven anew.
const ContainRestart = "restart"

// Containment is one device cut off except for what its rules allow.
type Containment struct {
	ID        string
	DeviceID  string
	State     ContainState
	Why       string
	Code      string // reason code of a refusal or an open state
	Enforcer  string
	Rules     []AccessRule
	ConfirmBy time.Time // when it undoes itself
	Proof     []ServiceState
	By        string
	Created   time.Time
	NextDue   time.Time
	ReleaseBy string
	ReleaseOn string // evidence (observation id) or the recorded decision
	EndedAt   time.Time
}
