package firmward

import "time"

// Role is what a person may do. Each role includes those before it.
type Role string

// The roles.
const (
	Viewer   Role = "viewer"
	Operator Role = "operator"
	Approver Role = "approver"
	Admin    Role = "admin"
)

var roleRank = map[Role]int{Viewer: 1, Operator: 2, Approver: 3, Admin: 4}

// Includes reports whether a holder of r may do what needs other.
func (r Role) Includes(other Role) bool { return roleRank[r] >= roleRank[other] && roleRank[other] > 0 }

// Valid reports whether r is one of the four roles.
func (r Role) Valid() bool { return roleRank[r] > 0 }

// Person is who acts: the name stands on every audit leaf.
type Person struct {
	Name string
	Role Role
}

// Event is something that faces may show live. It is derived from a change and is no record:
// the audit leaf is.
type Event struct {
	Seq     int64
	At      time.Time
	Kind    string // "device", "rollout", "target", "workorder", "containment", "feed", "fetch", "finding", "exception", "step"
	Subject string // id of the noun
	Text    string
}
