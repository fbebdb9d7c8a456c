package report

import (
	"strings"
	"testing"
	"testing/fstest"
)

// TestPacks: the packs that are shipped can be read, and a wrong one cannot.
func TestPacks(t *testing.T) {
	all, err := Packs()
	if err != nil || len(all) < 2 {
		t.Fatal(all, err)
	}
	used := map[string]bool{}
	for _, p := range all {
		for _, c := range p.Clauses {
			for _, q := range c.Evidence {
				used[q] = true
			}
		}
	}
	for q := range queries {
		if !used[q] {
			t.Errorf("no pack asks for %s", q)
		}
	}
	good := "id: x\nname: n\nsource: s\ndate: 2026-11-22\nclauses:\n  - id: a\n    title: t\n    evidence: [deadlines]\n    days: 14\n"
	for name, change := range map[string][2]string{
		"good": {}, "another id": {"id: x", "id: y"}, "no source": {"source: s", "source: ''"}, "no day": {"2026-11-22", "soon"}, "no title": {"title: t", "title: ''"},
		"unknown query": {"deadlines", "wishes"}, "no yardstick": {"    days: 14\n", ""}, "unknown member": {"name: n", "nome: n"},
		"twice": {"clauses:\n", "clauses:\n  - {id: a, title: t}\n"},
	} {
		text := strings.Replace(good, change[0], change[1], 1)
		_, err := readPacks(fstest.MapFS{"packs/x.yaml": {Data: []byte(text)}})
		if (err == nil) != (name == "good") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
