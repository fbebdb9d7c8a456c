package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/httpapi"
)

// printModel shows the model card. Most facts of a card come from one place: each source stands once below.
func printModel(a *app, m httpapi.Model) {
	var sources []string
	facts := []struct {
		name string
		fact httpapi.Fact
		mark int // source, from 1; 0 when there is none
	}{
		{"gets updates by", m.Mechanism, 0},
		{"who may patch", m.MayPatch, 0},
		{"signed", m.Signed, 0},
		{"automatic updates", m.AutoUpdate, 0},
		{"rollback", m.Rollback, 0},
		{"outage in minutes", m.Outage, 0},
		{"support ends", m.SupportEnd, 0},
		{"recovery", m.Recovery, 0},
	}
	for i, f := range facts {
		source := f.fact.Source
		if f.fact.Date != "" && !strings.Contains(source, f.fact.Date) {
			source += " (" + f.fact.Date + ")"
		}
		if source == "" {
			continue
		}
		if !slices.Contains(sources, source) {
			sources = append(sources, source)
		}
		facts[i].mark = slices.Index(sources, source) + 1
	}
	t := table{head: []string{"FACT", "VALUE"}}
	for _, f := range facts {
		value := known(f.fact.Value)
		if f.mark > 0 && len(sources) > 1 {
			value += fmt.Sprintf(" [%d]", f.mark)
		}
		t.rows = append(t.rows, []string{f.name, value})
	}
	t.write(a)
	if len(sources) == 1 {
		a.para(0, "Source: "+sources[0])
		return
	}
	for i, source := range sources {
		a.para(0, fmt.Sprintf("[%d] %s", i+1, source))
	}
}

func (c *DeviceCmd) printFindings(a *app, all []httpapi.Finding) {
	shown := 0
	for _, f := range all {
		if !f.Open && !c.Closed {
			continue
		}
		shown++
		fmt.Fprintf(a.out, "%s  %s  %s\n", a.bold(f.Advisory), verdictText(f), scoreText(f))
		if f.Explanation != nil {
			a.para(2, f.Explanation.Text) // its result is the verdict, one line above
			printBranches(a, f.Explanation.Children, 4)
		}
	}
	if shown == 0 {
		fmt.Fprintln(a.out, "none open, as far as the feeds go")
	}
	if hidden := len(all) - shown; hidden > 0 {
		fmt.Fprintf(a.out, "%d closed or not affected: --closed shows them\n", hidden)
	}
}

func verdictText(f httpapi.Finding) string {
	if f.Open {
		return string(f.Verdict)
	}
	if f.Verdict == firmward.NotAffected {
		return "not affected"
	}
	return "closed " + day(f.ClosedAt) + " by " + f.ClosedBy
}

func scoreText(f httpapi.Finding) string {
	parts := []string{"score unknown"}
	if f.Score > 0 {
		parts[0] = fmt.Sprintf("score %.1f", f.Score)
	}
	if f.Exploited {
		parts = append(parts, "exploited")
	}
	switch {
	case f.Trend != "":
		parts = append(parts, "EPSS "+f.Trend)
	case f.Likelihood > 0:
		parts = append(parts, fmt.Sprintf("EPSS %.0f%%", f.Likelihood*100))
	}
	switch {
	case f.FixedIn != "":
		parts = append(parts, "fixed in "+f.FixedIn)
	case f.NoFix:
		parts = append(parts, "no fix exists")
	default:
		parts = append(parts, "fix unknown")
	}
	return strings.Join(parts, ", ")
}

// alike is from how many branches of the same form on only the first is shown.
const alike = 3

// printBranches shows an explanation's branches. An advisory may name fifty models with the same condition for each.
func printBranches(a *app, branches []httpapi.Explanation, indent int) {
	same := func(x, y httpapi.Explanation) bool {
		return x.Text == y.Text && x.Result == y.Result && len(x.Children) == len(y.Children)
	}
	for i := 0; i < len(branches); {
		n := 1
		for i+n < len(branches) && same(branches[i], branches[i+n]) {
			n++
		}
		shown := n
		if n >= alike {
			shown = 1
		}
		for _, e := range branches[i : i+shown] {
			text := strings.TrimSuffix(e.Text, ".") + ": " + e.Result
			if e.Source != "" {
				text += " [" + e.Source + "]"
			}
			a.para(indent, text)
			printBranches(a, e.Children, indent+2)
		}
		if n > shown {
			a.para(indent, fmt.Sprintf("and %d more of this form, with the same result (--json shows them)", n-shown))
		}
		i += n
	}
}

func printWork(a *app, d httpapi.DeviceDetail) {
	for _, w := range d.WorkOrders {
		a.title("Work order " + w.ID)
		a.para(0, fmt.Sprintf("%s: %s, due %s, for %s. %s", w.Title, w.State, day(w.Due), orNobody(w.Assignee), w.Why))
		if w.Instruction != nil && w.ClosedAt.IsZero() {
			for i, s := range w.Instruction.Steps {
				a.para(2, fmt.Sprintf("%d. %s", i+1, s))
			}
			if w.Instruction.Never != "" {
				a.para(2, "Never: "+w.Instruction.Never)
			}
			if w.Instruction.IfBad != "" {
				a.para(2, "If it goes wrong: "+w.Instruction.IfBad)
			}
		}
	}
	for _, h := range d.Containments {
		a.title("Containment " + h.ID)
		a.para(0, fmt.Sprintf("%s: %s", h.State, h.Why))
		for _, p := range h.Proof {
			a.para(2, fmt.Sprintf("%s: %s, as it should be: %s", p.Probe, p.Note, yes(p.OK)))
		}
	}
	for _, t := range d.Targets {
		a.title("Rollout " + t.Rollout)
		where := ""
		if t.Wave >= 0 { // who is refused is in no wave
			where = waveName(t.Wave) + ", " + known(t.From) + " → "
		}
		a.para(0, fmt.Sprintf("%s%s: %s, %s", where, t.Want, t.State, t.Why))
	}
	for _, e := range d.Exceptions {
		a.title("Exception " + e.ID)
		a.para(0, exceptionText(e))
	}
}
