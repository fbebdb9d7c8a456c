package remedy

import (
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/lifecycle"
	"github.com/firmward/firmward/version"
)

// lastly is what is left to do about the end of support once the device runs a version.
func lastly(f Facts, runs string, now time.Time) *firmward.Phase {
	ends := f.Support.State == lifecycle.Ended || f.Support.State == lifecycle.Ending
	by := replaceBy(f, now, now)
	switch {
	case !ends, f.Support.Newer != "" && reaches(f, runs, f.Support.Newer):
		return nil
	case f.Support.Newer != "":
		return &firmward.Phase{Kind: firmward.StepAsk, Action: "bring it to branch " + f.Support.Newer + ": " + why(f), By: by, Rule: "support-end"}
	}
	return &firmward.Phase{Kind: firmward.StepReplace, Action: "replace it", By: by, Rule: "support-end"}
}

// reaches reports whether a version is the wanted one or above it.
func reaches(f Facts, v, want string) bool {
	order, _ := version.Compare(f.Model.Scheme, v, want)
	return order == version.Equal || order == version.Greater
}

// why says how the support of the device's branch stands.
func why(f Facts) string {
	if f.Support.State == lifecycle.Ending {
		return f.Support.Branch + " is mended until " + day(f.Support.End)
	}
	return "nobody mends " + f.Support.Branch + " any more"
}

// overtaken is for devices whose branch has no support any more while a newer branch has.
func overtaken(f Facts, open []firmward.Finding, s *firmward.NextStep, now time.Time) bool {
	if f.Support.State != lifecycle.Ended || f.Support.Newer == "" {
		return false
	}
	want := f.Support.Newer
	for _, v := range []string{f.Support.Latest, nearestFix(f, open)} {
		if v != "" && reaches(f, v, want) {
			want = v
		}
	}
	by, rule := replaceBy(f, now, f.Support.End), "support-end"
	if due, of := clock(f, open); !due.IsZero() && due.Before(by) {
		by, rule = due, of
	}
	if len(open) > 0 {
		s.Fix = fix(f, open, want, "", nil)
	}
	s.RiskAfter = riskWithout(f, open, want, nil)
	switch kind := personal(f); {
	case bySelf(f, open, want, s, now):
	case kind != "":
		s.Now = firmward.Phase{Kind: firmward.StepAsk, Action: ask(f, kind, want) + ": " + why(f), By: by, Rule: rule}
		s.Then = &firmward.Phase{Kind: firmward.StepLook, Action: "look whether it runs " + want, Rule: "work-order"}
		s.Order = &firmward.Wanted{Kind: kind, Want: want}
		withWork(f, s)
	default:
		s.Now = firmward.Phase{Kind: firmward.StepAsk, Action: "get firmware " + want + " or newer for " + f.Device.Model + " (releases import): " + why(f), By: by, Rule: rule}
		s.Blocker, s.BlockerCode = "no release for this model and hardware revision is in the depot", "no-release"
	}
	return true
}

func unsupported(f Facts, open []firmward.Finding, s *firmward.NextStep, now time.Time) bool {
	if f.Support.State != lifecycle.Ended {
		return false
	}
	by := replaceBy(f, now, f.Support.End)
	s.Now = firmward.Phase{Kind: firmward.StepReplace, Action: "replace it: nobody mends it any more", By: by, Rule: "support-end"}
	s.RiskAfter = 0
	s.Order = &firmward.Wanted{Kind: "replace"}
	withWork(f, s)
	return true
}
