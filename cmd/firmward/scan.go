package main

import (
	"context"
	"fmt"
	"net/netip"
	"net/url"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/httpapi"
)

// ScanCmd looks at named networks.
type ScanCmd struct {
	Network string `arg:"" optional:"" help:"Address range; named once with --site and --profile if it is not yet."`
	All     bool   `help:"Every named network."`
	Place
	Verbose bool `short:"v" help:"Show the evidence for each device."`
	Preview bool `help:"Show what would be sent by which probe, and what would not; send nothing and name nothing."`
}

// Help gives examples.
func (ScanCmd) Help() string {
	return examples("firmward scan 192.168.1.0/24 --site home --profile home", "firmward scan --all", "firmward scan 192.168.1.0/24 -v",
		"firmward scan 10.40.0.0/24 --profile ot --preview")
}

// Run carries it out.
func (c *ScanCmd) Run(ctx context.Context, a *app) error {
	if (c.Network == "") != c.All {
		return usageError("say which network, or --all")
	}
	named := map[string]httpapi.Network{}
	var todo []string
	if _, err := pages(ctx, a.client, "/networks", nil, 0, func(n httpapi.Network) error {
		named[n.Prefix] = n
		todo = append(todo, n.Prefix)
		return nil
	}); err != nil {
		return err
	}
	if !c.All {
		p, err := netip.ParsePrefix(c.Network)
		if err != nil {
			return usageError(c.Network + " is not a network: want for example 192.168.1.0/24")
		}
		todo = []string{p.Masked().String()}
		if c.Preview {
			return c.preview(ctx, a, todo[0])
		}
		if n, ok := named[todo[0]]; !ok {
			err = c.name(ctx, a, todo[0])
		} else {
			err = c.fits(n)
		}
		if err != nil {
			return err
		}
	}
	if len(todo) == 0 {
		return firmward.Errorf(firmward.NotFound, "no network is named yet: firmward networks add")
	}
	failed := false
	for _, prefix := range todo {
		if c.Preview {
			if err := c.preview(ctx, a, prefix); err != nil {
				return err
			}
			continue
		}
		s, err := c.scan(ctx, a, prefix)
		if err != nil {
			return err
		}
		failed = failed || s.Error != ""
		if err := c.receipt(ctx, a, s); err != nil {
			return err
		}
	}
	if failed {
		return exitWith(exitError)
	}
	return nil
}

// name names the network when the person said what it is.
func (c *ScanCmd) name(ctx context.Context, a *app, prefix string) error {
	if c.Site == "" || c.Profile == "" {
		return firmward.Errorf(firmward.Refused, prefix+" is not a named network, and firmward looks only where a person said so: add --site NAME and --profile home, office, ot or medical")
	}
	n, err := c.add(ctx, a.client, prefix)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.err, "%s at %s is named now, profile %s.\n", n.Prefix, n.Site, n.Profile)
	return sayNewSite(ctx, a, a.err, n, c.TimeZone)
}

// fits refuses a site or profile that is not that of the named network: it would be ignored.
func (c *ScanCmd) fits(n httpapi.Network) error {
	if c.Site != "" && c.Site != n.Site || c.Profile != "" && c.Profile != string(n.Profile) {
		return firmward.Errorf(firmward.Conflict, fmt.Sprintf("%s is named already, at %s with profile %s: leave out --site and --profile", n.Prefix, n.Site, n.Profile))
	}
	return nil
}

// progressEvery is how often a running scan is asked.
const progressEvery = 200 * time.Millisecond

// scan starts a scan and waits for its end.
func (c *ScanCmd) scan(ctx context.Context, a *app, prefix string) (httpapi.Scan, error) {
	var s httpapi.Scan
	if err := a.client.post(ctx, "/scans", httpapi.NewScan{Network: prefix}, &s); err != nil {
		return s, err
	}
	wait := a.client.scanning(ctx)
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	for {
		if err := a.client.get(ctx, "/scans/"+url.PathEscape(s.ID), nil, &s); err != nil {
			return s, err
		}
		if a.tty && !a.JSON {
			fmt.Fprintf(a.out, "\r%s: looked at %d of %d, %s ", s.Network, s.Looked, s.Targets, plural(s.Devices, "device", "devices"))
		}
		if s.Done {
			break
		}
		select {
		case <-ctx.Done():
			return s, ctx.Err()
		case <-tick.C:
		}
	}
	if a.tty && !a.JSON {
		fmt.Fprint(a.out, "\r\x1b[K")
	}
	wait()
	return s, a.client.settle(ctx)
}

// receipt says what was done and what was not.
func (c *ScanCmd) receipt(ctx context.Context, a *app, s httpapi.Scan) error {
	if done, err := a.asJSON(s); done {
		return err
	}
	fmt.Fprintf(a.out, "%s: looked at %d of %s, %d answered, %s gave evidence, in %s.\n", s.Network, s.Looked,
		plural(s.Targets, "address", "addresses"), s.Answered, plural(s.Devices, "device", "devices"), s.Ended.Sub(s.Started).Round(time.Second))
	if s.Withheld != "" {
		a.para(0, "Not sent: "+s.Withheld)
	}
	if s.Error != "" {
		a.para(0, "The scan failed: "+s.Error)
	}
	if c.Verbose {
		if err := c.evidence(ctx, a, s.Network); err != nil {
			return err
		}
	}
	if s.Devices > 0 {
		fmt.Fprintln(a.out, "Now: firmward next")
	}
	return nil
}

func (c *ScanCmd) evidence(ctx context.Context, a *app, prefix string) error {
	_, err := pages(ctx, a.client, "/devices", values("network", prefix), 0, func(d httpapi.Device) error {
		var detail httpapi.DeviceDetail
		if err := a.client.get(ctx, "/devices/"+url.PathEscape(d.ID), nil, &detail); err != nil {
			return err
		}
		a.title(d.Name + "  " + d.ID)
		printClaims(a, detail)
		return nil
	})
	return err
}
