// Package twin is the family of places in which a release is rehearsed: a spare device, a device of the lab, a virtual machine.
//
// A twin stands for devices in use, so it is a device itself: it has an address in a network of its own, is found by the same probes
// and updated by the same driver and engine. What a twin adds is a way to it ([Twin.Network]), what it mirrors of the real place, and
// abilities that no device in use has: its power can be cut, and somebody watches whom it tries to reach.
//
// A twin that claims to be isolated is so by construction: no wire leads out of the place where it stands. It is never kept in by a rule alone.
package twin

import (
	"context"
	"net/netip"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/wire"
)

// Info declares a twin.
type Info struct {
	Name    string
	Place   firmward.Place
	Prefix  netip.Prefix // the network in which it stands; a person names it as any other
	Mirrors []string     // what it brings of the real place: each begins with one of staging.Services
}

// Twin is the required part.
type Twin interface {
	Info() Info
	Network() wire.Network // leads to the device and to nobody else
}

// PowerCutter takes the device's power away without notice and gives it back. It returns when the power is back, not when the device is.
type PowerCutter interface {
	CutPower(ctx context.Context) error
}

// FlashCutter takes the device's power away without notice while it writes firmware, and gives it back. Only a place that can be made
// anew has it: a device that does not survive that is gone. It waits for the writing as long as ctx lasts.
type FlashCutter interface {
	CutWhileWriting(ctx context.Context) error
}

// Watcher tells whom the device tried to reach and was kept from since its place was made, one each: "203.0.113.9 tcp 443". The
// second result counts what could not be told apart any more.
type Watcher interface {
	Reached(ctx context.Context) (whom []string, more int, err error)
}

// Device is a device that stands in an ordinary network, as a twin: a spare on the shelf, or one of the lab. It mirrors nothing and
// nobody keeps it in.
type Device struct {
	Place  firmward.Place
	Prefix netip.Prefix
	Way    wire.Network
}

// Info declares it.
func (d Device) Info() Info { return Info{Name: string(d.Place), Place: d.Place, Prefix: d.Prefix} }

// Network is the one that all devices are reached by.
func (d Device) Network() wire.Network { return d.Way }
