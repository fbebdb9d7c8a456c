package main

import (
	"os"
	"strings"
	"testing"
)

// corpus is the corpus as seen from this folder.
const corpus = "../" + corpusFile

// TestTable: every comparator runs, and firmward is right on its own corpus.
func TestTable(t *testing.T) {
	f, err := os.Open(corpus)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	pairs, err := read(f)
	if err != nil || len(pairs) == 0 {
		t.Fatal(len(pairs), err)
	}
	for i, c := range comparators {
		s := c.judge(pairs)
		if i == 0 && (s.wrong+s.failed+s.invented > 0 || s.right == 0) {
			t.Errorf("%s: %+v", c.name, s)
		}
	}
	var out strings.Builder
	if err := run(corpus, &out); err != nil || !strings.Contains(out.String(), "smartVerCmp") {
		t.Error(err, out.String())
	}
	t.Log(out.String())
}

// TestDoor: the way into smartVerCmp through the matcher says what the function says.
func TestDoor(t *testing.T) {
	for _, p := range []pair{{a: "1.0.14", relation: ">", b: "1.0.4"}, {a: "95SE", relation: "<", b: "98SP1"}, {a: "1.2", relation: "=", b: "1.2"}, {a: "V4.60(ABFA.1)C0", relation: "<", b: "V4.60(ABFA.2)C0"}} {
		if got, err := nvdtools(p.a, p.b); err != nil || got != p.relation {
			t.Errorf("%s %s %s: %v", p.a, got, p.b, err)
		}
	}
}
