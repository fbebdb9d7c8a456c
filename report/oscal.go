package report

import (
	"crypto/sha1"
	"fmt"
	"strings"
	"time"
)

// OSCAL gives the answer as OSCAL assessment results (NIST, version 1.0.6), to be written as JSON. It holds observations
// only. A finding of OSCAL says whether a control is satisfied, and that is not for firmward to say. What is missing is an observation
// too, made by no method. There is no assessment plan, and the back matter says so.
//
// The same answer has the same identifiers.
func (r ClauseReport) OSCAL() any {
	id := func(parts ...string) string {
		return uuid(r.Pack.ID, r.At.Format(time.RFC3339Nano), strings.Join(parts, "\x00"))
	}
	result := oscalResult{
		UUID: id("result"), Title: r.Pack.Name, Description: r.Statement, Start: r.At, End: r.At,
		Remarks: "Clauses in our own words, after " + r.Pack.Source + ", read " + r.Pack.Date + ".",
	}
	var controls []oscalControl
	for _, c := range r.Clauses {
		controls = append(controls, oscalControl{r.Pack.ID + "-" + token(c.ID)})
		about := []oscalProp{{"clause", oscalNames, c.ID}}
		for _, e := range c.Evidence {
			o := oscalObservation{UUID: id(c.ID, e.Query), Title: c.Title, Description: e.Summary, Props: about, Methods: []string{"EXAMINE"}, Collected: r.At}
			for _, item := range e.Items {
				o.Evidence = append(o.Evidence, oscalEvidence{item.Text, []oscalProp{{"ref", oscalNames, item.Ref}}})
			}
			if e.More > 0 {
				o.Remarks = fmt.Sprintf("%d more are counted and not listed.", e.More)
			}
			result.Observations = append(result.Observations, o)
		}
		for i, m := range c.Missing {
			result.Observations = append(result.Observations, oscalObservation{
				UUID: id(c.ID, "missing", fmt.Sprint(i)), Title: c.Title, Description: "Not shown here. " + m, Props: about, Methods: []string{"UNKNOWN"}, Collected: r.At,
			})
		}
	}
	result.Reviewed.Selections = []oscalSelection{{controls}}
	plan := id("plan")
	return map[string]any{"assessment-results": map[string]any{
		"uuid": id("document"),
		"metadata": map[string]any{
			"title": "Evidence for " + r.Pack.Name, "last-modified": r.At, "version": r.At.Format(time.RFC3339), "oscal-version": "1.0.6",
		},
		"import-ap":   map[string]any{"href": "#" + plan},
		"results":     []oscalResult{result},
		"back-matter": map[string]any{"resources": []map[string]any{{"uuid": plan, "title": "No assessment plan", "description": "firmward was given no assessment plan; it was asked for its records."}}},
	}}
}

// oscalNames is the namespace of the names that are ours.
const oscalNames = "https://github.com/firmward/firmward/ns/oscal"

type (
	oscalResult struct {
		UUID        string    `json:"uuid"`
		Title       string    `json:"title"`
		Description string    `json:"description"`
		Start       time.Time `json:"start"`
		End         time.Time `json:"end"`
		Reviewed    struct {
			Selections []oscalSelection `json:"control-selections"`
		} `json:"reviewed-controls"`
		Observations []oscalObservation `json:"observations,omitempty"`
		Remarks      string             `json:"remarks"`
	}
	oscalSelection struct {
		Controls []oscalControl `json:"include-controls"`
	}
	oscalControl struct {
		ID string `json:"control-id"`
	}
	oscalObservation struct {
		UUID        string          `json:"uuid"`
		Title       string          `json:"title"`
		Description string          `json:"description"`
		Props       []oscalProp     `json:"props"`
		Methods     []string        `json:"methods"`
		Evidence    []oscalEvidence `json:"relevant-evidence,omitempty"`
		Collected   time.Time       `json:"collected"`
		Remarks     string          `json:"remarks,omitempty"`
	}
	oscalProp struct {
		Name  string `json:"name"`
		NS    string `json:"ns"`
		Value string `json:"value"`
	}
	oscalEvidence struct {
		Description string      `json:"description"`
		Props       []oscalProp `json:"props"`
	}
)

// token makes a name that OSCAL takes: letters, digits, full stops, hyphens.
func token(s string) string {
	return strings.Trim(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' {
			return r
		}
		return '-'
	}, s), "-")
}

// uuid is a name-based UUID (RFC 9562, version 5) in a namespace of our own. SHA-1 is what that version asks for; nothing
// rests on its strength.
func uuid(parts ...string) string {
	h := sha1.Sum([]byte(oscalNames + "\x00" + strings.Join(parts, "\x00")))
	h[6], h[8] = h[6]&0x0f|0x50, h[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", h[:4], h[4:6], h[6:8], h[8:10], h[10:16])
}
