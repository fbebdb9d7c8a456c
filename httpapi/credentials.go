package httpapi

import (
	"context"
	"net/http"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/control"
)

// NewCredential is a password for one device, or for a family at a site. It can be replaced, never read.
type NewCredential struct {
	Device   string `json:"device,omitempty" doc:"reference of one device; or"`
	Family   string `json:"family,omitempty" doc:"a catalogue family, with"`
	Site     string `json:"site,omitempty"`
	User     string `json:"user,omitempty"`
	Password string `json:"password" writeOnly:"true"`
	Factory  bool   `json:"factory,omitempty" doc:"the maker's password of the family: rehearsals try on a spare whether an image lets it in again, and nothing else uses it"`
}

func (a *API) credentialRoutes() {
	serveNone(a, spec{
		method: http.MethodPut, path: "/credentials", id: "set-credential", role: firmward.Admin, tag: "Credentials",
		summary: "Store a password", doc: "It is sealed at once, used for this device or family only, and never shown again.",
	}, func(ctx context.Context, in *struct{ Body NewCredential }) error {
		b := in.Body
		return a.Control.SetCredential(ctx, person(ctx), control.Credential{Device: b.Device, Family: b.Family, Site: b.Site, User: b.User, Password: b.Password, Factory: b.Factory})
	})
}
