package store

import (
	"context"
	"time"
)

// Stray counts outcomes of commands that changed nothing.
type Stray struct {
	Why  string // "unknown", "finished", "late"
	N    int
	Last time.Time
}

// CountStray adds n outcomes that changed nothing for the same reason.
func (t *Tx) CountStray(ctx context.Context, why string, n int, at time.Time) error {
	return t.put(ctx, `INSERT INTO stray (why, n, at) VALUES ($1, $2, $3)
		ON CONFLICT (why) DO UPDATE SET n = stray.n + excluded.n, at = excluded.at`, why, n, at)
}

// Strays gives the counts by reason, sorted.
func (r Reader) Strays(ctx context.Context) ([]Stray, error) {
	return list(ctx, r, func(s scan) (v Stray, err error) {
		err = s(&v.Why, &v.N, timeInto{&v.Last})
		return v, err
	}, "SELECT why, n, at FROM stray ORDER BY why")
}
