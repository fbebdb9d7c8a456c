package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/firmward/firmward/httpapi"
)

// ExposureCmd tells how long findings have been open to the world.
type ExposureCmd struct {
	By string `help:"Group devices: site, class, vendor, model or device." enum:",site,class,vendor,model,device" default:"" placeholder:"site"`
}

// Help gives examples.
func (ExposureCmd) Help() string {
	return "Days since published, since exploited, since a release that mends it was at hand, and since firmward found it: the median, and the oldest. Findings that are " +
		"only possible do not weigh.\n\n" + examples("firmward exposure", "firmward exposure --by site", "firmward exposure --by model --json")
}

// Run carries it out.
func (c *ExposureCmd) Run(ctx context.Context, a *app) error {
	if err := a.client.settle(ctx); err != nil {
		return err
	}
	var p httpapi.Page[httpapi.Exposure]
	if err := a.client.get(ctx, "/exposure", values("by", c.By), &p); err != nil {
		return err
	}
	if a.JSON {
		return a.jsonLines(anys(p.Items))
	}
	days := func(c httpapi.Clock) string {
		if c.N == 0 {
			return "none"
		}
		return fmt.Sprintf("%d, %d", c.P50, c.Max)
	}
	t := table{head: []string{"GROUP", "DEVICES", "OPEN", "POSSIBLE", "PUBLISHED", "EXPLOITED", "FIXABLE", "KNOWN"}}
	for _, e := range p.Items {
		t.rows = append(t.rows, []string{
			e.Group, strconv.Itoa(e.Devices), strconv.Itoa(e.Open), strconv.Itoa(e.Possible), days(e.Published), days(e.Exploited), days(e.Fixable), days(e.Known),
		})
	}
	if len(t.rows) == 0 {
		a.para(0, "No finding is open, by what is known.")
		return nil
	}
	t.write(a)
	a.para(0, "Days: the median, and the oldest.")
	return nil
}
