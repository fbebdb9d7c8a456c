package csaf_test

import (
	"bytes"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/firmward/firmward/feed/csaf"
	"github.com/firmward/firmward/feed/feedtest"
)

const cisa = "csaf-cisa-ot/cisagov-csaf-2024-10-24.tar.xz"

// 2,383 documents, and the two indexes beside them, which are none.
func TestRealDocuments(t *testing.T) {
	docs, advisories, fixes, nofix, took := 0, 0, 0, 0, time.Duration(0)
	ids, sources, why, count := map[string]bool{}, map[string]bool{}, map[string]int{}, map[string]int{}
	for name, b := range feedtest.Files(t, feedtest.Tar(t, cisa)) {
		if path.Ext(name) != ".json" || strings.Contains(path.Base(name), "-feed-") {
			continue
		}
		if !(csaf.Source{}).Detect(b[:min(len(b), 4096)], name) {
			t.Errorf("%s: Detect does not know it", name)
		}
		began := time.Now()
		got, err := feedtest.Sync(t.Context(), csaf.Source{}, bytes.NewReader(b), path.Base(name))
		took += time.Since(began)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		docs++
		for _, r := range got.Refused {
			_, reason, _ := strings.Cut(r, ": ")
			why[strings.SplitN(reason, "\"", 2)[0]]++
			t.Log(r)
		}
		for _, a := range got.Advisories {
			advisories++
			ids[a.ID], sources[a.Source] = true, true
			fixes += len(a.Fixes)
			if a.NoFix {
				nofix++
			}
			if len(a.Configurations) == 0 {
				count["advisories without a product that can be named"]++
			}
			for _, c := range a.Configurations {
				if c.Operator == "AND" {
					count["on a platform"]++
				}
				for _, m := range c.Nodes[0].Matches {
					kind := "by CPE"
					if m.Words != "" {
						kind = "in words"
					}
					v := strings.Split(m.Criteria, ":")[5]
					switch {
					case m.VersionStartIncluding+m.VersionStartExcluding+m.VersionEndIncluding+m.VersionEndExcluding != "":
						kind += ", range"
					case v == "*":
						kind += ", all versions"
					case v == "-":
						kind += ", unspecified"
					default:
						kind += ", one version"
					}
					count["affected "+kind]++
				}
			}
			for _, s := range a.Statements {
				count["stated "+string(s.Status)]++
				if strings.Split(s.Match.Criteria, ":")[5] == "-" {
					count["stated "+string(s.Status)+", version unspecified"]++
				}
			}
		}
	}
	for _, table := range []map[string]int{count, why} {
		for k, n := range table {
			t.Logf("%-48s %6d", k, n)
		}
	}
	t.Logf("%d documents, %d advisories on %d vulnerabilities, %d fixes, %d without a fix, %d µs per document", docs, advisories, len(ids), fixes, nofix, took.Microseconds()/int64(max(1, docs)))
	if docs != 2383 || len(sources) != docs || advisories < 7900 {
		t.Errorf("%d documents, %d sources, %d advisories", docs, len(sources), advisories)
	}
}
