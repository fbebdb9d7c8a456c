package openvex_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/feed"
	"github.com/firmward/firmward/feed/feedtest"
	"github.com/firmward/firmward/feed/openvex"
)

// doc is a document with these statements.
func doc(statements ...string) string {
	return `{"@context":"https://openvex.dev/ns/v0.2.0","@id":"https://acme.example/vex/31-1","author":"Acme PSIRT <psirt@acme.example>","role":"vendor","timestamp":"2026-03-01T10:00:00Z","last_updated":"2026-03-05T10:00:00Z","version":2,"unheard":[1],` +
		`"statements":[` + strings.Join(statements, ",\n") + `]}`
}

// on is a statement on Door 1.2 by CPE.
func on(cve, members string) string {
	return `{"vulnerability":{"name":"` + cve + `","description":"A door stands open."},"products":[{"@id":"door","identifiers":{"cpe23":"cpe:2.3:o:acme:door_firmware:1.2:*:*:*:*:*:*:*"}}],` + members + `}`
}

func read(t testing.TB, document string) feedtest.Result {
	t.Helper()
	got, err := feedtest.Sync(t.Context(), openvex.Source{}, strings.NewReader(document), "vex.json")
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func say(a firmward.Advisory) []string {
	out := []string{}
	for _, c := range a.Configurations {
		for _, m := range c.Nodes[0].Matches {
			out = append(out, "affected "+strings.Join(strings.Split(m.Criteria, ":")[2:6], ":"))
		}
	}
	for _, s := range a.Statements {
		line := string(s.Status) + " " + strings.Join(strings.Split(s.Match.Criteria, ":")[2:6], ":")
		out = append(out, strings.TrimSuffix(line+", "+s.Justification+": "+s.Text, ", : "))
	}
	for _, f := range a.Fixes {
		out = append(out, "fix "+f.Vendor+":"+f.Product+" "+f.Version)
	}
	return out
}

func TestConformance(t *testing.T) {
	good := doc(on("CVE-2031-3001", `"status":"not_affected","justification":"component_not_present"`), on("CVE-2031-3002", `"status":"under_investigation"`))
	feedtest.Run(t, openvex.Source{}, []byte(good))
	got := read(t, good)
	a := got.Advisories[0]
	if a.Source != "vex:acme-psirt/acme.example/vex/31-1" || got.Replaced[0] != a.Source || a.Published.Day() != 1 || a.Modified.Day() != 5 || a.Title != "A door stands open." || got.Cursor != "2026-03-05T10:00:00Z" {
		t.Errorf("%+v, %v", a, got)
	}
}

func TestStatements(t *testing.T) {
	product := func(product, members string) string {
		return `{"vulnerability":"CVE-2031-3001","products":[` + product + `],` + members + `}`
	}
	for _, c := range []struct {
		name       string
		statements []string
		want       []string
	}{
		{"not affected", []string{on("CVE-2031-3001", `"status":"not_affected","justification":"vulnerable_code_not_present","impact_statement":"No ring."`)}, []string{"not-affected o:acme:door_firmware:1.2, vulnerable_code_not_present: No ring."}},
		{"fixed", []string{on("CVE-2031-3001", `"status":"fixed","status_notes":"Since spring."`)}, []string{"fixed o:acme:door_firmware:1.2, : Since spring.", "fix acme:door_firmware 1.2"}},
		{"affected", []string{on("CVE-2031-3001", `"status":"affected","action_statement":"Update to 1.3 or later"`)}, []string{"affected o:acme:door_firmware:1.2", "fix acme:door_firmware 1.3"}},
		{"the later counts", []string{
			on("CVE-2031-3001", `"status":"fixed","timestamp":"2026-03-04T10:00:00Z"`), on("CVE-2031-3001", `"status":"affected","timestamp":"2026-03-02T10:00:00Z"`),
		}, []string{"fixed o:acme:door_firmware:1.2", "fix acme:door_firmware 1.2"}},
		{"a package URL", []string{product(`"pkg:generic/Acme%20Inc./door@1.4?arch=arm"`, `"status":"fixed"`)}, []string{"fixed *:acme:door:1.4", "fix acme:door 1.4"}},
		{"a package URL without a version", []string{product(`{"identifiers":{"purl":"pkg:generic/acme/door"}}`, `"status":"fixed"`)}, []string{"fixed *:acme:door:-"}},
		{"spared in all versions", []string{product(`{"@id":"cpe:2.3:o:acme:door_firmware:*:*:*:*:*:*:*:*"}`, `"status":"not_affected"`)}, []string{"not-affected o:acme:door_firmware:*"}},
		{"CPE 2.2", []string{product(`{"identifiers":{"cpe22":"cpe:/o:acme:door_firmware:1.2"}}`, `"status":"under_investigation"`)}, []string{"under-investigation o:acme:door_firmware:1.2"}},
	} {
		got := read(t, doc(c.statements...))
		if diff := cmp.Diff(c.want, say(got.Advisories[0])); diff != "" || len(got.Refused) > 0 || len(got.Advisories) != 1 {
			t.Errorf("%s: %v\n%s", c.name, got.Refused, diff)
		}
	}
	named := read(t, doc(`{"vulnerability":{"name":"GHSA-x","aliases":["CVE-2031-3009"]},"products":["pkg:generic/acme/door"],"status":"affected"}`, `{"vulnerability":"GHSA-y","products":["pkg:generic/acme/door"],"status":"affected"}`))
	if named.Advisories[0].ID != "CVE-2031-3009" || named.Advisories[1].ID != "GHSA-y" {
		t.Errorf("%+v", named.Advisories)
	}
}

func TestRefuses(t *testing.T) {
	good := on("CVE-2031-3001", `"status":"fixed"`)
	for what, bad := range map[string]string{
		"a status":           on("CVE-2031-3002", `"status":"fine"`),
		"a type":             `{"vulnerability":7}`,
		"no vulnerability":   on("", `"status":"fixed"`),
		"an id":              on("CVE-2", `"status":"fixed"`),
		"no product":         `{"vulnerability":"CVE-2031-3002","products":[],"status":"fixed"}`,
		"the future":         on("CVE-2031-3002", `"status":"fixed","timestamp":"2031-01-01T00:00:00Z"`),
		"a nameless product": `{"vulnerability":"CVE-2031-3001","products":[{"@id":"x"}],"status":"fixed"}`,
		"a package alone":    `{"vulnerability":"CVE-2031-3001","products":["pkg:npm/left-pad"],"status":"fixed"}`,
		"a CPE name":         `{"vulnerability":"CVE-2031-3001","products":["cpe:2.3:x"],"status":"fixed"}`,
	} {
		got := read(t, doc(good, bad))
		if len(got.Refused) != 1 || len(got.Advisories) != 1 {
			t.Errorf("%s: %d advisories, refused %v", what, len(got.Advisories), got.Refused)
		}
	}
	for what, swap := range map[string][2]string{
		"another format": {"openvex.dev/ns", "example.dev/ns"}, "no author": {"Acme PSIRT <psirt@acme.example>", "<x>"}, "no id": {"https://acme.example/vex/31-1", ""},
		"no date": {`"2026-03-05T10:00:00Z"`, `"soon"`}, "the future": {`"2026-03-05T10`, `"2031-03-05T10`},
	} {
		_, err := feedtest.Sync(t.Context(), openvex.Source{}, strings.NewReader(strings.Replace(doc(good), swap[0], swap[1], 1)), "x")
		if _, ok := errors.AsType[*feed.PositionError](err); !ok {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func FuzzOpenVEX(f *testing.F) {
	f.Add([]byte(doc(on("CVE-2031-3001", `"status":"affected","action_statement":"Update to 1.3"`), `{"vulnerability":"CVE-2031-3001","products":["pkg:generic/acme/door@1.4","cpe:2.3:o:acme:door:*:*:*:*:*:*:*:*"],"status":"fixed"}`)))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := feedtest.Sync(t.Context(), openvex.Source{}, bytes.NewReader(b), "fuzz")
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
