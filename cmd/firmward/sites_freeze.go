package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/firmward/firmward/httpapi"
)

// SitesFreezesCmd lists freezes.
type SitesFreezesCmd struct {
	Site string `arg:"" optional:"" help:"Of one site."`
}

// Help gives examples.
func (SitesFreezesCmd) Help() string {
	return examples("firmward sites freezes", "firmward sites freezes home --json")
}

// Run carries it out.
func (c *SitesFreezesCmd) Run(ctx context.Context, a *app) error {
	if err := siteKnown(ctx, a, c.Site); err != nil {
		return err
	}
	return listTo(ctx, a, "/freezes", values("site", c.Site), 0, []string{"SITE", "FREEZE", "FROM", "TO", "STATE", "BY", "WHY"}, func(f httpapi.Freeze) []string {
		state := f.State
		if f.Yearly {
			state += ", yearly"
		}
		return []string{f.Site, f.Name, f.From, f.To, state, f.By, f.Why}
	})
}

// SitesFreezeCmd lets nothing start at a site for a time.
type SitesFreezeCmd struct {
	Site   string `arg:"" help:"Site."`
	From   string `help:"First day, or a time on the clock of the site, or one with its offset." required:"" placeholder:"2026-12-20"`
	To     string `help:"Last day, or a time as above." required:"" placeholder:"2027-01-06T06:00"`
	Why    string `help:"Why, for whoever waits for the end." required:""`
	Name   string `help:"What to call it; the first day unless given."`
	Yearly bool   `help:"Again in each later year."`
}

// Help gives examples.
func (SitesFreezeCmd) Help() string {
	return "No update starts at the site meanwhile, nor so late before that a device would not be back. What is on its way goes on.\n" +
		"A rollout that was hastened waits too: only a person lifts a freeze.\n\n" +
		examples("firmward sites freeze shop --from 2026-11-27 --to 2026-11-30 --why 'sales'",
			"firmward sites freeze lab --from 2026-12-24T12:00 --to 2026-12-26 --why rest")
}

// Run carries it out.
func (c *SitesFreezeCmd) Run(ctx context.Context, a *app) error {
	var f httpapi.Freeze
	in := httpapi.NewFreeze{Name: c.Name, From: c.From, To: c.To, Yearly: c.Yearly, Why: c.Why}
	if err := a.client.post(ctx, "/sites/"+url.PathEscape(c.Site)+"/freezes", in, &f); err != nil {
		return err
	}
	const minute = "2006-01-02 15:04 -07:00"
	return a.say(f, fmt.Sprintf("Nothing starts at %s from %s to %s. To lift it: firmward sites unfreeze %s %s",
		f.Site, f.Begins.Format(minute), f.Ends.Format(minute), quoted(f.Site), quoted(f.Name)))
}

// SitesUnfreezeCmd lifts a freeze.
type SitesUnfreezeCmd struct {
	Site string `arg:"" help:"Site."`
	Name string `arg:"" help:"Name of the freeze: firmward sites freezes."`
}

// Help gives examples.
func (SitesUnfreezeCmd) Help() string {
	return examples("firmward sites unfreeze shop 2026-11-27")
}

// Run carries it out.
func (c *SitesUnfreezeCmd) Run(ctx context.Context, a *app) error {
	path := "/sites/" + url.PathEscape(c.Site) + "/freezes/" + url.PathEscape(c.Name)
	if err := a.client.do(ctx, call{method: http.MethodDelete, path: path}); err != nil {
		return err
	}
	return a.say(map[string]string{"lifted": c.Name, "site": c.Site}, fmt.Sprintf("%s holds at %s no more.", c.Name, c.Site))
}
