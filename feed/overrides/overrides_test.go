package overrides_test

import (
	"bytes"
	"errors"
	"io"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/firmward/firmward/feed"
	"github.com/firmward/firmward/feed/feedtest"
	"github.com/firmward/firmward/feed/overrides"
)

const (
	first = `{"_annotation":{"cve_id":"CVE-2031-4001","cna":"acme","description":"A door stands open.","generated_from":"https://raw.githubusercontent.com/anchore/x/main/CVE-2031-4001.json","published":"2026-03-01T00:00:00+00:00","modified":"2026-03-05T00:00:00+00:00","reason":"Not analysed.","references":["https://a.example"]},` +
		`"cve":{"configurations":[{"nodes":[{"operator":"OR","negate":false,"cpeMatch":[{"criteria":"cpe:2.3:o:acme:door_firmware:*:*:*:*:*:*:*:*","versionEndExcluding":"1.2","vulnerable":true,"matchCriteriaId":"x"}]}]}],"references":[{"url":"https://b.example"}]}}`
	second = `{"_annotation":{"cve_id":"CVE-2031-4002","reason":"The vendor says so.","source":"vendor page","dated":"2026-03-04","no_fix":true,"fixed":[{"vendor":"Acme","product":"door_firmware","version":"1.2"}]},"cve":{}}`
)

func read(t testing.TB, s feed.Source, document string) feedtest.Result {
	t.Helper()
	got, err := feedtest.Sync(t.Context(), s, strings.NewReader(document), "overrides.json")
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestConformance(t *testing.T) {
	feedtest.Run(t, overrides.Source{}, []byte(first+"\n"+second))
	b, err := io.ReadAll(overrides.Document())
	if err != nil {
		t.Fatal(err)
	}
	feedtest.Run(t, overrides.Own{}, b)
}

func TestContent(t *testing.T) {
	got := read(t, overrides.Source{}, first+second)
	a, b := got.Advisories[0], got.Advisories[1]
	if a.Source != "overrides:anchore" || a.Title != "A door stands open." || a.Published.Day() != 1 || a.Modified.Day() != 5 || len(a.References) != 2 || a.Configurations[0].Nodes[0].Matches[0].VersionEndExcluding != "1.2" {
		t.Errorf("%+v", a)
	}
	if b.Source != "overrides" || b.Title != "The vendor says so." || !b.NoFix || !b.Published.IsZero() || b.Modified.Day() != 4 || b.Fixes[0].Vendor != "acme" || b.References[0] != "vendor page, as of 2026-03-04" {
		t.Errorf("%+v", b)
	}
	if !got.Dated.Equal(a.Modified) {
		t.Errorf("dated %s", got.Dated)
	}
}

func TestRefuses(t *testing.T) {
	for what, bad := range map[string]string{
		"an id":       strings.Replace(second, "CVE-2031-4002", "CVE-x", 1),
		"no note":     `{"cve":{}}`,
		"a type":      strings.Replace(second, `"cve":{}`, `"cve":7`, 1),
		"the future":  strings.Replace(second, "2026-03-04", "2031-03-04", 1),
		"no date":     strings.Replace(second, "2026-03-04", "soon", 1),
		"half a fix":  strings.Replace(second, `"version":"1.2"`, `"version":""`, 1),
		"no source":   strings.Replace(second, `"source":"vendor page"`, `"by":"firmward"`, 1),
		"a criterion": strings.Replace(first, "cpe:2.3:o:acme", "cpe:2.3:x:acme", 1),
	} {
		got := read(t, overrides.Source{}, first+bad)
		if len(got.Refused) != 1 {
			t.Errorf("%s: refused %v", what, got.Refused)
		}
	}
}

// firmward's own corrections name a source and a date, and a product with a bound or no fix.
func TestOwn(t *testing.T) {
	b, err := io.ReadAll(overrides.Document())
	if err != nil {
		t.Fatal(err)
	}
	got := read(t, overrides.Own{}, string(b))
	if len(got.Refused) > 0 || len(got.Advisories) < 8 {
		t.Errorf("%d corrections, refused %v", len(got.Advisories), got.Refused)
	}
	for _, a := range got.Advisories {
		if a.Source != "overrides:firmward" || a.Published.IsZero() || !strings.Contains(a.References[0], "as of 20") || len(a.References) < 2 || len(a.Configurations) == 0 {
			t.Errorf("%+v", a)
		}
	}
}

// All 32,184 records of the collection are read.
func TestRealRecords(t *testing.T) {
	records, refused, matches, ands, undated, empty, took := 0, 0, 0, 0, 0, 0, time.Duration(0)
	for name, b := range feedtest.Files(t, feedtest.Tar(t, "nvd-overrides-anchore/nvd-data-overrides-2026-08-21.tar.xz")) {
		if path.Ext(name) != ".json" {
			continue
		}
		began := time.Now()
		got := read(t, overrides.Source{}, string(b))
		took += time.Since(began)
		if !(overrides.Source{}).Detect(b[:min(len(b), 4096)], name) || len(got.Advisories) != 1 || got.Advisories[0].ID != strings.TrimSuffix(path.Base(name), ".json") || got.Advisories[0].Source != "overrides:anchore" {
			t.Errorf("%s: %d records, refused %v", name, len(got.Advisories), got.Refused)
			continue
		}
		records++
		for _, r := range got.Refused {
			t.Log(r)
			refused++
		}
		a := got.Advisories[0]
		if a.Published.IsZero() {
			undated++
		}
		if len(a.Configurations) == 0 {
			empty++
		}
		for _, c := range a.Configurations {
			if c.Operator == "AND" {
				ands++
			}
			for _, n := range c.Nodes {
				matches += len(n.Matches)
			}
		}
	}
	t.Logf("%d records, %d parts refused, %d matches, %d AND, %d without a date, %d without a product, %d µs each", records, refused, matches, ands, undated, empty, took.Microseconds()/int64(max(1, records)))
	if records != 32184 {
		t.Errorf("%d records", records)
	}
}

func FuzzOverrides(f *testing.F) {
	f.Add([]byte(first + second))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := feedtest.Sync(t.Context(), overrides.Source{}, bytes.NewReader(b), "fuzz")
		if _, ok := errors.AsType[*feed.PositionError](err); err != nil && !ok {
			t.Errorf("an error without position: %v", err)
		}
		for _, a := range got.Advisories {
			if !feed.CVE(a.ID) || a.Title == "" {
				t.Errorf("%+v", a)
			}
		}
	})
}
