package main

import (
	"context"
	"encoding/json"
	"fmt"
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
}

// Help gives examples.
func (NextCmd) Help() string {
	return "Every device has exactly one next step. The highest risk comes first.\n\n" +
		examples("firmward next", "firmward next --bucket act-now", "firmward next --kind patch --site clinic --json")
}

// Run carries it out.
func (c *NextCmd) Run(ctx context.Context, a *app) error {
	if err := a.client.settle(ctx); err != nil {
		return err
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
