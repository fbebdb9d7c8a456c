package sim

import (
	"fmt"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/rollout"
	"github.com/firmward/firmward/topology"
)

// Generated makes a fleet of n devices that a release is for: up to 40 models in two hardware revisions, at sites of 200 devices, each
// site behind an access router for every 50, some of those in redundant pairs. It all follows from the seed. Its image was staged.
func Generated(n int, seed uint64, p firmward.RolloutPolicy, begin time.Time) Case {
	w := New(begin, seed)
	c := Case{
		Release: firmward.Release{ID: "rel-generated", Family: "generated", Hardware: []string{"*"}, Version: "2.0.0"},
		Policy:  p, Begin: begin, Fleet: make([]Known, 0, n),
	}
	models := min(40, 1+n/50)
	for m := range models {
		c.Release.Models = append(c.Release.Models, fmt.Sprintf("model-%02d", m))
	}
	var relations []firmward.Relation
	for i := range n {
		id := fmt.Sprintf("device-%07d", i)
		roll := func(what string, sides int) int { return w.dice(what+id, sides) }
		back := []firmward.Rollback{firmward.RollbackSlot, firmward.RollbackDeadMan, firmward.RollbackNone}[roll("back", 3)]
		d := firmward.Device{
			ID: id, Name: id, Site: fmt.Sprintf("site-%04d", i/200), Zone: firmward.ZoneOffice, Network: "192.0.2.0/24", Owner: "generated", Family: "generated",
			Model: c.Release.Models[roll("model", models)], Hardware: fmt.Sprintf("rev-%d", roll("hardware", 2)), Firmware: "1.0.0", Criticality: roll("criticality", 5),
		}
		card := firmward.Model{
			Name: d.Model, Rollback: firmward.Fact{Value: string(back)}, Outage: firmward.Fact{Value: fmt.Sprint(3 + roll("outage", 12))}, Settle: firmward.Fact{Value: "5"},
		}
		c.Fleet = append(c.Fleet, Known{
			Candidate: rollout.Candidate{Device: d, Model: card, HasDriver: true, Staging: firmward.StagingVerdict{Result: "passed"}},
			Abilities: rollout.Abilities{Settle: rollout.Settle(card), DeadMan: back == firmward.RollbackDeadMan, CanRevert: back == firmward.RollbackSlot},
		})
		switch {
		case i%50 > 0:
			relations = append(relations, firmward.Relation{From: id, To: fmt.Sprintf("device-%07d", i-i%50), Kind: firmward.Behind})
		case i > 0 && roll("pair", 4) == 0:
			relations = append(relations, firmward.Relation{From: id, To: fmt.Sprintf("device-%07d", i-50), Kind: firmward.RedundantWith})
		}
	}
	c.Topo = topology.New(relations)
	return c
}
