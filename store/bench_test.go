package store_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/store"
	"github.com/firmward/firmward/store/pgtest"
)

// BenchmarkPutDevice writes new devices with history, keys and counts, 1000 in a transaction.
func BenchmarkPutDevice(b *testing.B) {
	s, err := store.Open(b.Context(), store.Options{URL: filepath.Join(b.TempDir(), "firmward.db")})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	n := 0
	for b.Loop() {
		err := s.Tx(b.Context(), func(tx *store.Tx) error {
			for range 1000 {
				n++
				d := firmward.Device{
					ID: fmt.Sprintf("dev-%06d", n), Name: fmt.Sprint("cam ", n), Site: fmt.Sprint("site", n%20), Class: firmward.ClassCamera,
					Vendor: "axis", Model: "M3045", Serial: fmt.Sprint("SN", n),
				}
				if err := tx.PutDevice(b.Context(), d, store.Change{Actor: "bench"}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "devices/s")
}

// yearOfNVD gives 16,500 advisories with 5 products each, about 2 kB each as JSON.
func yearOfNVD(year int) []firmward.Advisory {
	out := make([]firmward.Advisory, 16_500)
	for i := range out {
		a := firmward.Advisory{
			ID: fmt.Sprintf("CVE-%d-%05d", year, i), Title: fmt.Sprintf("A flaw %d in a product lets a remote attacker read, write or stop %d", i*7919, i*31),
			Published: time.Unix(int64(1_700_000_000+i), 0).UTC(), Modified: time.Unix(int64(1_710_000_000+i), 0).UTC(), Weakness: []string{"CWE-79"},
			Scores: []firmward.Score{{Version: "3.1", Vector: "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", Base: 9.8, Source: "nvd@nist.gov"}},
		}
		var matches []firmward.CPEMatch
		for j := range 5 {
			matches = append(matches, firmward.CPEMatch{
				Vulnerable: true, VersionEndExcluding: fmt.Sprintf("%d.%d", i%9, j),
				Criteria: fmt.Sprintf("cpe:2.3:o:vendor%d:product_%d_%d:*:*:*:*:*:*:*:*", (i*7919)%4000, i, j),
			})
		}
		a.Configurations = []firmward.Configuration{{Nodes: []firmward.Node{{Operator: "OR", Matches: matches}}}}
		for j := range 6 {
			a.References = append(a.References, fmt.Sprintf("https://vendor%d.example/security/advisory-%d-%d", i%4000, i*13, j))
		}
		out[i] = a
	}
	return out
}

func BenchmarkImportYear(b *testing.B) {
	s, err := store.Open(b.Context(), store.Options{URL: filepath.Join(b.TempDir(), "firmward.db")})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	benchImport(b, s)
}

func BenchmarkImportYearPostgres(b *testing.B) {
	s, err := store.Open(b.Context(), store.Options{URL: pgtest.Start(b).Database(b)})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	benchImport(b, s)
}

func benchImport(b *testing.B, s *store.Store) {
	year := 2000
	for b.Loop() {
		b.StopTimer()
		year++
		docs := yearOfNVD(year)
		b.StartTimer()
		var read time.Time
		_, err := s.Import(b.Context(), "nvd", store.ImportOptions{Kind: "advisories", Document: "nvd"}, func(i *store.Import) error {
			for _, a := range docs {
				if err := i.Advisory(a); err != nil {
					return err
				}
			}
			read = time.Now()
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(time.Since(read).Seconds(), "s-storing/op")
	}
}
