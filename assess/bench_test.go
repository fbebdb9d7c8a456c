package assess_test

import (
	"path/filepath"
	"testing"

	"github.com/firmward/firmward"
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
	x := indexOf(b, got.Advisories)
	near := map[string][]firmward.Advisory{}
	for _, s := range demo() {
		for _, k := range assess.Keys(assess.Names(s.Model, s.Device)) {
			refs, err := x.Lookup(k.Vendor, k.Product)
			if err != nil {
				b.Fatal(err)
			}
			for _, r := range refs {
				near[s.Device.ID] = append(near[s.Device.ID], got.Advisories[r])
			}
		}
	}
	for b.Loop() {
		for _, s := range demo() {
			assess.Evaluate(s, near[s.Device.ID], assess.Extras{}, now)
		}
	}
}
