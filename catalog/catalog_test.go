package catalog

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/firmward/firmward"
)

func TestEmbedded(t *testing.T) {
	c, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	m := c.Model(firmward.Device{Family: "axis", Vendor: "Axis", Model: "AXIS M3085-V"})
	if m.Driver != "axis-vapix" || m.Name != "AXIS M3085-V" || m.Rollback.Source == "" {
		t.Errorf("default card: %+v", m)
	}
	if got := c.FamilyOf("MikroTik", "RB750Gr3"); got != "mikrotik" {
		t.Errorf("family of a hand-added router: %q", got)
	}
	if m := c.Model(firmward.Device{Model: "X"}); m.Mechanism.Value != "" {
		t.Errorf("unknown device has a mechanism: %+v", m)
	}
}

func TestReadRefuses(t *testing.T) {
	const head = "family: x\nsource: s\ndate: 2026-01-02\n"
	for name, tc := range map[string]struct{ text, want string }{
		"unknown key":     {head + "colour: red\n", "colour"},
		"no date":         {"family: x\nsource: s\n", "date"},
		"other name":      {"family: y\nsource: s\ndate: 2026-01-02\n", "named as its file"},
		"bad pattern":     {head + "fingerprints: [{id: a, when: {b: '('}, claim: {vendor: v}, confidence: 5, examples: [{}]}]\n", "pattern of b"},
		"no example":      {head + "fingerprints: [{id: a, when: {b: 'c'}, claim: {vendor: v}, confidence: 5}]\n", "no example"},
		"example differs": {head + "fingerprints: [{id: a, when: {b: 'c'}, claim: {vendor: v}, confidence: 5, examples: [{readings: {b: d}, claims: {vendor: v}}]}]\n", "example 1"},
		"bad rollback":    {head + "models: [{names: [m], rollback: maybe}]\n", "rollback"},
		"bad scheme":      {head + "models: [{names: [m], scheme: doted}]\n", "scheme"},
		"bad CPE name":    {head + "models: [{names: [m], cpe: ['cpe:2.3:o:acme']}]\n", "cpe:2.3:o:acme"},
		"fact key":        {head + "models: [{names: [m], rollback: {value: none, colour: red}}]\n", "line 4"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Read(fstest.MapFS{"x.yaml": {Data: []byte(tc.text)}})
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want an error with %q", err, tc.want)
			}
		})
	}
}
