package sim

import (
	"fmt"
	"strings"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/rollout"
	"github.com/firmward/firmward/topology"
)

// Generated makes a fleet of n devices that a release is for: up to 40 models in two hardware revisions, at sites of 200 devices, each
// site behind an access router for every 50, some of those in redundant pairs. It all follows from the seed. Its image was staged.
func Generated(n int, seed uint64, p firmward.RolloutPolicy, begin time.Time) Case {
	g := &generated{n: n, dice: World{Seed: seed}}
	c := Case{
		Release: firmward.Release{ID: "rel-generated", Family: "generated", Hardware: []string{"*"}, Version: "2.0.0", Fixes: []string{"what it mends"}},
		Policy:  p, Begin: begin, made: g,
	}
	for m := range min(40, 1+n/50) {
		g.models = append(g.models, fmt.Sprintf("model-%02d", m))
	}
	for s := range (n + perSite - 1) / perSite {
		g.sites = append(g.sites, fmt.Sprintf("site-%04d", s))
	}
	var ids strings.Builder
	ids.Grow(n * idLength)
	for i := range n {
		fmt.Fprintf(&ids, idPrefix+"%07d", i)
	}
	g.ids = ids.String()
	c.Release.Models = g.models
	c.Topo = topology.Collect(g.relations)
	return c
}

const (
	perSite   = 200
	perRouter = 50
	idPrefix  = "device-"
	idLength  = len(idPrefix + "0000000")
)

// generated makes each device when it is asked for: a million of them would not fit.
type generated struct {
	n             int
	dice          World
	ids           string // all of them, each idLength long
	models, sites []string
	one           Known
}

func (g *generated) size() int         { return g.n }
func (g *generated) id(i int32) string { return g.ids[int(i)*idLength : (int(i)+1)*idLength] }

// roll is the dice of one device.
func (g *generated) roll(i int32, what string, sides int) int {
	var room [40]byte
	return g.dice.roll(append(append(room[:0], what...), g.id(i)...), sides)
}

func (g *generated) back(i int32) firmward.Rollback {
	return [...]firmward.Rollback{firmward.RollbackSlot, firmward.RollbackDeadMan, firmward.RollbackNone}[g.roll(i, "back", 3)]
}

var (
	minutesText  = [...]string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14"}
	revisionText = [...]string{"rev-0", "rev-1"}
)

func (g *generated) known(i int32) *Known {
	id, back := g.id(i), g.back(i)
	k := &g.one
	d, m := &k.Candidate.Device, &k.Candidate.Model
	*d = firmward.Device{
		ID: id, Name: id, Site: g.sites[i/perSite], Zone: firmward.ZoneOffice, Network: "192.0.2.0/24", Owner: "generated", Family: "generated",
		Model: g.models[g.roll(i, "model", len(g.models))], Hardware: revisionText[g.roll(i, "hardware", 2)], Firmware: "1.0.0", Criticality: g.roll(i, "criticality", 5),
	}
	m.Name, m.Rollback.Value, m.Outage.Value, m.Settle.Value = d.Model, string(back), minutesText[3+g.roll(i, "outage", 12)], "5"
	k.Candidate.HasDriver, k.Candidate.Staging.Result = true, "passed"
	k.Abilities = g.able(i)
	return k
}

func (g *generated) able(i int32) rollout.Abilities {
	back := g.back(i)
	return rollout.Abilities{Settle: 5 * time.Minute, DeadMan: back == firmward.RollbackDeadMan, CanRevert: back == firmward.RollbackSlot}
}

// relations says what hangs on what.
func (g *generated) relations(yield func(firmward.Relation) bool) {
	for i := range int32(g.n) {
		r := firmward.Relation{From: g.id(i)}
		switch {
		case i%perRouter > 0:
			r.To, r.Kind = g.id(i-i%perRouter), firmward.Behind
		case i > 0 && g.roll(i, "pair", 4) == 0:
			r.To, r.Kind = g.id(i-perRouter), firmward.RedundantWith
		default:
			continue
		}
		if !yield(r) {
			return
		}
	}
}
