// Package httpapi is the one face that all others use: the HTTP API.
//
// # Shape
//
// Routes lie under /api/v1 and are named after the nouns of the house; one file per noun holds its
// routes and the form in which it is written. Listings page by key: {"items": […], "next": "cursor"}.
// Times are RFC 3339, durations are texts such as "24h0m0s", unknown values are left out. Errors are
// RFC 9457 problems with the stable code of firmward.Error; the cause of an internal error goes to the
// log and never to a client.
//
// # Access
//
// A request comes from a local person (the unix socket, or the same process), or carries a token. Each
// operation names the role that it needs, in its OpenAPI description too. Before anything else the Host
// header must be a name of this server and an Origin header must equal it, so no web page can reach the
// API through another name (DNS rebinding) or from another site.
//
// The web app asks for a token once and keeps it in the tab's sessionStorage; each request carries it in the header,
// the event stream too. A session cookie was weighed and left out. A browser sends a cookie by itself, which makes
// forged requests possible, and to every port of the host: on loopback any other program that the browser visits
// would be handed it. What a cookie would be better at, a script that got into the page, is answered by the app's
// content security policy: no script, style, connection or form but this server's own, no inline code, and no text
// that becomes markup (trusted types). The token is gone when the tab is closed.
//
// What a person entered as a secret goes in and never comes out.
package httpapi

import (
	"context"
	"io/fs"
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/store"
)

// Deps is what the API stands on.
type Deps struct {
	Control *control.Control
	Store   *store.Store
	Log     *slog.Logger
	Version string   // of the program
	Origin  string   // name of this instance in the audit log
	Hosts   []string // host names, without port, under which the server may be reached beside loopback
	TempDir string   // for uploads; the system's when empty
	// Alive tells why the loops do not run, or nil. A nil function means that nothing runs by itself here.
	Alive    func() error
	Commands []Command // shown on the start page
	App      fs.FS     // the built web app; the plain start page stands in its place when nil
}

// Command is one command of the program as the start page shows it.
type Command struct {
	Name, Help string
}

// API is the HTTP API.
type API struct {
	Deps
	huma    huma.API
	handler http.Handler
	metrics *metrics
	streams chan struct{} // open event streams
	uploads chan struct{} // large uploads and downloads under way
}

// The bounds on what runs together. Stopping needs none of them and is never held up by them.
const (
	maxStreams = 256
	maxUploads = 8
	maxBody    = 1 << 20 // bytes of an ordinary request
)

// base is the path under which all operations lie.
const base = "/api/v1"

// New builds the API.
func New(d Deps) *API {
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	a := &API{Deps: d, streams: make(chan struct{}, maxStreams), uploads: make(chan struct{}, maxUploads)}
	a.metrics = newMetrics(a)
	mux := http.NewServeMux()
	cfg := huma.DefaultConfig("firmward", d.Version)
	cfg.Info.Description = "Keeps every connected device patched, or safe while it cannot be. See docs/api.md."
	cfg.Info.License = &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"}
	cfg.CreateHooks = nil // no $schema members in answers
	cfg.DocsPath, cfg.SchemasPath = "", ""
	cfg.RejectUnknownQueryParameters = true
	cfg.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"token": {Type: "http", Scheme: "bearer", Description: "a token made with 'firmward tokens add'"},
	}
	a.huma = humago.New(mux, cfg)
	a.huma.UseMiddleware(a.requireRole)
	for _, routes := range []func(){
		a.siteRoutes, a.freezeRoutes, a.networkRoutes, a.scanRoutes, a.previewRoutes, a.deviceRoutes, a.deviceRecordRoutes, a.deviceMergeRoutes, a.deviceLinkRoutes, a.credentialRoutes, a.feedRoutes, a.feedFetchRoutes, a.advisoryRoutes,
		a.findingRoutes, a.explainRoutes, a.exposureRoutes, a.exceptionRoutes, a.nextRoutes, a.releaseRoutes, a.wayRoutes, a.savedConfigRoutes, a.policyRoutes, a.rolloutRoutes, a.stagingRoutes, a.forecastRoutes, a.stopAllRoutes,
		a.workOrderRoutes, a.containmentRoutes, a.auditRoutes, a.reportRoutes, a.tokenRoutes, a.recipientRoutes, a.backupRoutes, a.eventRoutes, a.versionRoutes,
	} {
		routes()
	}
	mux.HandleFunc("GET /healthz", a.healthz)
	mux.Handle("GET /metrics", a.metrics.handler())
	a.pageRoutes(mux)
	a.handler = a.guard(unrouted(mux))
	return a
}

// Handler serves the API, the app or the start page, metrics and health.
func (a *API) Handler() http.Handler { return a.handler }

// OpenAPI is the description of the API as YAML, version 3.1.
func (a *API) OpenAPI() ([]byte, error) { return a.huma.OpenAPI().YAML() }

// spec describes one operation.
type spec struct {
	method, path, id string
	role             firmward.Role // least role that may call it
	tag, summary     string
	doc              string
	status           int    // of a success; 200 when 0
	upload           string // media type of a body that is read as a stream
	download         string // media type of an answer that is written as a stream
}

func (a *API) operation(s spec) huma.Operation {
	op := huma.Operation{
		Method: s.method, Path: base + s.path, OperationID: s.id, Tags: []string{s.tag}, Summary: s.summary,
		Description: s.doc, DefaultStatus: s.status, MaxBodyBytes: maxBody, BodyReadTimeout: 30 * time.Second,
		Security:   []map[string][]string{{"token": {}}},
		Metadata:   map[string]any{"role": s.role},
		Extensions: map[string]any{"x-role": string(s.role)},
	}
	if s.upload != "" {
		op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
			s.upload: {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}},
		}}
	}
	if s.download != "" {
		op.Responses = map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{
			s.download: {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}},
		}}}
	}
	return op
}

// answer is the form of a success for huma.
type answer[T any] struct{ Body T }

// serve registers an operation that answers with a T.
func serve[I, T any](a *API, s spec, h func(context.Context, *I) (T, error)) {
	huma.Register(a.huma, a.operation(s), func(ctx context.Context, in *I) (*answer[T], error) {
		v, err := h(ctx, in)
		if err != nil {
			return nil, a.problem(ctx, s.id, err)
		}
		return &answer[T]{Body: v}, nil
	})
}

// serveNone registers an operation that answers with no body.
func serveNone[I any](a *API, s spec, h func(context.Context, *I) error) {
	s.status = http.StatusNoContent
	huma.Register(a.huma, a.operation(s), func(ctx context.Context, in *I) (*struct{}, error) {
		if err := h(ctx, in); err != nil {
			return nil, a.problem(ctx, s.id, err)
		}
		return nil, nil
	})
}
