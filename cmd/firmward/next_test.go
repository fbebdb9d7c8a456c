package main

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/firmward/firmward/httpapi"
)

func TestByFix(t *testing.T) {
	mend := func(risk, after int, f httpapi.Mending) httpapi.NextStep {
		return httpapi.NextStep{Risk: risk, RiskAfter: after, Fix: &f}
	}
	got := fixTable(byFix([]httpapi.NextStep{
		mend(50, 10, httpapi.Mending{Model: "A", Version: "2", Closes: 3, Minutes: 40, Release: "rel-1"}),
		mend(90, 5, httpapi.Mending{Model: "B", Version: "7", Closes: 1, Minutes: 5}),
		mend(60, 10, httpapi.Mending{Model: "A", Version: "2", Closes: 2, Minutes: 40, Release: "rel-1"}),
		{Risk: 80},
		{Risk: 5},
	}))
	want := [][]string{
		{"B 7", "1", "1", "85", "5", "not in the depot"},
		{"A 2", "2", "5", "90", "80", "rel-1"},
		{"no fix known", "1", "0", "0", "", "contain, replace or ask: firmward next"},
	}
	if diff := cmp.Diff(want, got.rows); diff != "" {
		t.Error(diff)
	}
}

func TestBySupport(t *testing.T) {
	end := time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)
	got := supportTable(bySupport([]httpapi.NextStep{
		{Device: "later", Support: httpapi.Support{Forecast: "later", State: "supported", End: end.AddDate(5, 0, 0)}},
		{Device: "unknown", Support: httpapi.Support{Forecast: "unknown", State: "unknown"}},
		{Device: "soon", Support: httpapi.Support{Forecast: "12-months", State: "ending", End: end}},
		{Device: "ended", Support: httpapi.Support{Forecast: "now", State: "ended"}},
	}))
	var order []string
	for _, r := range got.rows {
		order = append(order, r[1])
	}
	if diff := cmp.Diff([]string{"ended", "soon", "unknown", "later"}, order); diff != "" {
		t.Error(diff)
	}
}
