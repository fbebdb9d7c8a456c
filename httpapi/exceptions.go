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
	ID       string                  `json:"id"`
	Kind     firmward.ExceptionKind  `json:"kind" enum:"accept,mitigate,defer,suppress,waive" doc:"suppress: a false positive"`
	State    firmward.ExceptionState `json:"state" enum:"in-force,awaiting-approval,expired,fallen" doc:"fallen: its premise no longer held"`
	DeviceID string                  `json:"deviceId,omitempty" doc:"absent: every device"`
	Device   string                  `json:"device,omitempty" doc:"its name, in listings"`
	Advisory string                  `json:"advisory,omitempty" doc:"absent: every advisory of the device"`
	Reason   string                  `json:"reason"`
	Because  firmward.Ground         `json:"because,omitempty" enum:"component-not-present,platform-not-present,other-product,version-not-affected,vulnerable-code-not-in-execute-path,vulnerable-code-cannot-be-controlled" doc:"why a false positive is one"`
	Author   string                  `json:"author"`
	Second   bool                    `json:"secondPerson" doc:"it is not in force until a second person approves"`
	Approver string                  `json:"approver,omitempty"`
	Created  time.Time               `json:"created"`
	Expires  time.Time               `json:"expires"`
	Premise  *Premise                `json:"premise,omitempty" doc:"absent for those made before premises were recorded"`
	FellAt   time.Time               `json:"fellAt,omitzero"`
	FellWhy  string                  `json:"fellWhy,omitempty"`
}

// Premise is what was so when an exception was made. It falls when one of these changes for the worse.
type Premise struct {
	Exploited []string         `json:"exploited" doc:"which of its advisories were known to be exploited"`
	Exposed   bool             `json:"exposed" doc:"reachable from the internet"`
	Verdict   firmward.Verdict `json:"verdict,omitempty"`
	Reason    string           `json:"reason,omitempty" doc:"code of the verdict"`
	Firmware  string           `json:"firmware,omitempty"`
	Control   string           `json:"control,omitempty" doc:"containment that was proven"`
}

// exceptionOf shows exceptions as they stand at now.
func exceptionOf(now time.Time) func(firmward.Exception) Exception {
	return func(e firmward.Exception) Exception {
		out := Exception{
			ID: e.ID, Kind: e.Kind, State: e.State(now), DeviceID: e.DeviceID, Advisory: e.Advisory, Reason: e.Reason, Because: e.Ground, Author: e.Author,
			Second: e.Second, Approver: e.Approver, Created: e.Created, Expires: e.Expires, FellAt: e.FellAt, FellWhy: e.FellWhy,
		}
		if p := e.Premise; p != nil {
			out.Premise = &Premise{list(p.Exploited), p.Exposed, p.Verdict, p.Reason, p.Firmware, p.Control}
		}
		return out
	}
}

// NewException is a decision to carry, defer or dismiss a risk for a time.
type NewException struct {
	Kind     firmward.ExceptionKind `json:"kind,omitempty" enum:"accept,mitigate,defer,suppress,waive" doc:"accept when absent; mitigate needs a containment that is proven"`
	Device   string                 `json:"device,omitempty" doc:"reference of a device"`
	Advisory string                 `json:"advisory,omitempty"`
	Reason   string                 `json:"reason"`
	Because  firmward.Ground        `json:"because,omitempty" enum:"component-not-present,platform-not-present,other-product,version-not-affected,vulnerable-code-not-in-execute-path,vulnerable-code-cannot-be-controlled" doc:"why a false positive is one: the first three outlive an update of the firmware"`
	Expires  time.Time              `json:"expires" doc:"at most a year from now"`
}

// ExceptionConsent approves an exception.
type ExceptionConsent struct {
	Note string `json:"note,omitempty"`
}

func (a *API) exceptionRoutes() {
	serve(a, spec{method: http.MethodGet, path: "/exceptions", id: "list-exceptions", role: firmward.Viewer, tag: "Exceptions", summary: "List exceptions"},
		func(ctx context.Context, in *struct {
			PageInput
			Device   string `query:"device" doc:"reference of a device"`
			Advisory string `query:"advisory"`
			Valid    bool   `query:"valid" doc:"only those that have neither expired nor fallen"`
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
			now := a.Control.Clock.Now()
			if in.Valid {
				want.ValidAt = now
			}
			l, next, err := a.Store.Exceptions(ctx, want, in.page())
			names, shown := a.names(ctx), exceptionOf(now)
			return pageOf(l, next, err, func(e firmward.Exception) Exception {
				out := shown(e)
				if e.DeviceID != "" {
					out.Device = names(e.DeviceID).Name
				}
				return out
			})
		})
	serve(a, spec{
		method: http.MethodPost, path: "/exceptions", id: "accept-risk", role: firmward.Approver, tag: "Exceptions", summary: "Accept, defer or dismiss a risk for a time",
		status: http.StatusCreated,
		doc: "What is so now is recorded as its premise, and it ends by itself when that changes for the worse. A false positive, and anything that is exploited, " +
			"is not in force until a second person approves.",
	}, func(ctx context.Context, in *struct{ Body NewException }) (Exception, error) {
		b := in.Body
		e, err := a.Control.AcceptRisk(ctx, person(ctx), firmward.Exception{Kind: b.Kind, Advisory: advisoryID(b.Advisory), Reason: b.Reason, Ground: b.Because, Expires: b.Expires}, b.Device)
		return exceptionOf(a.Control.Clock.Now())(e), err
	})
	serve(a, spec{
		method: http.MethodPost, path: "/exceptions/{id}/approve", id: "approve-exception", role: firmward.Approver, tag: "Exceptions", summary: "Approve an exception",
		doc: "The author of an exception cannot approve it.",
	}, func(ctx context.Context, in *struct {
		ID   string `path:"id"`
		Body ExceptionConsent
	},
	) (Exception, error) {
		e, err := a.Control.ApproveException(ctx, person(ctx), in.ID, in.Body.Note)
		return exceptionOf(a.Control.Clock.Now())(e), err
	})
}
