// Package enforce is the family of walls: what can cut a device off.
//
// No enforcer stands without four things (design §8): the never-contain guard and the storm cap
// (pure, in Guard), the undo timer on the enforcing side (Apply sets it, Confirm removes it), and proof
// by packets (Prober) before anybody calls a device contained.
package enforce

import (
	"context"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/wire"
)

// Info declares an enforcer.
type Info struct {
	Name   string
	Title  string
	Needs  string // what it needs from the system, for people
	Undoes string // who undoes an unconfirmed change: "kernel timer"
}

// Applied is what Apply did; it is stored and given back to Confirm.
type Applied struct {
	Token     string    // opaque to everybody but the enforcer
	ConfirmBy time.Time // when it undoes itself
	Shown     string    // the change in the enforcing system's own words
}

// Enforcer is one wall. Apply takes the full desired state of all contained devices, is idempotent,
// and undoes itself at confirmBy unless Confirm is called. An empty want removes everything.
type Enforcer interface {
	Info() Info
	// Ready says why the enforcer cannot work here, or nil.
	Ready(ctx context.Context) error
	Apply(ctx context.Context, want []firmward.AccessRule, confirmBy time.Time) (Applied, error)
	Confirm(ctx context.Context, a Applied) error
}

// Dropped counts the packets that a wall has cut since it stands.
type Dropped struct {
	From uint64 // sent by contained devices
	To   uint64 // sent to them
}

// Counter is the optional ability to tell how many packets were cut: a second witness beside the
// packet tests.
type Counter interface {
	Dropped(ctx context.Context) (Dropped, error)
}

// Vantage is a place from which packets can be sent to prove a wall: another address of this host, or
// a host in another segment.
type Vantage struct {
	Name    string
	Network wire.Network
	Allowed bool // the wall lets this place through (firmward itself): the path must stay open
}
