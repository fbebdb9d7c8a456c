package main

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"

	"github.com/firmward/firmward/match"
)

// MatchRunCmd judges devices.
type MatchRunCmd struct {
	Index   string `help:"An index file of 'match build'." required:"" type:"path" placeholder:"FILE"`
	Explain bool   `help:"Add the explanation of each verdict, the nearest fixed version and the digest."`
	All     bool   `help:"Give not-affected ones too."`
}

// Help gives examples.
func (MatchRunCmd) Help() string {
	return "Reads devices from standard input, one a line: an id, a tab, and CPE 2.3 names with commas between them, firmware and hardware. " +
		"Writes one JSON object for each verdict: id, cve, verdict (affected, likely, possible), why (a reason code). " +
		"What a name leaves open is unknown, and unknown is possible, never silence. A line that cannot be read is named and left out, " +
		"and the exit code is 1 then.\n\n" +
		examples(
			"firmward match run --index cve.idx < devices.tsv > verdicts.jsonl",
			"firmward match run --index cve.idx --explain < one-device.tsv")
}

// Run carries it out.
func (c *MatchRunCmd) Run(ctx context.Context, a *app) error {
	f, err := match.Open(c.Index)
	if err != nil {
		return err
	}
	defer f.Close()
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50) // explanations live for a moment: a fifth less memory, for a tenth more time
	}
	done, err := match.Run{
		Index: f.Index, Explain: c.Explain, All: c.All,
		Bad: func(line int, err error) { fmt.Fprintf(a.err, "firmward: line %d: %v\n", line, err) },
	}.Lines(ctx, a.in, a.out)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.err, "%s, %s, %s\n", plural(done.Devices, "device", "devices"), plural(done.Fingerprints, "fingerprint", "fingerprints"), plural(done.Verdicts, "verdict", "verdicts"))
	if done.Bad > 0 {
		return exitWith(exitError)
	}
	return nil
}
