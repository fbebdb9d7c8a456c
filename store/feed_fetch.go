package store

import (
	"context"
	"time"

	"github.com/firmward/firmward"
)

// FeedFetch gives how a feed is fetched. NotFound when it never was and is not followed.
func (r Reader) FeedFetch(ctx context.Context, name string) (firmward.FeedFetch, error) {
	return one[firmward.FeedFetch](ctx, r, "fetched feed", name, "SELECT body FROM feed_fetch WHERE name = $1", name)
}

// FeedFetches lists them by name. There are a handful.
func (r Reader) FeedFetches(ctx context.Context) ([]firmward.FeedFetch, error) {
	return list(ctx, r, bodies[firmward.FeedFetch], "SELECT body FROM feed_fetch ORDER BY name")
}

// PutFeedFetch writes one by its name. An import writes it in its own transaction (Import.Then), so that the cursor never
// stands before what is stored nor behind it.
func (t *Tx) PutFeedFetch(ctx context.Context, f firmward.FeedFetch) error {
	return t.put(ctx, "INSERT INTO feed_fetch (name, body) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET body = excluded.body", f.Name, js{f})
}

// ForgetFeedError forgets that an import of a feed failed: its source says that what is held is the newest.
func (t *Tx) ForgetFeedError(ctx context.Context, name string) error {
	s, err := t.FeedStatus(ctx, name)
	if firmward.CodeOf(err) == firmward.NotFound || err == nil && s.LastError == "" {
		return nil
	}
	if err != nil {
		return err
	}
	s.LastError, s.FailedAt = "", time.Time{}
	return t.putFeed(ctx, s)
}
