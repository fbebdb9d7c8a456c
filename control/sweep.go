package control

import (
	"context"
	"net/netip"
	"slices"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/store"
)

// unswept says what keeps a network from being swept address by address, or nothing.
func unswept(n firmward.Network) string {
	switch {
	case n.Zone().Careful():
		return "a careful zone"
	case !n.Prefix.Addr().Is4():
		return "a network of IPv6"
	case n.Prefix.Bits() < maxSweep:
		return "a network of more than a /16"
	}
	return ""
}

// withInventory adds the addresses of the site's known devices to those of the neighbour table: whoever is in the
// inventory is asked, also behind a router.
func (c *Control) withInventory(ctx context.Context, network firmward.Network, hosts []netip.Addr) ([]netip.Addr, error) {
	out, inUse := slices.Clone(hosts), false
	err := c.eachDevice(ctx, store.DeviceFilter{Site: network.Site, Retired: &inUse}, func(d firmward.Device) error {
		for _, a := range d.Addrs {
			if network.Prefix.Contains(a) {
				out = append(out, a)
			}
		}
		return nil
	})
	slices.SortFunc(out, netip.Addr.Compare)
	return slices.Compact(out), err
}

// addresses lists the host addresses of an IPv4 prefix.
func addresses(p netip.Prefix) []netip.Addr {
	var out []netip.Addr
	for a := p.Masked().Addr(); p.Contains(a); a = a.Next() {
		out = append(out, a)
	}
	if n := len(out); n > 2 { // without network and broadcast address
		out = out[1 : n-1]
	}
	return out
}
