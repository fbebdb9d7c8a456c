package control

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/store"
)

// AddSite makes a site: a place with its own clock. Naming the first network of a place makes it too; this
// is for places whose devices no network shows.
func (c *Control) AddSite(ctx context.Context, who firmward.Person, s firmward.Site) (firmward.Site, error) {
	err := c.Store.Tx(ctx, func(tx *store.Tx) error {
		if _, err := tx.Site(ctx, s.Name); err == nil {
			return firmward.Errorf(firmward.Conflict, "a site is called "+s.Name+" already")
		}
		return c.newSite(ctx, tx, who, s)
	})
	return s, err
}

// SetSite changes the time zone and the region of a site; what is nil stays.
func (c *Control) SetSite(ctx context.Context, who firmward.Person, name string, timeZone, region *string) (firmward.Site, error) {
	var s firmward.Site
	if timeZone == nil && region == nil {
		return s, firmward.Errorf(firmward.Invalid, "say what to set: the time zone (--time-zone), the region (--region)")
	}
	err := c.Store.Tx(ctx, func(tx *store.Tx) error {
		old, err := knownSite(ctx, tx.Reader, name)
		if err != nil {
			return err
		}
		s = old
		detail := map[string]string{}
		if timeZone != nil {
			s.TimeZone, detail["before"], detail["after"] = *timeZone, old.TimeZone, *timeZone
		}
		if region != nil {
			s.Region, detail["region-before"], detail["region"] = *region, old.Region, *region
		}
		if err := checkSite(s); err != nil {
			return err
		}
		if err := tx.PutSite(ctx, s); err != nil {
			return err
		}
		return c.leaf(ctx, tx, who.Name, "site-set", name, detail)
	})
	if err == nil {
		c.touchAll() // maintenance windows moved
	}
	return s, err
}

// RemoveSite forgets a site at which nothing stands, so that a mistyped one does not stay.
func (c *Control) RemoveSite(ctx context.Context, who firmward.Person, name string) error {
	return c.Store.Tx(ctx, func(tx *store.Tx) error {
		if _, err := knownSite(ctx, tx.Reader, name); err != nil {
			return err
		}
		networks, _, err := tx.Networks(ctx, name, store.Page{Limit: 1})
		if err != nil {
			return err
		}
		devices, _, err := tx.Devices(ctx, store.DeviceFilter{Site: name}, store.Page{Limit: 1})
		switch {
		case err != nil:
			return err
		case len(networks) > 0:
			return firmward.Errorf(firmward.Conflict, name+" has the network "+networks[0].Prefix.String()+": remove it first (networks remove)")
		case len(devices) > 0:
			return firmward.Errorf(firmward.Conflict, "devices belong to "+name+", for example "+devices[0].Name+": their history keeps it")
		}
		freezes, err := tx.Freezes(ctx, name)
		if err != nil {
			return err
		}
		if len(freezes) > 0 {
			return firmward.Errorf(firmward.Conflict, name+" has the freeze "+freezes[0].Name+": lift it first (sites unfreeze)")
		}
		if err := tx.DeleteSite(ctx, name); err != nil {
			return err
		}
		return c.leaf(ctx, tx, who.Name, "site-remove", name, nil)
	})
}

// newSite checks and writes a site that is not there yet.
func (c *Control) newSite(ctx context.Context, tx *store.Tx, who firmward.Person, s firmward.Site) error {
	if err := checkName("site", s.Name); err != nil {
		return err
	}
	if err := checkSite(s); err != nil {
		return err
	}
	all, err := siteNames(ctx, tx.Reader)
	if err != nil {
		return err
	}
	for _, name := range all {
		if strings.EqualFold(name, s.Name) {
			return firmward.Errorf(firmward.Conflict, "a site is called "+name+" already: write it so")
		}
	}
	if err := tx.PutSite(ctx, s); err != nil {
		return err
	}
	return c.leaf(ctx, tx, who.Name, "site-add", s.Name, map[string]string{"time-zone": s.TimeZone, "region": s.Region})
}

// checkSite refuses a clock that nobody keeps and a region that is none.
func checkSite(s firmward.Site) error {
	if err := checkTimeZone(s.TimeZone); err != nil {
		return err
	}
	return checkRegion(s.Region)
}

// checkRegion refuses what is no name of a regulatory region.
func checkRegion(region string) error {
	if region != "" && !regionName.MatchString(region) {
		return firmward.Errorf(firmward.Invalid, fmt.Sprintf("%q is no region: want capital letters, such as EU, US or UK", region))
	}
	return nil
}

var regionName = regexp.MustCompile(`^[A-Z][A-Z-]{1,15}$`)

// knownSite gives a site, or says which ones there are and how another is made.
func knownSite(ctx context.Context, r store.Reader, name string) (firmward.Site, error) {
	s, err := r.Site(ctx, name)
	if firmward.CodeOf(err) != firmward.NotFound {
		return s, err
	}
	all, err := siteNames(ctx, r)
	if err != nil {
		return s, err
	}
	const shown = 12
	known := "none is known yet"
	if len(all) > 0 {
		known = "known are " + strings.Join(all[:min(len(all), shown)], ", ")
	}
	if more := len(all) - shown; more > 0 {
		known += fmt.Sprintf(" and %d more (firmward sites)", more)
	}
	return s, firmward.Errorf(firmward.NotFound, fmt.Sprintf("no site is called %q: %s. A new one is made by: firmward sites add NAME, or with its first network", name, known))
}

func siteNames(ctx context.Context, r store.Reader) ([]string, error) {
	var names []string
	for s, err := range store.All(func(p store.Page) ([]firmward.Site, string, error) { return r.Sites(ctx, p) }) {
		if err != nil {
			return nil, err
		}
		names = append(names, s.Name)
	}
	return names, nil
}

// maxName is the longest name of a site or a freeze, in characters.
const maxName = 64

// checkName refuses names that could not be told apart on a screen or in a path.
func checkName(of, name string) error {
	odd := strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) || r == '/' })
	if name == "" || strings.TrimSpace(name) != name || odd || len([]rune(name)) > maxName {
		return firmward.Errorf(firmward.Invalid, fmt.Sprintf("%q is no name for a %s: want up to %d printable characters, no slash, no space at its ends", name, of, maxName))
	}
	return nil
}

func checkTimeZone(name string) error {
	if _, err := time.LoadLocation(name); err != nil || name == "Local" {
		return firmward.Errorf(firmward.Invalid, name+" is no time zone: want an IANA name such as Europe/Berlin")
	}
	return nil
}
