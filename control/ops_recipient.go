package control

import (
	"context"
	"fmt"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/notice"
	"github.com/firmward/firmward/notify"
	"github.com/firmward/firmward/store"
	"github.com/firmward/firmward/wire"
)

// AddRecipient is a new place where people are told. Address is where: an https address, or one of shoutrrr's. It and the
// key of a webhook are sealed; the key is given back once. Empty Digest is daily; Hour and Zone of nil and "" are 8 o'clock in the
// zone of the only site, else UTC.
type AddRecipient struct {
	Name, Address string
	Digest        string
	Hour          *int // 0 to 23
	Zone          string
	Urgent        bool
	Details       bool
}

// AddRecipient keeps a recipient and gives the key of a webhook, "" for other kinds. What happened before is not told.
func (c *Control) AddRecipient(ctx context.Context, who firmward.Person, in AddRecipient) (r firmward.Recipient, key string, err error) {
	kind, host, err := notify.Check(in.Address)
	if err != nil {
		return r, "", err
	}
	if !personName.MatchString(in.Name) {
		return r, "", firmward.Errorf(firmward.Invalid, "a recipient's name has letters, digits and . _ @ - only")
	}
	now := c.Clock.Now()
	r = firmward.Recipient{
		Name: in.Name, Kind: kind, Host: host, Digest: in.Digest, Hour: 8, Zone: in.Zone, Urgent: in.Urgent, Details: in.Details, By: who.Name, Created: now,
	}
	if r.Digest == "" {
		r.Digest = firmward.DigestDaily
	}
	if in.Hour != nil {
		r.Hour = *in.Hour
	}
	if r.Zone == "" {
		if r.Zone, err = c.onlyZone(ctx); err != nil {
			return r, "", err
		}
	}
	zone, err := time.LoadLocation(r.Zone)
	if err != nil || r.Zone == "Local" {
		return r, "", firmward.Errorf(firmward.Invalid, fmt.Sprintf("no time zone is called %q: Europe/Berlin is one", r.Zone))
	}
	if r.Hour < 0 || r.Hour > 23 {
		return r, "", firmward.Errorf(firmward.Invalid, "the hour of the digest is 0 to 23")
	}
	r.NextDigest = notice.NextDigest(r, now.In(zone))
	if kind == notify.Webhook {
		key = notify.NewKey()
	}
	sealed, err := c.Secrets.Seal(recipientScope(r.Name), wire.Secret{User: key, Password: in.Address})
	if err != nil {
		return r, "", err
	}
	err = c.Store.Tx(ctx, func(tx *store.Tx) error {
		if _, err := tx.Recipient(ctx, r.Name); err == nil {
			return firmward.Errorf(firmward.Conflict, r.Name+" is told already: remove that first")
		}
		if r.Told, err = tx.LastEvent(ctx); err != nil {
			return err
		}
		if err := tx.PutRecipient(ctx, r); err != nil {
			return err
		}
		if err := tx.PutSecret(ctx, store.Secret{Scope: recipientScope(r.Name), Ciphertext: sealed, At: now}); err != nil {
			return err
		}
		return c.leaf(ctx, tx, who.Name, "recipient-add", r.Name, map[string]string{"kind": r.Kind, "host": r.Host, "digest": r.Digest, "details": fmt.Sprint(r.Details)})
	})
	c.wake(loopNotify)
	return r, key, err
}

// onlyZone is the time zone of the site when there is one site only, else UTC.
func (c *Control) onlyZone(ctx context.Context) (string, error) {
	sites, _, err := c.Store.Sites(ctx, store.Page{Limit: 2})
	if err != nil || len(sites) != 1 || sites[0].TimeZone == "" {
		return "UTC", err
	}
	return sites[0].TimeZone, nil
}

// RemoveRecipient tells somebody no more and forgets the address.
func (c *Control) RemoveRecipient(ctx context.Context, who firmward.Person, name string) error {
	return c.Store.Tx(ctx, func(tx *store.Tx) error {
		if err := tx.DeleteRecipient(ctx, name); err != nil {
			return err
		}
		if err := tx.DeleteSecret(ctx, recipientScope(name)); err != nil {
			return err
		}
		return c.leaf(ctx, tx, who.Name, "recipient-remove", name, nil)
	})
}

// TryRecipient sends the digest of this moment at once. Nothing else changes by it but that failures are forgotten when it arrived.
func (c *Control) TryRecipient(ctx context.Context, who firmward.Person, name string) (firmward.Notice, error) {
	r, err := c.Store.Recipient(ctx, name)
	if err != nil {
		return firmward.Notice{}, err
	}
	n, err := c.PreviewNotice(ctx, r)
	if err != nil {
		return n, err
	}
	n.ID = store.NewID("try")
	if err := c.send(ctx, r, n); err != nil {
		return n, err
	}
	return n, c.Store.Tx(ctx, func(tx *store.Tx) error {
		if r, err = tx.Recipient(ctx, name); err != nil {
			return err
		}
		r.LastSent, r.Failures, r.LastError, r.RetryAt = c.Clock.Now(), 0, "", time.Time{}
		if err := tx.PutRecipient(ctx, r); err != nil {
			return err
		}
		return c.leaf(ctx, tx, who.Name, "notice-try", name, map[string]string{"title": n.Title})
	})
}

// PreviewNotice is what the digest would say now to such a recipient.
func (c *Control) PreviewNotice(ctx context.Context, r firmward.Recipient) (firmward.Notice, error) {
	now := c.Clock.Now()
	h, err := c.noticeHouse(ctx, r, now)
	return notice.Digest(h, r, now), err
}
