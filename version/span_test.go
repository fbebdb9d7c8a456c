package version_test

import (
	_ "embed"
	"strings"
	"testing"

	"github.com/firmward/firmward/version"
)

//go:embed testdata/ranges.tsv
var rangesText string

// meaning writes a range as the corpus does.
func meaning(r version.Range, ok bool) string {
	switch {
	case !ok:
		return "unspecified"
	case r == version.Range{}:
		return "all"
	}
	from, to := "[", "]"
	if r.After {
		from = "("
	}
	if r.Exclude {
		to = ")"
	}
	return from + r.From + " .. " + r.To + to
}

// TestRanges: every line of testdata/ranges.tsv.
func TestRanges(t *testing.T) {
	n := 0
	for line := range strings.Lines(rangesText) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" || line[0] == '#' {
			continue
		}
		text, want, ok := strings.Cut(line, "\t")
		if !ok {
			t.Fatalf("no tab in %q", line)
		}
		n++
		if got := meaning(version.ParseRange(text)); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
	if n < 100 {
		t.Errorf("%d lines", n)
	}
}

// spans holds ways in which advisories write versions, with what they say.
var spans = []struct {
	text string
	want version.Range
}{
	{"all versions", version.Range{}},
	{"All", version.Range{}},
	{"*", version.Range{}},
	{"1.06B01", version.Range{From: "1.06B01", To: "1.06B01"}},
	{"= 1.2.3", version.Range{From: "1.2.3", To: "1.2.3"}},
	{"Ver.01.26", version.Range{From: "01.26", To: "01.26"}},
	{"firmware v2.3.1", version.Range{From: "v2.3.1", To: "v2.3.1"}},
	{"12.0(1) SU1", version.Range{From: "12.0(1) SU1", To: "12.0(1) SU1"}},
	{"v5.0.4 Build 20220216", version.Range{From: "v5.0.4 Build 20220216", To: "v5.0.4 Build 20220216"}},
	{"4.60 through 4.73", version.Range{From: "4.60", To: "4.73"}},
	{" version 4.16 through 5.37 Patch 1", version.Range{From: "4.16", To: "5.37 Patch 1"}},
	{"from version 2.0 to 2.4", version.Range{From: "2.0", To: "2.4"}},
	{"11.0 - 11.5.53", version.Range{From: "11.0", To: "11.5.53"}},
	{"<= V5.21(AAZF.18)C0", version.Range{To: "V5.21(AAZF.18)C0"}},
	{"≤ 3.1", version.Range{To: "3.1"}},
	{"1.0.5 and earlier", version.Range{To: "1.0.5"}},
	{"firmware Ver. 1.32 and earlier versions", version.Range{To: "1.32"}},
	{"6.1 or prior", version.Range{To: "6.1"}},
	{"up to and including 32.7", version.Range{To: "32.7"}},
	{"prior to and including 32.7", version.Range{To: "32.7"}},
	{"All versions < V4.1.4", version.Range{To: "V4.1.4", Exclude: true}},
	{"All versions prior to 32.38.1002", version.Range{To: "32.38.1002", Exclude: true}},
	{"before version 2.2.2.1", version.Range{To: "2.2.2.1", Exclude: true}},
	{"All Versions >= V2.7", version.Range{From: "V2.7"}},
	{"3.0 and later", version.Range{From: "3.0"}},
	{"> 3.0", version.Range{From: "3.0", After: true}},
	{">= 3.0.0, < 3.0.3", version.Range{From: "3.0.0", To: "3.0.3", Exclude: true}},
	{"All versions >= V1.0 < V2.0", version.Range{From: "V1.0", To: "V2.0", Exclude: true}},
	{">= 1.0, <= 1.4", version.Range{From: "1.0", To: "1.4"}},
	{"> 1.0, <= 1.4", version.Range{From: "1.0", To: "1.4", After: true}},
	{"> 1.0 and < 1.4", version.Range{From: "1.0", To: "1.4", After: true, Exclude: true}},
	{"from 1.0 before 1.4", version.Range{From: "1.0", To: "1.4", Exclude: true}},
}

// stories say nothing that can be compared.
var stories = []string{
	"", "n/a", "unspecified", "unknown", "various", "-", "Buildtime before June, 2021", "Android kernel", "WCD9380",
	`The first 5 digits of serial No. "26061" and prior`, "Snapdragon 8 Gen 1 Mobile Platform", "8.11.x.x", "4.4.*", "x.1",
	"6e728f321393", "9d7d4649dc1c53acf76df260fd519db698ed20d7", "7.0.5, 7.0.4", "see references", "22.0 ap369227",
	"before 1.2 and 2.x before 2.3", "1.2 (excluding)", "before", "<", "1.0-1.5", "2.1+", "1.0/1.1", "3.2-", "1.0 through", "publication", strings.Repeat("1", 201),
}

func TestParseRange(t *testing.T) {
	for _, c := range spans {
		if got, ok := version.ParseRange(c.text); !ok || got != c.want {
			t.Errorf("%q: %+v %v, want %+v", c.text, got, ok, c.want)
		}
	}
	for _, text := range stories {
		if got, ok := version.ParseRange(text); ok {
			t.Errorf("%q was read as %+v", text, got)
		}
	}
	if v, ok := (version.Range{From: "1", To: "1", Exclude: true}).One(); ok {
		t.Errorf("an empty range is the version %s", v)
	}
}

// Whatever is read consists of the text's own words, and each bound reads as one version.
func FuzzParseRange(f *testing.F) {
	for _, c := range spans {
		f.Add(c.text)
	}
	for _, text := range stories {
		f.Add(text)
	}
	for line := range strings.Lines(rangesText) {
		text, _, _ := strings.Cut(line, "\t")
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, ok := version.ParseRange(text)
		if !ok {
			return
		}
		plain := strings.Join(strings.Fields(text), " ")
		for _, v := range []string{r.From, r.To} {
			if v == "" {
				continue
			}
			if again, ok := version.ParseRange(v); !ok || again.From == "" || again.From != again.To {
				t.Errorf("%q: the bound %q is no version: %+v", text, v, again)
			}
			if !strings.ContainsAny(plain, "≤≥–—“”\"'’‘") && !strings.Contains(plain, v) {
				t.Errorf("%q: the bound %q is not in it", text, v)
			}
		}
		if (r.After && r.From == "") || (r.Exclude && r.To == "") {
			t.Errorf("%q: an open bound is excluded: %+v", text, r)
		}
	})
}
