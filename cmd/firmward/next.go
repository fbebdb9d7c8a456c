package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/httpapi"
)

// NextCmd shows next steps.
type NextCmd struct {
	Limit  int    `help:"Show at most so many; 0 shows all." default:"50"`
	Kind   string `help:"Only of this kind." enum:",patch,ask,contain,replace,retire,accept,wait,look" default:""`
	Bucket string `help:"Only of this bucket." enum:",act-now,plan,watch,accept" default:""`
	Site   string `help:"Only of this site."`
	By     string `help:"Group by fix, the one worth most per minute first, or by support end, the nearest first." enum:",fix,support" default:""`
}

// Help gives examples.
func (NextCmd) Help() string {
	return "Every device has exactly one next step. The highest risk comes first.\n\n" +
		examples("firmward next", "firmward next --bucket act-now", "firmward next --kind patch --site clinic --json",
			"firmward next --by fix", "firmward next --by support")
}

// Run carries it out.
func (c *NextCmd) Run(ctx context.Context, a *app) error {
	if err := a.client.settle(ctx); err != nil {
		return err
	}
	if c.By != "" {
		c.Limit = 0 // a group is only true when it is whole
	}
	q := values("kind", c.Kind, "bucket", c.Bucket, "site", c.Site)
	var steps []httpapi.NextStep
	var page httpapi.NextSteps
	for {
		size := 1000
		if c.Limit > 0 {
			size = min(size, c.Limit-len(steps))
		}
		q.Set("limit", strconv.Itoa(size))
		page = httpapi.NextSteps{}
		if err := a.client.get(ctx, "/next", q, &page); err != nil {
			return err
		}
		steps = append(steps, page.Items...)
		if page.Next == "" || c.Limit > 0 && len(steps) >= c.Limit {
			break
		}
		q.Set("after", page.Next)
	}
	if a.JSON {
		enc := json.NewEncoder(a.out)
		enc.SetEscapeHTML(false)
		for _, s := range steps {
			if err := enc.Encode(s); err != nil {
				return err
			}
		}
		return nil
	}
	a.para(0, summary(page))
	a.para(0, "Knowledge: "+page.Knowledge)
	if page.StopAll {
		a.para(0, "STOP: the red button is pressed, nothing starts. firmward stop --all --end releases it.")
	}
	if len(steps) == 0 {
		return nil
	}
	fmt.Fprintln(a.out)
	switch c.By {
	case "fix":
		byFix(steps).write(a)
		return nil
	case "support":
		bySupport(steps).write(a)
		return nil
	}
	t := table{head: []string{"RISK", "DEVICE", "NOW", "BY", "WHY"}}
	for _, s := range steps {
		t.rows = append(t.rows, []string{strconv.Itoa(s.Risk), s.Device, string(s.Now.Kind), day(s.Now.By), why(s)})
	}
	t.write(a)
	if page.Next != "" {
		fmt.Fprintln(a.err, "There are more: --limit 0 shows all.")
	}
	return nil
}

// summary is the one line that leads: what is to be done, over all devices.
func summary(p httpapi.NextSteps) string {
	if p.Devices == 0 {
		return "No device is known yet. Begin with: firmward scan 192.168.1.0/24 --site home --profile home"
	}
	n := map[string]int{}
	kinds := map[firmward.StepKind]int{}
	weighed := 0
	for _, c := range p.Counts {
		n[c.Bucket] += c.N
		kinds[c.Kind] += c.N
		weighed += c.N
	}
	var parts []string
	for _, k := range []firmward.StepKind{
		firmward.StepPatch, firmward.StepAsk, firmward.StepContain, firmward.StepReplace, firmward.StepRetire, firmward.StepAccept, firmward.StepLook, firmward.StepWait,
	} {
		if kinds[k] > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", k, kinds[k]))
		}
	}
	s := fmt.Sprintf("%s: %d to act on now, %d to plan, %d to watch (%s).", plural(p.Devices, "device", "devices"), n["act-now"], n["plan"],
		n["watch"]+n["accept"], strings.Join(parts, ", "))
	if weighed < p.Devices {
		s += fmt.Sprintf(" %d not weighed yet.", p.Devices-weighed)
	}
	return s
}

// why is the action with its reasons and what holds it up.
func why(s httpapi.NextStep) string {
	text := s.Now.Action
	if len(s.Why) > 0 {
		text += ": " + strings.Join(s.Why, "; ")
	}
	if s.Then != nil {
		text += ". Then " + s.Then.Action
	}
	if s.Finally != nil {
		text += ". Finally " + s.Finally.Action
	}
	if s.Blocker != "" {
		text += ". Held up: " + s.Blocker
	}
	return text
}

// byFix groups steps by what would mend them: one firmware closes so many findings on so many devices.
// The fix that takes most risk away per minute of maintenance comes first; devices without a fix are the
// last line, so that nobody forgets them.
func byFix(steps []httpapi.NextStep) table {
	type work struct {
		httpapi.Mending
		devices, closes, minutes, risk int
	}
	groups := map[string]*work{}
	none := 0
	for _, s := range steps {
		if s.Fix == nil {
			if s.Risk >= 30 {
				none++
			}
			continue
		}
		key := s.Fix.Model + "\x00" + s.Fix.Version
		g := groups[key]
		if g == nil {
			g = &work{Mending: *s.Fix}
			groups[key] = g
		}
		g.devices++
		g.closes += s.Fix.Closes
		g.minutes += s.Fix.Minutes
		g.risk += s.Risk - s.RiskAfter
	}
	list := slices.SortedFunc(maps.Values(groups), func(a, b *work) int {
		return cmp.Or(cmp.Compare(b.risk*a.minutes, a.risk*b.minutes), cmp.Compare(a.Model, b.Model), cmp.Compare(a.Version, b.Version))
	})
	t := table{head: []string{"FIX", "DEVICES", "CLOSES", "RISK REMOVED", "MINUTES", "FILE"}}
	for _, g := range list {
		file := g.Release
		if file == "" {
			file = "not in the depot"
		}
		t.rows = append(t.rows, []string{g.Model + " " + g.Version, strconv.Itoa(g.devices), strconv.Itoa(g.closes), strconv.Itoa(g.risk), strconv.Itoa(g.minutes), file})
	}
	if none > 0 {
		t.rows = append(t.rows, []string{"no fix known", strconv.Itoa(none), "0", "0", "", "contain, replace or ask: firmward next"})
	}
	return t
}

// bySupport lists devices by how long somebody still mends them. Unknown is a line like every other.
func bySupport(steps []httpapi.NextStep) table {
	rank := map[string]int{"now": 0, "12-months": 1, "18-months": 2, "unknown": 3, "later": 4}
	list := slices.Clone(steps)
	slices.SortStableFunc(list, func(a, b httpapi.NextStep) int {
		return cmp.Or(cmp.Compare(rank[a.Support.Forecast], rank[b.Support.Forecast]), a.Support.End.Compare(b.Support.End), cmp.Compare(a.Device, b.Device))
	})
	t := table{head: []string{"ENDS", "DEVICE", "SITE", "SUPPORT", "SINCE OR UNTIL", "SOURCE"}}
	for _, s := range list {
		t.rows = append(t.rows, []string{s.Support.Forecast, s.Device, s.Site, s.Support.State, day(s.Support.End), known(s.Support.Source)})
	}
	return t
}
