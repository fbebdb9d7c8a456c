package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/httpapi"
)

// NextCmd shows next steps.
type NextCmd struct {
	Limit  int    `help:"Show at most so many; 0 shows all." default:"50"`
	Kind   string `help:"Only of this kind: patch, ask, contain, replace, retire, accept, wait, look." enum:",patch,ask,contain,replace,retire,accept,wait,look" default:"" placeholder:"KIND"`
	Bucket string `help:"Only of this bucket: act-now, plan, watch, accept." enum:",act-now,plan,watch,accept" default:"" placeholder:"BUCKET"`
	Site   string `help:"Only of this site." placeholder:"NAME"`
	By     string `help:"fix: what one firmware mends, the one worth most per minute first; support: the nearest support end first." enum:",fix,support" default:"" placeholder:"BY"`
}

// Help gives examples.
func (NextCmd) Help() string {
	return "Every device has exactly one next step. The earliest deadline comes first, then the highest risk; what waits comes last.\n\n" +
		examples("firmward next", "firmward next --bucket act-now", "firmward next --kind patch --site clinic --json",
			"firmward next --by fix", "firmward next --by support")
}

// Run carries it out.
func (c *NextCmd) Run(ctx context.Context, a *app) error {
	if err := a.client.settle(ctx); err != nil {
		return err
	}
	if err := siteKnown(ctx, a, c.Site); err != nil {
		return err
	}
	if c.By != "" {
		c.Limit = 0 // a group is only true when it is whole
	}
	steps, page, err := c.steps(ctx, a)
	if err != nil {
		return err
	}
	if page.Next != "" {
		defer fmt.Fprintln(a.err, "There are more: --limit 0 shows all.")
	}
	var t table
	var lines []any
	switch c.By {
	case "fix":
		groups := byFix(steps)
		t, lines = fixTable(groups), anys(groups)
	case "support":
		steps = bySupport(steps)
		t, lines = supportTable(steps), anys(steps)
	default:
		t, lines = stepTable(steps), anys(steps)
	}
	if a.JSON {
		return a.jsonLines(lines)
	}
	c.head(a, page)
	if page.Devices > 0 {
		fmt.Fprintln(a.out)
		t.write(a)
	}
	return nil
}

// steps reads the steps that were asked for; page is the last one, with the sums.
func (c *NextCmd) steps(ctx context.Context, a *app) (steps []httpapi.NextStep, page httpapi.NextSteps, err error) {
	q := values("kind", c.Kind, "bucket", c.Bucket, "site", c.Site)
	for {
		size := 1000
		if c.Limit > 0 {
			size = min(size, c.Limit-len(steps))
		}
		q.Set("limit", strconv.Itoa(size))
		page = httpapi.NextSteps{}
		if err := a.client.get(ctx, "/next", q, &page); err != nil {
			return nil, page, err
		}
		steps = append(steps, page.Items...)
		if page.Next == "" || c.Limit > 0 && len(steps) >= c.Limit {
			return steps, page, nil
		}
		q.Set("after", page.Next)
	}
}

// head is what stands above the list: the sums over all devices, whatever was asked for.
func (c *NextCmd) head(a *app, page httpapi.NextSteps) {
	text := summary(page)
	if page.Devices > 0 && (c.Site != "" || c.Kind != "" || c.Bucket != "") {
		text = "In all, " + text
	}
	a.para(0, text)
	a.para(0, "Knowledge: "+page.Knowledge)
	if page.StopAll {
		a.para(0, "STOP: the red button is pressed, nothing starts. firmward stop --all --end releases it.")
	}
}

func stepTable(steps []httpapi.NextStep) table {
	t := table{head: []string{"HOW SOON", "RISK", "DEVICE", "NOW", "BY", "WHY"}}
	for _, s := range steps {
		t.rows = append(t.rows, []string{s.Urgency, strconv.Itoa(s.Risk), s.Device, string(s.Now.Kind), day(s.Now.By), why(s)})
	}
	return t
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

// fixGroup is what one firmware would mend: so many findings on so many devices. Without a model it
// stands for the devices at risk for which no fix is known.
type fixGroup struct {
	Model       string `json:"model,omitempty"`
	Version     string `json:"version,omitempty"`
	Release     string `json:"release,omitempty"`
	Devices     int    `json:"devices"`
	Closes      int    `json:"closes"`
	RiskRemoved int    `json:"riskRemoved"`
	Minutes     int    `json:"minutes"`
}

// atRisk is the least risk, of 100, at which the lack of a fix is worth a line, where nothing is more urgent.
const atRisk = 30

// urgent reports whether somebody must act within days.
func urgent(s httpapi.NextStep) bool { return s.Bucket == "act-now" }

// byFix groups steps by what would mend them. The fix that takes most risk away per minute of maintenance
// comes first; devices without a fix are the last group, so that nobody forgets them.
func byFix(steps []httpapi.NextStep) []fixGroup {
	groups := map[[2]string]*fixGroup{}
	none := fixGroup{}
	for _, s := range steps {
		if s.Fix == nil {
			if s.Risk >= atRisk || urgent(s) {
				none.Devices++
			}
			continue
		}
		key := [2]string{s.Fix.Model, s.Fix.Version}
		g := groups[key]
		if g == nil {
			g = &fixGroup{Model: s.Fix.Model, Version: s.Fix.Version, Release: s.Fix.Release}
			groups[key] = g
		}
		g.Devices++
		g.Closes += s.Fix.Closes
		g.Minutes += s.Fix.Minutes
		g.RiskRemoved += s.Risk - s.RiskAfter
	}
	var list []fixGroup
	for _, g := range groups {
		list = append(list, *g)
	}
	slices.SortFunc(list, func(a, b fixGroup) int {
		return cmp.Or(cmp.Compare(b.RiskRemoved*a.Minutes, a.RiskRemoved*b.Minutes), cmp.Compare(a.Model, b.Model), cmp.Compare(a.Version, b.Version))
	})
	if none.Devices > 0 {
		list = append(list, none)
	}
	return list
}

func fixTable(groups []fixGroup) table {
	t := table{head: []string{"FIX", "DEVICES", "CLOSES", "RISK REMOVED", "MINUTES", "FILE"}}
	for _, g := range groups {
		fix, minutes, file := g.Model+" "+g.Version, strconv.Itoa(g.Minutes), cmp.Or(g.Release, "not in the depot")
		if g.Model == "" {
			fix, minutes, file = "no fix known", "", "contain, replace or ask: firmward next"
		}
		t.rows = append(t.rows, []string{fix, strconv.Itoa(g.Devices), strconv.Itoa(g.Closes), strconv.Itoa(g.RiskRemoved), minutes, file})
	}
	return t
}

// bySupport sorts devices by how long somebody still mends them. Unknown is a line like every other.
func bySupport(steps []httpapi.NextStep) []httpapi.NextStep {
	rank := map[string]int{"now": 0, "12-months": 1, "18-months": 2, "unknown": 3, "later": 4}
	list := slices.Clone(steps)
	slices.SortStableFunc(list, func(a, b httpapi.NextStep) int {
		return cmp.Or(cmp.Compare(rank[a.Support.Forecast], rank[b.Support.Forecast]), a.Support.End.Compare(b.Support.End), cmp.Compare(a.Device, b.Device))
	})
	return list
}

func supportTable(steps []httpapi.NextStep) table {
	t := table{head: []string{"ENDS", "DEVICE", "SITE", "SUPPORT", "DAY", "SOURCE"}}
	for _, s := range steps {
		end := "unknown"
		if !s.Support.End.IsZero() {
			end = day(s.Support.End)
		}
		t.rows = append(t.rows, []string{s.Support.Forecast, s.Device, s.Site, s.Support.State, end, known(s.Support.Source)})
	}
	return t
}
