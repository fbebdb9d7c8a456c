// Package staging decides where a release is rehearsed and what the rehearsal proves.
//
// Devices that shall get a release fall into clusters: one model, hardware revision, version, configuration class and delivery path.
// Each cluster has at most one representative, a device that is not in use, and what that differs in is named. A rehearsal is a
// rollout of one target by the production's own engine, driver and probes; before and after it a test pack runs, and Compare says what
// became of the device.
//
// A verdict is bound to exactly what was tested: image hash, delivery path, model, hardware revision and configuration class. It
// speaks for devices of another version or configuration too, and says so; of another model, revision or path it says nothing. It
// expires. Devices in production never serve as staging. Without a spare the verdict is "not-staged": shown, and the canary carries
// the risk.
package staging

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/firmward/firmward"
)

// The results of a verdict.
const (
	Passed    = "passed"
	Failed    = "failed"
	NotStaged = "not-staged"
)

// DefaultValid is how long a verdict stands where no policy says otherwise.
const DefaultValid = 30 * 24 * time.Hour

// Valid is how long verdicts stand under a policy.
func Valid(p firmward.RolloutPolicy) time.Duration {
	return cmp.Or(p.StagingValid, DefaultValid)
}

// ID names a verdict: what it is bound to, and nothing else, decides it.
func ID(v firmward.StagingVerdict) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{v.SHA256, v.Path, v.Model, v.Hardware, v.Config.Class}, "\x00")))
	return "sv-" + hex.EncodeToString(sum[:6])
}

// Verdict makes the verdict of a rehearsal from the final state of its target and what the test pack compared. A device that was
// already on the wanted version proves nothing.
func Verdict(rel firmward.Release, reh firmward.Rehearsal, spare firmward.Device, t firmward.Target, checks []firmward.StagingCheck, now time.Time) firmward.StagingVerdict {
	v := firmward.StagingVerdict{
		ReleaseID: rel.ID, SHA256: rel.SHA256, Path: reh.Path, Model: spare.Model, Hardware: spare.Hardware, Config: reh.Config, From: reh.From,
		SpareID: spare.ID, Place: reh.Place, At: now, Expires: now.Add(cmp.Or(reh.Valid, DefaultValid)), Result: Failed, Why: t.Why, Checks: checks,
	}
	switch {
	case t.State == firmward.TargetSucceeded && t.Code == "already-installed":
		v.Result, v.Why = NotStaged, "the spare ran the release already, so nothing was tested"
	case t.State == firmward.TargetSucceeded:
		v.Checks = append(slices.Clone(checks), remedied(t)...)
		v.Result, v.Why = weigh(v.Checks)
	case t.State == firmward.TargetFailed || t.State == firmward.TargetRolledBack:
		if _, why := weigh(checks); len(checks) > 0 {
			v.Why = why + "; " + t.Why
		}
	case t.State == firmward.TargetSkipped || t.State == firmward.TargetRefused:
		v.Result, v.Why = NotStaged, "the spare could not be used: "+t.Why
	}
	return v
}

// remedied is the check of what the release was to close on the spare; there is none where that was nothing. What stays open fails no rehearsal: it says
// nothing against the image, and the canary will ask a person whether it suffices.
func remedied(t firmward.Target) []firmward.StagingCheck {
	if len(t.Closes) == 0 {
		return nil
	}
	c := firmward.StagingCheck{Name: "advisories", Before: "open: " + strings.Join(t.Closes, ", "), Verdict: firmward.CheckPassed, Why: "closed: " + strings.Join(t.Closed(), ", ")}
	if len(t.StillOpen) > 0 {
		c.After = "open: " + strings.Join(t.StillOpen, ", ")
		c.Verdict, c.Why = firmward.CheckChanged, "still open, and the release was to close it: "+strings.Join(t.StillOpen, ", ")
	}
	return []firmward.StagingCheck{c}
}

// weigh sums checks up: one that failed fails the rehearsal.
func weigh(checks []firmward.StagingCheck) (result, why string) {
	var failed []string
	n := map[string]int{}
	for _, c := range checks {
		n[c.Verdict]++
		if c.Verdict == firmward.CheckFailed {
			failed = append(failed, c.Why)
		}
	}
	if len(failed) > 0 {
		return Failed, strings.Join(failed, "; ")
	}
	return Passed, fmt.Sprintf("it runs and does what it did: %d checks passed, %d found a change, %d could not be tried",
		n[firmward.CheckPassed], n[firmward.CheckChanged], n[firmward.CheckNotTried])
}

// Missing is the verdict for a cluster that has no representative.
func Missing(rel firmward.Release, c Cluster, now time.Time) firmward.StagingVerdict {
	return firmward.StagingVerdict{
		ReleaseID: rel.ID, SHA256: rel.SHA256, Path: c.Path, Model: c.Model, Hardware: c.Hardware, Config: c.Config,
		Result: NotStaged, Why: c.Why + "; the canary carries the risk", At: now,
	}
}

// Covers reports whether a verdict is bound to exactly this image, path, model and revision.
func Covers(v firmward.StagingVerdict, sha256, path, model, hardware string) bool {
	return v.SHA256 == sha256 && v.Path == path && v.Model == model && v.Hardware == hardware
}

// Sum gives one word for a rollout over several clusters: failed if any failed, passed if all passed, else not-staged.
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
