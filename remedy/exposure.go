package remedy

import (
	"cmp"
	"slices"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/version"
)

// Clock is how many whole days something has lasted, over a set of findings: a distribution, since a mean hides the worst.
type Clock struct {
	N             int // findings on which it runs
	P50, P90, Max int // days
}

// Exposure is how long the open findings of one group of devices have been open to the world. Findings that are only possible are
// counted and do not weigh on the clocks.
type Exposure struct {
	Group     string
	Devices   int // with an open finding
	Open      int // affected or likely
	Possible  int
	Published Clock // since the advisory was published
	Exploited Clock // since it is known to be exploited
	Fixable   Clock // since a release that mends it was at hand
	Known     Clock // since firmward found it
}

// Ages gathers findings by group.
type Ages struct {
	groups map[string]*ages
}

type ages struct {
	devices                               map[string]bool
	open, possible                        int
	published, exploited, fixable, opened []int
}

// Add takes one open finding of a device into a group. fix is when a release that mends it was at hand, zero for never.
func (a *Ages) Add(group string, f firmward.Finding, fix, now time.Time) {
	if a.groups == nil {
		a.groups = map[string]*ages{}
	}
	g := a.groups[group]
	if g == nil {
		g = &ages{devices: map[string]bool{}}
		a.groups[group] = g
	}
	g.devices[f.DeviceID] = true
	if f.Verdict == firmward.Possible {
		g.possible++
		return
	}
	g.open++
	run := func(clock *[]int, since time.Time) {
		if !since.IsZero() {
			*clock = append(*clock, max(0, int(now.Sub(since).Hours()/24)))
		}
	}
	run(&g.published, f.Published)
	run(&g.fixable, fix)
	run(&g.opened, f.OpenedAt)
	if f.Exploited {
		run(&g.exploited, f.ExploitedAt)
	}
}

// Table gives the groups, the one whose exploited findings are oldest first.
func (a *Ages) Table() []Exposure {
	out := make([]Exposure, 0, len(a.groups))
	for name, g := range a.groups {
		out = append(out, Exposure{
			Group: name, Devices: len(g.devices), Open: g.open, Possible: g.possible,
			Published: clockOf(g.published), Exploited: clockOf(g.exploited), Fixable: clockOf(g.fixable), Known: clockOf(g.opened),
		})
	}
	slices.SortFunc(out, func(x, y Exposure) int {
		return cmp.Or(cmp.Compare(y.Exploited.Max, x.Exploited.Max), cmp.Compare(y.Open, x.Open), cmp.Compare(x.Group, y.Group))
	})
	return out
}

// clockOf sorts days; a percentile is the smallest value that at least so many of a hundred do not exceed (nearest rank).
func clockOf(days []int) Clock {
	if len(days) == 0 {
		return Clock{}
	}
	slices.Sort(days)
	rank := func(p int) int { return days[(len(days)*p+99)/100-1] }
	return Clock{N: len(days), P50: rank(50), P90: rank(90), Max: days[len(days)-1]}
}

// FixAt is when a release came to hand that fits a device and mends a finding, zero when none did.
func FixAt(releases []firmward.Release, d firmward.Device, m firmward.Model, f firmward.Finding) time.Time {
	var first time.Time
	for _, r := range releases {
		if !r.Withdrawn.IsZero() || r.Part != "" || !r.FitsModel(d.Model) || !r.FitsHardware(d.Hardware) {
			continue
		}
		mends := slices.Contains(r.Fixes, f.AdvisoryID)
		if order, _ := version.Compare(m.Scheme, r.Version, f.FixedIn); !mends && f.FixedIn != "" {
			mends = order == version.Equal || order == version.Greater
		}
		if mends && (first.IsZero() || r.At.Before(first)) {
			first = r.At
		}
	}
	return first
}
