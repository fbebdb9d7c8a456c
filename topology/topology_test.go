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
