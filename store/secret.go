package store

import (
	"context"
	"strings"
	"time"

	"github.com/firmward/firmward"
)

// Secret is a credential as package secrets sealed it. The store never sees the clear text.
type Secret struct {
	Scope      string // "device:<id>", "family:<name>@<site>", "config:<device>:<sum>"
	User       string
	Ciphertext []byte
	At         time.Time
}

// PutSecret writes the secret of a scope.
func (t *Tx) PutSecret(ctx context.Context, s Secret) error {
	return t.put(ctx, `INSERT INTO secret (scope, username, ciphertext, at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (scope) DO UPDATE SET username = excluded.username, ciphertext = excluded.ciphertext, at = excluded.at`,
		s.Scope, s.User, s.Ciphertext, s.At)
}

// DeleteSecret forgets the secret of a scope.
func (t *Tx) DeleteSecret(ctx context.Context, scope string) error {
	n, err := t.exec(ctx, "DELETE FROM secret WHERE scope = $1", scope)
	if err == nil && n == 0 {
		return notFound("secret for", scope)
	}
	return err
}

func secretRow(s scan) (v Secret, err error) {
	err = s(&v.Scope, &v.User, &v.Ciphertext, timeInto{&v.At})
	return v, err
}

// SecretFor gives the secret of the first of the scopes that has one: name the narrowest first.
func (r Reader) SecretFor(ctx context.Context, scopes ...string) (Secret, error) {
	for _, scope := range scopes {
		found, err := list(ctx, r, secretRow, "SELECT scope, username, ciphertext, at FROM secret WHERE scope = $1", scope)
		if err != nil {
			return Secret{}, err
		}
		if len(found) > 0 {
			return found[0], nil
		}
	}
	what := "this device"
	if len(scopes) > 0 {
		what = scopes[0]
	}
	return Secret{}, notFound("secret for", what)
}

// Secrets lists secrets by scope.
func (r Reader) Secrets(ctx context.Context, p Page) ([]Secret, string, error) {
	return page(ctx, r, ordered("scope"), p, filter{}, "secret", "scope, username, ciphertext, at", secretRow)
}

// SecretsUnder lists the secrets whose scope begins with a prefix that ends in a colon.
func (r Reader) SecretsUnder(ctx context.Context, prefix string) ([]Secret, error) {
	stem, ok := strings.CutSuffix(prefix, ":")
	if !ok {
		return nil, firmward.Errorf(firmward.Invalid, "the prefix "+prefix+" of a secret's scope does not end in a colon")
	}
	// ";" follows ":" in bytes, and scopes are compared by bytes.
	return list(ctx, r, secretRow, "SELECT scope, username, ciphertext, at FROM secret WHERE scope > $1 AND scope < $2 ORDER BY scope", prefix, stem+";")
}
