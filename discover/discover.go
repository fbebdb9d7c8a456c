// Package discover is the family of senses: probes that look at one address and report what they saw.
//
// A probe reports raw readings and never an opinion: identification rules read them later, as often as
// the rules improve, without touching the device again. The runner (package control) owns pace,
// timeouts and the decision whether a probe may run at all; a probe states what it needs.
package discover

import (
	"context"
	"net/netip"
	"strconv"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/wire"
)

// Info declares what a probe is and needs.
type Info struct {
	Name       string // also the prefix of its readings
	Safety     firmward.Safety
	Ports      []Port         // where it looks; empty for probes that use no port
	Group      netip.AddrPort // multicast group that it asks when its Target is a prefix; the zero value: it asks single hosts only
	Credential bool           // useful only with a secret for the device
	Period     time.Duration  // how often a healthy device is looked at again
	Timeout    time.Duration  // for one run, all exchanges together
	Service    bool           // its answer proves that a service works: used before and after an update
	Listens    bool           // it sends nothing and runs for as long as its network is named, reporting what it hears
}

// Port is a transport and a number.
type Port struct {
	Network string // "tcp" or "udp"
	Number  uint16
}

func (p Port) String() string { return p.Network + "/" + strconv.Itoa(int(p.Number)) }

// Target is what one run looks at. Exactly one of Addr and Prefix is set: Prefix for probes that
// see many hosts at once: the neighbour table, and those with a multicast group.
type Target struct {
	Network wire.Network // guarded, paced and recorded by the runner
	Addr    netip.Addr
	Prefix  netip.Prefix
	Port    uint16 // overrides the probe's first port when not 0
	Secret  wire.Secret
	Paths   []string // HTTP paths beyond "/" that the suspected family's catalogue file declares
}

// Probe is one sense. Run reports what it saw and returns an error only for what a person must
// mend; a device that is silent or closed is an Observation with that Outcome. Run fills Addr, Port,
// Outcome, Note and Readings; the runner adds the rest.
type Probe interface {
	Info() Info
	Run(ctx context.Context, t Target, report func(firmward.Observation)) error
}
