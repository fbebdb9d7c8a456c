package topology_test

import (
	"slices"
	"testing"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/topology"
)

func TestMap(t *testing.T) {
	m := topology.New([]firmward.Relation{
		{From: "cam", To: "switch", Kind: firmward.Behind},
		{From: "switch", To: "router", Kind: firmward.Behind},
		{From: "cam", To: "poe", Kind: firmward.PoweredBy},
		{From: "b", To: "c", Kind: firmward.RedundantWith},
		{From: "c", To: "a", Kind: firmward.RedundantWith},
		{From: "x", To: "y", Kind: firmward.Behind},
		{From: "y", To: "x", Kind: firmward.Behind},
		{From: "cam", To: "far", Kind: firmward.SameMedium},
	})
	if got := m.Dark("router"); !slices.Equal(got, []string{"cam", "switch"}) || m.Depth("router") != 2 || m.Depth("cam") != 0 {
		t.Errorf("dark %v", got)
	}
	for _, d := range []string{"a", "b", "c"} {
		if m.Group(d) != "a" {
			t.Errorf("group of %s is %q", d, m.Group(d))
		}
	}
	if got := m.Below("router"); !slices.Equal(got, []string{"switch"}) {
		t.Errorf("directly below the router: %v", got)
	}
	if got := m.Above("cam"); !slices.Equal(got, []string{"poe", "switch"}) || m.Above("router") != nil || m.Below("nobody") != nil || !slices.Equal(m.Below("x"), m.Above("x")) {
		t.Errorf("directly above the camera: %v", got)
	}
	if m.Group("cam") != "" || len(m.Dark("far")) != 0 || m.Depth("x") != 1 || len(topology.Map{}.Dark("z")) != 0 {
		t.Error("no group without twins, no darkness by a shared medium, circles end")
	}
}

func TestDomains(t *testing.T) {
	m := topology.New([]firmward.Relation{
		{From: "cam", To: "ap", Kind: firmward.Behind},
		{From: "cam", To: "hub", Kind: firmward.Behind},
		{From: "cam", To: "ap", Kind: firmward.Behind}, // said twice
		{From: "ap", To: "router", Kind: firmward.Behind},
		{From: "cam", To: "poe", Kind: firmward.PoweredBy},
		{From: "n3", To: "n2", Kind: firmward.SameMedium},
		{From: "n1", To: "n2", Kind: firmward.SameMedium},
		{From: "n3", To: "gw", Kind: firmward.Behind},
	})
	for device, want := range map[string][]string{
		"cam": {"behind ap", "behind hub"}, "ap": {"behind router"}, "router": nil, "poe": nil, "nobody": nil,
		"n1": {"on one medium with n1"}, "n2": {"on one medium with n1"}, "n3": {"behind gw", "on one medium with n1"},
	} {
		if got := m.Domains(device); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", device, got, want)
		}
	}
	if got := (topology.Map{}).Domains("x"); got != nil {
		t.Error(got)
	}
}

// TestTangled compares with the plain meaning on random relations, circles among them.
func TestTangled(t *testing.T) {
	dice := uint64(1)
	roll := func(n int) int {
		dice = dice*6364136223846793005 + 1442695040888963407
		return int(dice>>33) % n
	}
	kinds := []firmward.RelationKind{firmward.Behind, firmward.Behind, firmward.PoweredBy, firmward.RedundantWith, firmward.SameMedium}
	for round := range 300 {
		n := 2 + roll(12)
		if round%50 == 0 {
			n = 150
		}
		id := func() string { return string(rune('a'+roll(n)%26)) + string(rune('a'+roll(n)/26)) }
		var relations []firmward.Relation
		for range roll(2 * n) {
			relations = append(relations, firmward.Relation{From: id(), To: id(), Kind: kinds[roll(len(kinds))]})
		}
		m := topology.New(relations)
		busy := map[string]bool{}
		for range roll(4) {
			busy[id()] = true
		}
		for range 20 {
			d := id()
			want := false
			for b := range busy {
				if b == d {
					continue
				}
				below := m.Dark(d)
				want = want || slices.Contains(m.Dark(b), d) || slices.Contains(below, b)
				for _, x := range m.Dark(b) {
					want = want || slices.Contains(below, x)
				}
			}
			if got := m.Tangled(d, func(id string) bool { return busy[id] }); got != want {
				t.Fatalf("round %d: %s with %v busy is tangled %v, want %v: %v", round, d, busy, got, want, relations)
			}
			if m.Depth(d) != len(m.Dark(d)) || m.Group(d) != firstOf(d, m.Twins(d)) {
				t.Fatalf("round %d: depth %d of %v, group %q of %v", round, m.Depth(d), m.Dark(d), m.Group(d), m.Twins(d))
			}
			for _, up := range m.Above(d) {
				if up == d || !slices.Contains(m.Carriers(d), up) || !slices.Contains(m.Below(up), d) {
					t.Fatalf("round %d: %s is directly above %s, whose carriers are %v", round, up, d, m.Carriers(d))
				}
			}
			for _, up := range m.Carriers(d) {
				if !slices.Contains(m.Dark(up), d) {
					t.Fatalf("round %d: %s carries %s, which is not dark with it", round, up, d)
				}
			}
		}
	}
}

func firstOf(d string, twins []string) string {
	if len(twins) == 0 {
		return ""
	}
	return min(d, twins[0])
}
