package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/store"
)

// Exception is one recorded decision to differ, always with an end.
type Exception struct {
	ID       string                 `json:"id"`
	Kind     firmward.ExceptionKind `json:"kind" enum:"accept,defer,suppress,waive"`
	DeviceID string                 `json:"deviceId,omitempty" doc:"absent: every device"`
	Advisory string                 `json:"advisory,omitempty" doc:"absent: every advisory of the device"`
	Reason   string                 `json:"reason"`
	Author   string                 `json:"author"`
	Approver string                 `json:"approver,omitempty"`
	Created  time.Time              `json:"created"`
	Expires  time.Time              `json:"expires"`
}

func exceptionOf(e firmward.Exception) Exception { return Exception(e) }

// NewException is a decision to carry, defer or dismiss a risk for a time.
type NewException struct {
	Kind     firmward.ExceptionKind `json:"kind,omitempty" enum:"accept,defer,suppress,waive" doc:"accept when absent"`
	Device   string                 `json:"device,omitempty" doc:"reference of a device"`
	Advisory string                 `json:"advisory,omitempty"`
	Reason   string                 `json:"reason"`
	Expires  time.Time              `json:"expires" doc:"at most a year from now"`
}

func (a *API) exceptionRoutes() {
	serve(a, spec{method: http.MethodGet, path: "/exceptions", id: "list-exceptions", role: firmward.Viewer, tag: "Exceptions", summary: "List exceptions"},
		func(ctx context.Context, in *struct {
			PageInput
			Device   string `query:"device" doc:"reference of a device"`
			Advisory string `query:"advisory"`
			Valid    bool   `query:"valid" doc:"only those that have not expired"`
		},
		) (Page[Exception], error) {
			want := store.ExceptionFilter{Advisory: in.Advisory}
			if in.Device != "" {
				d, err := a.Control.Find(ctx, in.Device)
				if err != nil {
					return Page[Exception]{}, err
				}
				want.Device = d.ID
			}
			if in.Valid {
				want.ValidAt = a.Control.Clock.Now()
			}
			l, next, err := a.Store.Exceptions(ctx, want, in.page())
			return pageOf(l, next, err, exceptionOf)
		})
	serve(a, spec{
		method: http.MethodPost, path: "/exceptions", id: "accept-risk", role: firmward.Approver, tag: "Exceptions", summary: "Accept, defer or dismiss a risk for a time",
		status: http.StatusCreated,
	}, func(ctx context.Context, in *struct{ Body NewException }) (Exception, error) {
		b := in.Body
		e, err := a.Control.AcceptRisk(ctx, person(ctx), firmward.Exception{Kind: b.Kind, Advisory: b.Advisory, Reason: b.Reason, Expires: b.Expires}, b.Device)
		return exceptionOf(e), err
	})
}
