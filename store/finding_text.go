package store

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/firmward/firmward"
)

// Devices of one fingerprint have the same findings, and an explanation is long: what they say is kept once, under its sum.

// ownPart is what a finding says of its device alone: the body of its row.
type ownPart struct {
	OpenedAt time.Time `json:",omitzero"`
	ClosedAt time.Time `json:",omitzero"`
	ClosedBy string    `json:",omitempty"`
	Snapshot int64     `json:",omitempty"`
}

// parts takes a finding apart.
func parts(f firmward.Finding) (said firmward.Finding, own ownPart) {
	own = ownPart{OpenedAt: f.OpenedAt, ClosedAt: f.ClosedAt, ClosedBy: f.ClosedBy, Snapshot: f.Snapshot}
	f.DeviceID, f.OpenedAt, f.ClosedAt, f.ClosedBy, f.Snapshot = "", time.Time{}, time.Time{}, "", 0
	return f, own
}

// said scans what is kept under a sum. A row that names none has all in its body.
type said struct {
	v   any
	sum *string // scanned before it
}

func (d said) Scan(src any) error {
	switch {
	case *d.sum == "":
		return nil
	case src == nil:
		return fmt.Errorf("what a finding says is missing: %s", *d.sum)
	}
	return packed{d.v}.Scan(src)
}

// The columns of findingRow, and where they come from.
const (
	findingColumns = "device, said, text, body"
	findingTables  = "finding LEFT JOIN finding_text ON finding_text.id = said"
)

func findingRow(s scan) (f firmward.Finding, err error) {
	var device, sum string
	err = s(&device, &sum, said{&f, &sum}, body{&f})
	f.DeviceID = device
	return f, err
}

// usedAgain is after how long a text is marked as used anew: not with each of a thousand devices.
const usedAgain = time.Hour

// wording is what findings say, gathered to be written together.
type wording struct {
	at   time.Time
	rows map[string][]byte // by sum
}

// sum gives the name of a text and takes it in.
func (x *wording) sum(v any) (string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("write %T: %w", v, err)
	}
	h := sha256.Sum256(b)
	id := base64.RawURLEncoding.EncodeToString(h[:16])
	if _, there := x.rows[id]; there {
		return id, nil
	}
	p, _ := packers.Get().(*packer)
	defer packers.Put(p)
	if x.rows == nil {
		x.rows = map[string][]byte{}
	}
	x.rows[id], err = p.packText(b)
	return id, err
}

// of gives the sum of what a finding says, and what is its own.
func (x *wording) of(f firmward.Finding) (sum string, own ownPart, err error) {
	shared, own := parts(f)
	sum, err = x.sum(shared)
	return sum, own, err
}

// judged gives the sum of what a verdict rests on, empty for nothing.
func (x *wording) judged(j *firmward.Judged) (string, error) {
	if j == nil {
		return "", nil
	}
	return x.sum(j)
}

// putTexts writes those that are not there, and marks as used those that were not marked lately.
func (t *Tx) putTexts(ctx context.Context, x wording) error {
	if len(x.rows) == 0 {
		return nil
	}
	ids := slices.Sorted(maps.Keys(x.rows)) // in one order: two servers do not wait for each other
	fresh := map[string]bool{}
	err := t.each(ctx, "SELECT id FROM finding_text WHERE used >= $1 AND id IN ("+t.d.elements("$2")+")", func(s scan) error {
		var id string
		err := s(&id)
		fresh[id] = true
		return err
	}, x.at.Add(-usedAgain), array(ids))
	if err != nil {
		return err
	}
	for _, id := range ids {
		if fresh[id] {
			continue
		}
		err := t.put(ctx, "INSERT INTO finding_text (id, used, text) VALUES ($1, $2, $3) ON CONFLICT (id) DO UPDATE SET used = excluded.used", id, x.at, x.rows[id])
		if err != nil {
			return err
		}
	}
	return nil
}

// ForgetTexts forgets what no finding says any more and none began to say since before, and tells how many texts that were. It reads all
// findings, and nobody waits for it.
func (s *Store) ForgetTexts(ctx context.Context, before time.Time) (n int, err error) {
	unused := map[string]bool{}
	err = s.Snapshot(ctx, func(r Reader) error {
		err := r.each(ctx, "SELECT id FROM finding_text WHERE used < $1", func(s scan) error {
			var id string
			err := s(&id)
			unused[id] = true
			return err
		}, before)
		if err != nil || len(unused) == 0 {
			return err
		}
		for _, column := range []string{"said FROM finding", "said FROM finding_history", "judged FROM finding_history"} {
			err := r.each(ctx, "SELECT DISTINCT "+column, func(s scan) error {
				var id string
				err := s(&id)
				delete(unused, id)
				return err
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("look for what no finding says: %w", err)
	}
	for some := range slices.Chunk(slices.Sorted(maps.Keys(unused)), 500) {
		err := s.Tx(ctx, func(tx *Tx) error { // who takes one up meanwhile marks it first
			gone, err := tx.exec(ctx, "DELETE FROM finding_text WHERE used < $1 AND id IN ("+tx.d.elements("$2")+")", before, array(some))
			n += int(gone)
			return err
		})
		if err != nil {
			return n, fmt.Errorf("forget what no finding says: %w", err)
		}
	}
	return n, nil
}
