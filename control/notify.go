package control

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/notice"
	"github.com/firmward/firmward/notify"
	"github.com/firmward/firmward/store"
)

// notifyStep tells every recipient what is due: at once what cannot wait, at its hour the digest. A message is sent first and
// kept as sent afterwards: a crash in between sends it again, with the same id.
func (c *Control) notifyStep(ctx context.Context) (time.Time, error) {
	again := c.untold.Swap(false)
	all, err := c.Store.Recipients(ctx)
	var due time.Time
	if again && len(all) > 0 { // what is being committed while this runs is told by the next turn
		due = c.Clock.Now().Add(c.Clock.Real(time.Second))
	}
	for _, r := range all {
		next, err := c.inform(ctx, r)
		if err != nil {
			return time.Time{}, fmt.Errorf("tell %s: %w", r.Name, err)
		}
		due = earlier(due, next)
	}
	return due, err
}

// inform sends what one recipient is due and says when to come back.
func (c *Control) inform(ctx context.Context, r firmward.Recipient) (time.Time, error) {
	now := c.Clock.Now()
	if r.RetryAt.After(now) {
		return r.RetryAt, nil
	}
	last, err := c.Store.LastEvent(ctx)
	if err != nil {
		return time.Time{}, err
	}
	if r.Urgent && last > r.Told {
		quiet := r.Alarmed.Add(notice.Quiet)
		if quiet.After(now) {
			return earlier(quiet, r.NextDigest), nil
		}
		matters, err := c.matters(ctx, r.Told, last)
		if err != nil {
			return time.Time{}, err
		}
		after := r
		after.Told = last
		if len(matters) == 0 {
			r = after
			err = c.Store.Tx(ctx, func(tx *store.Tx) error { return tx.PutRecipient(ctx, r) })
		} else {
			after.Alarmed = now
			r, err = c.deliver(ctx, r, after, notice.Alarm(matters, r, now))
		}
		if err != nil || r.RetryAt.After(now) {
			return r.RetryAt, err
		}
	}
	if !r.NextDigest.IsZero() && !r.NextDigest.After(now) {
		house, err := c.noticeHouse(ctx, r, now)
		if err != nil {
			return time.Time{}, err
		}
		after := r
		zone, err := time.LoadLocation(r.Zone)
		if err != nil {
			return time.Time{}, err
		}
		after.NextDigest = notice.NextDigest(r, now.In(zone))
		if r, err = c.deliver(ctx, r, after, notice.Digest(house, r, now)); err != nil {
			return time.Time{}, err
		}
	}
	return earlier(r.RetryAt, r.NextDigest), nil
}

// deliver sends a message. If it arrived, the recipient becomes what after says, else it is tried again later.
func (c *Control) deliver(ctx context.Context, r, after firmward.Recipient, n firmward.Notice) (firmward.Recipient, error) {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d %d %v", r.Name, r.Told, r.NextDigest.Unix(), n.Urgent))
	n.ID = "msg_" + hex.EncodeToString(sum[:12])
	failed := c.send(ctx, r, n)
	if ctx.Err() != nil {
		return r, ctx.Err()
	}
	now := c.Clock.Now()
	if failed == nil {
		r = after
		r.LastSent, r.Failures, r.LastError, r.RetryAt = now, 0, "", time.Time{}
	} else {
		r.Failures++
		r.LastError, r.RetryAt = failed.Error(), now.Add(notice.Backoff(r.Failures))
	}
	return r, c.Store.Tx(ctx, func(tx *store.Tx) error {
		if _, err := tx.Recipient(ctx, r.Name); firmward.CodeOf(err) == firmward.NotFound {
			return nil // removed meanwhile
		} else if err != nil {
			return err
		}
		if err := tx.PutRecipient(ctx, r); err != nil || failed != nil && r.Failures > 1 {
			return err
		}
		outcome := "sent"
		if failed != nil {
			outcome = r.LastError
		}
		return c.leaf(ctx, tx, self, "notice-send", r.Name, map[string]string{"id": n.ID, "title": n.Title, "outcome": outcome})
	})
}

func (c *Control) send(ctx context.Context, r firmward.Recipient, n firmward.Notice) error {
	sealed, err := c.Store.SecretFor(ctx, recipientScope(r.Name))
	if err != nil {
		return err
	}
	secret, err := c.Secrets.Open(sealed.Scope, sealed.Ciphertext)
	if err != nil {
		return err
	}
	return notify.Send(ctx, c.Network, secret.Password, secret.User, n)
}

// recipientScope is where the address of a recipient is sealed; the user of that secret is the key of a webhook.
func recipientScope(name string) string { return "recipient:" + name }

// matters are the events of a stretch that cannot wait, each thing once and as it is now.
func (c *Control) matters(ctx context.Context, from, to int64) ([]notice.Matter, error) {
	events, err := c.events(ctx, from, to)
	if err != nil {
		return nil, err
	}
	var out []notice.Matter
	seen := map[string]bool{}
	for _, e := range events {
		if seen[e.Kind+e.Subject] {
			continue
		}
		seen[e.Kind+e.Subject] = true
		m, ok, err := c.matter(ctx, e)
		if firmward.CodeOf(err) == firmward.NotFound {
			continue // gone meanwhile
		}
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, m)
		}
	}
	return out, nil
}

// matter looks at what an event is about.
func (c *Control) matter(ctx context.Context, e firmward.Event) (m notice.Matter, ok bool, err error) {
	switch e.Kind {
	case "step":
		s, err := c.Store.NextStep(ctx, e.Subject)
		if err != nil || !notice.Pressing(s) {
			return m, false, err
		}
		d, err := c.Store.Device(ctx, e.Subject)
		return notice.Matter{Kind: notice.Attacked, Name: d.Name, Text: s.Now.Action}, true, err
	case "rollout":
		r, err := c.Store.Rollout(ctx, e.Subject)
		if err != nil || r.State != firmward.RolloutHalted {
			return m, false, err
		}
		rel, err := c.Store.Release(ctx, r.ReleaseID)
		return notice.Matter{Kind: notice.Halted, Name: rel.Vendor + " " + rel.Version, Text: r.Why}, true, err
	case "containment":
		h, err := c.Store.Containment(ctx, e.Subject)
		if err != nil || h.State != firmward.ContainUndone {
			return m, false, err
		}
		d, err := c.Store.Device(ctx, h.DeviceID)
		return notice.Matter{Kind: notice.Undone, Name: d.Name, Text: h.Why}, true, err
	case "feed":
		f, err := c.feedStatus(ctx, e.Subject)
		if err != nil || f.Fetch == nil || f.Fetch.Alarmed.IsZero() {
			return m, false, err
		}
		return notice.Matter{Kind: notice.Blind, Name: f.Name, Text: f.Trouble}, true, nil
	}
	return m, false, nil
}

// events are those after one and up to another, as far as they are still kept.
func (c *Control) events(ctx context.Context, from, to int64) (out []firmward.Event, err error) {
	for from < to {
		page, err := c.Store.EventsAfter(ctx, from, 1000)
		if err != nil || len(page) == 0 {
			return out, err
		}
		for _, e := range page {
			if e.Seq <= to {
				out = append(out, e)
			}
		}
		from = page[len(page)-1].Seq
	}
	return out, nil
}

// listed bounds the steps that a digest looks at.
const listed = 500

// noticeHouse gathers what a digest rests on: how things stand, and what happened since the last one.
func (c *Control) noticeHouse(ctx context.Context, r firmward.Recipient, now time.Time) (notice.House, error) {
	h := notice.House{Buckets: map[string]int{}, Name: func(id string) string {
		d, err := c.Store.Device(ctx, id)
		if err != nil {
			return id
		}
		return d.Name
	}}
	counts, err := c.Store.CountSteps(ctx)
	if err != nil {
		return h, err
	}
	for _, n := range counts {
		h.Buckets[n.Bucket] += n.N
	}
	if r.Details {
		for _, bucket := range []string{"act-now", "plan"} {
			steps, _, err := c.Store.NextSteps(ctx, store.StepFilter{Bucket: bucket}, store.Page{Limit: listed})
			if err != nil {
				return h, err
			}
			h.Steps = append(h.Steps, steps...)
		}
	}
	waits := []firmward.RolloutState{firmward.RolloutAwaiting, firmward.RolloutPaused, firmward.RolloutHalted}
	for ro, err := range store.All(func(p store.Page) ([]firmward.Rollout, string, error) {
		return c.Store.Rollouts(ctx, store.RolloutFilter{}, p)
	}) {
		if err != nil {
			return h, err
		}
		if slices.Contains(waits, ro.State) {
			h.Rollouts = append(h.Rollouts, ro)
		}
	}
	open := true
	late, err := store.Every(func(p store.Page) ([]firmward.WorkOrder, string, error) {
		return c.Store.WorkOrders(ctx, store.WorkOrderFilter{Open: &open, DueBy: now}, p)
	})
	if err != nil {
		return h, err
	}
	h.Overdue = len(late)
	last, err := c.Store.LastEvent(ctx)
	if err != nil {
		return h, err
	}
	recent, err := c.events(ctx, 0, last)
	if err != nil {
		return h, err
	}
	since := notice.Since(r, now)
	for _, e := range recent {
		if e.At.After(since) {
			h.Events = append(h.Events, e)
		}
	}
	feeds, err := c.FeedStatuses(ctx)
	if err != nil {
		return h, err
	}
	for _, f := range feeds {
		if f.Stale || f.Fetch != nil && !f.Fetch.Alarmed.IsZero() {
			h.Stale = append(h.Stale, f.Name)
		}
	}
	h.Stopped, err = c.stopped(ctx)
	return h, err
}
