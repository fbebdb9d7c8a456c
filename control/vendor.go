package control

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/rollout"
	"github.com/firmward/firmward/store"
)

// falls is what the last scans say of devices that were well and are not any more. It lives in memory: a device that was away already at the
// scan before falls a second time only after it was well again.
type falls struct {
	mu      sync.Mutex
	fallen  map[string]rollout.Fallen // by device
	watched map[string]map[string]int // by network: families of the devices that were well at the scan before
	scanned map[string]time.Time      // by network: when the last scan ended
}

// fallsFor is how long the scan of a network speaks in the search for an event: as long as devices may fall apart from each other.
const fallsFor = time.Hour

// vendorEvents looks after a scan whether many devices of one family fell at once and no rollout explains it. That is one event of their
// vendor: it is told once, and rollouts that carry a release for the family halt. began is when the scan before this one began.
func (c *Control) vendorEvents(ctx context.Context, network firmward.Network, began, started, ended time.Time) error {
	if began.IsZero() {
		return nil // nothing is known of who was well before
	}
	away, watched, err := c.away(ctx, network, began, started)
	if err != nil {
		return err
	}
	topo, err := c.topology(ctx)
	if err != nil {
		return err
	}
	claims, _, err := c.claims(ctx)
	if err != nil {
		return err
	}
	c.falls.mu.Lock()
	defer c.falls.mu.Unlock()
	c.falls.note(network.Prefix.String(), away, watched, ended)
	events := rollout.VendorEvents(c.falls.recent(ended), c.falls.total(), claims, topo, ended)
	for _, e := range events {
		if err := c.tellVendorEvent(ctx, e); err != nil {
			return err
		}
		for _, id := range e.Devices {
			f := c.falls.fallen[id]
			f.Told = true
			c.falls.fallen[id] = f
		}
	}
	return nil
}

// away gives the devices of a network that were well at the scan before and were not seen since this one started, those left out whose fall
// an update of firmward explains, and counts those that were well by family.
func (c *Control) away(ctx context.Context, network firmward.Network, began, started time.Time) (map[string]firmward.Device, map[string]int, error) {
	away, watched := map[string]firmward.Device{}, map[string]int{}
	retired := false
	var gone []firmward.Device
	err := c.eachDevice(ctx, store.DeviceFilter{Network: network.Prefix.String(), Retired: &retired}, func(d firmward.Device) error {
		if d.Family == "" || d.LastSeen.Before(began) {
			return nil
		}
		watched[d.Family]++
		if d.LastSeen.Before(started) {
			gone = append(gone, d)
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	for _, d := range gone {
		ours, err := c.changedByUs(ctx, d.ID)
		if err != nil {
			return nil, nil, err
		}
		if !ours {
			away[d.ID] = d
		}
	}
	return away, watched, nil
}

// changedByUs reports whether a rollout sent a device an image a short time ago: what became of it is for that rollout to judge.
func (c *Control) changedByUs(ctx context.Context, device string) (bool, error) {
	targets, err := c.Store.TargetsOf(ctx, device)
	for _, t := range targets {
		if t.Attempt > 0 && (t.State.InFlight() || c.Clock.Now().Sub(t.EndedAt) < aftermath) {
			return true, err
		}
	}
	return false, err
}

// note keeps what one scan found. Whoever is back has not fallen any more.
func (f *falls) note(network string, away map[string]firmward.Device, watched map[string]int, now time.Time) {
	if f.fallen == nil {
		f.fallen, f.watched, f.scanned = map[string]rollout.Fallen{}, map[string]map[string]int{}, map[string]time.Time{}
	}
	maps.DeleteFunc(f.fallen, func(_ string, v rollout.Fallen) bool { return now.Sub(v.At) > fallsFor })
	for id, d := range away {
		if _, known := f.fallen[id]; !known {
			f.fallen[id] = rollout.Fallen{DeviceID: id, Family: d.Family, Site: d.Site, At: now}
		}
	}
	f.watched[network], f.scanned[network] = watched, now
	maps.DeleteFunc(f.watched, func(name string, _ map[string]int) bool { return now.Sub(f.scanned[name]) > fallsFor })
}

func (f *falls) recent(now time.Time) []rollout.Fallen {
	var out []rollout.Fallen
	for _, v := range f.fallen {
		if now.Sub(v.At) <= fallsFor {
			out = append(out, v)
		}
	}
	return out
}

func (f *falls) total() map[string]int {
	out := map[string]int{}
	for _, families := range f.watched {
		for family, n := range families {
			out[family] += n
		}
	}
	return out
}

// tellVendorEvent writes an event down and halts the rollouts that carry a release for its family, in one transaction.
func (c *Control) tellVendorEvent(ctx context.Context, e rollout.VendorEvent) error {
	rollouts, err := c.rollouts(ctx, store.RolloutFilter{States: unfinished})
	if err != nil {
		return err
	}
	var halted []string
	err = c.Store.Tx(ctx, func(tx *store.Tx) error {
		halted = halted[:0]
		if err := c.emit(ctx, tx, "vendor-event", e.Family, e.String()); err != nil {
			return err
		}
		if err := c.leaf(ctx, tx, self, "vendor-event", e.Family, map[string]string{"why": e.String()}); err != nil {
			return err
		}
		for _, known := range rollouts {
			r, err := tx.Rollout(ctx, known.ID)
			if err != nil {
				return err
			}
			rel, err := tx.Release(ctx, r.ReleaseID)
			if err != nil {
				return err
			}
			was := r.State
			if rel.Family != e.Family || r.Rehearsal || !e.Halt(&r) {
				continue
			}
			if err := c.putHalted(ctx, tx, self, r, was); err != nil {
				return err
			}
			halted = append(halted, r.ID)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, id := range halted {
		c.touchTargets(id)
	}
	c.wake(loopDeploy)
	return nil
}
