package main

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/assess"
	"github.com/firmward/firmward/httpapi"
)

// ExplainCmd tells why an advisory concerns a device, or why it does not.
type ExplainCmd struct {
	Device   string `arg:"" help:"Id, name, address, serial number or MAC address."`
	Advisory string `arg:"" name:"cve" help:"CVE id, or another advisory's."`
	At       string `help:"What was so then, and whether the same evidence gives the same answer today." placeholder:"YYYY-MM-DD|TIME"`
}

// Help gives examples.
func (ExplainCmd) Help() string {
	return "A day means its end. Marks: + holds, - does not, ? is not known.\n\n" +
		examples("firmward explain nas-1 CVE-2024-3273", "firmward explain cam-1 CVE-2021-36260 --at 2026-03-01")
}

// Run carries it out.
func (c *ExplainCmd) Run(ctx context.Context, a *app) error {
	q := url.Values{}
	if c.At != "" {
		at, err := dayOrTime(c.At)
		if err != nil {
			return err
		}
		q.Set("at", at.Format(time.RFC3339Nano))
	}
	if err := a.client.settle(ctx); err != nil {
		return err
	}
	var x httpapi.Explained
	if err := a.client.get(ctx, "/devices/"+url.PathEscape(c.Device)+"/findings/"+url.PathEscape(c.Advisory)+"/explain", q, &x); err != nil {
		return err
	}
	if done, err := a.asJSON(x); done {
		return err
	}
	printExplained(a, x)
	return nil
}

func printExplained(a *app, x httpapi.Explained) {
	head := x.Advisory + " on " + x.Device
	if !x.At.IsZero() {
		head += ", as it was " + when(x.At)
	}
	fmt.Fprintln(a.out, a.bold(clean(head)))
	if x.Text != "" {
		a.para(0, "No finding. "+x.Text)
	}
	if f := x.Finding; f != nil {
		printVerdict(a, x, *f)
	}
	if r := x.Replay; r != nil {
		a.title("Replay")
		word := map[assess.ReplayResult]string{assess.ReplaySame: "Same answer.", assess.ReplayDiffers: "Differs.", assess.ReplayImpossible: "Not possible."}[r.Result]
		a.para(0, word+" "+r.Text)
		if r.Digest != "" {
			a.para(0, "Digest of today's answer: "+r.Digest)
		}
	}
	for _, e := range x.Exceptions {
		a.title("Exception " + e.ID)
		a.para(0, exceptionText(e))
	}
	if s := x.NextStep; s != nil {
		a.title("Next step of the device")
		text := fmt.Sprintf("%s: %s", s.Now.Kind, s.Now.Action)
		if !s.Now.By.IsZero() {
			text += ", by " + day(s.Now.By)
		}
		a.para(0, text)
		if s.Blocker != "" {
			a.para(0, "waits: "+s.Blocker)
		}
	}
}

func printVerdict(a *app, x httpapi.Explained, f httpapi.Finding) {
	a.para(0, fmt.Sprintf("Verdict: %s (%s), for firmware %s", f.Verdict, f.Reason, known(f.Firmware)))
	switch {
	case x.Since.IsZero():
		a.para(0, "Judged for this question: nothing is recorded")
	case x.Until.IsZero():
		a.para(0, "It says so since "+when(x.Since))
	default:
		a.para(0, "It said so from "+when(x.Since)+" until "+when(x.Until))
	}
	if !f.ClosedAt.IsZero() {
		by := f.ClosedBy
		if by == "" {
			by = "what a person entered"
		}
		a.para(0, "Closed "+when(f.ClosedAt)+" by "+by)
	}
	score := "unknown"
	if f.Score > 0 {
		score = strings.TrimSpace(fmt.Sprintf("%.1f %s", f.Score, f.Vector))
	}
	a.para(0, "Score: "+score)
	exploited := "not as far as is known"
	if f.Exploited {
		exploited = "since " + day(f.ExploitedAt)
	}
	a.para(0, "Exploited: "+exploited)
	fix := cmp.Or(f.FixedIn, "unknown")
	if f.FixedIn == "" && f.NoFix {
		fix = "none exists"
	}
	a.para(0, "Nearest fixed version: "+fix)
	if f.Explanation != nil {
		a.title("Why")
		a.para(0, f.Explanation.Text) // its result is the verdict
		printReasons(a, f.Explanation.Children, 2)
	}
	a.title(fmt.Sprintf("Records used, of feed generation %d", f.Snapshot))
	for _, r := range x.Records {
		line := r.Source
		if r.Document != "" {
			line += ", " + r.Document
		}
		if !r.Dated.IsZero() {
			line += ", dated " + day(r.Dated)
		}
		if !r.Modified.IsZero() {
			line += ", record changed " + day(r.Modified)
		}
		a.para(2, line)
	}
	if len(x.Records) == 0 {
		a.para(2, "not recorded")
	}
	a.para(0, "Digest: "+known(x.Digest))
}

// resultMarks stand before each sentence of an explanation.
var resultMarks = map[string]string{
	"true": "+", "false": "-", "unknown": "?",
	string(firmward.Affected): "+", string(firmward.Likely): "+", string(firmward.Possible): "?", string(firmward.NotAffected): "-",
}

// printReasons shows the tree as indented sentences. Of branches of one form, as in an advisory that names fifty models, the
// first is shown.
func printReasons(a *app, branches []httpapi.Explanation, indent int) {
	for i := 0; i < len(branches); {
		e := branches[i]
		n := 1
		for i+n < len(branches) && branches[i+n].Text == e.Text && branches[i+n].Result == e.Result && len(branches[i+n].Children) == len(e.Children) {
			n++
		}
		text := cmp.Or(resultMarks[e.Result], "=") + " " + e.Text
		if e.Source != "" {
			text += " [" + e.Source + "]"
		}
		a.para(indent, text)
		printReasons(a, e.Children, indent+2)
		if n > 1 {
			a.para(indent, fmt.Sprintf("  and %d more of this form, with the same result (--json shows them)", n-1))
		}
		i += n
	}
}
