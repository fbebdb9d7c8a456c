package httpapi

import (
	"context"
	"net/http"

	"github.com/firmward/firmward"
)

// LinkBody says on which other device this one depends.
type LinkBody struct {
	Kind firmward.RelationKind `json:"kind" enum:"behind,powered-by,redundant-with,same-medium" doc:"this device is …"`
	To   string                `json:"to" doc:"id, name, address, serial number or MAC address of the other one"`
}

// AutoUpdates is how a device updates itself, as it says.
type AutoUpdates struct {
	On bool   `json:"on" doc:"it installs by itself what its maker offers"`
	At string `json:"at,omitempty" doc:"time of day at which it does, in its own time: 03:00"`
}

// SetAutoUpdates switches that.
type SetAutoUpdates struct {
	On bool `json:"on"`
}

func (a *API) deviceLinkRoutes() {
	link := func(path, id, summary, doc string, do func(context.Context, firmward.Person, string, firmward.RelationKind, string) (firmward.Relation, error)) {
		serve(a, spec{method: http.MethodPost, path: "/devices/{ref}/" + path, id: id, role: firmward.Operator, tag: "Devices", summary: summary, doc: doc},
			func(ctx context.Context, in *struct {
				Ref
				Body LinkBody
			},
			) (Relation, error) {
				e, err := do(ctx, person(ctx), in.Ref.Ref, in.Body.Kind, in.Body.To)
				return relationOf(e, a.names(ctx)), err
			})
	}
	link("link", "link-devices", "One device depends on another",
		"Who is behind another is not blamed when that one is silent, and is updated before it; redundant ones are never updated together.", a.Control.LinkDevices)
	link("unlink", "unlink-devices", "Take a dependency back", "What a probe said of it goes too; a probe may say it anew.", a.Control.UnlinkDevices)
	serve(a, spec{method: http.MethodGet, path: "/devices/{ref}/auto-updates", id: "get-auto-updates", role: firmward.Operator, tag: "Devices", summary: "Ask a device how it updates itself"},
		func(ctx context.Context, in *Ref) (AutoUpdates, error) {
			is, err := a.Control.AutoUpdates(ctx, in.Ref)
			return AutoUpdates(is), err
		})
	serve(a, spec{
		method: http.MethodPut, path: "/devices/{ref}/auto-updates", id: "set-auto-updates", role: firmward.Operator, tag: "Devices", summary: "Switch a device's own automatic updates",
		doc: "The device is asked again afterwards; the answer is what it said then.",
	}, func(ctx context.Context, in *struct {
		Ref
		Body SetAutoUpdates
	},
	) (AutoUpdates, error) {
		is, err := a.Control.SetAutoUpdates(ctx, person(ctx), in.Ref.Ref, in.Body.On)
		return AutoUpdates(is), err
	})
}
