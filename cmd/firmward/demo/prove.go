package demo

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/audit"
	"github.com/firmward/firmward/store"
)

// work is story line 9: instructions, who, done; and a probe that does not take a person's word.
func (s *Story) work(ctx context.Context) error {
	if _, err := s.release(ctx, firmward.Release{Vendor: "HP", Models: []string{"HP Color LaserJet MFP M478f"}, Hardware: []string{"*"}, Version: "20230822", FileName: "m478.bdl"}, bytes.Repeat([]byte("HP firmware "), 1<<18)); err != nil {
		return err
	}
	for _, job := range []struct{ device, version string }{{"printer-1", "20230822"}, {"pump-1", "12.1.3"}} {
		if err := s.workOn(ctx, job.device, job.version); err != nil {
			return fmt.Errorf("%s: %w", job.device, err)
		}
	}
	return nil
}

func (s *Story) workOn(ctx context.Context, name, version string) error {
	open := true
	var w firmward.WorkOrder
	found, err := s.until(ctx, 48*time.Hour, func() (bool, error) {
		orders, _, err := s.Store.WorkOrders(ctx, store.WorkOrderFilter{Device: s.ids[name], Open: &open}, store.Page{})
		at := slices.IndexFunc(orders, func(o firmward.WorkOrder) bool { return o.Want == version || o.Kind == "vendor-service" })
		if at >= 0 {
			w = orders[at]
		}
		return at >= 0, err
	})
	if err != nil {
		return err
	}
	s.outcome(9, found && len(w.Instruction.Steps) > 0, name+" has a work order with instructions for "+or(w.Assignee, "somebody"), fmt.Sprintf("%s, %d steps", w.Title, len(w.Instruction.Steps)))
	if !found {
		return nil
	}
	before := s.truth(name).InstalledVersion
	report, err := s.Anna.report(ctx, w.ID, "")
	if err != nil {
		return err
	}
	s.outcome(9, report.State == firmward.WorkNotYet, name+": a word is not enough", report.Why+"; lab: runs "+before)
	dev, _ := s.Lab.Device(name)
	if err := dev.InstallByHand(version); err != nil {
		return err
	}
	s.tell("somebody really updates %s now, and says so", name)
	if _, err := s.until(ctx, time.Hour, func() (bool, error) { f := s.truth(name); return f.Powered && f.InstalledVersion == version, nil }); err != nil {
		return err
	}
	if err := s.settled(ctx, 2*time.Minute); err != nil {
		return err
	}
	if report, err = s.Anna.report(ctx, w.ID, "updated"); err != nil {
		return err
	}
	s.outcome(9, report.State == firmward.WorkDone && s.truth(name).InstalledVersion == version, name+": done is what the probe read", report.Why)
	return nil
}

// prove is story line 11.
func (s *Story) prove(ctx context.Context) error {
	if _, err := s.until(ctx, 24*time.Hour, func() (bool, error) {
		points, err := s.Store.Checkpoints(ctx, 1)
		if err != nil || len(points) == 0 {
			return false, err
		}
		n, err := s.Store.AuditSize(ctx)
		return points[0].Size == n, err
	}); err != nil {
		return err
	}
	var bundle bytes.Buffer
	if err := s.Store.ExportAudit(ctx, &bundle); err != nil {
		return err
	}
	whole, err := audit.Verify(bytes.NewReader(bundle.Bytes()), audit.Options{})
	if err != nil {
		return err
	}
	s.outcome(11, whole.OK, "the exported record verifies offline", strings.Join(whole.Statements, " "))
	bad := bytes.Clone(bundle.Bytes())
	bad[bytes.Index(bad, []byte("rollout-approve"))] ^= 1 // who would gain from it
	broken, err := audit.Verify(bytes.NewReader(bad), audit.Options{})
	if err != nil {
		return err
	}
	s.outcome(11, !broken.OK, "one flipped byte is found and located", first(broken))
	return s.rewritten(ctx)
}

// rewritten is story line 11's hardest case: somebody who holds the signing key writes the whole history
// anew without the approval. Only a checkpoint that was kept elsewhere can show it.
func (s *Story) rewritten(ctx context.Context) error {
	leaves, err := s.leaves(ctx)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(leaves, func(l audit.Leaf) bool { return l.Action == "network-allow" })
	if at < 0 {
		return fmt.Errorf("the record has no permission that could be rewritten")
	}
	leaves[at].Actor = "somebody else"
	var forged bytes.Buffer
	if err := forge(&forged, s.Signer, leaves, s.Clock.Now()); err != nil {
		return err
	}
	alone, err := audit.Verify(bytes.NewReader(forged.Bytes()), audit.Options{})
	if err != nil {
		return err
	}
	against, err := audit.Verify(bytes.NewReader(forged.Bytes()), audit.Options{Earlier: []audit.Checkpoint{s.earlier}})
	if err != nil {
		return err
	}
	s.outcome(11, alone.OK && !against.OK, "a history rewritten with the key is found against an earlier checkpoint", first(against))
	return nil
}

// leaves is the whole record.
func (s *Story) leaves(ctx context.Context) ([]audit.Leaf, error) {
	var all []audit.Leaf
	for {
		more, err := s.Store.Leaves(ctx, int64(len(all)), 1000)
		if err != nil || len(more) == 0 {
			return all, err
		}
		all = append(all, more...)
	}
}

const unrecorded = "no leaf says so"

// recorded tells the newest leaf of an action, one that still waits for its place in the log too.
func (s *Story) recorded(ctx context.Context, action, subject string, tell func(audit.Leaf) string) (string, error) {
	found, _, err := s.Store.FindLeaves(ctx, store.LeafFilter{Action: action, Subject: subject}, store.Page{Limit: 1})
	if err != nil || len(found) == 0 {
		return unrecorded, err
	}
	return tell(found[0]), nil
}

// forge writes a bundle that is sound in itself over any leaves.
func forge(w *bytes.Buffer, key *audit.Signer, leaves []audit.Leaf, now time.Time) error {
	out, err := audit.NewWriter(w, key.Origin(), key.Public())
	if err != nil {
		return err
	}
	var hashes []tlog.Hash
	read := tlog.HashReaderFunc(func(at []int64) ([]tlog.Hash, error) {
		list := make([]tlog.Hash, len(at))
		for i, n := range at {
			list[i] = hashes[n]
		}
		return list, nil
	})
	for i, l := range leaves {
		l.Seq = int64(i)
		more, err := tlog.StoredHashesForRecordHash(int64(i), l.Hash(), read)
		if err != nil {
			return err
		}
		hashes = append(hashes, more...)
		if err := out.Leaf(l, l.Hash()); err != nil {
			return err
		}
	}
	root, err := tlog.TreeHash(int64(len(leaves)), read)
	if err != nil {
		return err
	}
	c, err := key.Sign(int64(len(leaves)), root, now)
	if err != nil {
		return err
	}
	if err := out.Checkpoint(c); err != nil {
		return err
	}
	return out.Close()
}

// first is the first problem of a report in words.
func first(r audit.Report) string {
	if len(r.Problems) == 0 {
		return "nothing found"
	}
	p := r.Problems[0]
	if p.Seq < 0 { // it is about no single leaf
		return fmt.Sprintf("line %d: %s", p.Line, p.What)
	}
	return fmt.Sprintf("line %d, leaf %d: %s", p.Line, p.Seq, p.What)
}
