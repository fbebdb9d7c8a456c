package control_test

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/control/controltest"
	"github.com/firmward/firmward/feed"
	"github.com/firmward/firmward/feed/feedtest"
	"github.com/firmward/firmward/store"
)

func cveRecord(id string) string {
	return `{"dataType":"CVE_RECORD","dataVersion":"5.1","cveMetadata":{"cveId":"` + id + `","state":"PUBLISHED","datePublished":"2024-04-04T10:00:00Z"},` +
		`"containers":{"cna":{"descriptions":[{"lang":"en","value":"A door stands open."}],"affected":[{"vendor":"Acme","product":"Door","versions":[{"version":"1.0 through 1.4","status":"affected"}]}]}}}`
}

func csafDocument(id, cve, released string) string {
	return `{"document":{"category":"csaf_security_advisory","csaf_version":"2.0","title":"Doors","publisher":{"name":"Acme","namespace":"https://acme.example"},"tracking":{"id":"` + id + `","status":"final","initial_release_date":"2024-02-01T10:00:00Z","current_release_date":"` + released + `"}},` +
		`"product_tree":{"branches":[{"category":"vendor","name":"Acme","branches":[{"category":"product_name","name":"Door","branches":[{"category":"product_version_range","name":"<2.0","product":{"product_id":"D","name":"Door"}}]}]}]},` +
		`"vulnerabilities":[{"cve":"` + cve + `","product_status":{"known_affected":["D"]}}]}`
}

// folder writes files, pairs of path and text, and gives their folder.
func folder(t testing.TB, pairs ...string) string {
	dir := filepath.Join(t.TempDir(), "mirror")
	for i := 0; i < len(pairs); i += 2 {
		path := filepath.Join(dir, filepath.FromSlash(pairs[i]))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(pairs[i+1]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestImportMany(t *testing.T) {
	c := controltest.Open(t, nil)
	ctx := t.Context()
	held := func() (out []string) {
		all, _, err := c.Store.Advisories(ctx, store.AdvisoryFilter{}, store.Page{})
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range all {
			out = append(out, a.ID+" "+a.Source+" "+a.Origin.Document)
		}
		return out
	}
	first := csafDocument("AC-1", "CVE-2024-0001", "2024-03-01T10:00:00Z")
	dir := folder(
		t, "2024/ac-1.json", first, "2024/ac-1.json.sha256", fmt.Sprintf("%x  ac-1.json", sha256.Sum256([]byte(first))), "2024/ac-1.json.asc", "x",
		"2024/ac-2.json", csafDocument("AC-2", "CVE-2024-0001", "2024-05-01T10:00:00Z"),
		"2024/ac-3.json", csafDocument("AC-3", "CVE-2024-0003", "2024-05-01T10:00:00Z"), "2024/ac-3.json.sha256", strings.Repeat("0", 64),
		"2024/ac-4.json", csafDocument("AC-4", "CVE-2024-0004", "2024-05-01T10:00:00Z")[:500], // cut
		"2024/other.json", `{"recipes":["bread"]}`, "index.txt", "2024/ac-1.json\n2024/ac-5.json\n", "notes.md", "x",
	)
	s, err := c.ImportFeed(ctx, anna, "", dir, "mirror")
	if err != nil || s.Name != "csaf" || s.Records != 2 || s.Refused != 4 || !s.Dated.Equal(time.Date(2024, 5, 1, 10, 0, 0, 0, time.UTC)) {
		t.Errorf("%+v, %v", s, err)
	}
	want := "CVE-2024-0001 csaf:acme.example/AC-1 ac-1.json, CVE-2024-0001 csaf:acme.example/AC-2 ac-2.json"
	if got := strings.Join(held(), ", "); got != want {
		t.Errorf("%s", got)
	}
	if len(c.Importing()) != 0 {
		t.Error("an import is still under way")
	}
	mixed := folder(t, "a.json", cveRecord("CVE-2024-0009"), "b.json", csafDocument("AC-9", "CVE-2024-0009", "2024-05-01T10:00:00Z"))
	if _, err := c.ImportFeed(ctx, anna, "", mixed, "mixed"); firmward.CodeOf(err) != firmward.Conflict || !strings.Contains(err.Error(), "of cve and, with b.json, of csaf") {
		t.Errorf("two feeds at once: %v", err)
	}
	if got := strings.Join(held(), ", "); got != want {
		t.Errorf("a refused import left %s", got)
	}
	if s, err := c.ImportFeed(ctx, anna, "csaf", mixed, "mixed"); err != nil || s.Records != 3 || s.Refused != 0 {
		t.Errorf("one feed of two: %+v, %v", s, err)
	}
	for what, f := range map[string]struct {
		dir, source string
		code        firmward.Code
	}{
		"nothing of any feed":   {folder(t, "a.json", `{"recipes":[]}`), "", firmward.Invalid},
		"an empty folder":       {folder(t, "a.md", ""), "", firmward.Invalid},
		"no such feed":          {mixed, "nobody", firmward.NotFound},
		"none of that feed":     {mixed, "kev", firmward.Invalid},
		"lists that are whole":  {folder(t, "a.json", `{"catalogVersion":"2026.03.13","dateReleased":"2026-03-13T16:38:24.564Z","count":0,"vulnerabilities":[]}`, "b.json", "{}"), "", firmward.Invalid},
		"an index that is none": {folder(t, "a.json", first, "changes.csv", "x\n"), "", firmward.Invalid},
		"all broken":            {folder(t, "a.json", first[:500], "b.json", first[:550]), "", firmward.Invalid},
	} {
		if _, err := c.ImportFeed(ctx, anna, f.source, f.dir, "folder"); firmward.CodeOf(err) != f.code {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// The mirror of CISA as it was published: every document fits its hash, and the indexes name nothing that is missing.
func TestRealMirror(t *testing.T) {
	t.Parallel()
	path := feedtest.Tar(t, "csaf-cisa-ot/cisagov-csaf-2024-10-24.tar.xz")
	c := controltest.Open(t, nil)
	began := time.Now()
	s, err := c.ImportFeed(t.Context(), anna, "", path, "cisa.tar")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d records, %d refused, dated %s, in %s", s.Records, s.Refused, s.Dated.Format(time.DateOnly), time.Since(began).Round(10*time.Millisecond))
	if s.Records != 7916 || s.Refused > 20 {
		t.Errorf("%+v", s)
	}
	began = time.Now()
	if again, err := c.ImportFeed(t.Context(), anna, "", path, "cisa.tar"); err != nil || again.Records != s.Records {
		t.Errorf("a second time: %+v, %v", again, err)
	}
	t.Logf("a second time in %s", time.Since(began).Round(10*time.Millisecond))
	many, err := feed.OpenCollection(path)
	if err != nil {
		t.Fatal(err)
	}
	for d, err := range many.Documents() {
		if err != nil {
			t.Errorf("%s: %v", d.Name, err)
		}
	}
	t.Logf("%d hashes checked, %d signatures not verified, %d files aside", many.Hashed, many.Signed, many.Aside)
	if many.Hashed != 2383 || many.Signed != 2383 {
		t.Errorf("%d checked, %d signed", many.Hashed, many.Signed)
	}
}

// cveList writes the shape of the CVE list: n records, each in a file of its own, made from real ones under other ids.
func cveList(t testing.TB, n int) string {
	d, err := feed.Open(filepath.Join(feedtest.Data(t), "cve5-vulnrichment/vulnrichment-2024-10-24-oh-cpes.jsonl.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	var records [][]byte
	lines := bufio.NewScanner(d)
	lines.Buffer(nil, 8<<20)
	for lines.Scan() {
		records = append(records, bytes.Clone(lines.Bytes()))
	}
	path := filepath.Join(t.TempDir(), "cvelist.tar.gz")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	z, _ := gzip.NewWriterLevel(f, gzip.BestSpeed)
	w := tar.NewWriter(z)
	for i := range n {
		r := records[i%len(records)]
		var id struct {
			Meta struct {
				ID string `json:"cveId"`
			} `json:"cveMetadata"`
		}
		if err := json.Unmarshal(r, &id); err != nil {
			t.Fatal(err)
		}
		fresh := fmt.Sprintf("CVE-2031-%06d", i)
		r = bytes.ReplaceAll(r, []byte(id.Meta.ID), []byte(fresh))
		if err := w.WriteHeader(&tar.Header{Name: fmt.Sprintf("cvelistV5-main/cves/2031/%dxxx/%s.json", i/1000, fresh), Mode: 0o644, Size: int64(len(r)), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	for _, err := range []error{w.Close(), z.Close(), f.Close()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// BenchmarkImportCVEList imports records in files of their own, and says how much memory that takes at most.
func BenchmarkImportCVEList(b *testing.B) {
	const n = 65_000
	path := cveList(b, n)
	for b.Loop() {
		c := controltest.Open(b, func(cfg *control.Config) { cfg.Scratch = b.TempDir() })
		var s firmward.FeedStatus
		var err error
		most := peak(func() { s, err = c.ImportFeed(b.Context(), anna, "", path, "cvelist.tar.gz") })
		if err != nil || s.Records < n {
			b.Fatalf("%+v %v", s, err)
		}
		b.ReportMetric(float64(most)/1e6, "MB-heap")
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*n), "µs/record")
}

// peak gives the most bytes of heap that were in use while f ran.
func peak(f func()) uint64 {
	var most atomic.Uint64
	stop, done := make(chan bool), make(chan bool)
	go func() {
		defer close(done)
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				most.Store(max(most.Load(), m.HeapAlloc))
			}
		}
	}()
	f()
	close(stop)
	<-done
	return most.Load()
}
