package report_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/firmward/firmward/report"
)

var update = flag.Bool("update", false, "write the evidence file in testdata anew")

// kept is an evidence file of a simulated camera, as an earlier firmward wrote it.
var kept = filepath.Join("testdata", "camera.jsonl")

// TestKeptFile: what was written once verifies for ever.
func TestKeptFile(t *testing.T) {
	if *update {
		inHouse(t, func(t *testing.T, h house) {
			if err := os.WriteFile(kept, h.evidence(t, h.camera, 0), 0o644); err != nil {
				t.Fatal(err)
			}
		})
	}
	file, err := os.ReadFile(kept)
	if err != nil {
		t.Fatal(err)
	}
	if v := verify(t, file, report.Options{}); !v.OK || v.Leaves < 20 || v.Facts < 20 {
		t.Errorf("%+v", v)
	}
}

func FuzzVerify(f *testing.F) {
	file, err := os.ReadFile(kept)
	if err != nil {
		f.Fatal(err)
	}
	good, err := report.Verify(bytes.NewReader(file), report.Options{})
	if err != nil || !good.OK {
		f.Fatal(good, err)
	}
	f.Add(file)
	for i := range bytes.Count(file, []byte("\n")) {
		f.Add(bytes.Join(bytes.SplitAfter(file, []byte("\n"))[i:], nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := report.Verify(bytes.NewReader(b), report.Options{Key: good.Key})
		if err != nil {
			t.Fatal(err)
		}
		if v.OK && !bytes.Equal(b, file) {
			t.Errorf("another file passes: %q", b)
		}
	})
}
