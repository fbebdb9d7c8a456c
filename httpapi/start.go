package httpapi

import (
	"bytes"
	"html/template"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

var pageStyle = []byte(`body{max-width:60rem;margin:2rem auto;padding:0 1rem;font:16px/1.5 system-ui,sans-serif;color:#1b1f24;background:#fff}
h1{margin-bottom:0}table{border-collapse:collapse}td,th{padding:.15rem 1rem .15rem 0;text-align:left;vertical-align:top}
code{font-family:ui-monospace,monospace}a{color:#0550ae}
@media (prefers-color-scheme:dark){body{color:#e6edf3;background:#0d1117}a{color:#79c0ff}}
`)

var startPage = template.Must(template.New("start").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>firmward</title><link rel="stylesheet" href="/style.css"></head><body>
<h1>firmward</h1>
<p>Keeps every connected device patched, or safe while it cannot be. Every device has exactly one next step.</p>
<p>This is version {{.Version}}, instance {{.Origin}}. It is used through its command line and its API:
<a href="/docs">all operations</a>, <a href="/openapi.yaml">OpenAPI 3.1</a>, <a href="/healthz">health</a>.</p>
<h2>Commands</h2>
<table>{{range .Commands}}<tr><td><code>firmward {{.Name}}</code></td><td>{{.Help}}</td></tr>
{{end}}</table>
</body></html>
`))

var docsPage = template.Must(template.New("docs").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>firmward API</title><link rel="stylesheet" href="/style.css"></head><body>
<h1>The API</h1>
<p>The full description is <a href="/openapi.yaml">openapi.yaml</a> (<a href="/openapi.json">JSON</a>). <a href="/">Start page</a></p>
<table><tr><th>Operation</th><th>Role</th><th></th></tr>
{{range .}}<tr><td><code>{{.Method}} {{.Path}}</code></td><td>{{index .Extensions "x-role"}}</td><td>{{.Summary}}</td></tr>
{{end}}</table>
</body></html>
`))

// pageRoutes serves the few pages for people. They load nothing from elsewhere and hold no data.
func (a *API) pageRoutes(mux *http.ServeMux) {
	render := func(t *template.Template, data any) []byte {
		var b bytes.Buffer
		if err := t.Execute(&b, data); err != nil {
			panic("page " + t.Name() + ": " + err.Error())
		}
		return b.Bytes()
	}
	serve := func(pattern, contentType string, body []byte) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			_, _ = w.Write(body) // the client may be gone
		})
	}
	if a.App != nil {
		a.appRoutes(mux, a.App)
	} else {
		serve("GET /{$}", "text/html; charset=utf-8", render(startPage, a.Deps))
	}
	serve("GET /docs", "text/html; charset=utf-8", render(docsPage, a.operations()))
	serve("GET /style.css", "text/css; charset=utf-8", pageStyle)
}

// operations lists all operations, sorted by path.
func (a *API) operations() []*huma.Operation {
	var all []*huma.Operation
	for _, item := range a.huma.OpenAPI().Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
			if op != nil {
				all = append(all, op)
			}
		}
	}
	slices.SortFunc(all, func(x, y *huma.Operation) int { return strings.Compare(x.Path+" "+x.Method, y.Path+" "+y.Method) })
	return all
}
