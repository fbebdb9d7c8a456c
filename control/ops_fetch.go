package control

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/feed"
	"github.com/firmward/firmward/store"
	"github.com/firmward/firmward/wire"
)

// feedScope is where the key for a feed's server is sealed.
func feedScope(name string) string { return "feed:" + name }

// fetcher finds a feed that can be fetched.
func (c *Control) fetcher(name string) (feed.Source, feed.Fetcher, error) {
	known, names := false, []string{}
	for _, s := range c.Sources {
		f, ok := s.(feed.Fetcher)
		known = known || s.Info().Name == name
		if ok && s.Info().Name == name {
			return s, f, nil
		}
		if ok {
			names = append(names, s.Info().Name)
		}
	}
	slices.Sort(names)
	if known {
		return nil, nil, firmward.Errorf(firmward.NotSupported, fmt.Sprintf("documents of %s are imported from files; over the network come %s", name, strings.Join(names, ", ")))
	}
	return nil, nil, firmward.Errorf(firmward.NotFound, fmt.Sprintf("no feed is called %s: over the network come %s", name, strings.Join(names, ", ")))
}

// KnownFeed is a feed that firmward can read, whether or not anything of it is there.
type KnownFeed struct {
	feed.Info
	Network bool     // it can be fetched over the network once it has an address
	Hosts   []string // with port: the only ones that a fetch asks as things are
	Usual   bool     // it is fetched when nobody names any: it has an address and, where it is large, was named before
}

// KnownFeeds gives all feeds, sorted by name.
func (c *Control) KnownFeeds(ctx context.Context) ([]KnownFeed, error) {
	rows, err := c.Store.FeedFetches(ctx)
	if err != nil {
		return nil, err
	}
	var out []KnownFeed
	for _, s := range c.Sources {
		k := KnownFeed{Info: s.Info()}
		if slices.ContainsFunc(out, func(other KnownFeed) bool { return other.Name == k.Name }) {
			continue // another form of its documents
		}
		if src, _, err := c.fetcher(k.Name); err == nil {
			urls := src.Info().URLs
			at := slices.IndexFunc(rows, func(r firmward.FeedFetch) bool { return r.Name == k.Name })
			if at >= 0 && len(rows[at].URLs) > 0 {
				urls = rows[at].URLs
			}
			k.Network, k.Hosts = true, feed.Hosts(urls)
			k.Usual = len(urls) > 0 && (!src.Info().Large || at >= 0)
		}
		out = append(out, k)
	}
	slices.SortFunc(out, func(a, b KnownFeed) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// FetchFeed fetches a feed over the network now: what changed since the last time, through the same code as a file. Conflict
// while it is being fetched. What was read before an error stays.
func (c *Control) FetchFeed(ctx context.Context, who firmward.Person, name string) (firmward.FeedStatus, error) {
	if _, _, err := c.fetcher(name); err != nil {
		return firmward.FeedStatus{}, err
	}
	if !c.beginFetch(name) {
		return firmward.FeedStatus{}, firmward.Errorf(firmward.Conflict, name+" is being fetched already")
	}
	err := c.fetch(ctx, who, name)
	c.endFetch(name)
	c.wake(loopFetch)
	if err != nil {
		return firmward.FeedStatus{}, err
	}
	return c.feedStatus(ctx, name)
}

func (c *Control) beginFetch(name string) bool {
	_, busy := c.fetches.LoadOrStore(name, true)
	return !busy
}

func (c *Control) endFetch(name string) { c.fetches.Delete(name) }

// SetFeed changes how a feed is fetched; nil leaves a thing as it is.
type SetFeed struct {
	Follow  *bool
	URLs    *[]string // none: the source's own
	Key     *string   // for its server; empty: forget it
	OpenPGP *string   // armored public keys by one of which every document must be signed; empty: by those that its provider names, if at all
}

// SetFeed says whether a feed is followed, from where and with which key. A followed feed is fetched at once and then as often as
// its source says, while the server runs. Other addresses begin anew.
func (c *Control) SetFeed(ctx context.Context, who firmward.Person, name string, in SetFeed) (firmward.FeedStatus, error) {
	src, _, err := c.fetcher(name)
	if err != nil {
		return firmward.FeedStatus{}, err
	}
	if in.URLs != nil {
		if err := feed.CheckURLs(*in.URLs); err != nil {
			return firmward.FeedStatus{}, err
		}
		if !c.beginFetch(name) {
			return firmward.FeedStatus{}, firmward.Errorf(firmward.Conflict, name+" is being fetched: try again when that has ended")
		}
		defer c.endFetch(name)
	}
	pinned, err := pinnedFacts(in.OpenPGP)
	if err != nil {
		return firmward.FeedStatus{}, err
	}
	var sealed []byte
	if in.Key != nil && *in.Key != "" {
		if sealed, err = c.Secrets.Seal(feedScope(name), wire.Secret{Password: *in.Key}); err != nil {
			return firmward.FeedStatus{}, err
		}
	}
	err = c.Store.Tx(ctx, func(tx *store.Tx) error {
		row, err := fetchRow(ctx, tx, name)
		if err != nil {
			return err
		}
		now := c.Clock.Now()
		row.By, row.Since = who.Name, now
		facts := map[string]string{}
		if in.URLs != nil {
			row.URLs, row.Cursor, row.Tags = *in.URLs, "", nil
			row.Failures, row.LastError = 0, ""
			facts["urls"] = strings.Join(*in.URLs, " ")
		}
		if in.Key != nil {
			if err := c.setKey(ctx, tx, &row, sealed); err != nil {
				return err
			}
			facts["key"] = fmt.Sprint(row.Keyed)
		}
		if in.OpenPGP != nil {
			row.OpenPGP = *in.OpenPGP
			facts["openpgp keys"] = pinned
		}
		if in.Follow != nil {
			row.Follow, row.Next, row.Alarmed = *in.Follow, time.Time{}, time.Time{}
			row.Failures, row.LastError = 0, ""
			facts["follow"] = fmt.Sprint(row.Follow)
		}
		if row.Follow && len(row.URLs) == 0 && len(src.Info().URLs) == 0 {
			return firmward.Errorf(firmward.Invalid, fmt.Sprintf("%s has no address of its own: name one (firmward feeds set %s --url URL)", name, name))
		}
		if err := tx.PutFeedFetch(ctx, row); err != nil {
			return err
		}
		if err := c.emit(ctx, tx, "fetch", name, name+" is fetched in another way"); err != nil {
			return err
		}
		return c.leaf(ctx, tx, who.Name, "feed-set", name, facts)
	})
	if err != nil {
		return firmward.FeedStatus{}, err
	}
	c.wake(loopFetch)
	return c.feedStatus(ctx, name)
}

// setKey writes or forgets the key for a feed's server.
func (c *Control) setKey(ctx context.Context, tx *store.Tx, row *firmward.FeedFetch, sealed []byte) error {
	row.Keyed = sealed != nil
	if sealed != nil {
		return tx.PutSecret(ctx, store.Secret{Scope: feedScope(row.Name), Ciphertext: sealed, At: c.Clock.Now()})
	}
	if err := tx.DeleteSecret(ctx, feedScope(row.Name)); err != nil && firmward.CodeOf(err) != firmward.NotFound {
		return err
	}
	return nil
}

// follow fetches followed feeds when they are due, each by itself: the first fill of one takes long.
func (c *Control) follow(ctx context.Context) error {
	var running sync.WaitGroup
	defer running.Wait()
	return c.loop(ctx, loopFetch, func(ctx context.Context) (time.Time, error) {
		rows, err := c.Store.FeedFetches(ctx)
		if err != nil {
			return time.Time{}, err
		}
		var due time.Time
		for _, row := range rows {
			switch {
			case !row.Follow:
			case row.Next.After(c.Clock.Now()):
				due = earlier(due, row.Next)
			case c.beginFetch(row.Name):
				running.Go(func() { c.followed(ctx, row.Name) })
			}
		}
		return due, c.alarmFeeds(ctx)
	})
}

// followed fetches one feed. Where not even its failure could be written, it rests a little.
func (c *Control) followed(ctx context.Context, name string) {
	was := c.Clock.Now()
	if err := c.fetch(ctx, firmward.Person{Name: self, Role: firmward.Admin}, name); err != nil && ctx.Err() == nil {
		c.Log.WarnContext(ctx, "feed not fetched", "feed", name, "error", err)
	}
	row, err := c.Store.FeedFetch(ctx, name)
	if err != nil || row.Follow && !row.Next.After(was) {
		t := c.Clock.Timer(time.Minute)
		defer t.Stop()
		select {
		case <-ctx.Done():
		case <-t.C:
		}
	}
	c.endFetch(name)
	c.wake(loopFetch)
}

// alarmFeeds tells, once, of a followed feed that is in trouble for long, and that it is well again.
func (c *Control) alarmFeeds(ctx context.Context) error {
	all, err := c.FeedStatuses(ctx)
	if err != nil {
		return err
	}
	for _, s := range all {
		if s.Fetch == nil {
			continue
		}
		src, _, err := c.fetcher(s.Name)
		if err != nil {
			continue // of a program that knew it
		}
		why, alarm := src.Info().Trouble(s, c.Clock.Now())
		if alarm != s.Fetch.Alarmed.IsZero() {
			continue
		}
		text := s.Name + " is new again"
		if alarm {
			text = s.Name + " gives nothing new: " + why
		}
		err = c.Store.Tx(ctx, func(tx *store.Tx) error {
			row, err := fetchRow(ctx, tx, s.Name)
			if err != nil {
				return err
			}
			row.Alarmed = time.Time{}
			if alarm {
				row.Alarmed = c.Clock.Now()
			}
			if err := tx.PutFeedFetch(ctx, row); err != nil {
				return err
			}
			return c.emit(ctx, tx, "feed", s.Name, text)
		})
		if err != nil {
			return fmt.Errorf("tell of feed %s: %w", s.Name, err)
		}
	}
	return nil
}

// feedStatus is the status of one feed as FeedStatuses gives it.
func (c *Control) feedStatus(ctx context.Context, name string) (firmward.FeedStatus, error) {
	all, err := c.FeedStatuses(ctx)
	if err != nil {
		return firmward.FeedStatus{}, err
	}
	if i := slices.IndexFunc(all, func(s firmward.FeedStatus) bool { return s.Name == name }); i >= 0 {
		return all[i], nil
	}
	return firmward.FeedStatus{}, firmward.Errorf(firmward.NotFound, "nothing was imported of "+name)
}

// withFetches adds how feeds are fetched, and those of which nothing was imported yet.
func (c *Control) withFetches(ctx context.Context, all []firmward.FeedStatus) ([]firmward.FeedStatus, error) {
	rows, err := c.Store.FeedFetches(ctx)
	if err != nil {
		return nil, err
	}
	by := map[string]*firmward.FeedFetch{}
	for i := range rows {
		by[rows[i].Name] = &rows[i]
	}
	for i := range all {
		all[i].Fetch = by[all[i].Name]
		delete(by, all[i].Name)
	}
	for _, name := range slices.Sorted(maps.Keys(by)) {
		if src, _, err := c.fetcher(name); err == nil {
			all = append(all, firmward.FeedStatus{Name: name, Kind: src.Info().Kind, Fetch: by[name]})
		}
	}
	slices.SortFunc(all, func(a, b firmward.FeedStatus) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}
