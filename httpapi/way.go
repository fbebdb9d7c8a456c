package httpapi

import (
	"context"
	"net/http"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/upgrade"
)

// Way is how a device comes to run a version: hops in their order, or a refusal. Without both it runs the version already.
type Way struct {
	DeviceID string            `json:"deviceId"`
	Device   string            `json:"device" doc:"its name"`
	From     string            `json:"from,omitempty" doc:"version that it runs; absent: not known"`
	Variant  string            `json:"variant,omitempty" doc:"that it runs; absent: not known"`
	Parts    map[string]string `json:"parts,omitempty" doc:"versions of parts beside the firmware, as far as known"`
	To       string            `json:"to"`
	Hops     []Hop             `json:"hops"`
	Refusal  *WayRefusal       `json:"refusal,omitempty"`
}

// Hop is one installation on a way.
type Hop struct {
	Release        string   `json:"release" doc:"id"`
	Part           string   `json:"part" doc:"firmware or another one"`
	From           string   `json:"from"`
	To             string   `json:"to"`
	Why            string   `json:"why" doc:"why this step"`
	OutageMinutes  int      `json:"outageMinutes"`
	WipesConfig    bool     `json:"wipesConfig,omitempty"`
	ChangesVariant string   `json:"changesVariant,omitempty" example:"full to minimal"`
	NoReturn       bool     `json:"noReturn,omitempty" doc:"the version before cannot be installed again"`
	Down           bool     `json:"down,omitempty" doc:"to an older version"`
	Risks          []string `json:"risks,omitempty" doc:"the same in plain words"`
}

// WayRefusal says why there is no way.
type WayRefusal struct {
	Code    string `json:"code" enum:"version-unknown,no-release,missing-hop,barred,variant-unknown,other-variant,part-unknown,too-new,not-back,below-floor,incomparable,too-many"`
	Why     string `json:"why"`
	Missing string `json:"missing,omitempty" doc:"version to get; absent where a file would not help"`
	Part    string `json:"part,omitempty" doc:"of what is missing"`
	Nearest string `json:"nearest,omitempty" doc:"newest version below the wanted one that can be reached"`
}

func wayOf(w control.Way) Way {
	out := Way{
		DeviceID: w.Device.ID, Device: w.Device.Name, From: w.Runs.Version, Variant: w.Runs.Variant, Parts: w.Runs.Parts, To: w.Want,
		Hops: each(w.Path, func(h upgrade.Hop) Hop {
			return Hop{
				Release: h.Release.ID, Part: h.Part, From: h.From, To: h.To, Why: h.Why, OutageMinutes: int(h.Outage.Minutes()),
				WipesConfig: h.Wipes, ChangesVariant: h.Changes, NoReturn: h.NoReturn, Down: h.Down, Risks: h.Risks(),
			}
		}),
	}
	if no := w.Refusal; no != nil {
		out.Refusal = &WayRefusal{Code: no.Code, Why: no.Why, Missing: no.Missing, Part: no.Part, Nearest: no.Nearest}
	}
	return out
}

func (a *API) wayRoutes() {
	serve(a, spec{
		method: http.MethodGet, path: "/devices/{ref}/upgrade-path", id: "get-upgrade-path", role: firmward.Viewer, tag: "Releases", summary: "The way of a device to a version",
		doc: "By the releases in the depot, as far as the device's rollout policy takes their channels: each installation with its reason and its risks, or why there is no way and what is missing.",
	}, func(ctx context.Context, in *struct {
		Ref
		To      string `query:"to" doc:"the newest release for the device when absent"`
		Variant string `query:"variant" doc:"as it is when absent"`
	},
	) (Way, error) {
		w, err := a.Control.WayTo(ctx, in.Ref.Ref, in.To, in.Variant)
		return wayOf(w), err
	})
}
