package remedy

import (
	"cmp"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/lifecycle"
)

// personal names the kind of work order where no machine may or can update the device, or "".
func personal(f Facts) string {
	switch {
	case f.Model.MayPatch.Value == firmward.VendorMayPatch || f.Model.Mechanism.Value == string(firmward.ByVendorService),
		f.Model.MayPatch.Value == "" && f.Device.Class.LifeSupport(): // nobody knows who may, and lives hang on it
		return "vendor-service"
	case !f.HasDriver || f.Device.Network == "":
		return "update"
	}
	return ""
}

func ask(f Facts, kind, want string) string {
	to := "update it"
	if want != "" {
		to = "update it to " + want
	}
	if kind == "vendor-service" && f.Model.MayPatch.Value == "" && f.Model.Mechanism.Value == "" {
		return "ask the vendor whether and how to " + to + ": people's safety hangs on it"
	}
	if kind == "vendor-service" {
		return "ask the vendor to " + to + "; the vendor alone may"
	}
	if f.Device.Owner == "" {
		return to + " by hand"
	}
	return to + " by hand (" + f.Device.Owner + ")"
}

func withWork(f Facts, s *firmward.NextStep) {
	for _, w := range f.Work {
		if s.Order == nil || w.Kind != s.Order.Kind {
			continue
		}
		s.Ref = w.ID
		s.Blocker, s.BlockerCode = "waits for "+cmp.Or(w.Assignee, "somebody"), "person"
		if w.State == firmward.WorkNotYet {
			s.Blocker, s.BlockerCode = w.Why, "not-done-yet"
		}
	}
}

func owner(f Facts) string { return cmp.Or(f.Device.Owner, "somebody") }

func day(t time.Time) string { return t.Format(time.DateOnly) }

func minute(t time.Time) string { return t.Format("2006-01-02 15:04 MST") }

func replaceBy(f Facts, now, from time.Time) time.Time {
	if from.IsZero() {
		from = now
	}
	by := from.Add(f.Policy.ReplaceWithin)
	if f.Support.State == lifecycle.Ending && !f.Support.End.IsZero() && f.Support.End.Before(by) {
		by = f.Support.End
	}
	if by.Before(now) { // the clock ran out before anybody knew: the policy's time starts at the first sight
		by = f.Device.FirstSeen.Add(f.Policy.ReplaceWithin)
	}
	return by
}
