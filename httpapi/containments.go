package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/store"
)

// Containment is one device cut off except for what its rules allow.
type Containment struct {
	ID        string                `json:"id"`
	DeviceID  string                `json:"deviceId"`
	Device    string                `json:"device" doc:"its name"`
	State     firmward.ContainState `json:"state" enum:"open,refused,applied,contained,undone,released" doc:"contained means: proven by packets"`
	Why       string                `json:"why,omitempty"`
	Code      string                `json:"code,omitempty"`
	Enforcer  string                `json:"enforcer,omitempty"`
	Rules     []AccessRule          `json:"rules"`
	ConfirmBy time.Time             `json:"confirmBy,omitzero" doc:"when it undoes itself"`
	Proof     []Service             `json:"proof"`
	By        string                `json:"by"`
	Created   time.Time             `json:"created"`
	ReleaseBy string                `json:"releaseBy,omitempty"`
	ReleaseOn string                `json:"releaseOn,omitempty"`
	EndedAt   time.Time             `json:"endedAt,omitzero"`
}

// AccessRule is one line of what a contained device may still do.
type AccessRule struct {
	Device    string `json:"device"`
	MAC       string `json:"mac,omitempty"`
	Direction string `json:"direction" enum:"from,to"`
	Peer      string `json:"peer"`
	Proto     string `json:"proto" enum:"tcp,udp,icmp,any"`
	Port      uint16 `json:"port,omitempty" doc:"absent: any"`
	Allow     bool   `json:"allow"`
	Why       string `json:"why,omitempty"`
}

func containmentOf(c firmward.Containment, device string) Containment {
	return Containment{
		ID: c.ID, DeviceID: c.DeviceID, Device: device, State: c.State, Why: c.Why, Code: c.Code, Enforcer: c.Enforcer,
		Rules: each(c.Rules, func(r firmward.AccessRule) AccessRule {
			return AccessRule{r.Device.String(), r.MAC, r.Direction, r.Peer.String(), r.Proto, r.Port, r.Allow, r.Why}
		}),
		ConfirmBy: c.ConfirmBy, Proof: each(c.Proof, serviceOf), By: c.By, Created: c.Created, ReleaseBy: c.ReleaseBy, ReleaseOn: c.ReleaseOn, EndedAt: c.EndedAt,
	}
}

func (a *API) containmentRoutes() {
	serve(a, spec{method: http.MethodGet, path: "/containments", id: "list-containments", role: firmward.Viewer, tag: "Containments", summary: "List containments"},
		func(ctx context.Context, in *struct {
			PageInput
			Device string                `query:"device" doc:"reference of a device"`
			State  firmward.ContainState `query:"state" enum:"open,refused,applied,contained,undone,released"`
			Open   string                `query:"open" enum:"true,false" doc:"not ended"`
		},
		) (Page[Containment], error) {
			want := store.ContainmentFilter{State: in.State, Open: tri(in.Open)}
			if in.Device != "" {
				d, err := a.Control.Find(ctx, in.Device)
				if err != nil {
					return Page[Containment]{}, err
				}
				want.Device = d.ID
			}
			l, next, err := a.Store.Containments(ctx, want, in.page())
			names := a.names(ctx)
			return pageOf(l, next, err, func(c firmward.Containment) Containment { return containmentOf(c, names(c.DeviceID).Name) })
		})
	act := func(id, summary, doc string, do func(context.Context, firmward.Person, string, string) (firmward.Containment, error)) {
		serve(a, spec{method: http.MethodPost, path: "/devices/{ref}/" + id, id: id + "-device", role: firmward.Operator, tag: "Containments", summary: summary, doc: doc},
			func(ctx context.Context, in *struct {
				Ref
				Body Reason
			},
			) (Containment, error) {
				c, err := do(ctx, person(ctx), in.Ref.Ref, in.Body.Why)
				return containmentOf(c, a.names(ctx)(c.DeviceID).Name), err
			})
	}
	act("contain", "Cut a device off", "Devices that keep people alive are refused. Without proof by packets the rules undo themselves.", a.Control.Contain)
	act("release", "End a containment", "By evidence that nothing exploited is open any more, or by a recorded decision: say it as why.", a.Control.Release)
}
