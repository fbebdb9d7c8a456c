package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/store"
)

// Release is one firmware file with what is known of it.
type Release struct {
	ID        string    `json:"id"`
	Family    string    `json:"family"`
	Vendor    string    `json:"vendor,omitempty"`
	Models    []string  `json:"models"`
	Hardware  []string  `json:"hardware" doc:"exact revisions; \"*\" says any, as the vendor states"`
	Version   string    `json:"version"`
	MinFrom   string    `json:"minFrom,omitempty" doc:"lowest version that may jump to this one"`
	Channel   string    `json:"channel,omitempty"`
	Published time.Time `json:"published,omitzero"`
	FileName  string    `json:"fileName"`
	SHA256    string    `json:"sha256"`
	Size      int64     `json:"size" doc:"bytes"`
	Origin    string    `json:"origin" doc:"where the person got it"`
	Signed    string    `json:"signed" enum:"yes,no,unknown"`
	Fixes     []string  `json:"fixes"`
	Notes     string    `json:"notes,omitempty"`
	Withdrawn time.Time `json:"withdrawn,omitzero"`
	WhyGone   string    `json:"whyGone,omitempty"`
	By        string    `json:"by"`
	At        time.Time `json:"at"`
}

func releaseOf(r firmward.Release) Release {
	r.Models, r.Hardware, r.Fixes = list(r.Models), list(r.Hardware), list(r.Fixes)
	return Release(r)
}

// Reason says why a person does something.
type Reason struct {
	Why string `json:"why,omitempty"`
}

// ReleaseInput is a firmware file and what a person says of it.
type ReleaseInput struct {
	Upload
	Name      string    `query:"name" required:"true" doc:"file name"`
	Family    string    `query:"family" doc:"catalogue family; found by vendor and model when absent"`
	Vendor    string    `query:"vendor"`
	Models    []string  `query:"model,explode" doc:"exact model name; may be repeated"`
	Hardware  []string  `query:"hardware,explode" doc:"exact hardware revision, or *; may be repeated"`
	Version   string    `query:"version"`
	MinFrom   string    `query:"minFrom"`
	Channel   string    `query:"channel"`
	Published time.Time `query:"published"`
	Origin    string    `query:"origin" doc:"where the file came from"`
	Signed    string    `query:"signed" enum:"yes,no,unknown"`
	SHA256    string    `query:"sha256" pattern:"^[0-9A-Fa-f]{64}$" doc:"expected hash; another one is refused"`
	Fixes     []string  `query:"fixes,explode" doc:"advisory that it repairs; may be repeated"`
	Notes     string    `query:"notes"`
}

func (a *API) releaseRoutes() {
	serve(a, spec{method: http.MethodGet, path: "/releases", id: "list-releases", role: firmward.Viewer, tag: "Releases", summary: "List firmware releases"},
		func(ctx context.Context, in *struct {
			PageInput
			Family    string `query:"family"`
			SHA256    string `query:"sha256"`
			Withdrawn string `query:"withdrawn" enum:"true,false"`
		},
		) (Page[Release], error) {
			l, next, err := a.Store.Releases(ctx, store.ReleaseFilter{Family: in.Family, SHA256: in.SHA256, Withdrawn: tri(in.Withdrawn)}, in.page())
			return pageOf(l, next, err, releaseOf)
		})
	serve(a, spec{
		method: http.MethodPost, path: "/releases", id: "import-release", role: firmward.Admin, tag: "Releases", summary: "Import a firmware file",
		status: http.StatusCreated, upload: "application/octet-stream", doc: "The body is the file. Models and hardware revisions must be named exactly.",
	}, func(ctx context.Context, in *ReleaseInput) (Release, error) {
		body, done, err := a.upload(in.Upload, maxFirmware)
		if err != nil {
			return Release{}, err
		}
		defer done()
		rel, err := a.Control.ImportRelease(ctx, person(ctx), firmward.Release{
			Family: in.Family, Vendor: in.Vendor, Models: in.Models, Hardware: in.Hardware, Version: in.Version, MinFrom: in.MinFrom, Channel: in.Channel,
			Published: in.Published, FileName: fileName(in.Name), Origin: in.Origin, Signed: in.Signed, SHA256: in.SHA256, Fixes: in.Fixes, Notes: in.Notes,
		}, body)
		return releaseOf(rel), err
	})
	serve(a, spec{
		method: http.MethodPost, path: "/releases/{id}/withdraw", id: "withdraw-release", role: firmward.Admin, tag: "Releases", summary: "Withdraw a release",
		doc: "No device starts with it any more and rollouts that carry it halt.",
	}, func(ctx context.Context, in *struct {
		ID   string `path:"id"`
		Body Reason
	},
	) (Release, error) {
		rel, err := a.Control.WithdrawRelease(ctx, person(ctx), in.ID, in.Body.Why)
		return releaseOf(rel), err
	})
}
