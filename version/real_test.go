package version_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/firmward/firmward/version"
	"github.com/firmward/firmward/wire/wiretest/needs"
)

// TestRealRanges: in NVD's own ranges no start lies after its end, by the scheme of the product. Such a start would be
// a scheme that reads the vendor wrongly. The data stay outside (FIRMWARD_TEST_DATA).
func TestRealRanges(t *testing.T) {
	dir := os.Getenv("FIRMWARD_TEST_DATA")
	var files []string
	for _, pattern := range []string{"nvd-2.0/nvdcve-2.0-202*.json.gz", "nvd-1.1/nvdcve-1.1-20[12][0-9]*.json.gz"} {
		found, _ := filepath.Glob(filepath.Join(dir, pattern))
		files = append(files, found...)
	}
	if dir == "" || len(files) == 0 {
		needs.Missing(t, "FIRMWARD_TEST_DATA names no folder with NVD feeds")
	}
	seen, ordered, open := map[[3]string]bool{}, 0, 0
	for _, file := range files {
		for _, r := range nvdRanges(t, file) {
			name := version.ForProduct(r.vendor, r.product)
			k := [3]string{name, r.start, r.end}
			if name == "" || seen[k] {
				continue
			}
			seen[k] = true
			switch o, p := version.Compare(name, r.start, r.end); {
			case o == version.Greater:
				t.Errorf("%s %s, scheme %s: from %q to %q (%v)", r.vendor, r.product, name, r.start, r.end, p)
			case o == version.Incomparable:
				open++
			default:
				ordered++
			}
		}
	}
	t.Logf("%d ranges in order, %d that their scheme does not relate", ordered, open)
	if ordered == 0 {
		t.Error("no range was read")
	}
}

type nvdRange struct{ vendor, product, start, end string }

func nvdRanges(t *testing.T, file string) (out []nvdRange) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	// Decoding a whole feed takes minutes under the race detector; a criterion is a flat object in both forms of the feed.
	for at := 0; ; {
		i := bytes.Index(all[at:], []byte(`"versionStart`))
		if i < 0 {
			return out
		}
		from := bytes.LastIndexByte(all[:at+i], '{')
		to := at + i + bytes.IndexByte(all[at+i:], '}') + 1
		at = to
		var m struct {
			Criteria, CPE23URI                           string
			VersionStartIncluding, VersionStartExcluding string
			VersionEndIncluding, VersionEndExcluding     string
		}
		if err := json.Unmarshal(all[from:to], &m); err != nil {
			t.Fatalf("%s: byte %d: %v", file, from, err)
		}
		name := strings.Split(strings.ReplaceAll(m.Criteria+m.CPE23URI, `\`, ""), ":")
		start, end := m.VersionStartIncluding+m.VersionStartExcluding, m.VersionEndIncluding+m.VersionEndExcluding
		if len(name) > 4 && start != "" && end != "" {
			out = append(out, nvdRange{name[3], name[4], start, end})
		}
	}
}
