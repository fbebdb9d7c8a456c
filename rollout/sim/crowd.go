package sim

import (
	"github.com/firmward/firmward/rollout"
)

// crowd is a fleet of any size: a list of what is known, or devices that are made as they are asked for.
type crowd interface {
	size() int
	id(i int32) string
	known(i int32) *Known // until the next is asked for
	able(i int32) rollout.Abilities
}

// listed is a fleet that is held as it is.
type listed []Known

func (l listed) size() int                      { return len(l) }
func (l listed) id(i int32) string              { return l[i].Candidate.Device.ID }
func (l listed) known(i int32) *Known           { return &l[i] }
func (l listed) able(i int32) rollout.Abilities { return l[i].Abilities }

func (c Case) crowd() crowd {
	if c.made != nil {
		return c.made
	}
	return listed(c.Fleet)
}

// Size is the number of devices of the fleet.
func (c Case) Size() int { return c.crowd().size() }

// LargeMemory is a limit for the collector that keeps a million devices below 300 MB.
const LargeMemory = 250 << 20
