package main

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/firmward/firmward/httpapi"
)

// FeedsCmd is about what the world knows.
type FeedsCmd struct {
	Import   FeedsImportCmd   `cmd:"" help:"Import documents: NVD, CVE, CSAF, VEX, KEV, EPSS, support ends."`
	Fetch    FeedsFetchCmd    `cmd:"" help:"Fetch feeds over the network, once."`
	Follow   FeedsFollowCmd   `cmd:"" help:"Let the server fetch feeds again and again."`
	Unfollow FeedsUnfollowCmd `cmd:"" help:"Fetch feeds by hand only."`
	Set      FeedsSetCmd      `cmd:"" help:"Say from where a feed is fetched, and with which key."`
	Status   FeedsStatusCmd   `cmd:"" default:"withargs" help:"Show how deep and fresh the knowledge is."`
}

// FeedsStatusCmd shows the feeds.
type FeedsStatusCmd struct{}

// Help gives examples.
func (FeedsStatusCmd) Help() string {
	return examples("firmward feeds", "firmward feeds status --json")
}

// Run carries it out.
func (c *FeedsStatusCmd) Run(ctx context.Context, a *app) error {
	var feeds httpapi.Feeds
	if err := a.client.get(ctx, "/feeds", nil, &feeds); err != nil {
		return err
	}
	if a.JSON {
		return a.jsonLines(anys(feeds.Items))
	}
	a.para(0, "Knowledge: "+feeds.Knowledge)
	t := table{head: []string{"FEED", "KIND", "RECORDS", "DATED", "IMPORTED", "COMES IN", "STATE"}}
	for _, f := range feeds.Items {
		t.rows = append(t.rows, []string{f.Name, f.Kind, strconv.Itoa(f.Records), day(f.Dated), day(f.Imported), fetchState(f), feedState(f)})
	}
	t.write(a)
	return nil
}

// AdvisoriesCmd lists advisories or shows one.
type AdvisoriesCmd struct {
	ID string `arg:"" optional:"" help:"Show this one."`
	Listing
	Find      string `help:"Part of id or title." placeholder:"TEXT"`
	Source    string `help:"Only of this feed." placeholder:"FEED"`
	Exploited bool   `help:"Only those known to be exploited."`
}

// Help gives examples.
func (AdvisoriesCmd) Help() string {
	return examples("firmward advisories --find DNS-320", "firmward advisories CVE-2024-3273", "firmward advisories --exploited --json")
}

// Run carries it out.
func (c *AdvisoriesCmd) Run(ctx context.Context, a *app) error {
	if c.ID != "" {
		return c.one(ctx, a)
	}
	q := values("text", c.Find, "source", c.Source)
	if c.Exploited {
		q.Set("exploited", "true")
	}
	return listTo(ctx, a, "/advisories", q, c.Limit, []string{"ADVISORY", "SOURCE", "PUBLISHED", "SCORE", "TITLE"}, func(v httpapi.Advisory) []string {
		return []string{v.ID, v.Source, day(v.Published), topScore(v), shortened(v.Title)}
	})
}

// shortened is the beginning of a title: some sources give a whole description, which the advisory alone shows.
func shortened(title string) string {
	const longest = 160
	if r := []rune(title); len(r) > longest {
		return strings.TrimRight(string(r[:longest]), " ,.;") + " …"
	}
	return title
}

func topScore(v httpapi.Advisory) string {
	best := 0.0
	for _, s := range v.Scores {
		best = max(best, s.Base)
	}
	if best == 0 {
		return "unknown"
	}
	return strconv.FormatFloat(best, 'f', 1, 64)
}

func (c *AdvisoriesCmd) one(ctx context.Context, a *app) error {
	var d httpapi.AdvisoryDetail
	if err := a.client.get(ctx, "/advisories/"+url.PathEscape(c.ID), nil, &d); err != nil {
		return err
	}
	if done, err := a.asJSON(d); done {
		return err
	}
	fmt.Fprintln(a.out, a.bold(d.ID))
	if e := d.Exploited; e != nil {
		a.para(0, fmt.Sprintf("Exploited: added %s by %s, due %s. %s", day(e.Added), e.Feed, day(e.Due), e.Action))
	}
	if l := d.Likelihood; l != nil {
		a.para(0, fmt.Sprintf("EPSS: %.1f%% within 30 days, as of %s", l.Score*100, day(l.Dated)))
	}
	for _, v := range d.Sources {
		a.title(fmt.Sprintf("%s, from %s, dated %s", v.Source, v.Document, day(v.Dated)))
		a.para(0, v.Title)
		for _, s := range v.Scores {
			a.para(2, strings.TrimSpace(fmt.Sprintf("CVSS %s: %.1f %s", s.Version, s.Base, s.Vector)))
		}
		for _, f := range v.Fixes {
			a.para(2, fmt.Sprintf("fixed in %s %s %s", f.Vendor, f.Product, f.Version))
		}
		if v.NoFix {
			a.para(2, "the source says that no fix exists")
		}
		for _, r := range v.References {
			a.para(2, r)
		}
	}
	return nil
}
