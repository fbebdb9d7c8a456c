package rollout

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/topology"
)

// Fallen is a device that was well and is not any more: it does not answer, or one of its services does not.
type Fallen struct {
	DeviceID string
	Family   string
	Site     string
	At       time.Time // when that was seen first
	Told     bool      // it is part of an event that was told already
}

// VendorEvent is that many devices of one family fall at about one time although no rollout is changing them: content that
// their maker sent, a cloud that was switched off, a date that their firmware cannot stand. It is one event, not so many faults.
type VendorEvent struct {
	Family  string
	Devices []string // that fell, sorted
	Watched int      // devices of the family that were well before, these included
	Sites   int      // at which they stand
	Since   time.Time
}

// What makes a vendor event: that many devices, that share of their family, within that time.
const (
	eventDevices = 3
	eventPercent = 10
	eventWithin  = time.Hour
)

// VendorEvents looks for vendor events among the devices that fell. watched counts the devices of each family that were well
// before an hour ago, claims says who is being changed now. Not counted is who is being changed or hangs on such a one, which is for that rollout to judge,
// and who hangs on another that fell. A family whose share is not twice that of all others fell with its surroundings: its power or its
// network went. Events are sorted by family.
func VendorEvents(fallen []Fallen, watched map[string]int, claims Claims, topo topology.Map, now time.Time) []VendorEvent {
	down := map[string]bool{}
	for _, f := range fallen {
		down[f.DeviceID] = true
	}
	explained := func(f Fallen) bool {
		return claims.Device[f.DeviceID] != "" || slices.ContainsFunc(topo.Carriers(f.DeviceID), func(id string) bool { return down[id] || claims.Device[id] != "" })
	}
	byFamily, sites, others, all := map[string]*VendorEvent{}, map[string]map[string]bool{}, 0, 0
	for _, n := range watched {
		all += n
	}
	for _, f := range fallen {
		if f.Family == "" || f.Told || now.Sub(f.At) > eventWithin || explained(f) {
			continue
		}
		e := byFamily[f.Family]
		if e == nil {
			e = &VendorEvent{Family: f.Family, Watched: watched[f.Family], Since: f.At}
			byFamily[f.Family], sites[f.Family] = e, map[string]bool{}
		}
		others++
		e.Devices = append(e.Devices, f.DeviceID)
		sites[f.Family][f.Site] = true
		if f.At.Before(e.Since) {
			e.Since = f.At
		}
	}
	var out []VendorEvent
	for family, e := range byFamily {
		n, rest := len(e.Devices), all-e.Watched
		switch {
		case n < eventDevices || n*100 < eventPercent*e.Watched:
		case n*rest < 2*(others-n)*e.Watched:
		default:
			slices.Sort(e.Devices)
			e.Sites = len(sites[family])
			out = append(out, *e)
		}
	}
	slices.SortFunc(out, func(a, b VendorEvent) int { return cmp.Compare(a.Family, b.Family) })
	return out
}

func (e VendorEvent) String() string {
	return fmt.Sprintf("%d of %d devices of family %s fell within %s at %d %s and no rollout is changing them: one event of their vendor, not %[1]d faults",
		len(e.Devices), e.Watched, e.Family, short(eventWithin), e.Sites, plural(e.Sites, "site", "sites"))
}

// Halt halts a rollout of a release of the family, and reports whether it did. Who resumes it says why, as after every halt.
func (e VendorEvent) Halt(r *firmward.Rollout) bool {
	switch r.State {
	case firmward.RolloutAwaiting, firmward.RolloutRunning, firmward.RolloutPaused:
		r.State, r.Why, r.Unsure = firmward.RolloutHalted, e.String(), false
		return true
	}
	return false
}

// Withdraw halts a rollout whose release was taken back, for good: it can only be stopped. It reports whether anything changed.
func Withdraw(r *firmward.Rollout, why string) bool {
	over := r.State == firmward.RolloutFinished || r.State == firmward.RolloutStopped
	if over || r.Withdrawn != "" {
		return false
	}
	r.Withdrawn = cmp.Or(why, "no reason was given")
	r.State, r.Why, r.Unsure = firmward.RolloutHalted, withdrawn(r), false
	return true
}

func withdrawn(r *firmward.Rollout) string { return "the release was withdrawn: " + r.Withdrawn }

func devices(n int) string { return fmt.Sprintf("%d %s", n, plural(n, "device", "devices")) }

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}
