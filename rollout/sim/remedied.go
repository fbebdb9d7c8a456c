package sim

import (
	"slices"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/rollout"
)

// closes gives what is open on a device and a release is to close.
func closes(rel firmward.Release, d *Device) (out []string) {
	for _, id := range rel.Fixes {
		if slices.Contains(d.Open, id) {
			out = append(out, id)
		}
	}
	return out
}

// assess adds to what a look finds what is open on the device: before the start all that the release is to close, later what of that another version did
// not close.
func (w *World) assess(r *Run, s *slot, ev *rollout.Event) {
	switch {
	case ev.Kind == rollout.PreflightOK:
		s.closes = closes(r.Release, s.dev)
		ev.Seen.Closes = s.closes
	case ev.Kind == rollout.Looked && ev.Seen.Version != "" && ev.Seen.Version != s.From && s.dev.is(StaysOpen):
		ev.Seen.StillOpen = s.Closes
	}
}

// unremedied reports whether a target runs its release and something is open on it that this should have closed.
func (s *slot) unremedied() bool {
	return s.State == firmward.TargetSucceeded && s.Code != "already-installed" && s.dev.is(StaysOpen) && len(s.closes) > 0
}

// remedied checks that a target that succeeded says so if something is open on it that its release was to close, and only then.
func (w *World) remedied(s *slot) {
	if s.State != firmward.TargetSucceeded || s.Code == "already-installed" {
		return
	}
	switch open := s.unremedied(); {
	case open && (s.Code != rollout.StillOpen || !slices.Equal(s.StillOpen, s.closes)):
		w.fail("%s counts as remedied, and %v is open on it", s.DeviceID, s.closes)
	case !open && (s.Code != "" || len(s.StillOpen) > 0 || !slices.Equal(s.Target.Closed(), s.closes)):
		w.fail("%s closed %v, and its target tells of %v closed and %v open (%s)", s.DeviceID, s.closes, s.Target.Closed(), s.StillOpen, s.Code)
	}
}
