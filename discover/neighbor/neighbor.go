// Package neighbor sees who is there without sending a byte to anybody's IP stack: it reads the ARP or
// NDP table of this host.
package neighbor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/discover"
	"github.com/firmward/firmward/wire"
)

// Probe implements discover.Probe.
type Probe struct{}

// Info declares the probe.
func (Probe) Info() discover.Info {
	return discover.Info{Name: "neighbor", Safety: firmward.Passive, Period: 10 * time.Minute, Timeout: 10 * time.Second}
}

// Run reports one observation per neighbour inside t.Prefix, sorted by address.
func (Probe) Run(ctx context.Context, t discover.Target, report func(firmward.Observation)) error {
	see, ok := t.Network.(wire.Neighbor)
	if !ok {
		return firmward.Errorf(firmward.NotSupported, "this network cannot see its neighbours")
	}
	table, err := see.Neighbors(ctx, t.Prefix)
	if err != nil {
		return fmt.Errorf("read the neighbour table: %w", err)
	}
	obs := make([]firmward.Observation, 0, len(table))
	for addr, mac := range table {
		obs = append(obs, firmward.Observation{
			Addr: addr, Outcome: firmward.Answered,
			Readings: []firmward.Reading{discover.Reading("neighbor.mac", strings.ToUpper(mac.String()))},
		})
	}
	slices.SortFunc(obs, func(a, b firmward.Observation) int { return a.Addr.Compare(b.Addr) })
	for _, o := range obs {
		report(o)
	}
	return nil
}
