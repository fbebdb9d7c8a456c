package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/firmward/firmward"
)

// Version tells which program answers, and as whom it knows the one who asks.
type Version struct {
	Version string        `json:"version"`
	Origin  string        `json:"origin" doc:"name of this instance in the audit log"`
	Schema  int           `json:"schema" doc:"version of the database's form"`
	Time    time.Time     `json:"time" doc:"the house's clock"`
	Lab     bool          `json:"lab" doc:"its network is simulated"`
	Person  string        `json:"person"`
	Role    firmward.Role `json:"role"`
}

func (a *API) versionRoutes() {
	serve(a, spec{method: http.MethodGet, path: "/version", id: "get-version", role: firmward.Viewer, tag: "Version", summary: "Which program this is, and who you are"},
		func(ctx context.Context, _ *struct{}) (Version, error) {
			schema, err := a.Store.SchemaVersion(ctx)
			who := person(ctx)
			return Version{
				Version: a.Version, Origin: a.Origin, Schema: schema, Time: a.Control.Clock.Now(), Lab: a.Control.Lab, Person: who.Name, Role: who.Role,
			}, err
		})
}
