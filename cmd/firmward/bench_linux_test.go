package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/firmward/firmward/cpe"
	"github.com/firmward/firmward/feed/feedtest"
	"github.com/firmward/firmward/match"
)

// BenchmarkMatchRun judges devices by an index of 20 NVD files, alone. Wanted: at most 150 MB resident, the file's pages included.
func BenchmarkMatchRun(b *testing.B) {
	path, dir := build(b), b.TempDir()
	files, err := filepath.Glob(filepath.Join(feedtest.Data(b), "nvd-1.1", "*.json.gz"))
	if err != nil || len(files) == 0 {
		b.Fatal(files, err)
	}
	idx := filepath.Join(dir, "nvd.idx")
	if out, err := exec.CommandContext(b.Context(), path, append([]string{"match", "build", "--out", idx}, files...)...).CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	devices, n := systems(b, idx)
	for _, args := range [][]string{nil, {"--explain"}} {
		b.Run("run"+strings.Join(args, ""), func(b *testing.B) {
			most := 0.0
			for b.Loop() {
				cmd := exec.CommandContext(b.Context(), path, append([]string{"match", "run", "--index", idx}, args...)...)
				cmd.Stdin = strings.NewReader(devices)
				if err := cmd.Run(); err != nil {
					b.Fatal(err)
				}
				if use, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
					most = max(most, float64(use.Maxrss)*1024/1e6)
				}
			}
			b.ReportMetric(most, "MB-resident")
			b.ReportMetric(float64(n), "devices")
		})
	}
}

// systems lists a device a line for every operating system and firmware of an index, each in a version that a criterion names.
func systems(b *testing.B, path string) (lines string, n int) {
	f, err := match.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	var out strings.Builder
	for k := range f.Index.Named() {
		from, to := f.Index.Span(f.Index.Product(k.Vendor, k.Product))
		if from == to || f.Index.Criterion(from).Part() != "o" {
			continue
		}
		n++
		is := cpe.Name{Part: "o", Vendor: cpe.Literal(k.Vendor), Product: cpe.Literal(k.Product), Version: f.Index.Criterion(from).Version()}
		fmt.Fprintf(&out, "d%d\t%s\n", n, is)
	}
	return out.String(), n
}
