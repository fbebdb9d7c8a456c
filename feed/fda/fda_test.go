package fda_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/firmward/firmward/feed"
	"github.com/firmward/firmward/feed/fda"
	"github.com/firmward/firmward/feed/feedtest"
)

const (
	enforcement = `{"recall_number":"Z-1234-2031","classification":"Class I","product_description":"Acme® Drip, Model 7, REF 123","recalling_firm":"Acme Medical, Inc.","reason_for_recall":"The pump may stop.","status":"Ongoing","recall_initiation_date":"20260102","report_date":"20260110","event_id":"815","openfda":{},"unheard":1}`
	device      = `{"product_res_number":"Z-0007-2031","res_event_number":"4711","product_description":"Lamp 9","recalling_firm":"Acme","reason_for_recall":"It burns.","action":"Update to version 2.","recall_status":"Terminated","event_date_initiated":"2026-01-05","event_date_terminated":"2026-02-01"}`
)

func doc(results ...string) string {
	return `{"meta":{"disclaimer":"x","terms":"https://open.fda.gov/terms/","last_updated":"2026-03-04","results":{"skip":0,"limit":2,"total":9}},"results":[` + strings.Join(results, ",") + `]}`
}

func read(t testing.TB, document string) feedtest.Result {
	t.Helper()
	got, err := feedtest.Sync(t.Context(), fda.Source{}, strings.NewReader(document), "recalls.json")
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestConformance(t *testing.T) { feedtest.Run(t, fda.Source{}, []byte(doc(enforcement, device))) }

func TestContent(t *testing.T) {
	got := read(t, doc(enforcement, device))
	a, b := got.Advisories[0], got.Advisories[1]
	if a.ID != "Z-1234-2031" || a.Source != "fda" || a.Title != "FDA recall, Class I: Acme Drip. Reason: The pump may stop." || a.Published.Day() != 2 || a.Modified.Day() != 10 || !strings.HasSuffix(a.References[0], "event=815") {
		t.Errorf("%+v", a)
	}
	m := a.Configurations[0].Nodes[0].Matches[0]
	if m.Criteria != "cpe:2.3:*:acme_medical:drip:-:*:*:*:*:*:*:*" || m.Words != "Acme Medical, Inc. Acme Drip" {
		t.Errorf("%+v", m)
	}
	if b.ID != "Z-0007-2031" || b.Title != "FDA recall, Not yet classified, terminated: Lamp 9. Reason: It burns. Action: Update to version 2." || b.Modified.Month() != 2 || !strings.HasSuffix(b.References[0], "event=4711") {
		t.Errorf("%+v", b)
	}
}

func TestRefuses(t *testing.T) {
	for what, swap := range map[string][2]string{
		"a number": {"Z-1234-2031", "CVE-2031-0001"}, "a class": {"Class I", "Class X"}, "no firm": {"Acme Medical, Inc.", ""},
		"a date": {"20260102", "soon"}, "the future": {"20260110", "20310110"}, "a type": {`"status":"Ongoing"`, `"status":7`},
	} {
		got := read(t, doc(strings.Replace(enforcement, swap[0], swap[1], 1), device))
		if len(got.Refused) != 1 || len(got.Advisories) != 1 {
			t.Errorf("%s: refused %v", what, got.Refused)
		}
	}
	long := read(t, doc(strings.Replace(enforcement, "Acme® Drip", strings.Repeat("pump ", 40), 1)))
	if len(long.Refused) != 1 || len(long.Advisories) != 1 || len(long.Advisories[0].Configurations) != 0 {
		t.Errorf("a story as a name: %v", long.Refused)
	}
}

func FuzzFDA(f *testing.F) {
	f.Add([]byte(doc(enforcement, device)))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := feedtest.Sync(t.Context(), fda.Source{}, bytes.NewReader(b), "fuzz")
		if _, ok := errors.AsType[*feed.PositionError](err); err != nil && !ok {
			t.Errorf("an error without position: %v", err)
		}
		for _, a := range got.Advisories {
			if a.ID == "" || a.Published.IsZero() || a.Title == "" {
				t.Errorf("%+v", a)
			}
		}
	})
}
