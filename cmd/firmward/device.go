package main

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/httpapi"
)

// DeviceCmd shows one device.
type DeviceCmd struct {
	Ref     string `arg:"" help:"Id, name, address, serial number or MAC address."`
	History bool   `help:"Show what changed, newest first."`
	Sent    bool   `help:"Show every byte that was sent to it, newest first."`
	At      string `help:"Show what was known of it then." placeholder:"YYYY-MM-DD|TIME"`
	Closed  bool   `help:"Show findings that are closed or do not concern it, too."`
	Limit   int    `help:"At most so many lines of history or of what was sent; 0 shows all." default:"50"`
}

// Help gives examples.
func (DeviceCmd) Help() string {
	return examples("firmward device cam-1", "firmward device 192.168.1.17 --sent", "firmward device ACCC8E123456 --history --json",
		"firmward device pump-7 --at 2026-03-01")
}

// Run carries it out.
func (c *DeviceCmd) Run(ctx context.Context, a *app) error {
	path := "/devices/" + url.PathEscape(c.Ref)
	switch {
	case c.History:
		return listTo(ctx, a, path+"/history", nil, c.Limit, []string{"WHEN", "WHO", "SOURCE", "CHANGE"}, func(h httpapi.FieldChange) []string {
			change := fmt.Sprintf("%s: %s → %s", h.Field, h.Before, h.After)
			if h.Before == "" {
				change = h.Field // "created": what it was then is in the lines above it
			}
			return []string{when(h.At), h.Actor, h.Source, change}
		})
	case c.Sent:
		return listTo(ctx, a, path+"/transmissions", nil, c.Limit, []string{"WHEN", "TO", "PURPOSE", "BYTES", "SENT"}, func(t httpapi.Transmission) []string {
			return []string{when(t.At), fmt.Sprintf("%s %s %d", t.Network, t.Address, t.Port), t.Purpose, strconv.Itoa(t.Total), t.Text}
		})
	}
	if c.At != "" {
		return c.then(ctx, a, path)
	}
	if err := a.client.settle(ctx); err != nil {
		return err
	}
	var d httpapi.DeviceDetail
	if err := a.client.get(ctx, path, nil, &d); err != nil {
		return err
	}
	if done, err := a.asJSON(d); done {
		return err
	}
	c.print(a, d)
	return nil
}

// then shows what was known at a time; a day means its end.
func (c *DeviceCmd) then(ctx context.Context, a *app, path string) error {
	at, err := dayOrTime(c.At)
	if err != nil {
		return err
	}
	var d httpapi.Device
	if err := a.client.get(ctx, path+"/then", values("at", at.Format(time.RFC3339Nano)), &d); err != nil {
		return err
	}
	if done, err := a.asJSON(d); done {
		return err
	}
	fmt.Fprintln(a.out, a.bold(clean(d.Name)), " ", d.ID, " ", "as it was known", when(at))
	printFacts(a, facts(d))
	return nil
}

func orNone(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}

func (c *DeviceCmd) print(a *app, d httpapi.DeviceDetail) {
	fmt.Fprintln(a.out, a.bold(clean(d.Device.Name)), " ", d.Device.ID)
	known := append(facts(d.Device), [2]string{"Last seen", lastSeen(d.Device)})
	for _, m := range d.Merges {
		known = append(known, [2]string{"Was also", fmt.Sprintf("%s, %s, until %s (%s: %s)", m.Part, m.Name, when(m.At), m.By, m.Why)})
	}
	printFacts(a, known)
	a.title("Next step")
	printStep(a, d.NextStep)
	a.title("Evidence")
	printClaims(a, d)
	a.title("Model card")
	printModel(a, d.Model)
	a.title("Findings")
	c.printFindings(a, d.Findings)
	printWork(a, d)
}

// facts are the fields of a device, label and text.
func facts(v httpapi.Device) [][2]string {
	return [][2]string{
		{"Is", vendorModel(v.Vendor, v.Model) + hardware(v)},
		{"Firmware", known(v.Firmware)},
		{"Class", string(v.Class)},
		{"Serial", known(v.Serial)},
		{"Addresses", join(v.Addresses)},
		{"MACs", join(v.MACs)},
		{"Stands", fmt.Sprintf("site %s, zone %s, network %s", v.Site, v.Zone, orNone(v.Network))},
		{"Owner", known(v.Owner)},
		{"Function", known(v.Function)},
		{"Marks", marks(v)},
		{"Origin", fmt.Sprintf("%s, first %s", v.Origin, when(v.FirstSeen))},
	}
}

func printFacts(a *app, facts [][2]string) {
	for _, f := range facts {
		fmt.Fprintf(a.out, "%-10s %s\n", f[0], clean(f[1]))
	}
}

// vendorModel says the vendor once: many models begin with it ("AXIS P3265-LV").
func vendorModel(vendor, model string) string {
	if len(model) > len(vendor) && vendor != "" && strings.EqualFold(model[:len(vendor)+1], vendor+" ") {
		return model
	}
	return strings.TrimSpace(known(vendor) + " " + model)
}

func hardware(v httpapi.Device) string {
	if v.Hardware == "" {
		return ""
	}
	return ", hardware " + v.Hardware
}

func lastSeen(v httpapi.Device) string {
	if v.LastSeen.IsZero() {
		return "never"
	}
	return when(v.LastSeen)
}

func marks(v httpapi.Device) string {
	var out []string
	for _, m := range []struct {
		on   bool
		text string
	}{
		{v.Retired, "retired"},
		{v.Spare, "spare"},
		{v.Lab, "lab"},
		{v.NeverContain, "never contain"},
		{v.Exposed, "reachable from the internet"},
		{v.Criticality > 0, "criticality " + strconv.Itoa(v.Criticality)},
	} {
		if m.on {
			out = append(out, m.text)
		}
	}
	if v.Released != nil {
		out = append(out, "released for maintenance "+when(v.Released.From)+" to "+when(v.Released.To))
	}
	return join(out)
}

func printStep(a *app, s *httpapi.NextStep) {
	if s == nil {
		fmt.Fprintln(a.out, "not weighed yet")
		return
	}
	a.para(0, "Now: "+s.Now.Action+dueBy(s.Now))
	if s.Then != nil {
		a.para(0, "Then: "+s.Then.Action+dueBy(*s.Then))
	}
	if s.Finally != nil {
		a.para(0, "Finally: "+s.Finally.Action+dueBy(*s.Finally))
	}
	risk := fmt.Sprintf("Risk: %d of 100, then %d", s.Risk, s.RiskAfter)
	if s.Counterfactual != "" {
		risk += " (" + s.Counterfactual + ")"
	}
	a.para(0, risk)
	for _, w := range s.Why {
		a.para(2, "- "+w)
	}
	if s.Blocker != "" {
		a.para(0, "Held up: "+s.Blocker)
	}
	if s.Ref != "" {
		a.para(0, "See: "+s.Ref)
	}
	a.para(0, "Knowledge: "+s.Knowledge)
}

func dueBy(p httpapi.Phase) string {
	if p.By.IsZero() {
		return ""
	}
	if p.Rule == "" {
		return " by " + when(p.By)
	}
	return " by " + when(p.By) + " (" + p.Rule + ")"
}

func printClaims(a *app, d httpapi.DeviceDetail) {
	if len(d.Claims) == 0 {
		fmt.Fprintln(a.out, "none")
		return
	}
	t := table{head: []string{"FIELD", "VALUE", "SURE", "SOURCE", "WHEN", "RULE"}}
	var seen []string
	for _, c := range d.Claims {
		t.rows = append(t.rows, []string{string(c.Field), c.Value, strconv.Itoa(c.Confidence) + "%", c.Source, when(c.At), c.Rule})
		if raw := strings.TrimSpace(c.Rule + " “" + c.Raw + "”"); c.Raw != "" && !slices.Contains(seen, raw) {
			seen = append(seen, raw)
		}
	}
	t.write(a)
	if len(seen) > 0 { // one answer often carries several claims: it is shown once
		fmt.Fprintln(a.out, "What was seen:")
	}
	for _, raw := range seen {
		a.para(2, raw)
	}
	for _, c := range d.Contradictions {
		others := make([]string, len(c.Others))
		for i, o := range c.Others {
			others[i] = fmt.Sprintf("%s (%s)", o.Value, o.Source)
		}
		a.para(0, fmt.Sprintf("Contradiction: %s is %s, but also %s. %s", c.Field, c.Chosen.Value, strings.Join(others, ", "), c.Why))
	}
}

func printModel(a *app, m httpapi.Model) {
	t := table{head: []string{"FACT", "VALUE", "SOURCE"}}
	for _, f := range []struct {
		name string
		fact httpapi.Fact
	}{
		{"gets updates by", m.Mechanism},
		{"who may patch", m.MayPatch},
		{"signed", m.Signed},
		{"automatic updates", m.AutoUpdate},
		{"rollback", m.Rollback},
		{"outage in minutes", m.Outage},
		{"support ends", m.SupportEnd},
		{"recovery", m.Recovery},
	} {
		source := f.fact.Source
		if f.fact.Date != "" && !strings.Contains(source, f.fact.Date) {
			source += " (" + f.fact.Date + ")"
		}
		value := known(f.fact.Value)
		if len(value) > 34 { // a sentence: it has the room of the last column
			source, value = value+" — "+source, "see right"
		}
		t.rows = append(t.rows, []string{f.name, value, source})
	}
	t.write(a)
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
			printTree(a, *f.Explanation, 2)
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
	if f.Likelihood > 0 {
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

func printTree(a *app, e httpapi.Explanation, indent int) {
	text := strings.TrimSuffix(e.Text, ".") + ": " + e.Result
	if e.Source != "" {
		text += " [" + e.Source + "]"
	}
	a.para(indent, text)
	for _, child := range e.Children {
		printTree(a, child, indent+2)
	}
}

func printWork(a *app, d httpapi.DeviceDetail) {
	for _, w := range d.WorkOrders {
		a.title("Work order " + w.ID)
		a.para(0, fmt.Sprintf("%s: %s, due %s, for %s. %s", w.Title, w.State, day(w.Due), known(w.Assignee), w.Why))
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
		a.para(0, fmt.Sprintf("wave %d, %s → %s: %s. %s", t.Wave, known(t.From), t.Want, t.State, t.Why))
	}
	for _, e := range d.Exceptions {
		a.title("Exception " + e.ID)
		a.para(0, fmt.Sprintf("%s until %s by %s: %s", e.Kind, when(e.Expires), e.Author, e.Reason))
	}
}
