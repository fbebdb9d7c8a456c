package control

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/firmward/firmward"
)

func TestReadInventory(t *testing.T) {
	for name, file := range map[string]string{
		"by comma":     "name,site,criticality\ncam-a,ward 3,2\n",
		"by semicolon": "name;site;criticality\ncam-a;ward 3;2\n", // spreadsheets where the comma is in the numbers
		"with a mark":  "\ufeffName, Site ,criticality\r\n\"cam-a\", ward 3,2\r\n\r\n",
	} {
		got, err := readInventory("inv.csv", strings.NewReader(file))
		if err != nil || len(got) != 1 {
			t.Fatalf("%s: got %d rows, %v", name, len(got), err)
		}
		if f := got[0].facts; *f.Name != "cam-a" || *f.Site != "ward 3" || *f.Criticality != 2 || got[0].line != 2 {
			t.Errorf("%s: got %+v", name, got[0])
		}
	}
	for file, want := range map[string]string{
		"":                               "inv.csv is empty",
		"name,colour\n":                  `inv.csv: line 1: unknown column "colour"`,
		"name,name\n":                    "inv.csv: line 1: the column name stands twice",
		"name,site\n\"cam-a,home\n":      "inv.csv: line 2, column 13",
		"name,site\ncam-a\n":             "inv.csv: line 2, column 1",
		"name,address\ncam-a,10.0.0\n":   `inv.csv: line 2: "10.0.0" is not an address`,
		"site\nhome\n":                   "inv.csv: line 2: a row needs an address",
		"name,criticality\na,1\n\nb,9\n": "inv.csv: line 4: criticality is",
	} {
		_, err := readInventory("inv.csv", strings.NewReader(file))
		if firmward.CodeOf(err) != firmward.Invalid || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", file, err, want)
		}
	}
}

func FuzzReadInventory(f *testing.F) {
	for _, seed := range []string{"name,site\n\"a\nb", "name;mac\nx;00:11\n", "\ufeff", "name,site\na,b,c\n", "\""} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		rows, err := readInventory("inv.csv", strings.NewReader(string(b)))
		if err != nil && (firmward.CodeOf(err) != firmward.Invalid || !strings.HasPrefix(err.Error(), "inv.csv")) {
			t.Errorf("got %v", err)
		}
		again, _ := readInventory("inv.csv", strings.NewReader(string(b)))
		if diff := cmp.Diff(len(rows), len(again)); diff != "" {
			t.Error(diff)
		}
	})
}
