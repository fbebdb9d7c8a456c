package control

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/staging"
	"github.com/firmward/firmward/store"
	"github.com/firmward/firmward/twin"
)

// rehearsalSoak is how long a spare is watched after its update before the test pack runs again.
const rehearsalSoak = 10 * time.Minute

// stage gives a rollout its staging verdicts: those that stand already for its clusters, and a rehearsal on each representative that has
// none. Where a cluster has no representative the verdict is "not-staged". It writes into r what stands for how many devices, and the
// sum: passed, failed, not-staged or running.
func (c *Control) stage(ctx context.Context, tx *store.Tx, r *firmward.Rollout, rel firmward.Release, targets []firmward.Target) error {
	machines := slices.DeleteFunc(slices.Clone(targets), func(t firmward.Target) bool { return t.ByHand }) // what a person brings is not staged
	devices, err := devicesOf(ctx, tx.Reader, machines)
	if err != nil {
		return err
	}
	clusters, err := c.clusters(ctx, tx.Reader, rel, devices)
	if err != nil {
		return err
	}
	running, err := c.rehearseAll(ctx, tx, *r, rel, clusters, false)
	if err != nil {
		return err
	}
	covered, err := c.standing(ctx, tx.Reader, rel, clusters)
	if err != nil {
		return err
	}
	r.Staging, r.Covered = staging.Sum(verdictsOf(covered)), coverOf(covered)
	if running > 0 {
		r.Staging = "running"
	}
	return nil
}

// coverOf counts whom each verdict stands for.
func coverOf(covered []Covered) []firmward.StagingCover {
	var out []firmward.StagingCover
	for _, c := range covered {
		v := firmward.StagingCover{
			Result: c.Verdict.Result, Devices: len(c.Devices), Model: c.Model, Hardware: c.Hardware, Version: c.Version, Differences: c.Verdict.Differences, Why: c.Verdict.Why,
		}
		switch {
		case c.Verdict.SpareID != "":
			v.Verdict = staging.ID(c.Verdict)
		case c.By != nil:
			v.Result, v.Why, v.Differences = "running", "it is rehearsed on "+c.By.Device.Name, c.By.Differences
		}
		out = append(out, v)
	}
	return out
}

// rehearseAll opens a rehearsal on every representative whose own verdict does not speak, and writes down which clusters have none. It
// gives how many are under way. parent is the rollout that waits, or tells with its policy how to rehearse. again rehearses also what has a
// verdict.
func (c *Control) rehearseAll(ctx context.Context, tx *store.Tx, parent firmward.Rollout, rel firmward.Release, clusters []staging.Cluster, again bool) (running int, err error) {
	now := c.Clock.Now()
	open, err := tx.OpenRehearsals(ctx, rel.ID)
	if err != nil {
		return 0, err
	}
	for _, rep := range staging.Representatives(clusters) {
		if slices.ContainsFunc(open, func(h firmward.Rehearsal) bool { return h.DeviceID == rep.Device.ID }) {
			running++
			continue
		}
		all, err := tx.Stagings(ctx, rel.SHA256, rep.Path, rep.Device.Model, rep.Device.Hardware)
		if err != nil {
			return running, err
		}
		if !again && slices.ContainsFunc(all, func(v firmward.StagingVerdict) bool {
			return v.Config.Class == rep.Config.Class && v.From == rep.Device.Firmware && staging.Speaks(v, now)
		}) {
			continue
		}
		if _, err := c.rehearse(ctx, tx, parent, rel, rep, rehearsalSoak); err != nil {
			return running, err
		}
		running++
	}
	for _, cl := range clusters {
		if cl.By != nil {
			continue
		}
		all, err := tx.Stagings(ctx, rel.SHA256, cl.Path, cl.Model, cl.Hardware)
		if err != nil {
			return running, err
		}
		if staging.Speaks(staging.Stand(all, cl.Version, cl.Config, now), now) {
			continue
		}
		if err := c.keepVerdict(ctx, tx, parent.ID, staging.Missing(rel, cl, now)); err != nil {
			return running, err
		}
	}
	return running, nil
}

// clusters groups devices and finds each group its representative. How devices are set up is looked at only where there is a spare of
// their model: elsewhere it decides nothing.
func (c *Control) clusters(ctx context.Context, r store.Reader, rel firmward.Release, devices []firmward.Device) ([]staging.Cluster, error) {
	yes := true
	spares, err := store.Every(func(p store.Page) ([]firmward.Device, string, error) {
		return r.Devices(ctx, store.DeviceFilter{Spare: &yes, Family: rel.Family}, p)
	})
	if err != nil {
		return nil, err
	}
	models := map[string]bool{}
	var places, members []staging.Member
	for _, d := range spares {
		m, err := c.member(ctx, r, d, true)
		if err != nil {
			return nil, err
		}
		places, models[d.Model] = append(places, m), true
	}
	for _, d := range devices {
		m, err := c.member(ctx, r, d, models[d.Model])
		if err != nil {
			return nil, err
		}
		members = append(members, m)
	}
	return staging.Clusters(rel, members, places), nil
}

// member is a device as a cluster sees it.
func (c *Control) member(ctx context.Context, r store.Reader, d firmward.Device, config bool) (staging.Member, error) {
	m := staging.Member{Device: d, Config: firmward.ConfigClass{Class: staging.Unknown}, Place: c.placeOf(d)}
	if drv, ok := c.installer(c.Catalog.Model(d)); ok {
		m.Path = string(drv.Info().Path)
	}
	var err error
	if config {
		m.Config, err = configOf(ctx, r, d.ID)
	}
	return m, err
}

func configOf(ctx context.Context, r store.Reader, device string) (firmward.ConfigClass, error) {
	obs, err := r.ObservationsOf(ctx, device)
	if err != nil {
		return firmward.ConfigClass{}, err
	}
	id, err := r.Identity(ctx, device)
	if err != nil && firmward.CodeOf(err) != firmward.NotFound {
		return firmward.ConfigClass{}, err
	}
	return staging.Class(obs, id), nil
}

// placeOf says what kind of place a spare is.
func (c *Control) placeOf(d firmward.Device) firmward.Place {
	if !d.Spare {
		return ""
	}
	return c.twinOf(d).Info().Place
}

// twinOf is the twin that a spare is: one with a segment of its own, or the device itself in the network where it stands.
func (c *Control) twinOf(d firmward.Device) twin.Twin {
	for _, t := range c.twins() {
		if slices.ContainsFunc(d.Addrs, t.Info().Prefix.Contains) {
			return t
		}
	}
	place := firmward.PlaceSpare
	if d.Lab {
		place = firmward.PlaceLab
	}
	prefix, _ := netip.ParsePrefix(d.Network) // no network shows it: then it is no place either
	return twin.Device{Place: place, Prefix: prefix, Way: c.Network}
}

// twinIn finds the twin whose segment holds a network.
func (c *Control) twinIn(prefix netip.Prefix) (twin.Twin, bool) {
	for _, t := range c.twins() {
		if own := t.Info().Prefix; prefix.IsValid() && prefix.Bits() >= own.Bits() && own.Contains(prefix.Addr()) {
			return t, true
		}
	}
	return nil, false
}

// Covered is a cluster with the verdict that stands for it.
type Covered struct {
	staging.Cluster
	Verdict firmward.StagingVerdict
}

func verdictsOf(covered []Covered) []firmward.StagingVerdict {
	var out []firmward.StagingVerdict
	for _, c := range covered {
		out = append(out, c.Verdict)
	}
	return out
}

// standing finds each cluster the verdict that stands for it.
func (c *Control) standing(ctx context.Context, r store.Reader, rel firmward.Release, clusters []staging.Cluster) ([]Covered, error) {
	var out []Covered
	for _, cl := range clusters {
		all, err := r.Stagings(ctx, rel.SHA256, cl.Path, cl.Model, cl.Hardware)
		if err != nil {
			return nil, err
		}
		v := staging.Stand(all, cl.Version, cl.Config, c.Clock.Now())
		if v.SHA256 == "" { // there is none
			v.ReleaseID, v.SHA256, v.Path, v.Model, v.Hardware, v.Config = rel.ID, rel.SHA256, cl.Path, cl.Model, cl.Hardware, cl.Config
		}
		out = append(out, Covered{cl, v})
	}
	return out, nil
}

// stands finds among the verdicts of its model the one that stands for a device. How the device is set up is looked at only where more than
// one could.
func (c *Control) stands(ctx context.Context, all []firmward.StagingVerdict, d firmward.Device) (firmward.StagingVerdict, error) {
	if len(all) == 0 {
		return firmward.StagingVerdict{}, nil
	}
	config := all[0].Config
	if len(all) > 1 {
		var err error
		if config, err = configOf(ctx, c.Store.Reader, d.ID); err != nil {
			return firmward.StagingVerdict{}, err
		}
	}
	return staging.Stand(all, d.Firmware, config, c.Clock.Now()), nil
}

// rehearse opens a rollout of one target, the spare: the same engine, the same driver, the same probes. It waits, planned, until the
// test pack has seen the spare as it is, and is watched for a time after the update.
func (c *Control) rehearse(ctx context.Context, tx *store.Tx, parent firmward.Rollout, rel firmward.Release, on staging.Representative, watch time.Duration) (id string, err error) {
	now := c.Clock.Now()
	reh := firmward.Rehearsal{
		RolloutID: store.NewID("stage"), ParentID: parent.ID, ReleaseID: rel.ID, DeviceID: on.Device.ID, Place: on.Place, Path: on.Path,
		From: on.Device.Firmware, Config: on.Config, Valid: staging.Valid(parent.Policy), Phase: firmward.RehearseBefore, Since: now, Like: on.Like,
	}
	if staging.Copies(on.Place) {
		reh.Phase = firmward.RehearseMirror
	}
	why := "rehearsal on " + on.Device.Name
	if parent.ID != "" {
		why += " for " + parent.ID
	}
	if err := c.openRehearsal(ctx, tx, reh.RolloutID, parent, rel, on.Device, why, firmward.RolloutPlanned, cmp.Or(watch, rehearsalSoak)); err != nil {
		return "", err
	}
	if err := tx.PutRehearsal(ctx, reh); err != nil {
		return "", err
	}
	if err := c.leaf(ctx, tx, self, "staging-begin", reh.RolloutID, map[string]string{
		"rollout": parent.ID, "spare": on.Device.ID, "release": rel.ID, "place": string(on.Place), "config": on.Config.Class,
	}); err != nil {
		return "", err
	}
	c.wake(loopStage)
	subject := parent.ID
	if subject == "" {
		subject = reh.RolloutID
	}
	return reh.RolloutID, c.emit(ctx, tx, "rollout", subject, "staging: "+rel.Version+" is rehearsed on "+on.Device.Name)
}

// openRehearsal writes the rollout of one target of a rehearsal.
func (c *Control) openRehearsal(ctx context.Context, tx *store.Tx, id string, parent firmward.Rollout, rel firmward.Release, spare firmward.Device, why string, state firmward.RolloutState, soak time.Duration) error {
	now := c.Clock.Now()
	p := parent.Policy
	p.Name, p.Waves, p.CanarySoak, p.Approvals = "rehearsal", firmward.Percents(100), soak, 0
	p.Window, p.Windows, p.RequireOwner, p.RequireStaged, p.MaxInFlight = firmward.Window{}, nil, false, false, 1 // its freezes hold there too
	p.HoldBacks = nil                                                                                             // while devices in use wait for a release to mature, it is rehearsed
	reh := firmward.Rollout{
		ID: id, ReleaseID: rel.ID, Policy: p, State: state, Author: parent.Author, Created: now,
		Why: why, Waves: 1, Total: 1, WaveOpen: now, Rehearsal: true, Allowed: parent.Allowed,
	}
	if _, err := tx.PutRollout(ctx, reh); err != nil {
		return err
	}
	return tx.PutTargets(ctx, []firmward.Target{{
		RolloutID: id, DeviceID: spare.ID, State: firmward.TargetPending, Model: spare.Model, From: spare.Firmware, Want: rel.Version, Why: "rehearsal",
	}})
}

// checkStaging ends the waiting of a rollout whose rehearsals have all ended.
func (c *Control) checkStaging(ctx context.Context, r firmward.Rollout) error {
	rel, err := c.Store.Release(ctx, r.ReleaseID)
	if err != nil {
		return err
	}
	return c.settleStaging(ctx, rel)
}

// settleStaging ends the waiting of rollouts of a release once no rehearsal of it is under way.
func (c *Control) settleStaging(ctx context.Context, rel firmward.Release) error {
	open, err := c.Store.OpenRehearsals(ctx, rel.ID)
	if err != nil || len(open) > 0 {
		return err
	}
	rollouts, err := c.rollouts(ctx, store.RolloutFilter{ReleaseID: rel.ID})
	if err != nil {
		return err
	}
	for _, r := range rollouts {
		if r.Rehearsal || r.Staging != "running" || r.State == firmward.RolloutStopped {
			continue
		}
		targets, err := c.targets(ctx, r.ID)
		if err != nil {
			return err
		}
		devices, err := devicesOf(ctx, c.Store.Reader, targets)
		if err != nil {
			return err
		}
		clusters, err := c.clusters(ctx, c.Store.Reader, rel, devices)
		if err != nil {
			return err
		}
		covered, err := c.standing(ctx, c.Store.Reader, rel, clusters)
		if err != nil {
			return err
		}
		sum := staging.Sum(verdictsOf(covered))
		if err := c.change(ctx, r.ID, func(tx *store.Tx, r *firmward.Rollout) error {
			r.Staging, r.Covered = sum, coverOf(covered)
			return c.emit(ctx, tx, "rollout", r.ID, "staging verdict: "+sum)
		}); err != nil {
			return err
		}
	}
	c.wake(loopDeploy)
	return nil
}

func (c *Control) keepVerdict(ctx context.Context, tx *store.Tx, subject string, v firmward.StagingVerdict) error {
	if err := tx.PutStaging(ctx, v); err != nil {
		return err
	}
	facts := map[string]string{
		"verdict": staging.ID(v), "result": v.Result, "why": v.Why, "sha256": v.SHA256, "path": v.Path, "model": v.Model, "hardware": v.Hardware,
		"config": v.Config.Class, "spare": v.SpareID, "place": string(v.Place),
	}
	if !v.Expires.IsZero() {
		facts["expires"] = v.Expires.Format(time.RFC3339)
	}
	if err := c.leaf(ctx, tx, self, "staging-verdict", v.ReleaseID, facts); err != nil {
		return err
	}
	return c.emit(ctx, tx, "rollout", subject, fmt.Sprintf("staging of %s on %s: %s (%s)", v.ReleaseID, v.Model, v.Result, v.Why))
}
