package discover

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/firmward/firmward"
)

// Planned is what a scan of a network would do with one probe.
type Planned struct {
	Info
	AtOnce   bool     // the multicast group is asked for the whole network
	When     []string // whom it asks, for people
	Withheld string   // why it asks nobody, or not everybody; empty: nothing stands against it
}

// Plan says, for each probe in turn, whom a scan of a network asks with it and what is withheld. It is the same
// decision that a scan takes, told beforehand. alone says that no other network is named inside this one.
func Plan(n firmward.Network, alone bool, all []Probe, families []firmward.Family) []Planned {
	zone := n.Zone()
	out := make([]Planned, 0, len(all))
	for _, p := range all {
		plan := Planned{Info: p.Info()}
		name := plan.Name
		switch {
		case plan.Listens:
			plan.When = append(plan.When, "what devices on the link say to everybody, all the time; it sends nothing")
		case plan.Safety == firmward.Passive:
			plan.When = append(plan.When, "the whole network, without a packet")
		case slices.Contains(GroupProbes(zone), name) && n.Prefix.Addr().Is4() && alone:
			plan.AtOnce = true
			plan.When = append(plan.When, "all hosts on the link at once")
		case slices.Contains(FirstProbes(zone), name):
			plan.When = append(plan.When, "each address")
		}
		for _, port := range plan.Ports {
			if number := strconv.Itoa(int(port.Number)); !zone.Careful() && slices.Contains(ByPort(number), name) {
				plan.When = append(plan.When, "where port "+number+" is open")
			}
		}
		var of []string
		for _, f := range families {
			if slices.Contains(f.Probes, name) {
				of = append(of, f.Name)
			}
		}
		if !Permitted(plan.Safety, n, firmward.ClassUnknown) {
			plan.When, plan.AtOnce = nil, false
		}
		if len(of) > 0 {
			plan.When = append(plan.When, "devices of family "+strings.Join(of, ", "))
		}
		plan.withhold(n)
		out = append(out, plan)
	}
	return out
}

// withhold says what keeps a probe back.
func (p *Planned) withhold(n firmward.Network) {
	const proven = firmward.Class("proven and ordinary")
	further := fmt.Sprintf("firmward networks allow %s --step %s", n.Prefix, p.Safety)
	switch {
	case p.Safety == firmward.NeverUnasked:
		p.When, p.Withheld = nil, "it runs only when a person asks for one device"
	case !Permitted(p.Safety, n, proven):
		p.When, p.Withheld = nil, fmt.Sprintf("it is %s, and this network allows %s (%s)", p.Safety, n.Allowed, further)
	case !Permitted(p.Safety, n, firmward.ClassUnknown):
		p.Withheld = fmt.Sprintf("strangers are not asked: it is %s, and this network allows %s (%s)", p.Safety, n.Allowed, further)
	case len(p.When) == 0 && p.Group.IsValid():
		p.Withheld = "a careful zone is not asked all at once, nor a network with another named inside it"
	case len(p.When) == 0:
		p.Withheld = "no scan of a network of this profile asks it"
	}
}
