// Package feedtest is the conformance suite that every source of knowledge passes.
package feedtest

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/feed"
	"github.com/firmward/firmward/wire/wiretest/needs"
)

// Result is what one import delivered.
type Result struct {
	Advisories []firmward.Advisory
	Exploited  []firmward.Exploited
	Likelihood []firmward.Likelihood
	Lifecycle  []firmward.Lifecycle
	Refused    []string // "where: why"
	Aside      []string // "where: why"
	Replaced   []string // sources of which all was delivered
	Dated      time.Time
	Cursor     feed.Cursor
}

// Records counts all records.
func (r Result) Records() int {
	return len(r.Advisories) + len(r.Exploited) + len(r.Likelihood) + len(r.Lifecycle)
}

// Sync imports a document into a Result. Like every caller it keeps nothing when Sync fails.
func Sync(ctx context.Context, s feed.Source, r io.Reader, name string) (Result, error) {
	var got Result
	cursor, err := s.Sync(ctx, "", feed.Input{Reader: r, Document: name, Now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}, feed.Sink{
		Advisory:   func(a firmward.Advisory) error { got.Advisories = append(got.Advisories, a); return nil },
		Exploited:  func(x firmward.Exploited) error { got.Exploited = append(got.Exploited, x); return nil },
		Likelihood: func(l firmward.Likelihood) error { got.Likelihood = append(got.Likelihood, l); return nil },
		Lifecycle:  func(l firmward.Lifecycle) error { got.Lifecycle = append(got.Lifecycle, l); return nil },
		Refuse:     func(where, why string) { got.Refused = append(got.Refused, where+": "+why) },
		Aside:      func(where, why string) { got.Aside = append(got.Aside, where+": "+why) },
		Dated:      func(t time.Time) { got.Dated = t },
		Replace:    func(source string, _ time.Time) { got.Replaced = append(got.Replaced, source) },
	})
	if err != nil {
		return Result{}, err
	}
	got.Cursor = cursor
	return got, nil
}

// Run checks a source against a sound document of at least two records.
func Run(t *testing.T, s feed.Source, good []byte) {
	t.Helper()
	const name = "good-document"
	whole, err := Sync(t.Context(), s, bytes.NewReader(good), name)
	if err != nil {
		t.Fatalf("the sound document: %v", err)
	}
	t.Run("sound", func(t *testing.T) { sound(t, s, good, whole) })
	t.Run("cut", func(t *testing.T) { cut(t, s, good) })
	t.Run("wrong", func(t *testing.T) {
		for what, doc := range map[string]string{
			"empty": "", "space": " \n\n", "null": "null", "a string": `"x"`, "an array": "[]", "an empty object": "{}",
			"HTML": "<!doctype html><html><title>503</title></html>", "binary": "\x00\x01\xff\xfe\x80",
			"another JSON": `{"format":"other","vulnerabilities":{},"advisories":7,"products":null,"CVE_Items":{}}`,
			"deep":         strings.Repeat("[", 100_000), "deep member": `{"x":` + strings.Repeat(`{"x":`, 100_000),
			"followed by more": string(good) + "\n{",
		} {
			if what == "followed by more" && bytes.HasPrefix(good, []byte("---\n")) {
				continue // behind front matter stands prose, of which anything is sound
			}
			got, err := Sync(t.Context(), s, strings.NewReader(doc), name)
			if what == "followed by more" && err == nil && len(got.Refused) > len(whole.Refused) {
				continue // a format of lines may refuse the line
			}
			positioned(t, what, err, int64(len(doc)))
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := Sync(ctx, s, bytes.NewReader(good), name); !errors.Is(err, context.Canceled) {
			t.Errorf("a cancelled import gave %v", err)
		}
	})
	t.Run("sink error", func(t *testing.T) {
		full := errors.New("the disk is full")
		_, err := s.Sync(t.Context(), "", feed.Input{Reader: bytes.NewReader(good), Document: name}, feed.Sink{
			Advisory:   func(firmward.Advisory) error { return full },
			Exploited:  func(firmward.Exploited) error { return full },
			Likelihood: func(firmward.Likelihood) error { return full },
			Lifecycle:  func(firmward.Lifecycle) error { return full },
		})
		if !errors.Is(err, full) {
			t.Errorf("the sink's error became %v", err)
		}
	})
}

func sound(t *testing.T, s feed.Source, good []byte, whole Result) {
	t.Helper()
	i := s.Info()
	if i.Name == "" || i.Title == "" || i.Kind == "" || i.Gives == "" || i.Licence == "" || i.Home == "" {
		t.Errorf("the declaration has gaps: %+v", i)
	}
	if whole.Records() < 2 {
		t.Errorf("the sound document gave %d records, the suite needs 2", whole.Records())
	}
	if whole.Dated.IsZero() || whole.Cursor == "" {
		t.Error("the document's date or the cursor is missing")
	}
	if !s.Detect(good[:min(len(good), 4096)], "any") {
		t.Error("Detect does not know its own document")
	}
	if s.Detect([]byte("<!doctype html>"), "any") || s.Detect(nil, "any") {
		t.Error("Detect takes what is not its own")
	}
	for _, a := range whole.Advisories {
		if a.ID == "" || a.Source == "" || a.Title == "" || a.Origin.Document == "" {
			t.Errorf("advisory with gaps: %+v", a)
		}
	}
}

func cut(t *testing.T, s feed.Source, good []byte) {
	t.Helper()
	end := len(bytes.TrimRight(good, " \r\n\t"))
	step := max(1, end/400)
	for n := 0; n < end; n += step {
		if n > 0 && (good[n-1] == '\n' || good[n] == '\n') && lines(good) {
			continue // a cut between two lines shows only in the transport (gzip's checksum)
		}
		got, err := Sync(t.Context(), s, bytes.NewReader(good[:n]), "cut")
		if err == nil {
			t.Fatalf("half a document of %d of %d bytes was taken for whole, %d records", n, end, got.Records())
		}
		positioned(t, "cut", err, int64(n))
	}
	boom := errors.New("connection reset")
	if _, err := Sync(t.Context(), s, io.MultiReader(bytes.NewReader(good[:end/2]), failing{boom}), "reset"); !errors.Is(err, boom) {
		t.Errorf("a broken transport gave %v", err)
	}
}

// lines reports whether each line of a document stands for itself: rows of text, or JSON values.
func lines(doc []byte) bool {
	first, _, _ := bytes.Cut(doc, []byte("\n"))
	return doc[0] != '{' || json.Valid(first)
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func positioned(t *testing.T, what string, err error, size int64) {
	t.Helper()
	p, ok := errors.AsType[*feed.PositionError](err)
	switch {
	case err == nil:
		t.Errorf("%s: no error", what)
	case !ok:
		t.Errorf("%s: the error has no position: %v", what, err)
	case p.Document == "" || p.Offset < 0 || p.Offset > size:
		t.Errorf("%s: position %q %d is outside the document of %d bytes", what, p.Document, p.Offset, size)
	}
}

// Data gives the folder of real documents. Without one the test is skipped, or fails where FIRMWARD_REQUIRE_DAEMONS=1 demands
// that everything is there.
func Data(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("FIRMWARD_TEST_DATA")
	if dir == "" {
		needs.Missing(t, "FIRMWARD_TEST_DATA is not set: the real documents are not read")
	}
	return dir
}

// Tar unpacks a .tar.xz under Data with the program xz and gives the path of the .tar. The test is skipped where that
// program is missing, or fails as Data does.
func Tar(t testing.TB, name string) string {
	t.Helper()
	in := filepath.Join(Data(t), name)
	xz, err := exec.LookPath("xz")
	if err != nil {
		needs.Missing(t, "xz is not installed (Debian: xz-utils): "+name+" is not read")
	}
	path := filepath.Join(t.TempDir(), strings.TrimSuffix(filepath.Base(name), ".xz"))
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), xz, "-dc", in)
	cmd.Stdout, cmd.Stderr = out, os.Stderr
	if err := errors.Join(cmd.Run(), out.Close()); err != nil {
		t.Fatalf("unpack %s: %v", name, err)
	}
	return path
}

// Files gives each regular file of a tar, in its order.
func Files(t testing.TB, path string) iter.Seq2[string, []byte] {
	t.Helper()
	return func(yield func(string, []byte) bool) {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for r := tar.NewReader(f); ; {
			h, err := r.Next()
			if errors.Is(err, io.EOF) {
				return
			}
			var b []byte
			if err == nil {
				b, err = io.ReadAll(r)
			}
			if err != nil {
				t.Fatal(err)
			}
			if h.Typeflag == tar.TypeReg && !yield(h.Name, b) {
				return
			}
		}
	}
}
