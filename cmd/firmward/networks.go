package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/httpapi"
)

// NetworksCmd is about named networks.
type NetworksCmd struct {
	Add    NetworksAddCmd    `cmd:"" help:"Name a network: firmward looks nowhere else."`
	List   NetworksListCmd   `cmd:"" default:"withargs" help:"List named networks."`
	Allow  NetworksAllowCmd  `cmd:"" help:"Let probes go further, or take that back."`
	Remove NetworksRemoveCmd `cmd:"" help:"Take the name of a network back."`
}

// Place says what a network is, for the commands that name one.
type Place struct {
	Site     string `help:"Where it is; a new site is made." placeholder:"NAME"`
	Profile  string `help:"How careful to be: home, office, ot, medical." enum:",home,office,ot,medical" default:"" placeholder:"PROFILE"`
	TimeZone string `help:"Time zone of the site, for maintenance windows." placeholder:"Europe/Berlin"`
	Owned    bool   `help:"The range is public and yours."`
	Yes      bool   `help:"You mean a range of more than a /16."`
}

func (p Place) add(ctx context.Context, c *client, prefix string) (httpapi.Network, error) {
	var n httpapi.Network
	err := c.post(ctx, "/networks", httpapi.NewNetwork{
		Prefix: prefix, Site: p.Site, Profile: firmward.Profile(p.Profile), TimeZone: p.TimeZone, Owned: p.Owned, Yes: p.Yes,
	}, &n)
	return n, err
}

// NetworksAddCmd names a network.
type NetworksAddCmd struct {
	Network string `arg:"" help:"Address range, 192.168.1.0/24."`
	Place
}

// Help gives examples.
func (NetworksAddCmd) Help() string {
	return examples("firmward networks add 192.168.1.0/24 --site home --profile home",
		"firmward networks add 10.40.0.0/24 --site clinic --profile medical \\", "    --time-zone Europe/Berlin")
}

// Run carries it out.
func (c *NetworksAddCmd) Run(ctx context.Context, a *app) error {
	if c.Site == "" || c.Profile == "" {
		return usageError("a network needs --site NAME and --profile home, office, ot or medical")
	}
	n, err := c.add(ctx, a.client, c.Network)
	if err != nil {
		return err
	}
	if done, err := a.asJSON(n); done {
		return err
	}
	fmt.Fprintf(a.out, "%s at %s is named, profile %s: probes may be %s.\n", n.Prefix, n.Site, n.Profile, n.Allowed)
	if err := sayNewSite(ctx, a, a.out, n, c.TimeZone); err != nil {
		return err
	}
	if n.Allowed == firmward.Passive.String() {
		a.para(0, "Nothing is sent to its devices until you allow more: firmward networks allow "+n.Prefix+" --step polite. What they say to everybody is listened to.")
	}
	return nil
}

// NetworksListCmd lists networks.
type NetworksListCmd struct {
	Listing
	Site string `help:"Only of this site." placeholder:"NAME"`
}

// Help gives examples.
func (NetworksListCmd) Help() string {
	return examples("firmward networks", "firmward networks list --site clinic --json")
}

// Run carries it out.
func (c *NetworksListCmd) Run(ctx context.Context, a *app) error {
	if err := siteKnown(ctx, a, c.Site); err != nil {
		return err
	}
	heard, deaf := false, []string(nil)
	err := listTo(ctx, a, "/networks", values("site", c.Site), c.Limit, []string{"NETWORK", "SITE", "PROFILE", "PROBES", "HEARD", "NAMED BY", "LAST SCAN"},
		func(n httpapi.Network) []string {
			scanned, listening := "never", "no"
			if !n.Scanned.IsZero() {
				scanned = when(n.Scanned)
			}
			if n.Listening {
				heard, listening = true, "yes"
			}
			if n.Deaf != "" && !slices.Contains(deaf, n.Deaf) {
				deaf = append(deaf, n.Deaf)
			}
			return []string{n.Prefix, n.Site, string(n.Profile), n.Allowed, listening, n.NamedBy, scanned}
		})
	if heard {
		a.para(0, "Heard: what devices there say to everybody by ARP and DHCP. Listening sends nothing.")
	}
	for _, why := range deaf {
		a.para(0, "Not heard: "+why+".")
	}
	return err
}

// NetworksAllowCmd raises or lowers what probes may do.
type NetworksAllowCmd struct {
	Network string `arg:"" help:"Named network."`
	Step    string `help:"passive, polite or stateful." enum:"passive,polite,stateful" required:""`
}

// Help gives examples.
func (NetworksAllowCmd) Help() string {
	return examples("firmward networks allow 10.40.0.0/24 --step polite", "firmward networks allow 10.40.0.0/24 --step passive")
}

// Run carries it out.
func (c *NetworksAllowCmd) Run(ctx context.Context, a *app) error {
	var n httpapi.Network
	if err := a.client.post(ctx, "/networks/"+url.PathEscape(c.Network)+"/allow", httpapi.AllowStep{Step: c.Step}, &n); err != nil {
		return err
	}
	return a.say(n, fmt.Sprintf("%s: probes may be %s, allowed by %s.", n.Prefix, n.Allowed, n.Allower))
}

// NetworksRemoveCmd takes the name of a network back.
type NetworksRemoveCmd struct {
	Network string `arg:"" help:"Named network in which no device is known."`
}

// Help gives examples.
func (NetworksRemoveCmd) Help() string { return examples("firmward networks remove 10.50.0.0/24") }

// Run carries it out.
func (c *NetworksRemoveCmd) Run(ctx context.Context, a *app) error {
	if err := a.client.do(ctx, call{method: http.MethodDelete, path: "/networks/" + url.PathEscape(c.Network)}); err != nil {
		return err
	}
	return a.say(map[string]string{"removed": c.Network}, c.Network+" is named no more: nothing is sent there.")
}
