// Package privilege lends firmward's server the few things that need rights of the system, so that the server itself has
// none: it parses what devices, feeds and browsers send, and a mistake there shall not own the machine's network.
//
// # Who holds what
//
// The helper ("firmward helper") is a process of its own with CAP_NET_RAW and CAP_NET_ADMIN. It knows no device, no
// database and no key, talks to nobody but the server, and does five things: listen on a link, sweep one prefix by ARP,
// say whether a wall can stand, put rules of the wall on trial, confirm them, and tell what the wall cut. There is no request
// that runs a program, names a file, opens a connection or speaks of a table other than firmward's own.
//
// # How they talk
//
// Over a unix socket. The kernel says who is at its other end (SO_PEERCRED); any user but the server's is turned away, root
// too. A connection carries one request and one answer, each a line of JSON of at most MaxLine bytes. A request
// names exactly one thing; what the helper does not know makes it refuse the whole. A request must be there in requestTime;
// at most maxConns connections are open at once. After the answer to Overhear the frames follow, each behind its length in two
// bytes, until either side closes.
//
// The packet socket of Overhear never leaves the helper. Whoever holds such a socket can write frames with it and
// switch the interface to promiscuous mode; the kernel asks for a capability only when it is opened, and cannot shut it
// for writing. What is lent is the hearing.
//
// # What the helper refuses by itself
//
// A server that was taken over may ask for anything. So the helper keeps its own counsel about walls:
//
//   - addresses of this machine, and those that its owner listed (--never), are never cut;
//   - at most Cap addresses are cut anew within an hour;
//   - a change must undo itself within MaxTrial, by the kernel's timer (enforce/nft); the helper need not live for that;
//   - only the last change that it made can be confirmed, exactly as it was made: the server gives back the token it got;
//   - rules have the one shape that the wall knows: what is allowed, then a deny of everything.
//
// A server that was taken over can still cut others and take walls down, within these bounds. That is seen: each change is a
// line in the helper's log, which the server cannot reach.
package privilege

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/netip"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/enforce"
)

// The bounds of what travels.
const (
	MaxLine     = 4 << 20 // bytes of one request or answer
	maxFrame    = 1514    // bytes of one frame that was heard
	maxConns    = 128
	requestTime = 5 * time.Second
	answerTime  = 5 * time.Second
	MaxTrial    = 5 * time.Minute // how long rules may stand on trial; the server asks for two minutes
)

// request names exactly one thing.
type request struct {
	Overhear *place   `json:"overhear,omitempty"`
	Sweep    *place   `json:"sweep,omitempty"`
	Ready    *nothing `json:"ready,omitempty"`
	Apply    *rules   `json:"apply,omitempty"`
	Confirm  *change  `json:"confirm,omitempty"`
	Dropped  *nothing `json:"dropped,omitempty"`
}

type nothing struct{}

type place struct {
	Prefix netip.Prefix `json:"prefix"`
}

type rules struct {
	Want      []firmward.AccessRule `json:"want"`
	ConfirmBy time.Time             `json:"confirmBy"`
}

type change struct {
	Token string `json:"token"`
}

// answer is an error, or what was asked for.
type answer struct {
	Error   *problem              `json:"error,omitempty"`
	Seen    map[netip.Addr]string `json:"seen,omitempty"` // hardware addresses
	Applied *enforce.Applied      `json:"applied,omitempty"`
	Dropped *enforce.Dropped      `json:"dropped,omitempty"`
}

// problem is an error on its way.
type problem struct {
	Code    firmward.Code `json:"code"`
	Message string        `json:"message"`
	Right   bool          `json:"right,omitempty"` // it is the right that is missing
}

func problemOf(err error) *problem {
	return &problem{Code: firmward.CodeOf(err), Message: err.Error(), Right: errors.Is(err, fs.ErrPermission)}
}

func (p *problem) err() error {
	e := &firmward.Error{Code: p.Code, Message: p.Message}
	if p.Right {
		e.Err = fs.ErrPermission
	}
	return e
}

// decode reads one line into v: nothing unknown, nothing behind it.
func decode(line []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return &firmward.Error{Code: firmward.Invalid, Message: "not understood", Err: err}
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return firmward.Errorf(firmward.Invalid, "not understood: there is more than one thing")
	}
	return nil
}

// readRequest reads a line that names exactly one thing.
func readRequest(line []byte) (request, error) {
	var r request
	if err := decode(line, &r); err != nil {
		return request{}, err
	}
	named := 0
	for _, is := range [...]bool{r.Overhear != nil, r.Sweep != nil, r.Ready != nil, r.Apply != nil, r.Confirm != nil, r.Dropped != nil} {
		if is {
			named++
		}
	}
	if named != 1 {
		return request{}, firmward.Errorf(firmward.Invalid, "not understood: a request names one thing")
	}
	for _, p := range [...]*place{r.Overhear, r.Sweep} {
		if p != nil && (!p.Prefix.IsValid() || p.Prefix.Addr().Is4() && p.Prefix.Bits() < 8 || p.Prefix.Addr().Is6() && p.Prefix.Bits() < 32) {
			return request{}, firmward.Errorf(firmward.Invalid, "no network that a person would name: "+p.Prefix.String())
		}
	}
	return r, nil
}
