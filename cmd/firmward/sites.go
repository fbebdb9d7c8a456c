package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/httpapi"
)

// SitesCmd is about places.
type SitesCmd struct {
	List   SitesListCmd   `cmd:"" default:"withargs" help:"List sites."`
	Add    SitesAddCmd    `cmd:"" help:"Make a site whose devices no network shows."`
	Set    SitesSetCmd    `cmd:"" help:"Set the time zone and the region of a site."`
	Remove SitesRemoveCmd `cmd:"" help:"Forget a site at which nothing stands."`

	Freeze   SitesFreezeCmd   `cmd:"" help:"Let nothing start at a site for a time."`
	Unfreeze SitesUnfreezeCmd `cmd:"" help:"Lift a freeze."`
	Freezes  SitesFreezesCmd  `cmd:"" help:"List the freezes of sites."`
}

// SitesListCmd lists sites.
type SitesListCmd struct{ Listing }

// Help gives examples.
func (SitesListCmd) Help() string { return examples("firmward sites", "firmward sites list --json") }

// Run carries it out.
func (c *SitesListCmd) Run(ctx context.Context, a *app) error {
	return listTo(ctx, a, "/sites", nil, c.Limit, []string{"SITE", "TIME ZONE"}, func(s httpapi.Site) []string {
		return []string{s.Name, clockOf(s)}
	})
}

func clockOf(s httpapi.Site) string {
	if s.TimeZone == "" {
		return "UTC"
	}
	return s.TimeZone
}

// SitesAddCmd makes a site.
type SitesAddCmd struct {
	Name     string `arg:"" help:"What people call it."`
	TimeZone string `help:"Its time zone, for maintenance windows; UTC unless given." placeholder:"Europe/Berlin"`
}

// Help gives examples.
func (SitesAddCmd) Help() string {
	return "The first network of a place makes its site too: firmward networks add.\n\n" +
		examples("firmward sites add 'holiday house' --time-zone Europe/Berlin")
}

// Run carries it out.
func (c *SitesAddCmd) Run(ctx context.Context, a *app) error {
	var s httpapi.Site
	if err := a.client.post(ctx, "/sites", httpapi.Site{Name: c.Name, TimeZone: c.TimeZone}, &s); err != nil {
		return err
	}
	return a.say(s, fmt.Sprintf("%s is a site, its clock is %s.", s.Name, clockOf(s)))
}

// SitesSetCmd sets the clock and the region of a site.
type SitesSetCmd struct {
	Name     string  `arg:"" help:"Site."`
	TimeZone *string `help:"Its time zone, for maintenance windows." placeholder:"Europe/Berlin"`
	Region   *string `help:"Its regulatory region, for permissions of manufacturers." placeholder:"EU"`
}

// Help gives examples.
func (SitesSetCmd) Help() string {
	return examples("firmward sites set home --time-zone Europe/Berlin", "firmward sites set clinic --region EU")
}

// Run carries it out.
func (c *SitesSetCmd) Run(ctx context.Context, a *app) error {
	var s httpapi.Site
	if err := a.client.do(ctx, call{method: http.MethodPatch, path: "/sites/" + url.PathEscape(c.Name), in: httpapi.SiteFacts{TimeZone: c.TimeZone, Region: c.Region}, out: &s}); err != nil {
		return err
	}
	text := fmt.Sprintf("The clock of %s is %s", s.Name, clockOf(s))
	if s.Region != "" {
		text += ", its region is " + s.Region
	}
	return a.say(s, text+".")
}

// SitesRemoveCmd forgets a site.
type SitesRemoveCmd struct {
	Name string `arg:"" help:"Site."`
}

// Help gives examples.
func (SitesRemoveCmd) Help() string { return examples("firmward sites remove clnic") }

// Run carries it out.
func (c *SitesRemoveCmd) Run(ctx context.Context, a *app) error {
	if err := a.client.do(ctx, call{method: http.MethodDelete, path: "/sites/" + url.PathEscape(c.Name)}); err != nil {
		return err
	}
	return a.say(map[string]string{"removed": c.Name}, c.Name+" is a site no more.")
}

// siteNames lists the known sites.
func siteNames(ctx context.Context, a *app) ([]string, error) {
	var names []string
	_, err := pages(ctx, a.client, "/sites", nil, 0, func(s httpapi.Site) error {
		names = append(names, s.Name)
		return nil
	})
	return names, err
}

// siteKnown refuses to list what stands at a site that does not exist: an empty list would look like peace.
func siteKnown(ctx context.Context, a *app, name string) error {
	if name == "" {
		return nil
	}
	names, err := siteNames(ctx, a)
	if err != nil {
		return err
	}
	if slices.Contains(names, name) {
		return nil
	}
	return firmward.Errorf(firmward.NotFound, fmt.Sprintf("no site is called %q: known are %s", name, join(names)))
}

// sayNewSite says that naming a network made its site, beside which others, so that a mistyped name is seen.
func sayNewSite(ctx context.Context, a *app, w io.Writer, n httpapi.Network, timeZone string) error {
	if !n.NewSite {
		return nil
	}
	names, err := siteNames(ctx, a)
	if err != nil {
		return err
	}
	text := n.Site + " is a new site"
	if others := slices.DeleteFunc(names, func(name string) bool { return name == n.Site }); len(others) > 0 {
		text += " beside " + strings.Join(others[:min(len(others), 12)], ", ")
	}
	if timeZone == "" {
		text += fmt.Sprintf("; its clock is UTC until you set it: firmward sites set %s --time-zone Europe/Berlin", quoted(n.Site))
	} else {
		text += ", its clock is " + timeZone + "."
	}
	for _, l := range wrap(clean(text), a.width) {
		fmt.Fprintln(w, l)
	}
	return nil
}

// quoted writes an argument as a shell takes it.
func quoted(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-_.:/@+,", r)
	}) {
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	return s
}
