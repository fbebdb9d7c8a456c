package httpapi

import (
	"context"
	"net/http"

	"github.com/firmward/firmward"
)

// Site is a place with its own clock.
type Site struct {
	Name     string `json:"name"`
	TimeZone string `json:"timeZone,omitempty" doc:"IANA name; UTC when absent"`
	Region   string `json:"region,omitempty" doc:"regulatory region, for permissions of manufacturers" example:"EU"`
}

// SiteFacts sets facts of a site; what is absent stays.
type SiteFacts struct {
	TimeZone *string `json:"timeZone,omitempty" doc:"IANA name"`
	Region   *string `json:"region,omitempty" doc:"regulatory region, for permissions of manufacturers" example:"EU"`
}

func (a *API) siteRoutes() {
	serve(a, spec{method: http.MethodGet, path: "/sites", id: "list-sites", role: firmward.Viewer, tag: "Sites", summary: "List sites"},
		func(ctx context.Context, in *PageInput) (Page[Site], error) {
			l, next, err := a.Store.Sites(ctx, in.page())
			return pageOf(l, next, err, func(s firmward.Site) Site { return Site(s) })
		})
	serve(a, spec{
		method: http.MethodPost, path: "/sites", id: "add-site", role: firmward.Admin, tag: "Sites", summary: "Make a site", status: http.StatusCreated,
		doc: "For a place that no network shows; the first network of a place makes its site too.",
	}, func(ctx context.Context, in *struct{ Body Site }) (Site, error) {
		s, err := a.Control.AddSite(ctx, person(ctx), firmward.Site(in.Body))
		return Site(s), err
	})
	serve(a, spec{method: http.MethodPatch, path: "/sites/{name}", id: "set-site", role: firmward.Admin, tag: "Sites", summary: "Set the clock and the region of a site"},
		func(ctx context.Context, in *struct {
			Name string `path:"name"`
			Body SiteFacts
		},
		) (Site, error) {
			s, err := a.Control.SetSite(ctx, person(ctx), in.Name, in.Body.TimeZone, in.Body.Region)
			return Site(s), err
		})
	serveNone(a, spec{method: http.MethodDelete, path: "/sites/{name}", id: "remove-site", role: firmward.Admin, tag: "Sites", summary: "Forget a site at which nothing stands"},
		func(ctx context.Context, in *struct {
			Name string `path:"name"`
		},
		) error {
			return a.Control.RemoveSite(ctx, person(ctx), in.Name)
		})
}
