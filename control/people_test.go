package control_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/catalog"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/store"
)

// appPlug is a model that in these stories its vendor's app alone updates.
const appPlug = "S3PL-00112EU"

// TestPeople plays each file of testdata/people: rollouts that wait for people and for devices that sleep, beside a lab, in a bubble.
func TestPeople(t *testing.T) {
	files, err := filepath.Glob("testdata/people/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newFaultStory(t, file)
				s.policy = strings.Replace(faultPolicy, "    approvals: 0\n", "    approvals: 0\n    work-orders: 7d\n    wake-within: 2d\n    restore: ask\n", 1)
				s.change = func(cfg *control.Config) { cfg.Catalog = byApp(cfg.Catalog) }
				s.play(string(text))
			})
		})
	}
}

// byApp is a catalogue in which no driver can update an appPlug.
func byApp(all *catalog.Catalogue) *catalog.Catalogue {
	changed := *all
	changed.Families = slices.Clone(all.Families)
	for i, f := range changed.Families {
		changed.Families[i].Models = slices.Clone(f.Models)
		for j, m := range f.Models {
			if m.Name == appPlug {
				changed.Families[i].Models[j].Driver, changed.Families[i].Models[j].Rollback.Value = "", string(firmward.RollbackNone)
			}
		}
	}
	return &changed
}

// atDevice carries out "begin NAME [but WORDS]", "works NAME VERSION" and "report NAME". The words after but are why the person may not.
func (s *faultStory) atDevice(words []string) {
	d, ok := s.lab.Device(words[1])
	if !ok {
		s.t.Fatalf("%s:%d: no device %s", s.file, s.line, words[1])
	}
	if words[0] == "works" {
		s.must(d.InstallByHand(words[2]))
		return
	}
	open := true
	orders, _, err := s.house.Store.WorkOrders(s.house.ctx, store.WorkOrderFilter{Device: s.ids[words[1]], Open: &open}, store.Page{})
	s.must(err)
	if len(orders) != 1 {
		s.t.Fatalf("%s:%d: %d open work orders for %s", s.file, s.line, len(orders), words[1])
	}
	if words[0] == "report" {
		_, err = s.house.ReportWork(s.house.ctx, bert, orders[0].ID, "")
		s.must(err)
		return
	}
	_, err = s.house.BeginWork(s.house.ctx, bert, orders[0].ID)
	s.may(err, words)
}

// bert works at devices.
var bert = firmward.Person{Name: "bert", Role: firmward.Operator}
