package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/store"
)

// WorkOrder asks a person to do what no machine may or can.
type WorkOrder struct {
	ID          string             `json:"id"`
	DeviceID    string             `json:"deviceId"`
	Device      string             `json:"device" doc:"its name"`
	Kind        string             `json:"kind" enum:"update,vendor-service,replace,retire"`
	Title       string             `json:"title"`
	Instruction *Instruction       `json:"instruction,omitempty"`
	Assignee    string             `json:"assignee,omitempty"`
	From        string             `json:"from,omitempty"`
	Want        string             `json:"want,omitempty"`
	State       firmward.WorkState `json:"state" enum:"open,reported-done,not-done-yet,done,void"`
	Why         string             `json:"why,omitempty"`
	Due         time.Time          `json:"due,omitzero"`
	Created     time.Time          `json:"created"`
	By          string             `json:"by"`
	Rollout     string             `json:"rollout,omitempty" doc:"of which it is a part"`
	BegunBy     string             `json:"begunBy,omitempty" doc:"who said last that the work begins"`
	BegunAt     time.Time          `json:"begunAt,omitzero"`
	ReportedBy  string             `json:"reportedBy,omitempty"`
	ReportedAt  time.Time          `json:"reportedAt,omitzero"`
	ClosedAt    time.Time          `json:"closedAt,omitzero"`
	Evidence    string             `json:"evidence,omitempty" doc:"observation that proved it"`
}

// Instruction is a text for a person.
type Instruction struct {
	Title   string   `json:"title"`
	Steps   []string `json:"steps"`
	Minutes int      `json:"minutes,omitempty"`
	Outage  string   `json:"outage,omitempty" doc:"what stops working meanwhile"`
	Never   string   `json:"never,omitempty"`
	IfBad   string   `json:"ifBad,omitempty"`
	Source  string   `json:"source,omitempty"`
	Date    string   `json:"date,omitempty"`
}

func instructionOf(i firmward.Instruction) *Instruction {
	if i.Title == "" && len(i.Steps) == 0 {
		return nil
	}
	i.Steps = list(i.Steps)
	out := Instruction(i)
	return &out
}

func workOrderOf(w firmward.WorkOrder, device string) WorkOrder {
	return WorkOrder{
		ID: w.ID, DeviceID: w.DeviceID, Device: device, Kind: w.Kind, Title: w.Title, Instruction: instructionOf(w.Instruction), Assignee: w.Assignee,
		From: w.From, Want: w.Want, State: w.State, Why: w.Why, Due: w.Due, Created: w.Created, By: w.By, Rollout: w.RolloutID, BegunBy: w.BegunBy, BegunAt: w.BegunAt, ReportedBy: w.ReportedBy,
		ReportedAt: w.ReportedAt, ClosedAt: w.ClosedAt, Evidence: w.Evidence,
	}
}

// WorkReport is a person's word that something was done.
type WorkReport struct {
	Note string `json:"note,omitempty"`
}

// WorkAssignment gives a work order to somebody.
type WorkAssignment struct {
	Assignee string `json:"assignee"`
}

func (a *API) workOrderRoutes() {
	serve(a, spec{method: http.MethodGet, path: "/workorders", id: "list-workorders", role: firmward.Viewer, tag: "Work orders", summary: "List work orders"},
		func(ctx context.Context, in *struct {
			PageInput
			Device string             `query:"device" doc:"reference of a device"`
			State  firmward.WorkState `query:"state" enum:"open,reported-done,not-done-yet,done,void"`
			Open   string             `query:"open" enum:"true,false" doc:"neither done nor void"`
			DueBy  time.Time          `query:"dueBy"`
		},
		) (Page[WorkOrder], error) {
			want := store.WorkOrderFilter{State: in.State, Open: tri(in.Open), DueBy: in.DueBy}
			if in.Device != "" {
				d, err := a.Control.Find(ctx, in.Device)
				if err != nil {
					return Page[WorkOrder]{}, err
				}
				want.Device = d.ID
			}
			l, next, err := a.Store.WorkOrders(ctx, want, in.page())
			names := a.names(ctx)
			return pageOf(l, next, err, func(w firmward.WorkOrder) WorkOrder { return workOrderOf(w, names(w.DeviceID).Name) })
		})
	serve(a, spec{
		method: http.MethodPost, path: "/workorders/{id}/begin", id: "begin-workorder", role: firmward.Operator, tag: "Work orders", summary: "Say that the work begins",
		doc: "Where it is part of a rollout this is asked like any start, and refused with the reason outside its window, in a freeze, while what hangs on the device or stands in for it is being changed, or while everything is stopped.",
	}, func(ctx context.Context, in *struct {
		ID string `path:"id"`
	},
	) (WorkOrder, error) {
		w, err := a.Control.BeginWork(ctx, person(ctx), in.ID)
		return workOrderOf(w, a.names(ctx)(w.DeviceID).Name), err
	})
	serve(a, spec{
		method: http.MethodPost, path: "/workorders/{id}/report", id: "report-workorder", role: firmward.Operator, tag: "Work orders", summary: "Say that it was done",
		doc: "Then a probe looks: a work order is done by evidence, never by somebody's word.",
	}, func(ctx context.Context, in *struct {
		ID   string `path:"id"`
		Body WorkReport
	},
	) (WorkOrder, error) {
		w, err := a.Control.ReportWork(ctx, person(ctx), in.ID, in.Body.Note)
		return workOrderOf(w, a.names(ctx)(w.DeviceID).Name), err
	})
	serve(a, spec{method: http.MethodPost, path: "/workorders/{id}/assign", id: "assign-workorder", role: firmward.Operator, tag: "Work orders", summary: "Give a work order to somebody"},
		func(ctx context.Context, in *struct {
			ID   string `path:"id"`
			Body WorkAssignment
		},
		) (WorkOrder, error) {
			w, err := a.Control.AssignWork(ctx, person(ctx), in.ID, in.Body.Assignee)
			return workOrderOf(w, a.names(ctx)(w.DeviceID).Name), err
		})
}
