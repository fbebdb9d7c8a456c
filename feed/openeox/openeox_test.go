package openeox_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/feed"
	"github.com/firmward/firmward/feed/feedtest"
	"github.com/firmward/firmward/feed/openeox"
)

const dates = `{"$schema":"https://docs.oasis-open.org/openeox/v1.0/schema/core.json","end_of_life":"2027-12-31T12:00:00Z","end_of_security_support":"2027-06-30T12:00:00+02:00","end_of_sales":"2025-01-31T00:00:00Z","general_availability":"tba","last_updated":"2026-02-01T12:00:00Z"}`

// shell is a document with these statements.
func shell(statements ...string) string {
	return `{"$schema":"https://docs.oasis-open.org/openeox/tbd/schema/shell.json","unheard":{"of":[1]},"statements":[` + strings.Join(statements, ",") + `]}`
}

func old(core, product string) string {
	return `{"core":` + core + `,"vendorName":"Acme","productName":"` + product + `","productVersion":"1.2"}`
}

func read(t testing.TB, document string) feedtest.Result {
	t.Helper()
	got, err := feedtest.Sync(t.Context(), openeox.Source{}, strings.NewReader(document), "eox.json")
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestConformance(t *testing.T) {
	feedtest.Run(t, openeox.Source{}, []byte(shell(old(dates, "Door"), old(dates, "Gate"))))
}

func TestProducts(t *testing.T) {
	for name, c := range map[string]struct {
		members, want string
	}{
		"the older draft":        {`"vendorName":"Acme","productName":"Door","productVersion":"1.2"`, "Acme|Door|1.2"},
		"software":               {`"product":{"software":{"vendor_name":"Acme","product_name":"Door OS","product_version":"vers:all/*"}}`, "Acme|Door OS|"},
		"hardware":               {`"product":{"$schema":"x/product_hardware.json","vendor_name":"Acme","product_name":"Door","product_version":"A1"}`, "Acme|Door A1|"},
		"hardware, all":          {`"product":{"hardware":{"vendor_name":"Acme","product_name":"Door","product_version":"all"}}`, "Acme|Door|"},
		"hardware with software": {`"product":{"hardware":{"vendor_name":"Acme","product_name":"Door","product_version":"*"},"software":{"vendor_name":"Acme","product_name":"Door OS","product_version":"1.2"}}`, "Acme|Door|1.2"},
		"by CPE":                 {`"product":{"product_identification_helper":{"cpe":"cpe:2.3:o:acme:door_firmware:*:*:*:*:*:*:*:*"}}`, "acme|door_firmware|"},
	} {
		got := read(t, shell(`{"core":`+dates+`,`+c.members+`}`))
		if len(got.Lifecycle) != 1 {
			t.Errorf("%s: %v", name, got.Refused)
			continue
		}
		l := got.Lifecycle[0]
		if said := l.Vendor + "|" + l.Product + "|" + l.Branch; said != c.want {
			t.Errorf("%s: %s", name, said)
		}
		if l.EndOfSupport.Format("2006-01-02T15") != "2027-06-30T10" || l.EndOfSale.Year() != 2025 || l.Status != "announced" || l.Note != "end of life 2027-12-31" || l.Origin.Dated.Year() != 2026 {
			t.Errorf("%s: %+v", name, l)
		}
	}
	later := strings.Replace(dates, "2027-06-30T12:00:00+02:00", "tba", 1)
	if l := read(t, shell(old(later, "Door"))).Lifecycle[0]; l.EndOfSupport.Year() != 2027 || l.EndOfSupport.Month() != 12 {
		t.Errorf("end of life bounds support: %+v", l)
	}
}

func TestRefuses(t *testing.T) {
	good := old(dates, "Door")
	for what, bad := range map[string]string{
		"no core": `{"vendorName":"Acme","productName":"Door"}`, "no product": `{"core":` + dates + `}`, "a type": `{"core":7}`,
		"a date": strings.Replace(good, "2025-01-31T00:00:00Z", "2025-01-31", 1), "the future": strings.Replace(good, "2026-02-01T", "2030-02-01T", 1),
		"support after life": strings.Replace(good, "2027-06-30", "2028-06-30", 1), "a day that is none": strings.Replace(good, "2025-01-31", "2025-02-31", 1),
		"a CPE name": `{"core":` + dates + `,"product":{"vendor_name":"Acme","product_name":"Door","product_identification_helper":{"cpe":"x"}}}`,
	} {
		if got := read(t, shell(good, bad)); len(got.Refused) != 1 || len(got.Lifecycle) != 1 {
			t.Errorf("%s: refused %v", what, got.Refused)
		}
	}
	_, err := feedtest.Sync(t.Context(), openeox.Source{}, strings.NewReader(dates), "core.json")
	if p, ok := errors.AsType[*feed.PositionError](err); !ok || !strings.Contains(p.Error(), "names no product") {
		t.Errorf("a core alone: %v", err)
	}
}

// The test data of the specification: what is valid there is read, what is not is refused, in a shell of ours.
func TestRealCores(t *testing.T) {
	dir := filepath.Join(feedtest.Data(t), "openeox/eox-core-v-1-0")
	var cases struct {
		Tests []struct {
			ID              string
			Failures, Valid []struct {
				Name  string
				Valid bool
			}
		}
	}
	b, err := os.ReadFile(filepath.Join(dir, "test/validator/data/testcases.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &cases); err != nil {
		t.Fatal(err)
	}
	valid, invalid := 0, 0
	check := func(path string, want bool) {
		core, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !(openeox.Source{}).Detect(core, path) {
			t.Errorf("%s: Detect does not know it", path)
		}
		got := read(t, shell(old(string(core), "Door")))
		if (len(got.Lifecycle) == 1) != want {
			t.Errorf("%s: valid %v, refused %v", filepath.Base(path), want, got.Refused)
		}
		if want {
			valid++
		} else {
			invalid++
		}
	}
	for _, c := range cases.Tests {
		for _, f := range append(c.Failures, c.Valid...) {
			check(filepath.Join(dir, "test/validator/data", f.Name), f.Valid)
		}
	}
	examples, err := filepath.Glob(filepath.Join(dir, "examples/*.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range examples {
		check(f, true)
	}
	t.Logf("%d valid, %d invalid", valid, invalid)
	if valid < 40 || invalid != 8 {
		t.Errorf("%d valid, %d invalid", valid, invalid)
	}
	if diff := cmp.Diff(firmward.Lifecycle{}.EndOfSale, read(t, shell(old(strings.Replace(dates, `"end_of_sales":"2025-01-31T00:00:00Z",`, "", 1), "Door"))).Lifecycle[0].EndOfSale); diff != "" {
		t.Error(diff)
	}
}

func FuzzOpenEoX(f *testing.F) {
	f.Add([]byte(shell(old(dates, "Door"), `{"core":`+dates+`,"product":{"hardware":{"vendor_name":"a","product_name":"b","product_version":"c"},"software":{}}}`)))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := feedtest.Sync(t.Context(), openeox.Source{}, bytes.NewReader(b), "fuzz")
		if _, ok := errors.AsType[*feed.PositionError](err); err != nil && !ok {
			t.Errorf("an error without position: %v", err)
		}
		for _, l := range got.Lifecycle {
			if l.Vendor == "" || l.Product == "" {
				t.Errorf("%+v", l)
			}
		}
	})
}
