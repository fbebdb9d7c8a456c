package sim

import (
	"cmp"
	"slices"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/rollout"
)

// local is the time at a device's site.
func (w *World) local(d *Device) time.Time {
	return local(w.Now, cmp.Or(d.Zone, w.Zone))
}

func local(now time.Time, zone *time.Location) time.Time {
	if zone != nil {
		return now.In(zone)
	}
	return now
}

// freezes are those that people set for a device's site.
func (w *World) freezes(d *Device) []firmward.Freeze {
	if d.Freezes != nil {
		return d.Freezes
	}
	return w.Freezes
}

// opens is when a window next changes for one of these, its owner's release begins, or it is to be asked again; zero: never.
func (w *World) opens(r *Run, waiting []*slot) (next time.Time) {
	seen := map[*time.Location]bool{}
	sooner := func(at time.Time) {
		if at.After(w.Now) && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	for _, s := range waiting {
		sooner(s.dev.Facts.Released.From)
		sooner(s.dev.held().Until)
		sooner(s.NextDue)
		if zone := s.dev.Zone; !seen[zone] {
			seen[zone] = true
			sooner(rollout.Due(r.Policy, w.local(s.dev), w.freezes(s.dev)))
		}
	}
	return next
}

// Freeze lets nothing start at the site for a time; Unfreeze lifts that.
func (w *World) Freeze(f firmward.Freeze) {
	if w.deaf(f.By, "freeze") {
		return
	}
	w.Freezes = append(w.Freezes, f)
	w.tell(f.By, "freeze", f.String())
	w.wake()
}

// Unfreeze lifts the freeze of a name.
func (w *World) Unfreeze(who, name string) {
	if w.deaf(who, "unfreeze") {
		return
	}
	w.Freezes = slices.DeleteFunc(slices.Clone(w.Freezes), func(f firmward.Freeze) bool { return f.Name == name })
	w.tell(who, "unfreeze", name)
	w.wake()
}

func (w *World) wake() {
	for _, r := range w.runs {
		r.dirty = true
	}
}
