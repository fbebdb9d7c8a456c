package httpapi

import (
	"io/fs"
	"net/http"
	"path"

	"github.com/firmward/firmward"
)

// appPolicy lets the app load its own scripts, styles, icon and data from this server and nothing from anywhere
// else. Inline scripts, inline styles and text that becomes markup are refused, so what a device says stays text.
const appPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// appPages are the addresses of the app's pages; web/src/main.tsx has the same ones.
var appPages = []string{"/{$}", "/devices", "/devices/{ref}", "/rollouts", "/rollouts/{id}", "/feeds", "/notices"}

// appTypes are the kinds of file that the app consists of. The system's own table may be wrong about them.
var appTypes = map[string]string{
	".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml",
}

// appRoutes serves the built app. It holds no data: that comes from the API, with a person's token.
func (a *API) appRoutes(mux *http.ServeMux, app fs.FS) {
	file := func(w http.ResponseWriter, r *http.Request, name, cache string) {
		body, err := fs.ReadFile(app, name)
		if err != nil {
			writeProblem(w, newProblem(firmward.NotFound, "there is no "+r.URL.Path+" here: /docs lists what there is"))
			return
		}
		h := w.Header()
		h.Set("Content-Security-Policy", appPolicy)
		h.Set("Content-Type", appTypes[path.Ext(name)])
		h.Set("Cache-Control", cache)
		_, _ = w.Write(body) // the client may be gone
	}
	for _, page := range appPages {
		mux.HandleFunc("GET "+page, func(w http.ResponseWriter, r *http.Request) { file(w, r, "index.html", "no-store") })
	}
	mux.HandleFunc("GET /icon.svg", func(w http.ResponseWriter, r *http.Request) { file(w, r, "icon.svg", "no-cache") })
	mux.HandleFunc("GET /assets/{file}", func(w http.ResponseWriter, r *http.Request) {
		file(w, r, "assets/"+r.PathValue("file"), "public, max-age=31536000, immutable") // the name holds a hash of the content
	})
}
