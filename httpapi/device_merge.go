package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/store"
)

// Merge tells of a device that turned out to be another one.
type Merge struct {
	Part string    `json:"part" doc:"id of the device that was merged away; it still finds this one"`
	Name string    `json:"name" doc:"what it was called"`
	At   time.Time `json:"at"`
	By   string    `json:"by" doc:"a person, or firmward"`
	Why  string    `json:"why"`
}

func mergeOf(m store.Merge) Merge { return Merge{m.From, m.Device.Name, m.At, m.By, m.Why} }

// MergeBody says which other device is this one.
type MergeBody struct {
	Device string `json:"device" doc:"id, name, address, serial number or MAC address of the other one"`
	Why    string `json:"why"`
}

// SplitBody says which part of a device is another one.
type SplitBody struct {
	Part string `json:"part,omitempty" doc:"id of the device that was merged away; may be left out when there is one only"`
	Why  string `json:"why"`
}

func (a *API) deviceMergeRoutes() {
	serve(a, spec{
		method: http.MethodPost, path: "/devices/{ref}/merge", id: "merge-devices", role: firmward.Operator, tag: "Devices", summary: "Two entries are one device",
		doc: "The other entry becomes part of this one, with its evidence, work and history; what is not said of this one is taken from it. Splitting takes it back.",
	}, func(ctx context.Context, in *struct {
		Ref
		Body MergeBody
	},
	) (Device, error) {
		d, err := a.Control.MergeDevices(ctx, person(ctx), in.Ref.Ref, in.Body.Device, in.Body.Why)
		return deviceOf(d), err
	})
	serve(a, spec{
		method: http.MethodPost, path: "/devices/{ref}/split", id: "split-device", role: firmward.Operator, tag: "Devices", summary: "One entry is two devices",
		doc: "Takes a merge back, whether a rule or a person made it. The two are kept apart from then on. The answer is the device that is there again.",
	}, func(ctx context.Context, in *struct {
		Ref
		Body SplitBody
	},
	) (Device, error) {
		d, err := a.Control.SplitDevice(ctx, person(ctx), in.Ref.Ref, in.Body.Part, in.Body.Why)
		return deviceOf(d), err
	})
}
