package main

import (
	"context"
	"fmt"
	"net/url"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/httpapi"
)

// ReleasesRegressionCmd records that a jump breaks something.
type ReleasesRegressionCmd struct {
	ID     string `arg:"" help:"Release."`
	From   string `help:"Version from which the jump is made." required:"" placeholder:"VERSION"`
	Model  string `help:"Only for this model; every one of the release unless given." placeholder:"MODEL"`
	Why    string `help:"What breaks." required:"" placeholder:"WHAT"`
	Source string `help:"Who says so: URL or words." required:"" placeholder:"TEXT"`
}

// Help gives examples.
func (ReleasesRegressionCmd) Help() string {
	return "No device makes that jump from then on, in rollouts that run neither. Other ways to the release stay open.\n\n" +
		examples("firmward releases regression rel-0123456789ab --from 10.12.206 \\", "    --why 'the stream stops' --source https://vendor.example/kb/7")
}

// Run carries it out.
func (c *ReleasesRegressionCmd) Run(ctx context.Context, a *app) error {
	var r httpapi.Release
	in := httpapi.NewRegression{Model: c.Model, From: c.From, Why: c.Why, Source: c.Source}
	if err := a.client.post(ctx, "/releases/"+url.PathEscape(c.ID)+"/regressions", in, &r); err != nil {
		return err
	}
	return a.say(r, fmt.Sprintf("No device goes from %s to %s any more.", c.From, r.Version))
}

// ReleasesPermitCmd records a manufacturer's permission.
type ReleasesPermitCmd struct {
	ID     string `arg:"" help:"Release."`
	Model  string `help:"Exact model name." required:"" placeholder:"MODEL"`
	Region string `help:"Region of sites, or * if the manufacturer permits it everywhere." required:"" placeholder:"EU"`
	Source string `help:"The document: URL or words." required:"" placeholder:"TEXT"`
}

// Help gives examples.
func (ReleasesPermitCmd) Help() string {
	return "Devices that keep people alive (infusion pumps, ventilators, patient monitors, safety controllers) take no release without it: for their model, for this version, and for " +
		"the region of their site (firmward sites set SITE --region REGION). Being exploited shortens nothing here.\n\n" +
		examples("firmward releases permit rel-0123456789ab --model 'Alaris 8015' \\", "    --region EU --source 'field safety notice FSN-2026-07'")
}

// Run carries it out.
func (c *ReleasesPermitCmd) Run(ctx context.Context, a *app) error {
	var r httpapi.Release
	in := httpapi.NewPermission{Model: c.Model, Region: c.Region, Source: c.Source}
	if err := a.client.post(ctx, "/releases/"+url.PathEscape(c.ID)+"/permissions", in, &r); err != nil {
		return err
	}
	where := "in region " + c.Region
	if c.Region == firmward.AnyRegion {
		where = "in every region"
	}
	return a.say(r, fmt.Sprintf("%s is permitted for %s %s.", r.Version, c.Model, where))
}
