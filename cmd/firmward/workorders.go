package main

import (
	"context"
	"fmt"
	"net/url"

	"github.com/firmward/firmward/httpapi"
)

// WorkordersCmd is about what people have to do.
type WorkordersCmd struct {
	List   WorkordersListCmd   `cmd:"" default:"withargs" help:"List work orders."`
	Begin  WorkordersBeginCmd  `cmd:"" help:"Say that the work begins, and hear whether it may."`
	Done   WorkordersDoneCmd   `cmd:"" help:"Say that one was done; then a probe looks."`
	Assign WorkordersAssignCmd `cmd:"" help:"Give one to somebody."`
}

// WorkordersListCmd lists work orders.
type WorkordersListCmd struct {
	Listing
	Device string `help:"Only of this device." placeholder:"REF"`
	Closed bool   `help:"Done and void ones too."`
}

// Help gives examples.
func (WorkordersListCmd) Help() string {
	return examples("firmward workorders", "firmward workorders --device pump-7 --closed --json")
}

// Run carries it out.
func (c *WorkordersListCmd) Run(ctx context.Context, a *app) error {
	if err := a.client.settle(ctx); err != nil {
		return err
	}
	q := values("device", c.Device)
	if !c.Closed {
		q.Set("open", "true")
	}
	return listSorted(ctx, a, "/workorders", q, c.Limit, []string{"WORK ORDER", "DEVICE", "KIND", "STATE", "DUE", "FOR", "WHAT"}, func(w httpapi.WorkOrder) []string {
		what := w.Title
		if w.Why != "" {
			what += ": " + w.Why
		}
		return []string{w.ID, w.Device, w.Kind, string(w.State), day(w.Due), orNobody(w.Assignee), what}
	}, func(x, y httpapi.WorkOrder) int { return x.Due.Compare(y.Due) })
}

func orNobody(s string) string {
	if s == "" {
		return "nobody yet"
	}
	return s
}

// WorkordersBeginCmd begins the work of an order.
type WorkordersBeginCmd struct {
	ID string `arg:"" help:"Work order."`
}

// Help gives examples.
func (WorkordersBeginCmd) Help() string {
	return "In a rollout this is asked like any start: window, freezes, what hangs on the device and what stands in for it. While the work goes on, firmward changes none of those.\n\n" +
		examples("firmward workorders begin wo-abc")
}

// Run carries it out.
func (c *WorkordersBeginCmd) Run(ctx context.Context, a *app) error {
	var w httpapi.WorkOrder
	if err := a.client.post(ctx, "/workorders/"+url.PathEscape(c.ID)+"/begin", nil, &w); err != nil {
		return err
	}
	if done, err := a.asJSON(w); done {
		return err
	}
	a.para(0, fmt.Sprintf("%s, %s: begin. Say when it is done: firmward workorders done %[1]s", w.ID, w.Device))
	if i := w.Instruction; i != nil {
		for n, step := range i.Steps {
			a.para(2, fmt.Sprintf("%d. %s", n+1, step))
		}
		if i.Never != "" {
			a.para(2, "Never: "+i.Never)
		}
	}
	return nil
}

// WorkordersDoneCmd reports a work order as done.
type WorkordersDoneCmd struct {
	ID   string `arg:"" help:"Work order."`
	Note string `help:"A note for the record." placeholder:"TEXT"`
}

// Help gives examples.
func (WorkordersDoneCmd) Help() string {
	return "A person's word opens the question; only a probe answers it.\n\n" + examples("firmward workorders done wo-abc --note 'updated by stick'")
}

// Run carries it out.
func (c *WorkordersDoneCmd) Run(ctx context.Context, a *app) error {
	var w httpapi.WorkOrder
	if err := a.client.post(ctx, "/workorders/"+url.PathEscape(c.ID)+"/report", httpapi.WorkReport{Note: c.Note}, &w); err != nil {
		return err
	}
	if done, err := a.asJSON(w); done {
		return err
	}
	a.para(0, fmt.Sprintf("%s, %s: %s. %s", w.ID, w.Device, w.State, w.Why))
	return nil
}

// WorkordersAssignCmd assigns a work order.
type WorkordersAssignCmd struct {
	ID string `arg:"" help:"Work order."`
	To string `arg:"" help:"Who does it."`
}

// Help gives examples.
func (WorkordersAssignCmd) Help() string { return examples("firmward workorders assign wo-abc anna") }

// Run carries it out.
func (c *WorkordersAssignCmd) Run(ctx context.Context, a *app) error {
	var w httpapi.WorkOrder
	if err := a.client.post(ctx, "/workorders/"+url.PathEscape(c.ID)+"/assign", httpapi.WorkAssignment{Assignee: c.To}, &w); err != nil {
		return err
	}
	return a.say(w, fmt.Sprintf("%s, %s: for %s.", w.ID, w.Device, w.Assignee))
}
