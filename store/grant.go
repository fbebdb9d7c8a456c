package store

import (
	"context"
	"net/netip"
	"time"
)

// Grant lets the device at one address fetch one firmware file from a path, until it expires.
type Grant struct {
	Path    string
	SHA256  string
	Addr    netip.Addr
	Expires time.Time
}

// PutGrant writes a grant by its path and forgets those that have expired.
func (t *Tx) PutGrant(ctx context.Context, g Grant, now time.Time) error {
	if err := t.put(ctx, "DELETE FROM image_grant WHERE expires <= $1", now); err != nil {
		return err
	}
	return t.put(ctx, `INSERT INTO image_grant (path, sha256, addr, expires) VALUES ($1, $2, $3, $4)
		ON CONFLICT (path) DO UPDATE SET sha256 = excluded.sha256, addr = excluded.addr, expires = excluded.expires`,
		g.Path, g.SHA256, g.Addr, g.Expires)
}

// Grants gives the grants that have not expired, sorted by path.
func (r Reader) Grants(ctx context.Context, now time.Time) ([]Grant, error) {
	return list(ctx, r, func(s scan) (g Grant, err error) {
		err = s(&g.Path, &g.SHA256, addrInto{&g.Addr}, timeInto{&g.Expires})
		return g, err
	}, "SELECT path, sha256, addr, expires FROM image_grant WHERE expires > $1 ORDER BY path", now)
}
