package store

import (
	"context"
	"net/netip"

	"github.com/firmward/firmward"
)

// PutSite writes a site by its name.
func (t *Tx) PutSite(ctx context.Context, s firmward.Site) error {
	return t.put(ctx, "INSERT INTO site (name, body) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET body = excluded.body", s.Name, js{s})
}

// DeleteSite forgets a site. What refers to it is the caller's to look at.
func (t *Tx) DeleteSite(ctx context.Context, name string) error {
	n, err := t.exec(ctx, "DELETE FROM site WHERE name = $1", name)
	if err == nil && n == 0 {
		return notFound("site", name)
	}
	return err
}

// Site gives the named site.
func (r Reader) Site(ctx context.Context, name string) (firmward.Site, error) {
	return one[firmward.Site](ctx, r, "site", name, "SELECT body FROM site WHERE name = $1", name)
}

// Sites lists sites by name.
func (r Reader) Sites(ctx context.Context, p Page) ([]firmward.Site, string, error) {
	return page(ctx, r, ordered("name"), p, filter{}, "site", "body", bodies[firmward.Site])
}

// PutNetwork writes a named network by its prefix, which is masked first.
func (t *Tx) PutNetwork(ctx context.Context, n firmward.Network) error {
	n.Prefix = n.Prefix.Masked()
	return t.put(ctx, `INSERT INTO network (prefix, site, bits, body) VALUES ($1, $2, $3, $4)
		ON CONFLICT (prefix) DO UPDATE SET site = excluded.site, body = excluded.body`, n.Prefix, n.Site, n.Prefix.Bits(), js{n})
}

// DeleteNetwork forgets a network: firmward sends nothing there any more.
func (t *Tx) DeleteNetwork(ctx context.Context, prefix netip.Prefix) error {
	n, err := t.exec(ctx, "DELETE FROM network WHERE prefix = $1", prefix.Masked())
	if err == nil && n == 0 {
		return notFound("network", prefix.String())
	}
	return err
}

// Network gives the network with exactly this prefix.
func (r Reader) Network(ctx context.Context, prefix netip.Prefix) (firmward.Network, error) {
	return one[firmward.Network](ctx, r, "network", prefix.String(), "SELECT body FROM network WHERE prefix = $1", prefix.Masked())
}

// Networks lists networks by prefix, of one site unless site is empty.
func (r Reader) Networks(ctx context.Context, site string, p Page) ([]firmward.Network, string, error) {
	var f filter
	f.is("site", site)
	return page(ctx, r, ordered("prefix"), p, f, "network", "body", bodies[firmward.Network])
}

// NetworkFor gives the network with the longest prefix that contains the address. NotFound means that nobody named a
// network for it: nothing may be sent there.
func (r Reader) NetworkFor(ctx context.Context, addr netip.Addr) (firmward.Network, error) {
	var f filter
	addr = addr.Unmap().WithZone("")
	prefixes := make([]string, 0, addr.BitLen()+1)
	for bits := range addr.BitLen() + 1 {
		if p, err := addr.Prefix(bits); err == nil {
			prefixes = append(prefixes, p.String())
		}
	}
	f.in("prefix", prefixes)
	return one[firmward.Network](ctx, r, "named network for", addr.String(),
		"SELECT body FROM network"+f.where()+" ORDER BY bits DESC LIMIT 1", f.args...)
}
