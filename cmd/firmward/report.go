package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/httpapi"
	"github.com/firmward/firmward/report"
)

// ReportCmd answers people who were not there.
type ReportCmd struct {
	Check    ReportCheckCmd    `cmd:"" help:"The monthly check in plain words, to be printed."`
	Clauses  ReportClausesCmd  `cmd:"" help:"Evidence, clause by clause of a rule book, and what is missing."`
	Evidence ReportEvidenceCmd `cmd:"" help:"Write one file about a device or a rollout that anyone can verify."`
	Verify   ReportVerifyCmd   `cmd:"" help:"Verify such a file. Needs no server, database or network."`
}

// ReportEvidenceCmd writes an evidence file.
type ReportEvidenceCmd struct {
	Ref        string `arg:"" help:"Device or rollout."`
	Out        string `help:"File to write; the output unless given." placeholder:"FILE"`
	Checkpoint string `help:"Checkpoint that was kept outside: the file then proves that the log begins with what it signs." type:"existingfile" placeholder:"FILE"`
}

// Help gives examples.
func (ReportEvidenceCmd) Help() string {
	return "What was known and found, decided, sent and seen, with the records of the audit log about it and the proof that they stand there. " +
		"That the file was written is recorded too. docs/evidence.md is its form.\n\n" +
		examples("firmward report evidence cam-1 --out cam-1.jsonl", "firmward report evidence ro-… --checkpoint checkpoint-2026-10.txt")
}

// Run carries it out.
func (c *ReportEvidenceCmd) Run(ctx context.Context, a *app) error {
	in := httpapi.EvidenceWanted{Ref: c.Ref}
	if c.Checkpoint != "" {
		note, err := os.ReadFile(c.Checkpoint)
		if err != nil {
			return err
		}
		if in.Earlier, err = recordsOf(note); err != nil {
			return err
		}
	}
	write := func(w io.Writer) error {
		return a.client.do(ctx, call{method: http.MethodPost, path: "/reports/evidence", in: in, out: w})
	}
	if c.Out == "" {
		return write(a.out)
	}
	if err := newFile(c.Out, func(f *os.File) error { return write(f) }); err != nil {
		return err
	}
	fmt.Fprintf(a.err, "Written to %s. Anyone can verify it: firmward report verify %s, or by docs/evidence.md.\n", c.Out, c.Out)
	return nil
}

// recordsOf reads how many records a checkpoint signs, its second line. Who holds it has verified it.
func recordsOf(note []byte) (int64, error) {
	lines := strings.SplitN(string(note), "\n", 3)
	if len(lines) == 3 {
		if n, err := strconv.ParseInt(lines[1], 10, 64); err == nil && n > 0 {
			return n, nil
		}
	}
	return 0, firmward.Errorf(firmward.Invalid, "this is no checkpoint as firmward audit checkpoint writes it")
}

// ReportVerifyCmd verifies an evidence file.
type ReportVerifyCmd struct {
	File       string   `arg:"" type:"existingfile" help:"Evidence file."`
	Key        string   `help:"Public key known from elsewhere." placeholder:"KEY"`
	Checkpoint []string `help:"Checkpoint that was kept outside; may be repeated." type:"existingfile" placeholder:"FILE" sep:"none"`
}

// Help gives examples.
func (ReportVerifyCmd) Help() string {
	return "It says what is proven and what is not.\n\n" +
		examples("firmward report verify cam-1.jsonl", "firmward report verify cam-1.jsonl --checkpoint checkpoint-2026-10.txt")
}

// Run carries it out.
func (c *ReportVerifyCmd) Run(_ context.Context, a *app) error {
	opts := report.Options{Key: c.Key}
	for _, path := range c.Checkpoint {
		note, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		opts.Checkpoints = append(opts.Checkpoints, note)
	}
	f, err := os.Open(c.File)
	if err != nil {
		return err
	}
	defer f.Close()
	v, err := report.Verify(f, opts)
	if err != nil {
		return err
	}
	done, err := a.asJSON(v)
	if !done {
		a.verified(v)
	}
	if err == nil && !v.OK {
		err = exitWith(exitError)
	}
	return err
}

func (a *app) verified(v report.Verified) {
	if !v.OK {
		a.para(0, fmt.Sprintf("The file does not hold. Problems: %d.", len(v.Problems)+v.More))
		for _, p := range v.Problems {
			a.bullet("-", sentence(p.String()))
		}
		return
	}
	a.para(0, "Proven:")
	for _, s := range v.Proven {
		a.bullet("-", s)
	}
	fmt.Fprintln(a.out)
	a.para(0, "Not proven:")
	for _, s := range v.NotProven {
		a.bullet("-", s)
	}
}

// bullet prints a text behind a mark.
func (a *app) bullet(mark, s string) {
	for i, l := range wrap(clean(s), a.width-len(mark)-1) {
		if i > 0 {
			mark = strings.Repeat(" ", len(mark))
		}
		fmt.Fprintln(a.out, mark+" "+l)
	}
}

// sentence ends with a full stop.
func sentence(s string) string { return strings.TrimSuffix(s, ".") + "." }

// ReportCheckCmd prints the monthly check.
type ReportCheckCmd struct {
	Site string `help:"Only of this site." placeholder:"NAME"`
}

// Help gives examples.
func (ReportCheckCmd) Help() string {
	return "At most five tasks, the most urgent first, and what went well. It fits on paper.\n\n" +
		examples("firmward report check", "firmward report check --site home | lp")
}

// paper is how wide a page is.
const paper = 80

// Run carries it out.
func (c *ReportCheckCmd) Run(ctx context.Context, a *app) error {
	if err := a.client.settle(ctx); err != nil {
		return err
	}
	var check report.Check
	if err := a.client.get(ctx, "/reports/check", values("site", c.Site), &check); err != nil {
		return err
	}
	if done, err := a.asJSON(check); done {
		return err
	}
	a.width = min(a.width, paper)
	a.monthly(check)
	return nil
}

func (a *app) monthly(c report.Check) {
	head := "The check of " + day(c.At)
	if c.Site != "" {
		head += " for " + c.Site
	}
	switch n := len(c.Tasks); {
	case c.Devices == 0:
		a.para(0, head+". No device is known yet. Begin with: firmward scan 192.168.1.0/24 --site home --profile home")
		return
	case n == 0:
		head += ": nothing to do, by what is known."
	case c.Minutes > 0:
		head += fmt.Sprintf(": %s, %s or more.", plural(n, "thing", "things"), plural(c.Minutes, "minute", "minutes"))
	default:
		head += fmt.Sprintf(": %s.", plural(n, "thing", "things"))
	}
	a.para(0, head)
	for i, t := range c.Tasks {
		a.task(i+1, t, c.At)
	}
	if c.More > 0 {
		fmt.Fprintln(a.out)
		a.para(0, fmt.Sprintf("%d more can wait for another day: firmward next", c.More))
	}
	if c.Running > 0 {
		fmt.Fprintln(a.out)
		a.para(0, fmt.Sprintf("firmward is busy with %s by itself.", plural(c.Running, "device", "devices")))
	}
	a.title("What went well since " + day(c.Since))
	for _, s := range c.Well {
		a.bullet(" -", s)
	}
	if len(c.Well) == 0 {
		a.para(1, "Nothing was recorded.")
	}
	a.title("What this rests on")
	a.para(1, sentence(plural(c.Devices, "device", "devices")+"; "+c.Knowledge))
}

func (a *app) task(n int, t report.Task, now time.Time) {
	const indent = 5
	fmt.Fprintln(a.out)
	a.bullet(fmt.Sprintf(" %d. [ ]", n), t.What)
	say := func(word, s string) {
		if s != "" {
			a.para(indent, word+": "+s)
		}
	}
	say("Why", t.Why)
	minutes := "not known"
	if t.Minutes > 0 {
		minutes = plural(t.Minutes, "minute", "minutes")
	}
	switch {
	case t.By.IsZero():
	case t.By.Before(now):
		minutes += ", should have been done by " + day(t.By)
	default:
		minutes += ", best before " + day(t.By)
	}
	say("Time", minutes)
	for i, s := range t.Steps {
		a.para(indent+2, fmt.Sprintf("%c) %s", 'a'+rune(i%26), s))
	}
	say("Never", t.Never)
	say("Held up", t.Waits)
	fmt.Fprintf(a.out, "%sHow: %s\n", strings.Repeat(" ", indent), clean(t.Command)) // in one piece: it is to be copied
	say("Or", "page "+t.Page+" of the web app")
}

// ReportClausesCmd prints evidence by clauses.
type ReportClausesCmd struct {
	Pack  string `help:"Rule book; without one they are listed." placeholder:"ID"`
	OSCAL bool   `help:"Print OSCAL assessment results as JSON: observations, and no verdict." name:"oscal"`
}

// Help gives examples.
func (ReportClausesCmd) Help() string {
	return "It says what the records show and what they do not. It is no judgement: whoever holds the rule book makes that.\n\n" +
		examples("firmward report clauses", "firmward report clauses --pack nis2", "firmward report clauses --pack cyber-essentials --json",
			"firmward report clauses --pack nis2 --oscal > results.json")
}

// Run carries it out.
func (c *ReportClausesCmd) Run(ctx context.Context, a *app) error {
	if c.Pack == "" && c.OSCAL {
		return usageError("--oscal wants --pack")
	}
	if c.Pack == "" {
		var packs httpapi.Packs
		if err := a.client.get(ctx, "/reports/packs", nil, &packs); err != nil {
			return err
		}
		if a.JSON {
			return a.jsonLines(anys(packs.Items))
		}
		t := table{head: []string{"PACK", "NAME", "READ"}}
		for _, p := range packs.Items {
			t.rows = append(t.rows, []string{p.ID, p.Name, p.Date})
		}
		t.write(a)
		return nil
	}
	if err := a.client.settle(ctx); err != nil {
		return err
	}
	var r report.ClauseReport
	if err := a.client.get(ctx, "/reports/clauses", values("pack", c.Pack), &r); err != nil {
		return err
	}
	if c.OSCAL {
		return a.jsonLines([]any{r.OSCAL()})
	}
	if done, err := a.asJSON(r); done {
		return err
	}
	a.para(0, r.Pack.Name+", "+when(r.At))
	a.para(0, r.Statement)
	a.para(0, "Clauses in our own words, after "+r.Pack.Source+", read "+r.Pack.Date+".")
	for _, cl := range r.Clauses {
		a.title(cl.ID)
		a.para(1, cl.Title+".")
		for _, e := range cl.Evidence {
			a.bullet(" *", e.Summary)
			for _, item := range e.Items {
				a.bullet("   -", item.Text)
			}
			if e.More > 0 {
				a.para(3, fmt.Sprintf("and %d more", e.More))
			}
		}
		for _, m := range cl.Missing {
			a.bullet(" !", m)
		}
	}
	return nil
}
