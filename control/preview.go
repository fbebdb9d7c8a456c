package control

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/discover"
	"github.com/firmward/firmward/wire"
)

// Preview is what a scan of a network would send and what it would withhold. Nothing was sent to work it out.
type Preview struct {
	Network  firmward.Network
	Named    bool
	Pace     wire.Pace // towards a device of which nothing is known
	Targets  int       // addresses that would be looked at
	NotSwept string    // why not every address of the prefix is looked at
	Probes   []PlannedProbe
}

// PlannedProbe is one probe with what it would send first to one host, or to a group.
type PlannedProbe struct {
	discover.Planned
	First []discover.Packet
}

// PreviewScan says what StartScan would do. A network that nobody named is looked at as if it had been named with the
// profile; it is not named by this.
func (c *Control) PreviewScan(ctx context.Context, prefix netip.Prefix, profile firmward.Profile) (Preview, error) {
	prefix = prefix.Masked()
	n, err := c.Store.Network(ctx, prefix)
	named := err == nil
	switch {
	case err != nil && firmward.CodeOf(err) != firmward.NotFound:
		return Preview{}, err
	case named && profile != "" && profile != n.Profile:
		return Preview{}, firmward.Errorf(firmward.Conflict, fmt.Sprintf("%s is named already, with profile %s", prefix, n.Profile))
	case !named && firmward.ZoneOf(profile) == firmward.ZoneUnmarked:
		return Preview{}, firmward.Errorf(firmward.Invalid, prefix.String()+" is not a named network: say as which it is to be looked at, with profile home, office, ot or medical")
	case !named:
		n = unnamed(prefix, profile)
	}
	out := Preview{Network: n, Named: named, Pace: discover.PaceFor(n.Zone(), firmward.ClassUnknown), NotSwept: unswept(n)}
	inner, err := c.innerNetworks(ctx, n)
	if err != nil {
		return Preview{}, err
	}
	if out.Targets, err = c.countTargets(ctx, n, inner); err != nil {
		return Preview{}, err
	}
	for _, plan := range discover.Plan(n, len(inner) == 0, c.Probes, c.Catalog.Families) {
		p := PlannedProbe{Planned: plan}
		if len(plan.When) > 0 && plan.Safety > firmward.Passive {
			target := discover.Target{Addr: example(prefix)}
			if plan.AtOnce {
				target = discover.Target{Prefix: prefix}
			}
			if p.First, err = discover.DryRun(ctx, c.byProbe[plan.Name], target); err != nil {
				return Preview{}, fmt.Errorf("try %s without a network: %w", plan.Name, err)
			}
		}
		out.Probes = append(out.Probes, p)
	}
	return out, nil
}

// unnamed is a network as NameNetwork would make it.
func unnamed(prefix netip.Prefix, profile firmward.Profile) firmward.Network {
	n := firmward.Network{Prefix: prefix, Profile: profile, Allowed: firmward.Passive}
	if !n.Zone().Careful() {
		n.Allowed = firmward.Stateful
	}
	return n
}

// example is an address to show packets with: the first that a device may have.
func example(p netip.Prefix) netip.Addr {
	if a := p.Addr().Next(); p.Contains(a) {
		return a
	}
	return p.Addr()
}

// countTargets counts whom a scan would look at: every address, or the neighbour table and the inventory. It reads the
// table and keeps nothing of it.
func (c *Control) countTargets(ctx context.Context, n firmward.Network, inner prefixes) (int, error) {
	if n.Allowed >= firmward.Polite && unswept(n) == "" {
		return len(inner.leaveOut(addresses(n.Prefix))), nil
	}
	var seen []netip.Addr
	if p, ok := c.byProbe["neighbor"]; ok {
		err := p.Run(ctx, discover.Target{Network: c.Network, Prefix: n.Prefix}, func(o firmward.Observation) { seen = append(seen, o.Addr) })
		if err != nil && firmward.CodeOf(err) != firmward.NotSupported {
			return 0, err
		}
	}
	if n.Allowed < firmward.Polite {
		return len(inner.leaveOut(seen)), nil
	}
	all, err := c.withInventory(ctx, n, seen)
	return len(inner.leaveOut(all)), err
}
