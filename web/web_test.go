package web

import (
	"io/fs"
	"strings"
	"testing"

	"github.com/firmward/firmward/wire/wiretest/needs"
)

// TestApp: without Node there is no app, which is no error; a built one is whole and brings nothing inline, so
// that the content security policy of httpapi can refuse inline code.
func TestApp(t *testing.T) {
	app := App()
	if app == nil {
		needs.Missing(t, `the app is not built here: "make web" builds it`)
	}
	page, err := fs.ReadFile(app, "index.html")
	if err != nil {
		t.Fatal(err)
	}
	if html := string(page); strings.Contains(html, "<style") || strings.Contains(html, "<script>") || strings.Contains(html, "http") {
		t.Errorf("the page has something inline or from elsewhere:\n%s", html)
	}
	for _, kind := range []string{"assets/*.js", "assets/*.css", "icon.svg"} {
		if files, err := fs.Glob(app, kind); err != nil || len(files) == 0 {
			t.Errorf("no %s: %v", kind, err)
		}
	}
}
