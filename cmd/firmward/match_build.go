package main

import (
	"context"
	"fmt"
	"time"

	"github.com/firmward/firmward/feed/sources"
	"github.com/firmward/firmward/match"
)

// MatchBuildCmd makes an index file.
type MatchBuildCmd struct {
	Files []string `arg:"" name:"file" type:"path" help:"Documents of NVD, CVE, CSAF and others, plain, gzip or zip; folders and archives of them."`
	Out   string   `help:"The index file to write; it is replaced as a whole." required:"" type:"path" placeholder:"FILE"`
	Base  string   `help:"An index file to which the documents are changes." type:"existingfile" placeholder:"FILE"`
}

// Help gives examples.
func (MatchBuildCmd) Help() string {
	return "The file holds all that verdicts rest on and needs no server. Documents may come in any order: of two records of one source on " +
		"one advisory the one that was modified later counts. When a document cannot be read nothing is written.\n\n" +
		examples(
			"firmward match build --out cve.idx nvdcve-2.0-*.json.gz",
			"firmward match build --out cve.idx --base cve.idx modified.json.gz")
}

// Run carries it out.
func (c *MatchBuildCmd) Run(ctx context.Context, a *app) error {
	began, n := time.Now(), 0
	built, err := match.Build{
		Sources: sources.All(), Files: c.Files, Base: c.Base, Out: c.Out, Now: began,
		Read: func(d match.Document) {
			n++
			if !a.JSON {
				fmt.Fprintf(a.err, "%d of %d: %s: %s by %s", n, len(c.Files), d.Name, plural(d.Records, "record", "records"), d.Source)
				if d.Refused > 0 {
					fmt.Fprintf(a.err, ", %s left out, the first: %s", plural(d.Refused, "broken one", "broken ones"), d.First)
				}
				fmt.Fprintln(a.err)
			}
		},
	}.Run(ctx)
	if err != nil {
		return err
	}
	if done, err := a.asJSON(built); done {
		return err
	}
	fmt.Fprintf(a.out, "%s: %s on %s, %.1f MB, in %s\n", c.Out, plural(built.Records, "record", "records"),
		plural(built.Products, "product", "products"), float64(built.Bytes)/1e6, time.Since(began).Round(10*time.Millisecond))
	return nil
}
