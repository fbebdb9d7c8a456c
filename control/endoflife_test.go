package control_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/control/controltest"
)

func routerPage(latest string) string {
	return "---\ntitle: RouterOS\naddedAt: 2026-02-22\ncategory: os\npermalink: /routeros\nidentifiers:\n  - cpe: cpe:2.3:o:mikrotik:routeros\nreleases:\n" +
		"  - releaseCycle: \"7.23\"\n    releaseDate: 2026-05-26\n    eol: 2026-08-17\n    latest: \"" + latest + "\"\n---\n> prose\n"
}

func endsDump(made, branches string) string {
	var releases []string
	for b := range strings.FieldsSeq(branches) {
		releases = append(releases, `{"name":"`+b+`","isEol":true,"eolFrom":"2026-08-17","latest":null}`)
	}
	return `{"schema_version":"1.2.0","generated_at":"` + made + `T00:00:00+00:00","total":2,"result":[{"name":"go","label":"Go","category":"lang","identifiers":[],"releases":[{"name":"1"}]},` +
		`{"name":"routeros","label":"RouterOS","category":"os","identifiers":[{"type":"cpe","id":"cpe:/o:mikrotik:routeros"}],"releases":[` + strings.Join(releases, ",") + `]}]}`
}

// The dump is all that endoflife.date knows; a page is one product. Both are one feed.
func TestEndOfLifeForms(t *testing.T) {
	c := controltest.Open(t, nil)
	ctx := t.Context()
	held := func() string {
		all, err := c.Store.Lifecycles(ctx, []string{"mikrotik"})
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, l := range all {
			if l.Origin.Feed == "endoflife" {
				out = append(out, l.Branch+" "+l.Latest)
			}
		}
		return strings.Join(out, ", ")
	}
	file := func(name, text string) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	goPage := strings.NewReplacer("RouterOS", "Go", "category: os", "category: lang", "/routeros", "/go", "cpe: cpe:2.3:o:mikrotik:routeros", "purl: pkg:x/y").Replace(routerPage("1"))
	pages := folder(
		t, "endoflife.date-master/products/routeros.md", routerPage("7.23.3"), "endoflife.date-master/products/go.md", goPage,
		"endoflife.date-master/products/cut.md", routerPage("7.23.9")[:120], "endoflife.date-master/README.md", "# End of life\n",
		"endoflife.date-master/CONTRIBUTING.md", "---\nlayout: page\ntitle: Contributing\npermalink: /contribute\n---\n",
	)
	for _, step := range []struct {
		what, source, path      string
		records, refused, aside int
		held                    string
		code                    firmward.Code
	}{
		{"a dump", "", file("full.json", endsDump("2026-09-01", "7.22 7.21")), 2, 0, 1, "7.21 , 7.22 ", ""},
		{"a page adds", "endoflife", file("routeros.md", routerPage("7.23.1")), 3, 0, 0, "7.21 , 7.22 , 7.23 7.23.1", ""},
		{"a folder of pages", "", pages, 3, 1, 1, "7.21 , 7.22 , 7.23 7.23.3", ""},
		{"a page of no use", "", file("go.md", goPage), 3, 0, 1, "7.21 , 7.22 , 7.23 7.23.3", ""},
		{"an older dump", "", file("old.json", endsDump("2026-08-31", "7.20")), 0, 0, 0, "7.21 , 7.22 , 7.23 7.23.3", firmward.Conflict},
		{"an empty dump", "", file("empty.json", endsDump("2026-09-02", "")), 0, 0, 0, "7.21 , 7.22 , 7.23 7.23.3", firmward.Invalid},
		{"a newer dump is all", "", file("new.json", endsDump("2026-09-02", "7.22")), 1, 0, 1, "7.22 ", ""},
	} {
		s, err := c.ImportFeed(ctx, anna, step.source, step.path, step.what)
		if firmward.CodeOf(err) != step.code || s.Records != step.records || s.Refused != step.refused || s.Aside != step.aside || held() != step.held {
			t.Errorf("%s: %d records, %d refused, %d aside, held %q, %v", step.what, s.Records, s.Refused, s.Aside, held(), err)
		}
	}
}
