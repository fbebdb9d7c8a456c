package httpapi

import (
	"context"
	"net/http"

	"github.com/firmward/firmward"
)

// SavedConfigInput names a device whose configuration is wanted.
type SavedConfigInput struct {
	Download
	Ref
}

func (a *API) savedConfigRoutes() {
	stream(a, spec{
		method: http.MethodGet, path: "/devices/{ref}/saved-config", id: "get-saved-config", role: firmward.Admin, tag: "Devices",
		summary: "The configuration of a device that was saved last", download: "application/octet-stream",
		doc: "Saved before an update that wipes it, where the driver can read it, in the device's own form. It holds secrets; who takes it out is recorded.",
	}, "saved-config", func(ctx context.Context, in *SavedConfigInput, w http.ResponseWriter) error {
		b, err := a.Control.SavedConfig(ctx, person(ctx), in.Ref.Ref)
		if err != nil {
			return err
		}
		_, err = w.Write(b)
		return err
	})
}
