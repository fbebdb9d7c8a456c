package store

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/audit"
)

const lastLeaf = "SELECT COALESCE(MAX(id), 0) FROM audit_leaf"

// Record adds audit leaves in this transaction, in order. Their Seq is given later, by Sequence. They must hold no secret.
func (t *Tx) Record(ctx context.Context, leaves ...audit.Leaf) error {
	if len(leaves) == 0 {
		return nil
	}
	last, err := t.top(ctx, lastLeaf)
	if err != nil {
		return err
	}
	rows := load{table: "audit_leaf", columns: []string{"id", "at", "actor", "action", "subject", "detail"}, keys: 1, once: true}
	for _, l := range leaves {
		*last++
		l = l.Clean()
		rows.rows = append(rows.rows, []any{*last, l.At.UnixMicro(), l.Actor, l.Action, l.Subject, js{l.Detail}})
	}
	return t.fold(ctx, rows)
}

// sequenceAtOnce bounds the leaves that one transaction of Sequence takes in.
const sequenceAtOnce = 5000

// Sequence gives every leaf that waits its place in the Merkle tree, and signs a checkpoint when there was any. n is the
// number of leaves taken in; the checkpoint is the newest one, the zero Checkpoint while the log is empty.
// Servers that share a database may all call it: a lease row lets one after the other do so.
func (s *Store) Sequence(ctx context.Context, now time.Time, signer *audit.Signer) (c audit.Checkpoint, n int, err error) {
	for {
		var more int
		err := s.Tx(ctx, func(tx *Tx) (err error) {
			c, more, err = tx.sequence(ctx, now, signer)
			return err
		})
		n += more
		if err != nil || more < sequenceAtOnce {
			return c, n, err
		}
	}
}

func (t *Tx) sequence(ctx context.Context, now time.Time, signer *audit.Signer) (audit.Checkpoint, int, error) {
	var last audit.Checkpoint
	err := t.put(ctx, "INSERT INTO audit_lease (name, held) VALUES ('sequencer', $1) ON CONFLICT (name) DO UPDATE SET held = excluded.held", now)
	if err != nil {
		return last, 0, err
	}
	waiting, err := list(ctx, t.Reader, waitingRow,
		"SELECT id, -1, at, actor, action, subject, detail FROM audit_leaf WHERE seq IS NULL ORDER BY id LIMIT $1", sequenceAtOnce)
	if err != nil {
		return last, 0, err
	}
	if len(waiting) == 0 {
		last, err = t.lastCheckpoint(ctx)
		return last, 0, err
	}
	size, err := t.AuditSize(ctx)
	if err != nil {
		return last, 0, err
	}
	first := size
	var placed []int64
	rows := load{table: "audit_hash", columns: []string{"idx", "hash"}, keys: 1, once: true}
	stored := tree{ctx: ctx, r: t.Reader, fresh: make(map[int64]tlog.Hash)}
	for _, w := range waiting {
		w.leaf.Seq = size
		placed = append(placed, w.id)
		hashes, err := tlog.StoredHashesForRecordHash(size, w.leaf.Hash(), stored)
		if err != nil {
			return last, 0, fmt.Errorf("seal audit leaf %d: %w", size, err)
		}
		at := tlog.StoredHashIndex(0, size)
		for i, h := range hashes {
			stored.fresh[at+int64(i)] = h
			rows.rows = append(rows.rows, []any{at + int64(i), h[:]})
		}
		size++
	}
	if err := t.place(ctx, placed, first); err != nil {
		return last, 0, err
	}
	if err := t.fold(ctx, rows); err != nil {
		return last, 0, err
	}
	root, err := tlog.TreeHash(size, stored)
	if err != nil {
		return last, 0, fmt.Errorf("seal audit log: %w", err)
	}
	last, err = signer.Sign(size, root, now)
	if err != nil {
		return last, 0, err
	}
	err = t.put(ctx, "INSERT INTO audit_checkpoint (size, note, public_key) VALUES ($1, $2, $3)", size, string(last.Note), signer.Public())
	return last, len(waiting), err
}

// place gives leaves their places in the log, from first on.
func (t *Tx) place(ctx context.Context, leaves []int64, first int64) error {
	if t.d == postgresDialect {
		return t.later(ctx, "write audit_leaf", "UPDATE audit_leaf SET seq = $2 + v.n - 1 FROM unnest($1::bigint[]) WITH ORDINALITY AS v (id, n) WHERE audit_leaf.id = v.id", leaves, first)
	}
	for i, id := range leaves {
		if err := t.put(ctx, "UPDATE audit_leaf SET seq = $2 WHERE id = $1", id, first+int64(i)); err != nil {
			return err
		}
	}
	return nil
}

type waitingLeaf struct {
	id   int64
	leaf audit.Leaf
}

func waitingRow(s scan) (w waitingLeaf, err error) {
	var at int64
	err = s(&w.id, &w.leaf.Seq, &at, &w.leaf.Actor, &w.leaf.Action, &w.leaf.Subject, body{&w.leaf.Detail})
	w.leaf.At = time.UnixMicro(at).UTC()
	return w, err
}

// tree reads stored hashes for tlog.
type tree struct {
	ctx   context.Context // for the length of one call: tlog.HashReader takes none
	r     Reader
	fresh map[int64]tlog.Hash
}

// ReadHashes is tlog.HashReader.
func (t tree) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, idx := range indexes {
		if h, ok := t.fresh[idx]; ok {
			out[i] = h
			continue
		}
		var b []byte
		found, err := t.r.row(t.ctx, "SELECT hash FROM audit_hash WHERE idx = $1", args(idx), &b)
		if err != nil {
			return nil, err
		}
		if !found || len(b) != tlog.HashSize {
			return nil, firmward.Errorf(firmward.Internal, fmt.Sprintf("the audit log is damaged: its hash %d is missing", idx))
		}
		copy(out[i][:], b)
	}
	return out, nil
}

// AuditSize gives the number of leaves that have their place in the log.
func (r Reader) AuditSize(ctx context.Context) (int64, error) {
	var n int64
	_, err := r.row(ctx, "SELECT COALESCE(MAX(seq) + 1, 0) FROM audit_leaf", nil, &n)
	return n, err
}

// Leaves gives up to n leaves (at most 1000) from Seq from on, in order. Leaves that wait for their place are not among
// them.
func (r Reader) Leaves(ctx context.Context, from int64, n int) ([]audit.Leaf, error) {
	return list(ctx, r, leafRow, "SELECT id, seq, at, actor, action, subject, detail FROM audit_leaf WHERE seq >= $1 ORDER BY seq LIMIT $2",
		from, Page{Limit: n}.limit())
}

func leafRow(s scan) (audit.Leaf, error) {
	w, err := waitingRow(s)
	return w.leaf, err
}

// LeafFilter chooses leaves. Zero fields choose nothing out.
type LeafFilter struct {
	Subject, Actor, Action string
}

// FindLeaves lists leaves, newest first, those that wait for their place (Seq -1) too.
func (r Reader) FindLeaves(ctx context.Context, want LeafFilter, p Page) ([]audit.Leaf, string, error) {
	var f filter
	f.is("subject", want.Subject)
	f.is("actor", want.Actor)
	f.is("action", want.Action)
	return page(ctx, r, keyset{columns: []string{"id"}, desc: true}, p, f, "audit_leaf",
		"id, COALESCE(seq, -1), at, actor, action, subject, detail", leafRow)
}

type signed struct {
	note, key string
}

func signedRow(s scan) (v signed, err error) {
	err = s(&v.note, &v.key)
	return v, err
}

func (v signed) checkpoint() (audit.Checkpoint, error) {
	c, err := audit.ParseCheckpoint([]byte(v.note), v.key)
	if err != nil {
		return c, &firmward.Error{Code: firmward.Internal, Message: "the audit log is damaged", Err: err}
	}
	return c, nil
}

// Checkpoints gives the newest n checkpoints (at most 1000), newest first.
func (r Reader) Checkpoints(ctx context.Context, n int) ([]audit.Checkpoint, error) {
	rows, err := list(ctx, r, signedRow, "SELECT note, public_key FROM audit_checkpoint ORDER BY size DESC LIMIT $1", Page{Limit: n}.limit())
	if err != nil {
		return nil, err
	}
	out := make([]audit.Checkpoint, 0, len(rows))
	for _, v := range rows {
		c, err := v.checkpoint()
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

// Checkpoint gives the checkpoint that signs the log's first size leaves. NotFound when none does.
func (r Reader) Checkpoint(ctx context.Context, size int64) (audit.Checkpoint, error) {
	var v signed
	found, err := r.row(ctx, "SELECT note, public_key FROM audit_checkpoint WHERE size = $1", args(size), &v.note, &v.key)
	if err == nil && !found {
		err = notFound("checkpoint of the audit log that signs this number of records:", fmt.Sprint(size))
	}
	if err != nil {
		return audit.Checkpoint{}, err
	}
	return v.checkpoint()
}

func (r Reader) lastCheckpoint(ctx context.Context) (audit.Checkpoint, error) {
	found, err := r.Checkpoints(ctx, 1)
	if err != nil || len(found) == 0 {
		return audit.Checkpoint{}, err
	}
	return found[0], nil
}
