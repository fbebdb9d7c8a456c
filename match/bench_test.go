package match_test

import (
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/assess"
	"github.com/firmward/firmward/cpe"
	"github.com/firmward/firmward/feed/feedtest"
	"github.com/firmward/firmward/feed/sources"
	"github.com/firmward/firmward/index"
	"github.com/firmward/firmward/match"
)

// real builds the index of all NVD 1.1 files, once for all benchmarks.
func real(b *testing.B) string {
	b.Helper()
	files, err := filepath.Glob(filepath.Join(feedtest.Data(b), "nvd-1.1", "*.json.gz"))
	if err != nil || len(files) == 0 {
		b.Fatal(files, err)
	}
	path := filepath.Join(b.TempDir(), "nvd.idx")
	if _, err := (match.Build{Sources: sources.All(), Files: files, Out: path, Now: now}).Run(b.Context()); err != nil {
		b.Fatal(err)
	}
	return path
}

// fingerprints draws names from an index: every product that keep wants, in up to six versions that its criteria name, with the
// hardware of the same name where there is one.
func fingerprints(b *testing.B, x *index.Index, keep func(product string) bool) [][]assess.Name {
	b.Helper()
	var out [][]assess.Name
	for k := range x.Named() {
		p := x.Product(k.Vendor, k.Product)
		from, to := x.Span(p)
		if from == to || x.Criterion(from).Part() != "o" || !keep(k.Product) {
			continue
		}
		var versions []string
		for i := from; i < to && len(versions) < 6; i += max(1, (to-from)/6) {
			c := x.Criterion(i)
			v := c.Version().Text()
			if end, n := c.Bound(3); n != 0 {
				v = end
			}
			if v != "*" && v != "-" && !slices.Contains(versions, v) {
				versions = append(versions, v)
			}
		}
		for _, v := range versions {
			names := []assess.Name{assess.Listed(cpe.Name{Part: "o", Vendor: cpe.Literal(k.Vendor), Product: cpe.Literal(k.Product), Version: cpe.Literal(v)})}
			if model := strings.TrimSuffix(k.Product, "_firmware"); x.Product(k.Vendor, model) != index.None {
				names = append(names, assess.Listed(cpe.Name{Part: "h", Vendor: cpe.Literal(k.Vendor), Product: cpe.Literal(model), Version: cpe.NA}))
			}
			out = append(out, names)
		}
	}
	return out
}

// BenchmarkMatch is the index of 20 NVD files: how fast it opens and judges, on one core.
func BenchmarkMatch(b *testing.B) {
	path := real(b)
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			f, err := match.Open(path)
			if err != nil {
				b.Fatal(err)
			}
			_ = f.Close()
		}
		b.ReportMetric(float64(info.Size())/1e6, "MB/file")
	})
	f, err := match.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	for _, set := range []struct {
		name string
		keep func(string) bool
	}{
		{"firmware", func(p string) bool { return strings.HasSuffix(p, "_firmware") }},
		{"systems", func(p string) bool { return !strings.HasSuffix(p, "_firmware") }}, // IOS, Junos, Android: hundreds of advisories each
	} {
		prints := fingerprints(b, f.Index, set.keep)
		e := assess.NewEvaluator(f.Index)
		verdicts := 0
		subject := func(i int) assess.Subject {
			return assess.Subject{Names: prints[i], Device: firmward.Device{Origin: firmward.OriginByHand}}
		}
		for i := range prints {
			e.Judge(subject(i), func(string, firmward.Verdict, string) { verdicts++ })
		}
		each := func(name string, f func(int)) {
			b.Run(set.name+"/"+name, func(b *testing.B) {
				n := 0
				began := time.Now()
				for b.Loop() {
					f(n % len(prints))
					n++
				}
				b.ReportMetric(float64(n)/time.Since(began).Seconds(), "fingerprints/s")
				b.ReportMetric(float64(verdicts)/float64(len(prints)), "verdicts/fingerprint")
			})
		}
		each("judge", func(i int) { e.Judge(subject(i), func(string, firmward.Verdict, string) {}) })
		each("explain", func(i int) { e.Evaluate(subject(i), assess.Extras{}, now) })
	}
}

// BenchmarkDelta applies a real document of 2,286 changes to the index of 20 NVD files.
func BenchmarkDelta(b *testing.B) {
	path := real(b)
	delta, err := filepath.Glob(filepath.Join(feedtest.Data(b), "nvd-2.0", "nvdcve-modified-2026-03-15*"))
	if err != nil || len(delta) != 1 {
		b.Fatal(delta, err)
	}
	for b.Loop() {
		if _, err := (match.Build{Sources: sources.All(), Files: delta, Base: path, Out: filepath.Join(b.TempDir(), "next.idx"), Now: now}).Run(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkBuild makes the index of 20 NVD files.
func BenchmarkBuild(b *testing.B) {
	for b.Loop() {
		real(b)
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ReportMetric(float64(m.Sys)/1e6, "MB/process")
}

// BenchmarkLines is a whole run over 20,000 devices, reading and writing included.
func BenchmarkLines(b *testing.B) {
	f, err := match.Open(real(b))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	var in strings.Builder
	prints := fingerprints(b, f.Index, func(p string) bool { return strings.HasSuffix(p, "_firmware") })
	prints = prints[:min(len(prints), 20_000)]
	for _, names := range prints {
		in.WriteString("d\t")
		for i, n := range names {
			if i > 0 {
				in.WriteByte(',')
			}
			in.WriteString(n.CPE.String())
		}
		in.WriteByte('\n')
	}
	for b.Loop() {
		if _, err := (match.Run{Index: f.Index}).Lines(b.Context(), strings.NewReader(in.String()), io.Discard); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(prints)), "devices")
}
