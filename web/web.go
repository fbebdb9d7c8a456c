// Package web holds the web app as it was built, so that one binary serves it.
//
// The app lives in src and is built by "make web" into dist/app, which is not committed: dist holds a placeholder
// instead, so Go's tools need no Node. A program built without the app serves the plain start page.
package web

import (
	"embed"
	"io/fs"
)

//go:embed dist
var dist embed.FS

// App gives the files of the built app, or nil when this program was built without it.
func App() fs.FS {
	app, err := fs.Sub(dist, "dist/app")
	if err != nil {
		return nil
	}
	if _, err := fs.Stat(app, "index.html"); err != nil {
		return nil
	}
	return app
}
