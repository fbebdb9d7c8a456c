package main

import (
	"context"

	"github.com/firmward/firmward/httpapi"
)

// FindingsCmd lists findings.
type FindingsCmd struct {
	Listing
	Device    string `help:"Only of this device." placeholder:"REF"`
	Advisory  string `help:"Only of this advisory." placeholder:"ID"`
	Verdict   string `help:"Only with this verdict: affected, likely, possible, not-affected." enum:",affected,likely,possible,not-affected" default:"" placeholder:"VERDICT"`
	Exploited bool   `help:"Only those known to be exploited."`
	Closed    bool   `help:"Closed and not-affected ones too."`
}

// Help gives examples.
func (FindingsCmd) Help() string {
	return examples("firmward findings --exploited", "firmward findings --device cam-1 --closed", "firmward findings --advisory CVE-2024-3273 --json")
}

// Run carries it out.
func (c *FindingsCmd) Run(ctx context.Context, a *app) error {
	if err := a.client.settle(ctx); err != nil {
		return err
	}
	q := values("device", c.Device, "advisory", c.Advisory, "verdict", c.Verdict)
	if c.Exploited {
		q.Set("exploited", "true")
	}
	if !c.Closed {
		q.Set("open", "true")
	}
	return listTo(ctx, a, "/findings", q, c.Limit, []string{"DEVICE", "ADVISORY", "VERDICT", "FIRMWARE", "WHAT"}, func(f httpapi.Finding) []string {
		return []string{f.Device, f.Advisory, verdictText(f), known(f.Firmware), scoreText(f) + " (" + f.Reason + ")"}
	})
}
