package store

import (
	"context"
	"fmt"
	"io"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/audit"
)

// CheckInclusion proves that the leaf is part of the newest checkpoint and gives both with the proof. NotFound when
// no leaf has that place yet, Internal when the log was tampered with.
func (s *Store) CheckInclusion(ctx context.Context, seq int64) (l audit.Leaf, c audit.Checkpoint, proof tlog.RecordProof, err error) {
	err = s.Snapshot(ctx, func(r Reader) error {
		leaves, err := r.Leaves(ctx, seq, 1)
		if err != nil {
			return err
		}
		if len(leaves) == 0 || leaves[0].Seq != seq {
			return notFound("audit leaf", fmt.Sprint(seq))
		}
		l = leaves[0]
		if c, err = r.lastCheckpoint(ctx); err != nil {
			return err
		}
		if proof, err = r.Prove(ctx, c.Size, seq); err != nil {
			return err
		}
		if err := c.Included(l, proof); err != nil {
			return &firmward.Error{Code: firmward.Internal, Message: "the audit log was tampered with", Err: err}
		}
		return nil
	})
	return l, c, proof, err
}

// ExportAudit writes the whole log with its checkpoints as a bundle that audit.Verify reads: one state of the log, as a
// stream. NotFound while nothing was sequenced yet. A bundle has one key: checkpoints that an earlier key signed are left
// out, the leaves that they cover are covered by later ones.
func (s *Store) ExportAudit(ctx context.Context, w io.Writer) error {
	return s.Snapshot(ctx, func(r Reader) error {
		points, err := list(ctx, r, signedRow, "SELECT note, public_key FROM audit_checkpoint ORDER BY size")
		if err != nil {
			return err
		}
		if len(points) == 0 {
			return firmward.Errorf(firmward.NotFound, "the audit log has no checkpoint yet: there is nothing to export")
		}
		key := points[len(points)-1].key
		var checkpoints []audit.Checkpoint
		for _, v := range points {
			if v.key != key {
				continue
			}
			c, err := v.checkpoint()
			if err != nil {
				return err
			}
			checkpoints = append(checkpoints, c)
		}
		out, err := audit.NewWriter(w, checkpoints[0].Origin, key)
		if err != nil {
			return err
		}
		if err := r.exportLeaves(ctx, out, checkpoints); err != nil {
			return err
		}
		return out.Close()
	})
}

// exportLeaves writes the leaves with the hashes that were stored when they were sealed, not with new ones: a row
// that was changed since is then found by whoever verifies.
func (r Reader) exportLeaves(ctx context.Context, out *audit.Writer, checkpoints []audit.Checkpoint) error {
	for seq := int64(0); ; {
		leaves, err := r.Leaves(ctx, seq, 1000)
		if err != nil || len(leaves) == 0 {
			return err
		}
		hashes, err := r.sealed(ctx, leaves[0].Seq, leaves[len(leaves)-1].Seq)
		if err != nil {
			return err
		}
		for _, l := range leaves {
			if l.Seq != seq {
				return firmward.Errorf(firmward.Internal, fmt.Sprintf("the audit log is damaged: leaf %d is missing", seq))
			}
			if err := out.Leaf(l, hashes[tlog.StoredHashIndex(0, seq)]); err != nil {
				return err
			}
			seq++
			for len(checkpoints) > 0 && checkpoints[0].Size == seq {
				if err := out.Checkpoint(checkpoints[0]); err != nil {
					return err
				}
				checkpoints = checkpoints[1:]
			}
		}
	}
}

// sealed gives the stored hashes of a range of leaves by their index.
func (r Reader) sealed(ctx context.Context, from, to int64) (map[int64]tlog.Hash, error) {
	out := make(map[int64]tlog.Hash)
	err := r.each(ctx, "SELECT idx, hash FROM audit_hash WHERE idx BETWEEN $1 AND $2", func(s scan) error {
		var idx int64
		var b []byte
		if err := s(&idx, &b); err != nil {
			return err
		}
		if len(b) == tlog.HashSize {
			out[idx] = tlog.Hash(b)
		}
		return nil
	}, tlog.StoredHashIndex(0, from), tlog.StoredHashIndex(0, to))
	return out, err
}

// Prove gives the proof that leaf seq is part of the log's first size leaves.
func (r Reader) Prove(ctx context.Context, size, seq int64) (tlog.RecordProof, error) {
	proof, err := tlog.ProveRecord(size, seq, tree{ctx: ctx, r: r})
	if err != nil {
		return nil, fmt.Errorf("prove audit leaf %d: %w", seq, err)
	}
	return proof, nil
}

// ProveEarlier gives the proof that the log's first size leaves begin with its first earlier ones.
func (r Reader) ProveEarlier(ctx context.Context, size, earlier int64) (tlog.TreeProof, error) {
	proof, err := tlog.ProveTree(size, earlier, tree{ctx: ctx, r: r})
	if err != nil {
		return nil, fmt.Errorf("prove the first %d audit leaves: %w", earlier, err)
	}
	return proof, nil
}
