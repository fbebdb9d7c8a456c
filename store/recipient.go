package store

import (
	"context"

	"github.com/firmward/firmward"
)

// PutRecipient writes a recipient by its name.
func (t *Tx) PutRecipient(ctx context.Context, r firmward.Recipient) error {
	return t.put(ctx, "INSERT INTO recipient (name, body) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET body = excluded.body", r.Name, js{r})
}

// Recipient gives one recipient.
func (r Reader) Recipient(ctx context.Context, name string) (firmward.Recipient, error) {
	return one[firmward.Recipient](ctx, r, "recipient", name, "SELECT body FROM recipient WHERE name = $1", name)
}

// Recipients lists all recipients by name. There are a handful.
func (r Reader) Recipients(ctx context.Context) ([]firmward.Recipient, error) {
	return list(ctx, r, bodies[firmward.Recipient], "SELECT body FROM recipient ORDER BY name")
}

// DeleteRecipient removes a recipient. NotFound when there is none of that name.
func (t *Tx) DeleteRecipient(ctx context.Context, name string) error {
	n, err := t.exec(ctx, "DELETE FROM recipient WHERE name = $1", name)
	if err == nil && n == 0 {
		return notFound("recipient", name)
	}
	return err
}
