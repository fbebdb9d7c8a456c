package feed_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/feed"
)

// files are a collection by path; a folder, a zip, a tar and a tar.gz are made of each.
type files map[string]string

func (f files) names() []string {
	var out []string
	for n := range f {
		out = append(out, n)
	}
	sort.Strings(out)
	return out
}

func (f files) tar(t testing.TB) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, n := range f.names() {
		h := &tar.Header{Name: n, Mode: 0o644, Size: int64(len(f[n])), Typeflag: tar.TypeReg}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, f[n]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.WriteHeader(&tar.Header{Name: "link.json", Linkname: "/etc/passwd", Typeflag: tar.TypeSymlink}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// made writes the collection in each form and gives the paths.
func (f files) made(t testing.TB) map[string]string {
	dir := t.TempDir()
	folder := filepath.Join(dir, "folder")
	var pairs []string
	for _, n := range f.names() {
		pairs = append(pairs, n, f[n])
		path := filepath.Join(folder, filepath.FromSlash(n))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(f[n]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(folder, "link.json")); err != nil {
		t.Fatal(err)
	}
	out := map[string]string{"folder": folder}
	for name, b := range map[string][]byte{"all.zip": zipped(t, pairs...), "all.tar": f.tar(t), "all.tar.gz": gz(t, f.tar(t))} {
		out[name] = filepath.Join(dir, name)
		if err := os.WriteFile(out[name], b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// say reads a collection: each document with its text, or why it is refused.
func say(t testing.TB, path string) ([]string, *feed.Collection) {
	t.Helper()
	c, err := feed.OpenCollection(path)
	if err != nil || c == nil {
		t.Fatalf("%s is no collection: %v", path, err)
	}
	var out []string
	for d, err := range c.Documents() {
		if d == nil {
			return append(out, "end: "+err.Error()), c
		}
		text := []byte(nil)
		if err == nil {
			text, err = io.ReadAll(d)
		}
		if err != nil {
			text = []byte("refused: " + err.Error())
		}
		out = append(out, d.Name+" "+string(text))
	}
	return out, c
}

func sum(text string) string {
	return fmt.Sprintf("%x  whatever.json\n", sha256.Sum256([]byte(text)))
}

func TestCollection(t *testing.T) {
	f := files{
		"provider-metadata.json": `{"canonical_url":"https://acme.example/provider-metadata.json","publisher":{"namespace":"https://acme.example"}}`,
		"white/index.txt":        "2031/a.json\n2031/b.json\n2031/gone.json\n",
		"white/changes.csv":      "\"deep/white/2031/a.json\",\"2031-01-01T00:00:00Z\"\nwhite/2031/lost.json,2031-01-01T00:00:00Z\n",
		"white/feed.json":        `{"feed":{"id":"x","link":[],"entry":[{"content":{"src":"https://acme.example/white/2031/a.json"}},{"content":{"src":"https://acme.example/white/2031/rolled.json"}}]}}`,
		"white/2031/a.json":      `{"a":1}`, "white/2031/a.json.sha256": sum(`{"a":1}`), "white/2031/a.json.sha512": fmt.Sprintf("%x", sha512.Sum512([]byte(`{"a":1}`))), "white/2031/a.json.asc": "-----BEGIN PGP SIGNATURE-----",
		"white/2031/b.json": `{"b":1}`, "white/2031/b.json.sha256": sum(`{"b":2}`),
		"white/2031/c.json": `{"c":1}`, "white/2031/c.json.sha512": "nonsense",
		"white/2031/d.json.gz": string(gz(t, []byte(`{"d":1}`))),
		"white/2031/e.json":    string(zipped(t, "e.json", "{}")),
		"README.md":            "# read me",
		"pages/door.md":        "---\ndoor: 1\n---\n", "pages/empty.md": "", "pages/rule.md": "----\n",
	}
	want := []string{
		"pages/door.md ---\ndoor: 1\n---\n",
		`white/2031/a.json {"a":1}`,
		`white/2031/b.json refused: its content does not fit the hash beside it: fetch it again`,
		`white/2031/c.json refused: its content does not fit the hash beside it: fetch it again`,
		`white/2031/d.json.gz {"d":1}`,
		`white/2031/e.json refused: a zip archive cannot be read from a stream: save it to a file and import that`,
		`white/2031/gone.json refused: an index lists it and it is not there`,
		`white/lost.json refused: an index lists it and it is not there`,
		`white/rolled.json refused: an index lists it and it is not there`,
	}
	for name, path := range f.made(t) {
		got, c := say(t, path)
		got = append(got[:0:0], got...)
		for i, g := range got {
			got[i] = strings.Replace(g, "white/white/2031/", "white/", 1)
		}
		sort.Strings(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
		if c.Hashed != 1 || c.Signed != 1 || c.Aside != 7 {
			t.Errorf("%s: %d checked, %d signed, %d aside", name, c.Hashed, c.Signed, c.Aside)
		}
		if again, _ := say(t, path); len(again) != len(got) {
			t.Errorf("%s: a second walk gives %d documents", name, len(again))
		}
	}
}

func TestPack(t *testing.T) {
	f := files{"2031/a.json": "{}", "2031/a.json.asc": "x", "index.txt": "2031/a.json\n", "notes.md": "x", "door.md": "---\r\n", ".git/config": "x"}
	var b bytes.Buffer
	n := 0
	if err := feed.Pack(&b, f.made(t)["folder"], func(files int) { n = files }); err != nil || n != 4 {
		t.Errorf("%d files, %v", n, err)
	}
	path := filepath.Join(t.TempDir(), "packed")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, c := say(t, path); len(got) != 2 || got[0] != "2031/a.json {}" || got[1] != "door.md ---\r\n" || c.Signed != 1 {
		t.Errorf("%q", got)
	}
	if err := feed.Pack(io.Discard, files{"notes.md": "x"}.made(t)["folder"], func(int) {}); firmward.CodeOf(err) != firmward.Invalid {
		t.Errorf("a folder without documents: %v", err)
	}
}

func TestCollectionRefuses(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, path := range []string{write("one.json", []byte("{}")), write("one.json.gz", gz(t, []byte("{}"))), write("one.zip", zipped(t, "one.json", "{}")), write("broken.zip", []byte("PK\x03\x04x"))} {
		if c, err := feed.OpenCollection(path); c != nil || err != nil {
			t.Errorf("%s is a collection: %v", path, err)
		}
	}
	if _, err := feed.OpenCollection(filepath.Join(dir, "none")); firmward.CodeOf(err) != firmward.NotFound {
		t.Error(err)
	}
	escape := files{"../../x.json": "{}", "/abs.json": "{}", `c:\x.json`: "{}", "good.json": "{}"}
	for name, b := range map[string][]byte{"escape.zip": zipped(t, "../../x.json", "{}", "/abs.json", "{}", `c:\x.json`, "{}", "good.json", "{}"), "escape.tar": escape.tar(t)} {
		got, _ := say(t, write(name, b))
		sort.Strings(got)
		if len(got) != 4 || got[3] != "good.json {}" || strings.Count(strings.Join(got, "\n"), "is no plain path") != 3 {
			t.Errorf("%s: %q", name, got)
		}
	}
	whole := files{"a.json": strings.Repeat("x", 2000), "b.json": "{}"}.tar(t)
	if got, _ := say(t, write("cut.tar", whole[:1200])); len(got) != 1 || !strings.Contains(got[0], "unexpected EOF") {
		t.Errorf("a cut archive: %.200q", got)
	}
	packed := gz(t, whole)
	if got, _ := say(t, write("cut.tar.gz", packed[:len(packed)-20])); !strings.HasPrefix(got[len(got)-1], "end: ") {
		t.Errorf("a cut gzip: %.200q", got)
	}
	zeros := strings.Repeat("\x00", 64<<20)
	if got, _ := say(t, write("bomb.tar.gz", gz(t, files{"a.json": zeros}.tar(t)))); len(got) != 1 || !strings.Contains(got[0], "expands more than 200 times") {
		t.Errorf("a bomb: %.200q", got)
	}
	if got, _ := say(t, write("bomb.zip", zipped(t, "d/a.json", zeros, "b.json", "{}"))); len(got) != 2 || !strings.Contains(got[0], "expands more than 200 times") || got[1] != "b.json {}" {
		t.Errorf("a bomb in a zip: %.200q", got)
	}
	for name, text := range map[string]string{"provider-metadata.json": `{"canonical_url":"acme"}`, "changes.csv": "only one column\n"} {
		for _, path := range (files{name: text, "x.json": "{}"}).made(t) {
			if got, _ := say(t, path); len(got) != 1 || !strings.HasPrefix(got[0], "end: ") {
				t.Errorf("%s in %s: %q", name, path, got)
			}
		}
	}
}

func FuzzCollection(f *testing.F) {
	all := files{"white/index.txt": "a.json\n", "white/a.json": "{}", "white/a.json.sha256": sum("{}"), "feed.json": `{"feed":{"entry":[]}}`}
	f.Add(all.tar(f))
	f.Add(gz(f, all.tar(f)))
	f.Add(zipped(f, "a/b.json", "{}", "changes.csv", "x,y\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(t.TempDir(), "fuzz")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := feed.OpenCollection(path)
		if err != nil || c == nil {
			return
		}
		for d, err := range c.Documents() {
			if d != nil && err == nil {
				_, _ = io.Copy(io.Discard, io.LimitReader(d, 32<<20))
			}
		}
	})
}
