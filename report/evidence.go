package report

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/audit"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/store"
)

// written is the action of the leaf that holds the digest of an evidence file.
const written = "evidence-write"

// Evidence writes the evidence file of a device or a rollout. It leaves an audit leaf in the name of who asked. With
// earlier the file carries the proof that the log begins with what the checkpoint of so many leaves signed; 0: no such
// proof. Errors: NotFound when ref names nothing, or no checkpoint signed so many leaves.
func Evidence(ctx context.Context, c *control.Control, who firmward.Person, ref string, earlier int64, w io.Writer) error {
	h, err := subject(ctx, c, ref)
	if err != nil {
		return err
	}
	if err := c.Seal(ctx); err != nil { // what waits for its place in the log gets it
		return err
	}
	var before audit.Checkpoint
	if earlier > 0 {
		if before, err = c.Store.Checkpoint(ctx, earlier); err != nil {
			return err
		}
	}
	h.At, h.By, h.Origin, h.Key = c.Clock.Now().UTC(), who.Name, c.Signer.Origin(), c.Signer.Public()
	out := newWriter(w)
	out.line(h)
	err = c.Store.Snapshot(ctx, func(r store.Reader) error {
		g := gatherer{r: r, out: out, seqs: map[int64]bool{}, told: map[string]bool{}, subjects: map[string]func(audit.Leaf) bool{}}
		return g.gather(ctx, h)
	})
	if err != nil {
		return err
	}
	digest := out.digest()
	leaf, err := c.Attest(ctx, who, written, h.Subject, map[string]string{"sha256": digest, "kind": h.Kind})
	if err != nil {
		return err
	}
	out.line(sealLine{Sealed: digest, Lines: out.lines, Leaf: leaf})
	return c.Store.Snapshot(ctx, func(r store.Reader) error { return prove(ctx, r, out, append(out.seqs, leaf), before) })
}

// subject finds the device or rollout that is meant.
func subject(ctx context.Context, c *control.Control, ref string) (headerLine, error) {
	h := headerLine{Evidence: Version, Kind: "rollout", Subject: ref, Name: ref}
	_, err := c.Store.Rollout(ctx, ref)
	if firmward.CodeOf(err) != firmward.NotFound {
		return h, err
	}
	d, err := c.Find(ctx, ref)
	h.Kind, h.Subject, h.Name = "device", d.ID, d.Name
	return h, err
}

// prove writes the newest checkpoint and the leaves with their proofs against it. Leaves are written as they stand in
// the database: one that was changed there is then found by whoever verifies.
func prove(ctx context.Context, r store.Reader, out *writer, seqs []int64, before audit.Checkpoint) error {
	points, err := r.Checkpoints(ctx, 1)
	if err != nil {
		return err
	}
	if len(points) == 0 {
		return firmward.Errorf(firmward.Internal, "the audit log has no checkpoint")
	}
	size := points[0].Size
	out.line(checkpointLine{Checkpoint: size, Note: string(points[0].Note)})
	if before.Size > 0 {
		proof, err := r.ProveEarlier(ctx, size, before.Size)
		if err != nil {
			return err
		}
		out.line(earlierLine{Earlier: before.Size, Note: string(before.Note), Proof: hashes(proof)})
	}
	for _, seq := range seqs {
		leaves, err := r.Leaves(ctx, seq, 1)
		if err != nil {
			return err
		}
		if len(leaves) == 0 || leaves[0].Seq != seq {
			return firmward.Errorf(firmward.Internal, fmt.Sprintf("the audit log is damaged: leaf %d is missing", seq))
		}
		proof, err := r.Prove(ctx, size, seq)
		if err != nil {
			return err
		}
		out.line(leafLineOf(leaves[0], proof))
	}
	return out.err
}

// gatherer writes facts and finds out which leaves belong to them.
type gatherer struct {
	r        store.Reader
	out      *writer
	told     map[string]bool                  // ids of facts that stand in the file
	subjects map[string]func(audit.Leaf) bool // whose leaves belong, and which of them
	seqs     map[int64]bool
}

func all(audit.Leaf) bool { return true }

func (g *gatherer) gather(ctx context.Context, h headerLine) error {
	tell := g.device
	if h.Kind == "rollout" {
		tell = g.rollout
	}
	if err := tell(ctx, h.Subject); err != nil {
		return err
	}
	feeds, err := g.r.FeedStatuses(ctx)
	if err != nil {
		return err
	}
	for _, f := range feeds {
		g.out.fact("feed", feedOf(f))
	}
	for id, want := range g.subjects {
		for l, err := range store.All(func(p store.Page) ([]audit.Leaf, string, error) {
			return g.r.FindLeaves(ctx, store.LeafFilter{Subject: id}, p)
		}) {
			if err != nil {
				return err
			}
			if l.Seq >= 0 && want(l) {
				g.seqs[l.Seq] = true
			}
		}
	}
	g.out.seqs = slices.Sorted(maps.Keys(g.seqs))
	g.out.line(leavesLine{Leaves: append([]int64{}, g.out.seqs...)})
	return g.out.err
}

// once reports whether the fact with this id is to be written now.
func (g *gatherer) once(id string) bool {
	if g.told[id] {
		return false
	}
	g.told[id] = true
	return true
}

// device tells all of one device.
func (g *gatherer) device(ctx context.Context, id string) error {
	g.subjects[id] = all
	d, err := g.r.Device(ctx, id)
	if err != nil {
		return err
	}
	g.out.fact("device", deviceOf(d))
	merges, err := g.r.MergesOf(ctx, id)
	if err != nil {
		return err
	}
	for _, m := range merges {
		g.subjects[m.From] = all // its leaves stand under the name that it had then
	}
	for _, tell := range []func(context.Context, firmward.Device) error{g.identity, g.findings, g.step, g.exceptions, g.targets, g.work, g.containments, g.sent} {
		if err := tell(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

func (g *gatherer) identity(ctx context.Context, d firmward.Device) error {
	id, err := g.r.Identity(ctx, d.ID)
	if err != nil {
		return err
	}
	won := map[firmward.Field]bool{}
	for _, c := range id.Claims {
		f := claimOf(d.ID, c)
		f.Beaten = won[c.Field]
		won[c.Field] = true
		for _, x := range id.Contradictions {
			if f.Beaten && x.Field == c.Field && x.Chosen.Value != c.Value {
				f.Why = x.Why
			}
		}
		g.out.fact("claim", f)
		if err := g.observation(ctx, d.ID, c.Observation, false); err != nil {
			return err
		}
	}
	return nil
}

// observation tells one observation, unless the house keeps it no more. Its readings are told where something was
// closed by it.
func (g *gatherer) observation(ctx context.Context, device, id string, readings bool) error {
	if id == "" || !g.once(fmt.Sprint("observation ", id, readings)) {
		return nil
	}
	o, err := g.r.Observation(ctx, id)
	switch {
	case firmward.CodeOf(err) == firmward.NotFound: // an exception closed it, or the observation was forgotten
		return nil
	case err == nil:
		g.out.fact("observation", observationOf(device, o, readings))
	}
	return err
}

func (g *gatherer) findings(ctx context.Context, d firmward.Device) error {
	return g.findingsThat(ctx, d, func(firmward.Finding) bool { return true })
}

func (g *gatherer) findingsThat(ctx context.Context, d firmward.Device, want func(firmward.Finding) bool) error {
	list, err := g.r.FindingsOf(ctx, d.ID)
	if err != nil {
		return err
	}
	for _, f := range list {
		if !want(f) {
			continue
		}
		g.out.fact("finding", findingOf(f))
		if err := g.observation(ctx, d.ID, f.ClosedBy, true); err != nil {
			return err
		}
	}
	return nil
}

func (g *gatherer) step(ctx context.Context, d firmward.Device) error {
	s, err := g.r.NextStep(ctx, d.ID)
	switch {
	case firmward.CodeOf(err) == firmward.NotFound: // not weighed yet
		return nil
	case err == nil:
		g.out.fact("step", stepOf(s))
	}
	return err
}

func (g *gatherer) exceptions(ctx context.Context, d firmward.Device) error {
	for e, err := range store.All(func(p store.Page) ([]firmward.Exception, string, error) {
		return g.r.Exceptions(ctx, store.ExceptionFilter{}, p)
	}) {
		if err != nil {
			return err
		}
		if e.DeviceID == "" || e.DeviceID == d.ID {
			g.subjects[e.ID] = all
			g.out.fact("exception", exceptionOf(e))
		}
	}
	return nil
}

func (g *gatherer) targets(ctx context.Context, d firmward.Device) error {
	list, err := g.r.TargetsOf(ctx, d.ID)
	if err != nil {
		return err
	}
	for _, t := range list {
		if err := g.header(ctx, t.RolloutID); err != nil {
			return err
		}
		g.out.fact("target", targetOf(t))
	}
	return nil
}

// header tells a rollout's header, its release and how that was tested.
func (g *gatherer) header(ctx context.Context, id string) error {
	g.subjects[id] = all
	ro, err := g.r.Rollout(ctx, id)
	if err != nil {
		return err
	}
	g.out.fact("rollout", rolloutOf(ro))
	if !g.once("release " + ro.ReleaseID) {
		return nil
	}
	rel, err := g.r.Release(ctx, ro.ReleaseID)
	if err != nil {
		return err
	}
	g.subjects[rel.ID] = all
	g.out.fact("release", releaseOf(rel))
	verdicts, err := g.r.StagingsOf(ctx, rel.SHA256)
	for _, v := range verdicts {
		g.out.fact("staging", stagingOf(v))
	}
	return err
}

func (g *gatherer) work(ctx context.Context, d firmward.Device) error {
	for w, err := range store.All(func(p store.Page) ([]firmward.WorkOrder, string, error) {
		return g.r.WorkOrders(ctx, store.WorkOrderFilter{Device: d.ID}, p)
	}) {
		if err != nil {
			return err
		}
		g.subjects[w.ID] = all
		g.out.fact("workorder", workOf(w))
		if err := g.observation(ctx, d.ID, w.Evidence, true); err != nil {
			return err
		}
	}
	return nil
}

func (g *gatherer) containments(ctx context.Context, d firmward.Device) error {
	for h, err := range store.All(func(p store.Page) ([]firmward.Containment, string, error) {
		return g.r.Containments(ctx, store.ContainmentFilter{Device: d.ID}, p)
	}) {
		if err != nil {
			return err
		}
		g.subjects[h.ID] = all
		g.out.fact("containment", containmentOf(h))
		if err := g.observation(ctx, d.ID, h.ReleaseOn, true); err != nil {
			return err
		}
	}
	return nil
}

// sent sums up what was sent to the device's addresses, without the bytes.
func (g *gatherer) sent(ctx context.Context, d firmward.Device) error {
	for _, addr := range d.Addrs {
		writes, err := store.Every(func(p store.Page) ([]store.Transmission, string, error) { return g.r.TransmissionsOf(ctx, addr, p) })
		if err != nil {
			return err
		}
		writes = slices.DeleteFunc(writes, func(t store.Transmission) bool { return t.Device != "" && t.Device != d.ID }) // another stood there
		for _, f := range sentOf(d.ID, writes) {
			g.out.fact("sent", f)
		}
	}
	return nil
}

// rollout tells one rollout: its header, its rehearsals, every target, and what its devices were rid of since they were
// started.
func (g *gatherer) rollout(ctx context.Context, id string) error {
	if err := g.header(ctx, id); err != nil {
		return err
	}
	ro, err := g.r.Rollout(ctx, id)
	if err != nil {
		return err
	}
	for other, err := range store.All(func(p store.Page) ([]firmward.Rollout, string, error) {
		return g.r.Rollouts(ctx, store.RolloutFilter{ReleaseID: ro.ReleaseID}, p)
	}) {
		if err != nil {
			return err
		}
		if other.Rehearsal && other.ID != id {
			g.subjects[other.ID] = all
			g.out.fact("rollout", rolloutOf(other))
		}
	}
	for t, err := range store.All(func(p store.Page) ([]firmward.Target, string, error) {
		return g.r.Targets(ctx, id, store.TargetFilter{}, p)
	}) {
		if err != nil {
			return err
		}
		g.out.fact("target", targetOf(t))
		if err := g.targetDevice(ctx, t); err != nil {
			return err
		}
	}
	return nil
}

func (g *gatherer) targetDevice(ctx context.Context, t firmward.Target) error {
	d, err := g.r.Device(ctx, t.DeviceID)
	if err != nil {
		return err
	}
	g.out.fact("device", deviceOf(d))
	rid := map[string]bool{}
	g.subjects[d.ID] = func(l audit.Leaf) bool { return l.Detail["rollout"] == t.RolloutID || rid[l.Detail["advisory"]] }
	return g.findingsThat(ctx, d, func(f firmward.Finding) bool {
		closed := !t.StartedAt.IsZero() && !f.ClosedAt.Before(t.StartedAt)
		if closed {
			rid[f.AdvisoryID] = true
		}
		return closed
	})
}
