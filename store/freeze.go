package store

import (
	"context"
	"fmt"

	"github.com/firmward/firmward"
)

// SiteFreeze is a freeze that a person set for a site.
type SiteFreeze struct {
	Site string
	firmward.Freeze
}

// AddFreeze writes a freeze of a site. Conflict when the site has one of that name.
func (t *Tx) AddFreeze(ctx context.Context, site string, f firmward.Freeze) error {
	n, err := t.exec(ctx, "INSERT INTO site_freeze (site, name, body) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", site, f.Name, js{f})
	if err == nil && n == 0 {
		return firmward.Errorf(firmward.Conflict, fmt.Sprintf("%s has a freeze called %s already: give this one another name", site, f.Name))
	}
	return err
}

// DeleteFreeze removes a freeze of a site. NotFound when there is none of that name.
func (t *Tx) DeleteFreeze(ctx context.Context, site, name string) error {
	n, err := t.exec(ctx, "DELETE FROM site_freeze WHERE site = $1 AND name = $2", site, name)
	if err == nil && n == 0 {
		return notFound("freeze", name)
	}
	return err
}

// Freezes lists the freezes of a site, or of all sites when site is empty, by site and name. There are a handful.
func (r Reader) Freezes(ctx context.Context, site string) ([]SiteFreeze, error) {
	var f filter
	f.is("site", site)
	return list(ctx, r, func(s scan) (out SiteFreeze, err error) {
		err = s(&out.Site, body{&out.Freeze})
		return out, err
	}, "SELECT site, body FROM site_freeze"+f.where()+" ORDER BY site, name", f.args...)
}
