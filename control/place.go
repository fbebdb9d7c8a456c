package control

import (
	"context"
	"net/netip"
	"slices"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/store"
)

// newcomers are the known devices that stand in a network as soon as it is named: those of the network around it,
// and those of its site that no network showed.
func newcomers(ctx context.Context, r store.Reader, n firmward.Network) ([]firmward.Device, error) {
	around, _, err := aroundNetwork(ctx, r, n.Prefix)
	if err != nil {
		return nil, err
	}
	out, err := devicesIn(ctx, r, store.DeviceFilter{Site: n.Site}, n.Prefix)
	if err != nil {
		return nil, err
	}
	out = slices.DeleteFunc(out, func(d firmward.Device) bool { return d.Network != "" })
	if !around.Prefix.IsValid() {
		return out, nil
	}
	inside, err := devicesIn(ctx, r, store.DeviceFilter{Network: around.Prefix.String()}, n.Prefix)
	return append(out, inside...), err
}

// devicesIn lists devices with an address in a prefix.
func devicesIn(ctx context.Context, r store.Reader, want store.DeviceFilter, p netip.Prefix) ([]firmward.Device, error) {
	var out []firmward.Device
	for d, err := range store.All(func(page store.Page) ([]firmward.Device, string, error) { return r.Devices(ctx, want, page) }) {
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(d.Addrs, p.Contains) {
			out = append(out, d)
		}
	}
	return out, nil
}

// allNetworks lists the named networks.
func allNetworks(ctx context.Context, r store.Reader) ([]firmward.Network, error) {
	return store.Every(func(p store.Page) ([]firmward.Network, string, error) { return r.Networks(ctx, "", p) })
}

// aroundNetwork is the narrowest named network around a prefix.
func aroundNetwork(ctx context.Context, r store.Reader, p netip.Prefix) (around firmward.Network, found bool, err error) {
	all, err := allNetworks(ctx, r)
	for _, n := range all {
		if n.Prefix.Bits() < p.Bits() && n.Prefix.Contains(p.Addr()) && (!found || n.Prefix.Bits() > around.Prefix.Bits()) {
			around, found = n, true
		}
	}
	return around, found, err
}

// move puts devices into a network. From now on they are in its zone, before anybody looks.
func (c *Control) move(ctx context.Context, tx *store.Tx, who firmward.Person, devices []firmward.Device, to firmward.Network) error {
	for _, d := range devices {
		d.Site, d.Network, d.Zone = to.Site, to.Prefix.String(), to.Zone()
		if err := tx.PutDevice(ctx, d, store.Change{Actor: who.Name, Source: "network " + d.Network, At: c.Clock.Now()}); err != nil {
			return err
		}
	}
	return nil
}
