package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/store"
)

// StopAll is the red button: while it is on, nothing new starts anywhere.
type StopAll struct {
	On  bool      `json:"on"`
	By  string    `json:"by,omitempty"`
	At  time.Time `json:"at,omitzero"`
	Why string    `json:"why,omitempty"`
}

func (a *API) stopAllRoutes() {
	get := func(ctx context.Context) (StopAll, error) {
		s, err := a.Store.StopAll(ctx)
		return StopAll(store.StopAll(s)), err
	}
	press := func(on bool) func(context.Context, *struct{ Body *Reason }) (StopAll, error) {
		return func(ctx context.Context, in *struct{ Body *Reason }) (StopAll, error) {
			why := ""
			if in.Body != nil {
				why = in.Body.Why
			}
			if err := a.Control.StopAll(ctx, person(ctx), on, why); err != nil {
				return StopAll{}, err
			}
			return get(ctx)
		}
	}
	serve(a, spec{method: http.MethodGet, path: "/stop-all", id: "get-stop-all", role: firmward.Viewer, tag: "Stop all", summary: "Is the red button pressed?"},
		func(ctx context.Context, _ *struct{}) (StopAll, error) { return get(ctx) })
	serve(a, spec{
		method: http.MethodPost, path: "/stop-all", id: "stop-all", role: firmward.Operator, tag: "Stop all", summary: "Press the red button",
		doc: "Nothing new starts. What is under way is watched to its end: an interrupted device is the worst outcome.",
	}, press(true))
	serve(a, spec{method: http.MethodDelete, path: "/stop-all", id: "end-stop-all", role: firmward.Operator, tag: "Stop all", summary: "Release the red button"},
		func(ctx context.Context, _ *struct{}) (StopAll, error) {
			return press(false)(ctx, &struct{ Body *Reason }{})
		})
}
