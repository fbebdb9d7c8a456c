package store

import "context"

// The editions. What was read before one grew may be out of date.
const (
	EditionClaims    = "claims"    // grows when something is claimed, not when it is freed
	EditionRelations = "relations" // grows with each change of an edge
)

// Edition gives how often what it names has changed.
func (r Reader) Edition(ctx context.Context, name string) (int64, error) {
	var n int64
	_, err := r.row(ctx, "SELECT n FROM edition WHERE name = $1", args(name), &n)
	return n, err
}

func (t *Tx) grow(ctx context.Context, name string) error {
	return t.put(ctx, "INSERT INTO edition (name, n) VALUES ($1, 1) ON CONFLICT (name) DO UPDATE SET n = edition.n + 1", name)
}
