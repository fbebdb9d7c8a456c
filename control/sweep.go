package control

import (
	"context"
	"net/netip"
	"slices"
	"strings"

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

// withheld says whom a scan did not ask, and why.
func withheld(blind bool, notSwept string, inner prefixes) string {
	var said []string
	if blind && notSwept != "" {
		said = append(said, "this host cannot see its neighbours there, and "+notSwept+
			" is not swept address by address: only devices of the inventory were asked. Add others with their addresses, by hand or by import")
	}
	if len(inner) > 0 {
		names := make([]string, len(inner))
		for i, p := range inner {
			names[i] = p.String()
		}
		said = append(said, "what is named inside is scanned by its own name and profile: "+strings.Join(names, ", "))
	}
	return strings.Join(said, "; ")
}

// prefixes are address ranges.
type prefixes []netip.Prefix

func (p prefixes) contain(a netip.Addr) bool {
	return slices.ContainsFunc(p, func(in netip.Prefix) bool { return in.Contains(a) })
}

func (p prefixes) leaveOut(from []netip.Addr) []netip.Addr {
	if len(p) == 0 {
		return from
	}
	return slices.DeleteFunc(slices.Clone(from), p.contain)
}

// innerNetworks lists the networks that are named inside another one. Their addresses are theirs alone: a ward
// stays as careful as it was named, whoever names the whole building an office.
func (c *Control) innerNetworks(ctx context.Context, network firmward.Network) (prefixes, error) {
	all, err := allNetworks(ctx, c.Store.Reader)
	if err != nil {
		return nil, err
	}
	var inner prefixes
	for _, n := range all {
		if n.Prefix.Bits() > network.Prefix.Bits() && network.Prefix.Contains(n.Prefix.Addr()) {
			inner = append(inner, n.Prefix)
		}
	}
	return inner, nil
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
	return sorted(out), err
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
