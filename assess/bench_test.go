package assess_test

import (
	"path/filepath"
	"testing"

	"github.com/firmward/firmward/assess"
	"github.com/firmward/firmward/feed"
	"github.com/firmward/firmward/feed/feedtest"
	"github.com/firmward/firmward/feed/sources"
)

// BenchmarkEvaluate judges the demo's devices by all advisories of a real year that name them.
func BenchmarkEvaluate(b *testing.B) {
	d, err := feed.Open(filepath.Join(feedtest.Data(b), "nvd-1.1/nvdcve-1.1-2018.json.gz"))
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	s, _ := sources.Detect(d)
	got, err := feedtest.Sync(b.Context(), s, d, d.Name)
	if err != nil {
		b.Fatal(err)
	}
	e := assess.NewEvaluator(indexOf(b, got.Advisories))
	for b.Loop() {
		for _, s := range demo() {
			e.Evaluate(s, assess.Extras{}, now)
		}
	}
}
