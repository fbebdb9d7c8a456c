package control_test

import (
	"archive/zip"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/control/controltest"
)

// BenchmarkFetchCVEList fetches a list of small records whole, from a server beside it, and says how much memory that takes at most.
// RECORDS=N is another number of records.
func BenchmarkFetchCVEList(b *testing.B) {
	n := 50_000
	if text := os.Getenv("RECORDS"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			b.Fatal(err)
		}
	}
	path := filepath.Join(b.TempDir(), "list.zip")
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	z := zip.NewWriter(f)
	more := strings.Repeat(" ", 2000) // as the list is indented
	for i := range n {
		id := fmt.Sprintf("CVE-2026-%d", 1_000_000+i)
		w, err := z.Create(fmt.Sprintf("cvelistV5-main/cves/2026/%dxxx/%s.json", 1000+i/1000, id))
		if err == nil {
			_, err = io.WriteString(w, cveState(id, "PUBLISHED", fetchDay)+more)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		b.Fatal(err)
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
	serve := func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, path) }
	for b.Loop() {
		net := newInternet(b, serve)
		c := controltest.Open(b, func(cfg *control.Config) {
			cfg.Network, cfg.Scratch, cfg.Clock = net, b.TempDir(), control.Clock{Base: fetchDay, Start: time.Now(), Scale: 1}
		})
		urls := []string{cveArchive}
		if _, err := c.SetFeed(b.Context(), anna, "cve", control.SetFeed{URLs: &urls}); err != nil {
			b.Fatal(err)
		}
		var s firmward.FeedStatus
		most := peak(func() { s, err = c.FetchFeed(b.Context(), anna, "cve") })
		if err != nil || s.Records != n || s.Refused != 0 {
			b.Fatalf("%+v %v", s, err)
		}
		b.ReportMetric(float64(most)/1e6, "MB-heap")
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*n), "µs/record")
}
