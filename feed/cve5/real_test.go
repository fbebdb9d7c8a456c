package cve5_test

import (
	"encoding/csv"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/feed"
	"github.com/firmward/firmward/feed/cve5"
	"github.com/firmward/firmward/feed/feedtest"
	"github.com/firmward/firmward/feed/nvd20"
	"github.com/firmward/firmward/priority"
)

// kind tells how well a record names products and versions.
func kind(a firmward.Advisory) string {
	words, versions, all, matches := true, false, false, 0
	for _, c := range a.Configurations {
		for _, n := range c.Nodes {
			for _, m := range n.Matches {
				matches++
				words = words && m.Words != ""
				v := strings.Split(m.Criteria, ":")[5]
				ranged := m.VersionStartIncluding+m.VersionStartExcluding+m.VersionEndIncluding+m.VersionEndExcluding != ""
				versions = versions || ranged || v != "-" && v != "*"
				all = all || !ranged && v == "*"
			}
		}
	}
	names := "CPE"
	if words {
		names = "words only"
	}
	switch {
	case matches == 0:
		return "no product"
	case versions:
		return names + ", versions"
	case all:
		return names + ", all versions"
	}
	return names + ", unspecified"
}

func open(t testing.TB, name string) *feed.Document {
	d, err := feed.Open(filepath.Join(feedtest.Data(t), name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

const vulnrichment = "cve5-vulnrichment/vulnrichment-2024-10-24-oh-cpes.jsonl.gz"

func TestRealRecords(t *testing.T) {
	began := time.Now()
	d := open(t, vulnrichment)
	if !(cve5.Source{}).Detect(d.Head(), d.Name) {
		t.Error("Detect does not know the document")
	}
	got, err := feedtest.Sync(t.Context(), cve5.Source{}, d, d.Name)
	if err != nil {
		t.Fatal(err)
	}
	took := time.Since(began)
	kinds, most := map[string]int{}, 0
	scores, fixes, nofix := 0, 0, 0
	for _, a := range got.Advisories {
		kinds[kind(a)]++
		n := 0
		for _, c := range a.Configurations {
			n += len(c.Nodes[0].Matches)
		}
		most = max(most, n)
		scores += min(1, len(a.Scores))
		fixes += min(1, len(a.Fixes))
		if a.NoFix {
			nofix++
		}
	}
	why := map[string]int{}
	for _, r := range got.Refused {
		where, _, _ := strings.Cut(r, ":")
		_, part, _ := strings.Cut(where, " ")
		why["refused: "+part]++
		t.Log(r)
	}
	for _, table := range []map[string]int{kinds, why} {
		for k, n := range table {
			t.Logf("%-28s %5d", k, n)
		}
	}
	t.Logf("scored %d, with a fix %d, without one for ever %d, exploited %d, at most %d matches, %s each", scores, fixes, nofix, len(got.Exploited), most, took/time.Duration(len(got.Advisories)))
	if len(got.Advisories) != 6479 || len(got.Exploited) != 111 {
		t.Errorf("%d advisories, %d exploited", len(got.Advisories), len(got.Exploited))
	}
	if n := kinds["no product"]; n > 80 {
		t.Errorf("%d records name no product", n)
	}
}

func BenchmarkRecord(b *testing.B) {
	for _, c := range []struct {
		name, file string
		source     feed.Source
	}{{"cve5", vulnrichment, cve5.Source{}}, {"nvd20", "nvd-2.0/nvdcve-2.0-2026.json.gz", nvd20.Source{}}} {
		b.Run(c.name, func(b *testing.B) {
			text, err := io.ReadAll(open(b, c.file))
			if err != nil {
				b.Fatal(err)
			}
			n := 0
			for b.Loop() {
				n = 0
				_, err := c.source.Sync(b.Context(), "", feed.Input{Reader: strings.NewReader(string(text)), Document: c.name}, feed.Sink{Advisory: func(firmward.Advisory) error { n++; return nil }})
				if err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*n), "µs/record")
			b.ReportMetric(float64(len(text)*b.N)/b.Elapsed().Seconds()/1e6, "MB/s")
		})
	}
}

// TestRealSSVC compares what is read with a table of the same decisions that was made by other means: no difference.
func TestRealSSVC(t *testing.T) {
	d := open(t, vulnrichment)
	got, err := feedtest.Sync(t.Context(), cve5.Source{}, d, d.Name)
	if err != nil {
		t.Fatal(err)
	}
	read := map[string]*firmward.SSVC{}
	for _, a := range got.Advisories {
		read[a.ID] = a.SSVC
	}
	table, err := csv.NewReader(open(t, "cve5-vulnrichment/ssvc-2024-10-24.csv.gz")).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	both, values := 0, map[string]int{}
	for _, row := range table[1:] { // cve,exploitation,automatable,technical_impact,timestamp,kev
		s, ours := read[row[0]]
		if !ours {
			continue
		}
		both++
		if s == nil {
			t.Errorf("%v: nothing was read", row)
			continue
		}
		want := [4]string{strings.ToLower(row[1]), strings.ToLower(row[2]), strings.ToLower(row[3]), "CISA-ADP"}
		at, err := feed.Day(row[4])
		if have := [4]string{s.Exploitation, s.Automatable, s.TechnicalImpact, s.Source}; have != want || err != nil || !s.Dated.Equal(at) {
			t.Errorf("%v: %v %s, %v", row, have, s.Dated, err)
		}
		values[s.Exploitation+" "+s.Automatable+" "+s.TechnicalImpact]++
		delete(read, row[0])
	}
	if len(read) > 0 || both != 6479 || len(values) != 12 {
		t.Errorf("%d records in both, %d are only in one, %d combinations of 12", both, len(read), len(values))
	}
	t.Logf("%d records in both", both)
}

// TestRealScores counts scores that differ from the base score of their vector. Most of them were worked out from all metrics
// of the vector, threat metrics included, and called base.
func TestRealScores(t *testing.T) {
	type counts struct{ scores, differ, whole, unreadable int }
	for _, c := range []struct {
		file   string
		source feed.Source
		want   counts
	}{
		{vulnrichment, cve5.Source{}, counts{scores: 7500, differ: 248, whole: 238}},
		{"nvd-2.0/nvdcve-2.0-2026.json.gz", nvd20.Source{}, counts{scores: 11642, differ: 456, whole: 455}},
	} {
		d := open(t, c.file)
		result, err := feedtest.Sync(t.Context(), c.source, d, d.Name)
		if err != nil {
			t.Fatal(err)
		}
		var got counts
		for _, a := range result.Advisories {
			for _, s := range a.Scores {
				got.scores++
				if s.Computed == 0 {
					continue
				}
				got.differ++
				if v, err := priority.ParseVector(s.Vector); err == nil && v.Score() == s.Base {
					got.whole++
				}
			}
		}
		for _, r := range result.Refused {
			if strings.Contains(r, " score: ") {
				got.unreadable++
			}
		}
		if got != c.want {
			t.Errorf("%s: %+v, want %+v", c.file, got, c.want)
		}
	}
}
