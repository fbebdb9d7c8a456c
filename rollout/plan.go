package rollout

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/upgrade"
	"github.com/firmward/firmward/version"
)

// Candidate is one device as Plan and Pick see it.
type Candidate struct {
	Device    firmward.Device
	Model     firmward.Model
	HasDriver bool
	Staging   firmward.StagingVerdict
	Path      string               // delivery path by which its driver brings the image; empty: not known apart
	Deferred  string               // reason of an open deferral, empty when there is none
	Region    string               // regulatory region of its site; empty: nobody said
	Forbidden Refusal              // what no policy allows, see Forbidden; filled for Pick
	Held      Held                 // how long its policy lets the release mature
	Policy    string               // name of the policy that the device falls under, when that is not the one of the plan
	Runs      upgrade.State        // its variant and the versions of its parts
	Releases  []firmward.Release   // of its family: what could lead it to the release
	Allowed   []firmward.Allowance // risks that the author of the plan took on
}

// Refusal says why a device does not take part, or not now.
type Refusal struct {
	DeviceID string
	Code     string
	Why      string
}

// The refusal codes of Plan.
const (
	RefuseModel     = "model-mismatch"
	RefuseHardware  = "hardware-revision-mismatch"
	RefuseRollback  = "rollback-unknown"
	RefuseCore      = "core-network-held-back"
	RefuseVendor    = "vendor-only"
	RefuseDriver    = "no-driver"
	RefuseOwner     = "no-owner"
	RefuseCurrent   = "already-current"
	RefusePath      = "needs-intermediate-version"
	RefuseStaging   = "staging-failed"
	RefuseUnstaged  = "not-staged"
	RefuseSpare     = "spare"
	RefuseRetired   = "retired"
	RefuseDeferred  = "deferred"
	RefuseNever     = "never-updated"
	RefuseNoWayBack = "no-way-back"
	RefuseWithdrawn = "release-withdrawn"
	RefuseVersion   = "version-unknown"
	RefuseUnseen    = "not-on-a-network"
	RefusePolicy    = "other-policy"
	RefuseChannel   = "other-channel"
	RefusePart      = "other-part"
	RefuseVariant   = "other-variant"
	RefuseFile      = "no-file"
)

// Plan decides who takes part, in which wave, and why everyone else does not. Wave 0 holds one
// canary per model, hardware revision and delivery path: the least critical device. Later waves are those of the policy (see waves).
// Candidates that are of another family are left out without a word. Refusals are sorted by device.
func Plan(rel firmward.Release, p firmward.RolloutPolicy, candidates []Candidate) ([]firmward.Target, []Refusal) {
	places, refused := PlanFleet(rel, p, len(candidates), func(i int) *Candidate { return &candidates[i] })
	targets := make([]firmward.Target, len(places))
	for i, at := range places {
		targets[i] = target(rel, p, &candidates[at.Candidate], int(at.Wave))
	}
	return targets, refused
}

// Place is the wave of one candidate, by its number.
type Place struct{ Candidate, Wave int32 }

// PlanFleet is Plan for n candidates that need not be held in memory together: at gives that of a number, which is looked at until the
// next is asked for.
func PlanFleet(rel firmward.Release, p firmward.RolloutPolicy, n int, at func(int) *Candidate) ([]Place, []Refusal) {
	all := make([]fit, 0, n)
	var refused []Refusal
	longest := longestWindow(p)
	kinds, models := map[string]int32{}, map[string]int32{}
	for i := range n {
		c := at(i)
		if c.Device.Family != rel.Family && !rel.FitsModel(c.Device.Model) {
			continue
		}
		code, why := Refuse(rel, p, *c)
		if code == "" && c.Policy != "" {
			code, why = RefusePolicy, fmt.Sprintf("the limits of policy %s hold for it, not those of %s: plan it with that one (--policy %[1]s)", c.Policy, p.Name)
		}
		if code == "" {
			code, why = tooShort(&p, longest, &c.Model)
		}
		if code != "" {
			refused = append(refused, Refusal{c.Device.ID, code, why})
			continue
		}
		all = append(all, fit{
			name: c.Device.Name, id: c.Device.ID, criticality: int32(c.Device.Criticality), number: int32(i), lab: c.Device.Lab, blind: unknownRollback(c.Model),
			kind: numbered(kinds, c.Device.Model+"\x00"+c.Device.Hardware+"\x00"+delivery(rel, p, c)), model: numbered(models, c.Device.Model),
		})
	}
	slices.SortFunc(all, func(a, b fit) int {
		return cmp.Or(cmp.Compare(a.criticality, b.criticality), cmp.Compare(a.name, b.name), cmp.Compare(a.id, b.id))
	})
	tried := make([]bool, len(kinds))
	places, rest := make([]Place, 0, len(all)), all[:0]
	for _, f := range all {
		switch {
		case !tried[f.kind]:
			tried[f.kind] = true
			places = append(places, Place{f.number, 0})
		case f.blind:
			refused = append(refused, Refusal{
				f.id, RefuseRollback,
				"nobody knows whether this model can go back: only its canary may try, it never enters a later wave",
			})
		default:
			rest = append(rest, f)
		}
	}
	places = waves(p, rest, at, places)
	slices.SortFunc(refused, func(a, b Refusal) int { return cmp.Compare(a.DeviceID, b.DeviceID) })
	return places, refused
}

// fit is what a plan keeps of a candidate that takes part.
type fit struct {
	name, id    string
	criticality int32
	number      int32
	kind        int32 // of its model, hardware revision and delivery path, which share a canary
	model       int32
	lab, blind  bool
}

// numbered numbers names as they come.
func numbered(numbers map[string]int32, name string) int32 {
	n, ok := numbers[name]
	if !ok {
		n = int32(len(numbers))
		numbers[name] = n
	}
	return n
}

func target(rel firmward.Release, p firmward.RolloutPolicy, c *Candidate, wave int) firmward.Target {
	return firmward.Target{
		DeviceID: c.Device.ID, Wave: wave, State: firmward.TargetPending, Model: c.Device.Model,
		From: c.Device.Firmware, Want: rel.Version, Why: "waits for " + waveName(wave), ByHand: byHand(rel, p, c),
	}
}

// Refuse gives the first reason why a release must not go to a device under a policy, or "". The
// order is by safety: what could do harm comes first.
func Refuse(rel firmward.Release, p firmward.RolloutPolicy, c Candidate) (code, why string) {
	d := c.Device
	switch {
	case d.Retired:
		return RefuseRetired, "the device is retired"
	case !rel.Withdrawn.IsZero():
		return RefuseWithdrawn, "the release was withdrawn: " + rel.WhyGone
	case !rel.FitsModel(d.Model):
		return RefuseModel, fmt.Sprintf("the release is for %s, this one is %s", strings.Join(rel.Models, ", "), d.Model)
	case !rel.FitsHardware(d.Hardware) && d.Hardware == "":
		return RefuseHardware, fmt.Sprintf("the release is for hardware revision %s; the revision of this device is unknown", strings.Join(rel.Hardware, ", "))
	case !rel.FitsHardware(d.Hardware):
		return RefuseHardware, fmt.Sprintf("the release is for hardware revision %s, this device is %s", strings.Join(rel.Hardware, ", "), d.Hardware)
	case !p.Takes(rel.Channel):
		return RefuseChannel, fmt.Sprintf("policy %s takes releases of channel %s, this one is of %s", p.Name, strings.Join(p.Channels, " or "), cmp.Or(rel.Channel, "no known channel"))
	case p.HoldCore && d.Class.CoreNetwork() && !matures(&p, &d):
		return RefuseCore, "core network gear is held back: it takes everything behind it down; release it by a policy of its own, or say there how long it waits (hold-back)"
	case c.Model.MayPatch.Value == firmward.VendorMayPatch && p.WorkOrders == 0:
		return RefuseVendor, "the vendor alone may update it: a work order goes to a person instead (a policy with work-orders takes that into its waves)"
	case d.Spare:
		return RefuseSpare, "it is a spare for staging"
	}
	if code, why := Forbidden(rel, &c); code != "" {
		return code, why
	}
	switch {
	case !c.HasDriver && p.WorkOrders == 0:
		return RefuseDriver, "no driver can update it: a work order goes to a person instead (a policy with work-orders takes that into its waves)"
	case rel.NoFile && p.WorkOrders == 0:
		return RefuseFile, "firmward does not have its file: import that, or let a person bring it by a policy with work-orders"
	case d.Network == "":
		return RefuseUnseen, "no network shows it, so nothing can be sent or verified"
	case p.RequireOwner && d.Owner == "":
		return RefuseOwner, "it has no owner: somebody must answer for it before a policy may act (devices set NAME --owner WHO)"
	case d.Updates == firmward.UpdatesNever:
		return RefuseNever, wishNever
	case d.Criticality >= criticalAlone && noWayBack(c.Model) && p.Approvals == 0:
		return RefuseNoWayBack, fmt.Sprintf("it cannot go back, and criticality %d is too much for one person's word: plan it by a policy with approvals", d.Criticality)
	case c.Deferred != "":
		return RefuseDeferred, "put off: " + c.Deferred
	case c.Staging.Result == "failed":
		return RefuseStaging, "staging failed: " + c.Staging.Why
	case p.RequireStaged && c.Staging.Result == "passed" && c.Path != "" && c.Staging.Path != "" && c.Staging.Path != c.Path:
		return RefuseUnstaged, fmt.Sprintf("staged by %s, and this one gets its image by %s: that is another thing to test", c.Staging.Path, c.Path)
	case p.RequireStaged && c.Staging.Result != "passed":
		return RefuseUnstaged, "the policy wants a staging verdict for this image, path, model and revision, and there is none (firmward staging run " + rel.ID + ")"
	}
	return refuseVersion(rel, p, c)
}

func refuseVersion(rel firmward.Release, p firmward.RolloutPolicy, c Candidate) (code, why string) {
	d := c.Device
	if rel.Part != "" {
		return RefusePart, "it updates the " + rel.Part + ", and drivers bring firmware alone: a person does it"
	}
	if d.Firmware == "" {
		return RefuseVersion, "its installed version is unknown, so nobody could tell afterwards what changed"
	}
	switch order, _ := version.Compare(c.Model.Scheme, d.Firmware, rel.Version); order {
	case version.Equal, version.Greater:
		return RefuseCurrent, "runs " + d.Firmware + " already"
	case version.Incomparable:
		return RefuseVersion, fmt.Sprintf("%s and %s cannot be compared: it could be a step back", d.Firmware, rel.Version)
	}
	return refuseWay(rel, p, c)
}

// criticalAlone is from what criticality on a device that cannot go back needs the consent of a second person.
const criticalAlone = 4

// noWayBack reports whether a model is known to have none.
func noWayBack(m firmward.Model) bool { return m.Rollback.Value == string(firmward.RollbackNone) }

func unknownRollback(m firmward.Model) bool {
	return m.Rollback.Value == "" || m.Rollback.Value == string(firmward.RollbackUnknown)
}

// Outage is the time that a model is dark during an update, from its card; the default is ten minutes.
func Outage(m firmward.Model) time.Duration { return minutes(m.Outage, 10) }

// Settle is the time until a model answers again, from its card; the default is five minutes.
func Settle(m firmward.Model) time.Duration { return minutes(m.Settle, 5) }

func minutes(f firmward.Fact, otherwise int) time.Duration {
	digits := 0
	for digits < len(f.Value) && f.Value[digits] >= '0' && f.Value[digits] <= '9' {
		digits++
	}
	n, err := strconv.Atoi(f.Value[:digits])
	if err != nil || n <= 0 {
		n = otherwise
	}
	return time.Duration(n) * time.Minute
}
