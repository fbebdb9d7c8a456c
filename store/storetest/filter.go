package storetest

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/store"
)

// filters: SQL and Go give the same answer to every selector.
func filters(t *testing.T, s *store.Store) {
	words := []string{"", "home", "Home", "clinical", "cam", "camera", "%", "_", "'", "ä", "äö", "1", "true"}
	var all []firmward.Device
	for i := range 60 {
		w := func(n int) string { return words[(i*n+n)%len(words)] }
		d := device(fmt.Sprintf("d%02d", i), func(d *firmward.Device) {
			d.Site, d.Zone, d.Class, d.Vendor, d.Model, d.Family = w(1), firmward.Zone(w(2)), firmward.Class(w(3)), w(4), w(5), w(6)
			d.Owner, d.Function, d.Network = w(7), w(8), w(9)
			d.Criticality, d.Exposed, d.Spare = i%6, i%2 == 0, i%3 == 0
		})
		all = append(all, d)
	}
	put(t, s, t0, all...)
	fields := firmward.FilterFields()
	leaf := rapid.Custom(func(t *rapid.T) firmward.Filter {
		f := firmward.Filter{Op: firmward.FilterIn, Field: rapid.SampledFrom(fields).Draw(t, "field"), Values: rapid.SliceOfN(rapid.SampledFrom(words), 0, 3).Draw(t, "values")}
		switch rapid.IntRange(0, 3).Draw(t, "op") {
		case 0:
			f = firmward.Filter{Op: firmward.FilterAtLeast, Field: "criticality", Values: []string{fmt.Sprint(rapid.IntRange(-1, 7).Draw(t, "least"))}}
		case 1:
			f.Op, f.Field, f.Values = firmward.FilterStartsWith, rapid.SampledFrom(fields[:9]).Draw(t, "text field"), []string{rapid.SampledFrom(words).Draw(t, "start")}
		}
		return f
	})
	tree := func(t *rapid.T) firmward.Filter {
		f := leaf.Draw(t, "leaf")
		for range rapid.IntRange(0, 4).Draw(t, "depth") {
			switch rapid.IntRange(0, 2).Draw(t, "join") {
			case 0:
				f = firmward.Filter{Op: firmward.FilterNot, Args: []firmward.Filter{f}}
			case 1:
				f = firmward.Filter{Op: firmward.FilterAnd, Args: []firmward.Filter{f, leaf.Draw(t, "and")}}
			default:
				f = firmward.Filter{Op: firmward.FilterOr, Args: []firmward.Filter{leaf.Draw(t, "or"), f}}
			}
		}
		return f
	}
	ctx := t.Context()
	rapid.Check(t, func(t *rapid.T) {
		f := tree(t)
		got, _, err := s.Devices(ctx, store.DeviceFilter{Where: f}, store.Page{Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		found := map[string]bool{}
		for _, d := range got {
			found[d.ID] = true
		}
		for _, d := range all {
			if found[d.ID] != f.Match(d) {
				t.Fatalf("%+v: SQL says %t, Go says %t about %+v", f, found[d.ID], f.Match(d), d)
			}
		}
	})
}
