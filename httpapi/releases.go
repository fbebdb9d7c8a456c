package httpapi

import (
	"context"
	"net/http"
	"strings"
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
	NoFile    bool      `json:"noFile,omitempty" doc:"firmward does not have it: only people bring it"`
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

	MaxFrom      string   `json:"maxFrom,omitempty" doc:"highest version that may jump to this one"`
	Floor        string   `json:"floor,omitempty" doc:"once it ran, the device takes nothing below this version any more"`
	Part         string   `json:"part,omitempty" doc:"what it replaces, such as bootloader; absent: the firmware"`
	Variant      string   `json:"variant,omitempty" doc:"region, feature set, minimal; absent: the vendor has one only"`
	FromVariants []string `json:"fromVariants,omitempty" doc:"other variants over which it may go, changing them to its own"`
	WipesConfig  bool     `json:"wipesConfig,omitempty" doc:"the configuration of the device does not survive it"`
	MayDowngrade bool     `json:"mayDowngrade,omitempty" doc:"the vendor says that it may go over a newer version"`
	Needs        []Need   `json:"needs,omitempty" doc:"what other parts must be before it"`

	Regressions []Regression `json:"regressions,omitempty" doc:"jumps to it that are known to break something: no device makes them"`
	Permissions []Permission `json:"permissions,omitempty" doc:"models that keep people alive for which the manufacturer permits it, and where"`
}

// Regression is a jump to a release that is known to break something.
type Regression struct {
	NewRegression
	By string    `json:"by"`
	At time.Time `json:"at"`
}

// NewRegression says that a jump to a release breaks something.
type NewRegression struct {
	Model  string `json:"model,omitempty" doc:"absent: every model of the release"`
	From   string `json:"from" doc:"version from which the jump is made"`
	Why    string `json:"why" doc:"what breaks"`
	Source string `json:"source" doc:"who says so"`
}

// Permission is a manufacturer's word that a release may go on devices that keep people alive.
type Permission struct {
	NewPermission
	By string    `json:"by"`
	At time.Time `json:"at"`
}

// NewPermission records such a word.
type NewPermission struct {
	Model  string `json:"model"`
	Region string `json:"region" doc:"that of a site, or * where the manufacturer permits it everywhere"`
	Source string `json:"source" doc:"the document"`
}

// Need is a part that must be at a version or newer before a release.
type Need struct {
	Part    string `json:"part" doc:"firmware or another one"`
	AtLeast string `json:"atLeast"`
}

func releaseOf(r firmward.Release) Release {
	return Release{
		ID: r.ID, Family: r.Family, Vendor: r.Vendor, Models: list(r.Models), Hardware: list(r.Hardware), Version: r.Version, MinFrom: r.MinFrom,
		Channel: r.Channel, Published: r.Published, FileName: r.FileName, NoFile: r.NoFile, SHA256: r.SHA256, Size: r.Size, Origin: r.Origin, Signed: r.Signed,
		Fixes: list(r.Fixes), Notes: r.Notes, Withdrawn: r.Withdrawn, WhyGone: r.WhyGone, By: r.By, At: r.At,
		MaxFrom: r.MaxFrom, Floor: r.Floor, Part: r.Part, Variant: r.Variant, FromVariants: r.FromVariants, WipesConfig: r.WipesConfig,
		MayDowngrade: r.MayDowngrade, Needs: each(r.Needs, func(n firmward.Need) Need { return Need(n) }),
		Regressions: each(r.Regressions, func(v firmward.Regression) Regression {
			return Regression{NewRegression{v.Model, v.From, v.Why, v.Source}, v.By, v.At}
		}),
		Permissions: each(r.Permissions, func(v firmward.Permission) Permission {
			return Permission{NewPermission{v.Model, v.Region, v.Source}, v.By, v.At}
		}),
	}
}

// Reason says why a person does something.
type Reason struct {
	Why string `json:"why,omitempty"`
}

// ReleaseInput is a firmware file and what a person says of it.
type ReleaseInput struct {
	Upload
	Name      string    `query:"name" doc:"file name; required with a file"`
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
	NoFile    bool      `query:"noFile" doc:"the body is empty: firmward knows of the release and does not have it, so that only people bring it"`

	MaxFrom      string   `query:"maxFrom"`
	Floor        string   `query:"floor"`
	Part         string   `query:"part" doc:"what it replaces, such as bootloader; the firmware when absent"`
	Variant      string   `query:"variant"`
	FromVariants []string `query:"fromVariant,explode" doc:"another variant over which it may go; may be repeated"`
	WipesConfig  bool     `query:"wipesConfig"`
	MayDowngrade bool     `query:"mayDowngrade"`
	Needs        []string `query:"needs,explode" doc:"part=version, what another part must be at least; may be repeated"`
}

func (in ReleaseInput) release() (firmward.Release, error) {
	rel := firmward.Release{
		Family: in.Family, Vendor: in.Vendor, Models: in.Models, Hardware: in.Hardware, Version: in.Version, MinFrom: in.MinFrom, Channel: in.Channel,
		Published: in.Published, FileName: fileName(in.Name), Origin: in.Origin, Signed: in.Signed, SHA256: in.SHA256, Fixes: in.Fixes, Notes: in.Notes,
		MaxFrom: in.MaxFrom, Floor: in.Floor, Part: in.Part, Variant: in.Variant, FromVariants: in.FromVariants, WipesConfig: in.WipesConfig,
		MayDowngrade: in.MayDowngrade,
	}
	for _, n := range in.Needs {
		part, least, ok := strings.Cut(n, "=")
		if !ok {
			return rel, invalid(n + " says nothing of a part: want part=version, such as bootloader=7.2")
		}
		rel.Needs = append(rel.Needs, firmward.Need{Part: strings.TrimSpace(part), AtLeast: strings.TrimSpace(least)})
	}
	return rel, nil
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
		rel, err := in.release()
		if err != nil {
			return Release{}, err
		}
		switch {
		case in.NoFile:
			body = nil
		case in.Name == "":
			return Release{}, invalid("say what the file is called (name), or that there is none (noFile)")
		}
		rel, err = a.Control.ImportRelease(ctx, person(ctx), rel, body)
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
	serve(a, spec{
		method: http.MethodPost, path: "/releases/{id}/regressions", id: "add-regression", role: firmward.Admin, tag: "Releases", summary: "Record that a jump to a release breaks something",
		doc: "No device makes that jump from then on, in rollouts that run neither.",
	}, func(ctx context.Context, in *struct {
		ID   string `path:"id"`
		Body NewRegression
	},
	) (Release, error) {
		b := in.Body
		rel, err := a.Control.AddRegression(ctx, person(ctx), in.ID, firmward.Regression{Model: b.Model, From: b.From, Why: b.Why, Source: b.Source})
		return releaseOf(rel), err
	})
	serve(a, spec{
		method: http.MethodPost, path: "/releases/{id}/permissions", id: "add-permission", role: firmward.Admin, tag: "Releases", summary: "Record that the manufacturer permits a release",
		doc: "Devices of classes that keep people alive take no release without it: for their model, this version, and the region of their site.",
	}, func(ctx context.Context, in *struct {
		ID   string `path:"id"`
		Body NewPermission
	},
	) (Release, error) {
		b := in.Body
		rel, err := a.Control.AddPermission(ctx, person(ctx), in.ID, firmward.Permission{Model: b.Model, Region: b.Region, Source: b.Source})
		return releaseOf(rel), err
	})
}
