package control

import (
	"context"
	"net/netip"
	"slices"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/discover"
	"github.com/firmward/firmward/wire"
)

// askAll asks all hosts on the link of a network at once, where that may be, and gives the devices and addresses that
// answered. A network that is not on a link of this host is left alone, and so is one with another inside: what is sent
// to a group reaches those of the inner one too.
func (c *Control) askAll(ctx context.Context, network firmward.Network, inner prefixes) (devices []string, heard []netip.Addr, err error) {
	if !network.Prefix.Addr().Is4() || len(inner) > 0 {
		return nil, nil, nil
	}
	for _, name := range discover.GroupProbes(network.Zone()) {
		p, ok := c.byProbe[name]
		if !ok || !discover.Permitted(p.Info().Safety, network, firmward.ClassUnknown) {
			continue
		}
		door, tr := c.door(network, firmward.ClassUnknown, name, wire.Secret{}, p.Info().Timeout, p.Info().Group)
		var seen []firmward.Observation
		limited, cancel := context.WithTimeout(ctx, discover.GroupLimit)
		err := p.Run(limited, discover.Target{Network: door, Prefix: network.Prefix}, func(o firmward.Observation) {
			if !slices.Contains(c.Self, o.Addr) {
				o.Probe = name
				seen, heard = append(seen, o), append(heard, o.Addr)
			}
		})
		cancel()
		if firmward.CodeOf(err) == firmward.NotSupported {
			return devices, heard, nil
		}
		if kept := c.keepSent(context.WithoutCancel(ctx), "", tr); err == nil {
			err = kept
		}
		if err != nil {
			return nil, nil, err
		}
		ids, err := c.record(ctx, network, seen)
		if err != nil {
			return nil, nil, err
		}
		devices = append(devices, ids...)
	}
	slices.Sort(devices)
	return slices.Compact(devices), sorted(heard), nil
}

// sorted is all addresses of the lists, each once.
func sorted(lists ...[]netip.Addr) []netip.Addr {
	all := slices.Concat(lists...)
	slices.SortFunc(all, netip.Addr.Compare)
	return slices.Compact(all)
}
