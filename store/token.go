package store

import (
	"context"
	"time"

	"github.com/firmward/firmward"
)

// Token lets a person in. The token itself is never stored, only its hash.
type Token struct {
	ID      string
	Hash    string // SHA-256 of the token, lower-case hex
	Person  firmward.Person
	Created time.Time
	Expires time.Time // zero: never
	By      string
}

// PutToken writes a token. Conflict when another one has its hash.
func (t *Tx) PutToken(ctx context.Context, k Token) error {
	return t.put(ctx, `INSERT INTO token (id, hash, body) VALUES ($1, $2, $3)
		ON CONFLICT (id) DO UPDATE SET hash = excluded.hash, body = excluded.body`, k.ID, k.Hash, js{k})
}

// TokenByHash gives the token with this hash. Expiry is for the caller to judge.
func (r Reader) TokenByHash(ctx context.Context, hash string) (Token, error) {
	return one[Token](ctx, r, "token", "with this value", "SELECT body FROM token WHERE hash = $1", hash)
}

// Tokens lists tokens by id.
func (r Reader) Tokens(ctx context.Context, p Page) ([]Token, string, error) {
	return page(ctx, r, ordered("id"), p, filter{}, "token", "body", bodies[Token])
}

// DeleteToken makes a token worthless at once.
func (t *Tx) DeleteToken(ctx context.Context, id string) error {
	n, err := t.exec(ctx, "DELETE FROM token WHERE id = $1", id)
	if err == nil && n == 0 {
		return notFound("token", id)
	}
	return err
}
