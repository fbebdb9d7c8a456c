// Package staging decides where a release is rehearsed and what the rehearsal proves.
//
// A verdict is bound to exactly what was tested: image hash, delivery path, model and hardware
// revision. Devices in production never serve as staging. Without a spare the verdict is
// "not-staged": shown, and the canary carries the risk.
package staging

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/firmward/firmward"
)

// The results of a verdict.
const (
	Passed    = "passed"
	Failed    = "failed"
	NotStaged = "not-staged"
)

// Pick chooses the spare on which a release is rehearsed for one model and hardware revision: same
// site first, then by name. ok is false when there is none; why says so.
func Pick(rel firmward.Release, model, hardware, site string, devices []firmward.Device) (spare firmward.Device, ok bool, why string) {
	var fit []firmward.Device
	spares := 0
	for _, d := range devices {
		if !d.Spare || d.Retired || d.Model != model {
			continue
		}
		spares++
		if d.Hardware == hardware && rel.FitsModel(d.Model) && rel.FitsHardware(d.Hardware) && d.Network != "" {
			fit = append(fit, d)
		}
	}
	if len(fit) == 0 {
		if spares > 0 {
			return spare, false, fmt.Sprintf("no spare %s of hardware revision %s", model, hardware)
		}
		return spare, false, "no spare " + model + " is at hand"
	}
	slices.SortFunc(fit, func(a, b firmward.Device) int {
		return cmp.Or(-cmp.Compare(same(a.Site, site), same(b.Site, site)), cmp.Compare(a.Name, b.Name))
	})
	return fit[0], true, ""
}

func same(a, b string) int {
	if a == b {
		return 1
	}
	return 0
}

// Judge makes the verdict of a rehearsal from the final state of its target. A spare that was
// already on the wanted version proves nothing.
func Judge(rel firmward.Release, path string, spare firmward.Device, t firmward.Target, now time.Time) firmward.StagingVerdict {
	v := firmward.StagingVerdict{
		ReleaseID: rel.ID, SHA256: rel.SHA256, Path: path, Model: spare.Model, Hardware: spare.Hardware,
		SpareID: spare.ID, At: now, Result: Failed, Why: t.Why,
	}
	switch {
	case t.State == firmward.TargetSucceeded && t.Code == "already-installed":
		v.Result, v.Why = NotStaged, "the spare ran the release already, so nothing was tested"
	case t.State == firmward.TargetSucceeded:
		v.Result = Passed
	case t.State == firmward.TargetSkipped || t.State == firmward.TargetRefused:
		v.Result, v.Why = NotStaged, "the spare could not be used: "+t.Why
	}
	return v
}

// Missing is the verdict where no spare exists.
func Missing(rel firmward.Release, path, model, hardware, why string, now time.Time) firmward.StagingVerdict {
	return firmward.StagingVerdict{
		ReleaseID: rel.ID, SHA256: rel.SHA256, Path: path, Model: model, Hardware: hardware,
		Result: NotStaged, Why: why + "; the canary carries the risk", At: now,
	}
}

// Covers reports whether a verdict speaks of exactly this image, path, model and revision.
func Covers(v firmward.StagingVerdict, sha256, path, model, hardware string) bool {
	return v.SHA256 == sha256 && v.Path == path && v.Model == model && v.Hardware == hardware
}

// Sum gives one word for a rollout over several models: failed if any failed, passed if all passed,
// else not-staged.
func Sum(verdicts []firmward.StagingVerdict) string {
	sum := Passed
	for _, v := range verdicts {
		switch v.Result {
		case Failed:
			return Failed
		case Passed:
		default:
			sum = NotStaged
		}
	}
	if len(verdicts) == 0 {
		return NotStaged
	}
	return sum
}
