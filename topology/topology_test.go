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
