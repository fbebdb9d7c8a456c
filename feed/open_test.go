package feed_test

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/feed"
)

func gz(t testing.TB, b []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func zipped(t testing.TB, entries ...string) []byte {
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for i := 0; i < len(entries); i += 2 {
		f, err := w.Create(entries[i])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(f, entries[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestOpen(t *testing.T) {
	text := strings.Repeat("hello feed ", 1000)
	for name, b := range map[string][]byte{
		"plain.json": []byte(text), "small.json.gz": gz(t, []byte(text)), "one.zip": zipped(t, "one.json", text),
	} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		d, err := feed.Open(path)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		head := string(d.Head())
		got, err := io.ReadAll(d)
		if err != nil || string(got) != text || head != text[:4096] || d.Name != name {
			t.Errorf("%s: %v, %d bytes, head %d bytes, name %q", name, err, len(got), len(head), d.Name)
		}
		if err := d.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	d, err := feed.OpenReader(bytes.NewReader(gz(t, []byte(text))), "https://host/dir/x.gz")
	if err != nil || d.Name != "x.gz" {
		t.Errorf("a stream: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	for name, b := range map[string][]byte{
		"two entries": zipped(t, "a", "1", "b", "2"), "no entry": zipped(t), "a path": zipped(t, "../a", "1"),
		"a folder": zipped(t, "d/a", "1"), "a broken zip": []byte("PK\x03\x04broken"), "a broken gzip": {0x1f, 0x8b, 1, 2, 3, 4},
	} {
		d, err := feed.OpenBytes(b, name)
		if err == nil {
			_, err = io.ReadAll(d)
		}
		if firmward.CodeOf(err) != firmward.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := feed.Open(filepath.Join(t.TempDir(), "none")); firmward.CodeOf(err) != firmward.NotFound {
		t.Errorf("no file: %v", err)
	}
	if _, err := feed.Open(t.TempDir()); firmward.CodeOf(err) != firmward.Invalid {
		t.Errorf("a directory: %v", err)
	}
	if _, err := feed.OpenReader(bytes.NewReader(zipped(t, "a", "1")), "a.zip"); firmward.CodeOf(err) != firmward.Invalid {
		t.Errorf("a zip in a stream: %v", err)
	}
}

func TestBombs(t *testing.T) {
	zeros := strings.Repeat("\x00", 64<<20)
	for name, b := range map[string][]byte{"bomb.gz": gz(t, []byte(zeros)), "bomb.zip": zipped(t, "bomb", zeros)} {
		d, err := feed.OpenBytes(b, name)
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, d)
		p, ok := errors.AsType[*feed.PositionError](err)
		if firmward.CodeOf(err) != firmward.TooLarge || !ok || p.Document != name || p.Offset < feed.FreeRatio || n > feed.FreeRatio+(1<<20) {
			t.Errorf("%s: %d bytes were read: %v", name, n, err)
		}
	}
}

func TestCutGzip(t *testing.T) {
	b := gz(t, []byte(strings.Repeat("x,y\n", 10000)))
	d, err := feed.OpenBytes(b[:len(b)-4], "cut.gz")
	if err == nil {
		_, err = io.ReadAll(d)
	}
	if _, ok := errors.AsType[*feed.PositionError](err); !ok || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a cut gzip: %v", err)
	}
}

func FuzzOpen(f *testing.F) {
	f.Add([]byte("plain"))
	f.Add(gz(f, []byte("packed")))
	f.Add(zipped(f, "a.json", "packed"))
	f.Fuzz(func(_ *testing.T, b []byte) {
		d, err := feed.OpenBytes(b, "fuzz")
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, io.LimitReader(d, 32<<20))
		_ = d.Close()
	})
}
