package report_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/control/controltest"
	"github.com/firmward/firmward/report"
)

// answers: a house of a month answers the clauses, with what is late and what is missing, and judges nothing.
func answers(t *testing.T, h house) {
	for id, want := range map[string][]string{
		"cyber-essentials": {
			"0 closed within it, 0 closed later, 0 open within it, 3 open past it", "is open since 2000-01-01, 40 days",
			"1 whose support ended", "counts from the latter", "No evidence here: of no device is known whether it updates itself", "192.168.20.8/29 at home", "0 were never scanned",
		},
		"nis2": {
			"Rollouts: 1, of which 1 were approved", "to 1 device, planned by anna, approved by ben on 2000-02-10", "0 passed, 0 failed, 1 said not to be tested", "SHA-256", "accept CVE-2024-3272",
			"by ben, approved by anna, until 2000-05-10: in a drawer", "1 asked for that do not stand", "no record that calls a change an emergency", "Sources in use: 1", "records in a Merkle tree",
		},
	} {
		r, err := report.Answer(t.Context(), h.Control, id)
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range want {
			if !strings.Contains(string(b), w) {
				t.Errorf("%s does not say %q", id, w)
			}
		}
		if strings.Contains(strings.ToLower(string(b)), "complian") || strings.Contains(string(b), cameraPassword) {
			t.Errorf("%s says what it must not", id)
		}
		for _, c := range r.Clauses {
			if len(c.Evidence)+len(c.Missing) == 0 || c.Evidence == nil || c.Missing == nil {
				t.Errorf("%s %s says nothing", id, c.ID)
			}
		}
		oscal(t, r)
		if t.Failed() {
			t.Log(string(b))
		}
	}
	if _, err := report.Answer(t.Context(), h.Control, "x"); firmward.CodeOf(err) != firmward.NotFound || !strings.Contains(fmt.Sprint(err), "nis2") {
		t.Errorf("an unknown pack: %v", err)
	}
}

// oscal checks what NIST's schema asks for in the parts that depend on the answer. The whole was checked against that schema when it was
// written.
func oscal(t *testing.T, r report.ClauseReport) {
	t.Helper()
	b, err := json.Marshal(r.OSCAL())
	if err != nil {
		t.Fatal(err)
	}
	if again, err := json.Marshal(r.OSCAL()); err != nil || !bytes.Equal(b, again) {
		t.Error("the same answer gives another document")
	}
	var doc struct {
		Results struct {
			Results []struct {
				Reviewed struct {
					Selections []struct {
						Controls []struct {
							ID string `json:"control-id"`
						} `json:"include-controls"`
					} `json:"control-selections"`
				} `json:"reviewed-controls"`
				Observations []struct{ UUID, Description string }
				Findings     []any
			}
		} `json:"assessment-results"`
	}
	if err := json.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	res := doc.Results.Results[0]
	controls, seen := res.Reviewed.Selections[0].Controls, map[string]bool{}
	for _, c := range controls {
		if !oscalToken.MatchString(c.ID) || seen[c.ID] {
			t.Errorf("control %q", c.ID)
		}
		seen[c.ID] = true
	}
	for _, o := range res.Observations {
		if !oscalUUID.MatchString(o.UUID) || seen[o.UUID] || o.Description == "" {
			t.Errorf("observation %+v", o)
		}
		seen[o.UUID] = true
	}
	if len(controls) != len(r.Clauses) || len(res.Observations) < len(r.Clauses) || len(res.Findings) > 0 {
		t.Errorf("%d controls, %d observations, %d verdicts", len(controls), len(res.Observations), len(res.Findings))
	}
}

var (
	oscalToken = regexp.MustCompile(`^(\p{L}|_)(\p{L}|\p{N}|[.\-_])*$`)
	oscalUUID  = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[45][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
)

// TestAnswerOfAnEmptyHouse: silence is said to be silence.
func TestAnswerOfAnEmptyHouse(t *testing.T) {
	r, err := report.Answer(t.Context(), controltest.Open(t, nil), "nis2")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range r.Clauses {
		if len(c.Evidence) > 0 || len(c.Missing) == 0 {
			t.Errorf("%+v", c)
		}
	}
}
