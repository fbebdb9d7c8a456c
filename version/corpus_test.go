package version_test

import (
	_ "embed"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/semver"

	"github.com/firmward/firmward/version"
)

//go:embed testdata/corpus.tsv
var corpusText string

// pair is one line of the corpus: two versions with the order that the vendor gives them.
type pair struct {
	line         int
	scheme, a, b string
	want         version.Order
}

// corpus reads testdata/corpus.tsv: scheme, a, relation, b and why, divided by tabs.
func corpus(t testing.TB) []pair {
	t.Helper()
	relations := map[string]version.Order{"<": version.Less, "=": version.Equal, ">": version.Greater, "?": version.Incomparable}
	var out []pair
	n := 0
	for line := range strings.Lines(corpusText) {
		n++
		line = strings.TrimSuffix(line, "\n")
		if line == "" || line[0] == '#' {
			continue
		}
		f := strings.Split(line, "\t")
		if len(f) != 4 && len(f) != 5 {
			t.Fatalf("line %d has %d columns: %q", n, len(f), line)
		}
		want, ok := relations[f[2]]
		if !ok || !version.Known(f[0]) {
			t.Fatalf("line %d: relation %q, scheme %q", n, f[2], f[0])
		}
		out = append(out, pair{n, f[0], f[1], f[3], want})
	}
	return out
}

// TestCorpus: every pair, in both directions.
func TestCorpus(t *testing.T) {
	schemes, seen := map[string]int{}, map[[3]string]int{}
	for _, p := range corpus(t) {
		schemes[p.scheme]++
		for _, k := range [][3]string{{p.scheme, p.a, p.b}, {p.scheme, p.b, p.a}} {
			if first, ok := seen[k]; ok && first != p.line {
				t.Errorf("line %d stands on line %d already", p.line, first)
			}
			seen[k] = p.line
		}
		if got, _ := version.Compare(p.scheme, p.a, p.b); got != p.want {
			t.Errorf("line %d: %s: %q is %v to %q, want %v", p.line, p.scheme, p.a, got, p.b, p.want)
		}
		if got, _ := version.Compare(p.scheme, p.b, p.a); got != p.want.Reverse() {
			t.Errorf("line %d: %s: %q is %v to %q, want %v", p.line, p.scheme, p.b, got, p.a, p.want.Reverse())
		}
	}
	for _, name := range version.Schemes() {
		if schemes[name] < 5 {
			t.Errorf("%s has %d pairs", name, schemes[name])
		}
	}
	t.Logf("%d pairs, %d schemes", len(seen)/2, len(schemes))
}

// TestCorpusNeedsSchemes shows what a general comparator makes of the same pairs (with go test -v), and that most need
// more than that. The tools that firmward does not depend on are compared in bench/nvdtools.
func TestCorpusNeedsSchemes(t *testing.T) {
	right, wrong, unread := 0, 0, 0
	for _, p := range corpus(t) {
		a, b := "v"+strings.TrimPrefix(strings.ToLower(p.a), "v"), "v"+strings.TrimPrefix(strings.ToLower(p.b), "v")
		switch {
		case p.want == version.Incomparable:
		case !semver.IsValid(a) || !semver.IsValid(b):
			unread++
		case version.Order(semver.Compare(a, b)) == p.want:
			right++
		default:
			wrong++
		}
	}
	t.Logf("golang.org/x/mod/semver: %d right, %d wrong, %d unread", right, wrong, unread)
	if right > wrong+unread {
		t.Error("the corpus hardly needs a vendor's scheme")
	}
}

// TestCorpusLaws: under each scheme, the corpus' versions of that scheme in all triples.
func TestCorpusLaws(t *testing.T) {
	versions := map[string][]string{}
	for _, p := range corpus(t) {
		versions[p.scheme] = append(versions[p.scheme], p.a, p.b)
	}
	for name, all := range versions {
		slices.Sort(all)
		lawful(t, name, slices.Compact(all))
	}
}

// lawful checks that no chain a ≤ b ≤ c contradicts a and c, with each pair compared once.
func lawful(t *testing.T, name string, all []string) {
	t.Helper()
	var c version.Comparer
	orders := make([][]version.Order, len(all))
	for i, a := range all {
		orders[i] = make([]version.Order, len(all))
		for j, b := range all {
			orders[i][j], _ = c.Compare(name, a, b)
		}
	}
	up := func(o version.Order) bool { return o == version.Less || o == version.Equal }
	for i := range all {
		for j := range all {
			if !up(orders[i][j]) {
				continue
			}
			for k := range all {
				both := orders[i][j] == version.Equal && orders[j][k] == version.Equal
				if direct := orders[i][k]; up(orders[j][k]) && direct != version.Incomparable && both != (direct == version.Equal) || up(orders[j][k]) && direct == version.Greater {
					t.Errorf("%s: %q %v %q %v %q, but %v", name, all[i], orders[i][j], all[j], orders[j][k], all[k], direct)
					return
				}
			}
		}
	}
}
