package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/firmward/firmward"
)

// TestDifferential: on real files every difference to nvdtools' evaluator belongs to a class that says why.
func TestDifferential(t *testing.T) {
	dir := os.Getenv("FIRMWARD_TEST_DATA")
	if dir == "" {
		if os.Getenv("FIRMWARD_REQUIRE_DAEMONS") != "" {
			t.Fatal("FIRMWARD_TEST_DATA names no folder with NVD files")
		}
		t.Skip("FIRMWARD_TEST_DATA names no folder with NVD files")
	}
	var files []string
	for _, year := range []string{"2014", "2017", "2018", "2021-asof-2021-10-05"} {
		files = append(files, filepath.Join(dir, "nvd-1.1", "nvdcve-1.1-"+year+".json.gz"))
	}
	r, err := run(files, 8000)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	r.print(&out, 1)
	t.Log(out.String())
	if r.pairs < 5000 || r.same < 5000 || r.answers[firmward.Affected] == 0 {
		t.Errorf("%d pairs, %d times both say affected: too few to compare", r.pairs, r.same)
	}
	if len(r.unexplained) > 0 {
		t.Errorf("%d differences without an explanation, the first: %s", len(r.unexplained), r.unexplained[0])
	}
}
