package control

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/policy"
	"github.com/firmward/firmward/rollout"
	"github.com/firmward/firmward/store"
	"github.com/firmward/firmward/upgrade"
)

// MaxImage bounds one firmware file, in bytes.
const MaxImage = 4 << 30

// ImportRelease takes a firmware file into the depot with what a person says of it. Models and hardware
// revisions must be named exactly; "*" as hardware revision says that the vendor does not tell them apart. Without a file (nil) the release
// is known and only people bring it.
func (c *Control) ImportRelease(ctx context.Context, who firmward.Person, rel firmward.Release, file io.Reader) (firmward.Release, error) {
	rel.Models, rel.Hardware = clean(rel.Models), clean(rel.Hardware)
	switch {
	case len(rel.Models) == 0:
		return rel, firmward.Errorf(firmward.Invalid, "name the exact models that the file is for (--model)")
	case len(rel.Hardware) == 0:
		return rel, firmward.Errorf(firmward.Invalid, `name the exact hardware revisions that the file is for (--hardware), or "*" if the vendor says any`)
	case rel.Version == "":
		return rel, firmward.Errorf(firmward.Invalid, "name the version (--version)")
	case rel.Origin == "":
		return rel, firmward.Errorf(firmward.Invalid, "say where the file came from (--origin)")
	}
	if rel.Family == "" {
		rel.Family = c.Catalog.FamilyOf(rel.Vendor, rel.Models[0])
	}
	if _, ok := c.Catalog.Family(rel.Family); !ok {
		return rel, firmward.Errorf(firmward.Invalid, fmt.Sprintf("no catalogue family for %s %s: name it (--family)", rel.Vendor, rel.Models[0]))
	}
	rel.FromVariants, rel.Variant = clean(rel.FromVariants), strings.TrimSpace(rel.Variant)
	if rel.Part == firmward.MainPart {
		rel.Part = ""
	}
	if err := upgrade.Check(rel, c.Catalog.Model(firmward.Device{Family: rel.Family, Vendor: rel.Vendor, Model: rel.Models[0]}).Scheme); err != nil {
		return rel, err
	}
	if file == nil {
		return c.noteRelease(ctx, who, rel)
	}
	want := strings.ToLower(rel.SHA256)
	info, err := c.Depot.Put(ctx, file, MaxImage)
	if err != nil {
		return rel, err
	}
	if want != "" && want != info.SHA256 {
		if rmErr := c.forget(ctx, info.SHA256); rmErr != nil {
			c.Log.WarnContext(ctx, "refused image not removed", "sha256", info.SHA256, "error", rmErr)
		}
		return rel, firmward.Errorf(firmward.Refused, fmt.Sprintf("the file has hash %s, you expected %s: it is not the file you think", info.SHA256, want))
	}
	rel.SHA256, rel.Size, rel.ID, rel.By, rel.At = info.SHA256, info.Size, "rel-"+info.SHA256[:12], who.Name, c.Clock.Now()
	return c.addRelease(ctx, who, rel)
}

// noteRelease adds a release of which firmward has no file, so that people can be asked to bring it.
func (c *Control) noteRelease(ctx context.Context, who firmward.Person, rel firmward.Release) (firmward.Release, error) {
	if rel.SHA256 != "" {
		return rel, firmward.Errorf(firmward.Invalid, "a hash without a file proves nothing: leave --sha256 out, or give the file")
	}
	what := []string{rel.Family, rel.Version, rel.Part, rel.Variant}
	sum := sha256.Sum256([]byte(strings.Join(slices.Concat(what, rel.Models, []string{""}, rel.Hardware), "\x00")))
	rel.NoFile, rel.FileName = true, ""
	rel.ID, rel.By, rel.At = "rel-"+hex.EncodeToString(sum[:6]), who.Name, c.Clock.Now()
	return c.addRelease(ctx, who, rel)
}

// addRelease writes a new release.
func (c *Control) addRelease(ctx context.Context, who firmward.Person, rel firmward.Release) (firmward.Release, error) {
	if rel.Signed == "" {
		rel.Signed = "unknown"
	}
	err := c.Store.Tx(ctx, func(tx *store.Tx) error {
		if old, err := tx.Release(ctx, rel.ID); err == nil {
			return firmward.Errorf(firmward.Conflict, "this very release is here already as "+old.ID+" "+old.Version)
		}
		if err := tx.PutRelease(ctx, rel); err != nil {
			return err
		}
		if err := c.emit(ctx, tx, "release", rel.ID, fmt.Sprintf("release %s for %s", rel.Version, strings.Join(rel.Models, ", "))); err != nil {
			return err
		}
		detail := map[string]string{
			"version": rel.Version, "models": strings.Join(rel.Models, ","), "hardware": strings.Join(rel.Hardware, ","),
			"sha256": rel.SHA256, "size": fmt.Sprint(rel.Size), "origin": rel.Origin, "signed": rel.Signed,
		}
		maps.Copy(detail, wayFacts(rel))
		return c.leaf(ctx, tx, who.Name, "release-import", rel.ID, detail)
	})
	if err != nil {
		return rel, err
	}
	return rel, c.touchFamily(ctx, rel.Family)
}

func clean(list []string) []string {
	var out []string
	for _, s := range list {
		if s = strings.TrimSpace(s); s != "" && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// forget removes a file that no release names.
func (c *Control) forget(ctx context.Context, sum string) error {
	rels, _, err := c.Store.Releases(ctx, store.ReleaseFilter{SHA256: sum}, store.Page{})
	if err != nil || len(rels) > 0 {
		return err
	}
	return c.Depot.Remove(sum)
}

func (c *Control) touchFamily(ctx context.Context, family string) error {
	err := c.eachDevice(ctx, store.DeviceFilter{Family: family}, func(d firmward.Device) error {
		c.touch(d.ID)
		return nil
	})
	c.wake(loopDeploy)
	return err
}

// WithdrawRelease marks a release as withdrawn: no device starts with it any more and rollouts that
// carry it halt.
func (c *Control) WithdrawRelease(ctx context.Context, who firmward.Person, id, why string) (firmward.Release, error) {
	var rel firmward.Release
	var halted []string
	err := c.Store.Tx(ctx, func(tx *store.Tx) error {
		var err error
		if rel, err = tx.WithdrawRelease(ctx, id, why, c.Clock.Now()); err != nil {
			return err
		}
		if halted, err = c.recall(ctx, tx, who, rel); err != nil {
			return err
		}
		return c.leaf(ctx, tx, who.Name, "release-withdraw", id, map[string]string{"why": why})
	})
	if err != nil {
		return rel, err
	}
	for _, id := range halted {
		c.touchTargets(id)
	}
	return rel, c.touchFamily(ctx, rel.Family)
}

// Plan is a planned rollout with everyone who does not take part.
type Plan struct {
	Rollout  firmward.Rollout
	Targets  []firmward.Target
	Refusals []rollout.Refusal
}

// PlanRollout plans who gets a release, in which wave, and why others do not. policyName may be empty:
// then the policy of the first device that fits is used. Devices that fall under another policy are
// refused: they have a plan of their own. Nothing starts. allowed are risks that the author takes on, each with a reason.
func (c *Control) PlanRollout(ctx context.Context, who firmward.Person, releaseID, policyName string, filter firmward.Filter, allowed ...firmward.Allowance) (Plan, error) {
	var p Plan
	if err := checkAllowed(allowed); err != nil {
		return p, err
	}
	rel, pol, cands, err := c.candidates(ctx, releaseID, policyName, filter, allowed...)
	if err != nil {
		return p, err
	}
	now := c.Clock.Now()
	if err := rollout.Ahead(pol.RolloutPolicy, now); err != nil {
		return p, err
	}
	p.Targets, p.Refusals = rollout.Plan(rel, pol.RolloutPolicy, cands)
	sizes := rollout.Sizes(p.Targets)
	r := firmward.Rollout{
		ID: store.NewID("ro"), ReleaseID: rel.ID, Policy: pol.RolloutPolicy, State: firmward.RolloutPlanned, Author: who.Name, Created: now,
		Allowed: allowed, Where: filter, Waves: max(1, len(sizes)), Sizes: sizes, Total: len(p.Targets), Why: fmt.Sprintf("%d of %d devices refused", len(p.Refusals), len(p.Targets)+len(p.Refusals)),
	}
	for i := range p.Targets {
		p.Targets[i].RolloutID = r.ID
	}
	err = c.Store.Tx(ctx, func(tx *store.Tx) error {
		if err := c.stage(ctx, tx, &r, rel, p.Targets); err != nil {
			return err
		}
		if p.Rollout, err = tx.PutRollout(ctx, r); err != nil {
			return err
		}
		all := slices.Clone(p.Targets)
		for _, ref := range p.Refusals {
			all = append(all, firmward.Target{RolloutID: r.ID, DeviceID: ref.DeviceID, State: firmward.TargetRefused, Code: ref.Code, Why: ref.Why, Want: rel.Version, Wave: -1, EndedAt: now})
		}
		if err := tx.PutTargets(ctx, all); err != nil {
			return err
		}
		detail := map[string]string{
			"release": rel.ID, "policy": pol.Name, "targets": fmt.Sprint(len(p.Targets)), "refused": fmt.Sprint(len(p.Refusals)), "staging": r.Staging,
		}
		for _, a := range allowed {
			detail["allowed-"+a.Risk] = a.Why
		}
		return c.leaf(ctx, tx, who.Name, "rollout-plan", r.ID, detail)
	})
	c.wake(loopDeploy, loopStage)
	return p, err
}

// candidates are the devices that a plan is about, with its release and its policy: that of the first device that fits unless one is
// named.
func (c *Control) candidates(ctx context.Context, releaseID, policyName string, filter firmward.Filter, allowed ...firmward.Allowance) (firmward.Release, policy.Rollout, []rollout.Candidate, error) {
	var pol policy.Rollout
	rel, err := c.Store.Release(ctx, releaseID)
	if err != nil {
		return rel, pol, nil, err
	}
	rels, err := c.familyReleases(ctx, rel.Family)
	if err != nil {
		return rel, pol, nil, err
	}
	inUse := false
	devices, err := store.Every(func(p store.Page) ([]firmward.Device, string, error) {
		return c.Store.Devices(ctx, store.DeviceFilter{Family: rel.Family, Retired: &inUse, Where: filter}, p)
	})
	if err != nil {
		return rel, pol, nil, err
	}
	cands := make([]rollout.Candidate, 0, len(devices)) // large ones: they are not copied again
	for some := range slices.Chunk(devices, 1000) {
		page, err := c.candidatesOf(ctx, rel, some)
		if err == nil {
			err = c.withWays(ctx, page, rels)
		}
		if err != nil {
			return rel, pol, nil, err
		}
		cands = append(cands, page...)
	}
	for i := range cands {
		cands[i].Allowed = allowed
	}
	if len(cands) == 0 {
		return rel, pol, nil, firmward.Errorf(firmward.NotFound, "no device of family "+rel.Family+" is known that the selection matches")
	}
	first := cands[0].Device
	for _, cand := range cands {
		if rel.FitsModel(cand.Device.Model) {
			first = cand.Device
			break
		}
	}
	pol, err = c.policyFor(policyName, first)
	if err != nil {
		return rel, pol, nil, err
	}
	for i, cand := range cands {
		if own, ok := c.Policies.For(cand.Device); ok && own.Name != pol.Name {
			cands[i].Policy = own.Name
		}
	}
	return rel, pol, cands, nil
}

// change saves a change of a rollout's header. Write transactions run one after another, so nobody is faster.
func (c *Control) change(ctx context.Context, id string, f func(*store.Tx, *firmward.Rollout) error) error {
	return c.Store.Tx(ctx, func(tx *store.Tx) error {
		r, err := tx.Rollout(ctx, id)
		if err != nil {
			return err
		}
		version := r.Version
		if err := f(tx, &r); err != nil || r.Version != version {
			return err
		}
		_, err = tx.PutRollout(ctx, r)
		return err
	})
}

// SteerRollout carries out a person's order: start, pause, resume, stop.
func (c *Control) SteerRollout(ctx context.Context, who firmward.Person, id, order, why string) (firmward.Rollout, error) {
	if err := c.steer(ctx, id, who.Name, order, why); err != nil {
		return firmward.Rollout{}, err
	}
	return c.Store.Rollout(ctx, id)
}

func (c *Control) steer(ctx context.Context, id, actor, order, why string) error {
	err := c.change(ctx, id, func(tx *store.Tx, r *firmward.Rollout) error {
		if r.Rehearsal && actor != self {
			return firmward.Errorf(firmward.Invalid, "this is a rehearsal on a spare: steer the rollout that waits for it")
		}
		if order == "halt" {
			r.State, r.Why = firmward.RolloutHalted, why
		} else if err := rollout.Steer(r, order, why, c.Clock.Now()); err != nil {
			return err
		}
		if err := c.leaf(ctx, tx, actor, "rollout-"+order, r.ID, map[string]string{"why": why, "state": string(r.State)}); err != nil {
			return err
		}
		return c.emit(ctx, tx, "rollout", r.ID, fmt.Sprintf("%s: rollout %s: %s", actor, r.State, r.Why))
	})
	if err != nil {
		return err
	}
	if err := c.endIfOver(ctx, id); err != nil {
		return err
	}
	c.wake(loopDeploy)
	return nil
}

// ApproveRollout is a second person's consent to the start (wave 0) or to a later wave.
func (c *Control) ApproveRollout(ctx context.Context, who firmward.Person, id string, wave int, note string) (firmward.Rollout, error) {
	err := c.change(ctx, id, func(tx *store.Tx, r *firmward.Rollout) error {
		if who.Name == r.Author {
			return firmward.Errorf(firmward.Refused, who.Name+" planned this rollout: somebody else must approve it")
		}
		r.Approvals = append(r.Approvals, firmward.Approval{Actor: who.Name, Wave: wave, At: c.Clock.Now(), Note: note})
		rollout.Approve(r, c.Clock.Now())
		if err := c.leaf(ctx, tx, who.Name, "rollout-approve", r.ID, map[string]string{"wave": fmt.Sprint(wave), "note": note}); err != nil {
			return err
		}
		return c.emit(ctx, tx, "rollout", r.ID, who.Name+" approved")
	})
	if err != nil {
		return firmward.Rollout{}, err
	}
	c.wake(loopDeploy)
	return c.Store.Rollout(ctx, id)
}

// StopAll presses or releases the red button: while it is pressed nothing starts anywhere. What is under
// way is watched to its end, since an interrupted device is the worst outcome.
// It holds from the call on, even while the record of it waits behind a long import.
func (c *Control) StopAll(ctx context.Context, who firmward.Person, on bool, why string) error {
	press := int64(0)
	if on {
		press = c.presses.Add(1)
		c.halted.Store(press)
	}
	err := c.Store.Tx(ctx, func(tx *store.Tx) error {
		if err := tx.PutStopAll(ctx, store.StopAll{On: on, By: who.Name, At: c.Clock.Now(), Why: why}); err != nil {
			return err
		}
		action := "stop-all"
		if !on {
			action = "stop-all-end"
		}
		if err := c.emit(ctx, tx, "stop-all", "", who.Name+": "+action+" "+why); err != nil {
			return err
		}
		return c.leaf(ctx, tx, who.Name, action, "all", map[string]string{"why": why})
	})
	switch {
	case err == nil && on:
		c.halted.CompareAndSwap(press, 0) // from here on the record says it, which another server may end
	case err == nil:
		c.halted.Store(0)
	}
	c.wake(loopDeploy)
	return err
}

// stopped reports whether the red button is pressed.
func (c *Control) stopped(ctx context.Context) (bool, error) {
	if c.halted.Load() != 0 {
		return true, nil
	}
	stop, err := c.Store.StopAll(ctx)
	return stop.On, err
}
