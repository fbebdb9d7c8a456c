package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/calendar"
)

// Freeze is a time in which nothing starts at a site.
type Freeze struct {
	Site   string    `json:"site"`
	Name   string    `json:"name"`
	From   string    `json:"from" doc:"as it was given: a day, a time on the clock of the site, or one with its offset"`
	To     string    `json:"to" doc:"a day is within it"`
	Yearly bool      `json:"yearly" doc:"again in each later year"`
	Why    string    `json:"why"`
	By     string    `json:"by"`
	At     time.Time `json:"at"`
	State  string    `json:"state" enum:"holds,ahead,over"`
	Begins time.Time `json:"begins,omitzero" doc:"of the time that holds or comes next; absent when it is over"`
	Ends   time.Time `json:"ends,omitzero"`
}

// NewFreeze lets nothing start at a site for a time.
type NewFreeze struct {
	Name   string `json:"name,omitempty" doc:"absent: the first day"`
	From   string `json:"from" doc:"2026-12-20, 2026-12-20T18:00 on the clock of the site, or 2026-12-20T18:00:00+01:00"`
	To     string `json:"to" doc:"the same; a day is within it"`
	Yearly bool   `json:"yearly,omitempty" doc:"again in each later year"`
	Why    string `json:"why"`
}

// freezeOf shows a freeze as it stands at a time on the clock of its site.
func freezeOf(site string, f firmward.Freeze, local time.Time) Freeze {
	out := Freeze{Site: site, Name: f.Name, From: f.From, To: f.To, Yearly: f.Yearly, Why: f.Why, By: f.By, At: f.At, State: "over"}
	from, to, ok := calendar.Span(f, local)
	if !ok {
		return out
	}
	out.State, out.Begins, out.Ends = "holds", from, to
	if from.After(local) {
		out.State = "ahead"
	}
	return out
}

func (a *API) freezeRoutes() {
	tag := "Sites"
	serve(a, spec{method: http.MethodGet, path: "/freezes", id: "list-freezes", role: firmward.Viewer, tag: tag, summary: "List when nothing starts at sites"},
		func(ctx context.Context, in *struct {
			PageInput
			Site string `query:"site" doc:"of one site"`
		},
		) (Page[Freeze], error) { // a handful: always one page
			all, err := a.Store.Freezes(ctx, in.Site)
			if err != nil {
				return Page[Freeze]{}, err
			}
			out := make([]Freeze, len(all))
			for i, f := range all {
				local, err := a.Control.LocalTime(ctx, f.Site)
				if err != nil {
					return Page[Freeze]{}, err
				}
				out[i] = freezeOf(f.Site, f.Freeze, local)
			}
			return Page[Freeze]{Items: out}, nil
		})
	serve(a, spec{
		method: http.MethodPost, path: "/sites/{name}/freezes", id: "add-freeze", role: firmward.Operator, tag: tag, summary: "Let nothing start at a site for a time", status: http.StatusCreated,
		doc: "What is on its way goes on. A rollout that was hastened waits too.",
	}, func(ctx context.Context, in *struct {
		Name string `path:"name"`
		Body NewFreeze
	},
	) (Freeze, error) {
		b := in.Body
		f, err := a.Control.AddFreeze(ctx, person(ctx), in.Name, firmward.Freeze{Name: b.Name, From: b.From, To: b.To, Yearly: b.Yearly, Why: b.Why})
		if err != nil {
			return Freeze{}, err
		}
		local, err := a.Control.LocalTime(ctx, in.Name)
		return freezeOf(in.Name, f, local), err
	})
	serveNone(a, spec{
		method: http.MethodDelete, path: "/sites/{name}/freezes/{freeze}", id: "lift-freeze", role: firmward.Approver, tag: tag, summary: "Lift a freeze of a site",
	}, func(ctx context.Context, in *struct {
		Name   string `path:"name"`
		Freeze string `path:"freeze"`
	},
	) error {
		return a.Control.LiftFreeze(ctx, person(ctx), in.Name, in.Freeze)
	})
}
