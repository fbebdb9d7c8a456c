package version_test

import (
	"compress/gzip"
	"encoding/json"
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
	var feed any
	if err := json.NewDecoder(z).Decode(&feed); err != nil {
		t.Fatal(err)
	}
	criteria(feed, func(m map[string]any) {
		text := func(keys ...string) string {
			for _, k := range keys {
				if v, ok := m[k].(string); ok {
					return v
				}
			}
			return ""
		}
		name := strings.Split(strings.ReplaceAll(text("criteria", "cpe23Uri"), `\`, ""), ":")
		start, end := text("versionStartIncluding", "versionStartExcluding"), text("versionEndIncluding", "versionEndExcluding")
		if len(name) > 4 && start != "" && end != "" {
			out = append(out, nvdRange{name[3], name[4], start, end})
		}
	})
	return out
}

// criteria calls do for every object that names a CPE, in both forms of the feed.
func criteria(v any, do func(map[string]any)) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			criteria(e, do)
		}
	case map[string]any:
		if v["criteria"] != nil || v["cpe23Uri"] != nil {
			do(v)
		}
		for _, e := range v {
			criteria(e, do)
		}
	}
}
