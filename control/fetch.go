package control

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/feed"
	"github.com/firmward/firmward/store"
)

// fetching is one run of fetching a feed. What it asks for is the source's plan, which knows nothing of the inventory.
type fetching struct {
	*Control
	who      firmward.Person
	src      feed.Source
	plan     feed.Fetcher
	info     feed.Info
	urls     []string
	now      time.Time
	web      *web
	progress *importing
	news     feedNews

	at                           feed.Cursor                 // how far it was stored
	tags                         map[string]firmward.FeedTag // of what this run read, documents
	lists                        map[string]firmward.FeedTag // of indexes: kept when the run ends well, since what they list is read by then
	documents, refused, upToDate int
}

// fetch carries out one run and writes how it went. The feed must be marked as being fetched.
func (c *Control) fetch(ctx context.Context, who firmward.Person, name string) error {
	f, err := c.newFetch(ctx, who, name)
	if err != nil {
		return err
	}
	defer f.web.client.CloseIdleConnections()
	c.imports.Store(f.progress, nil)
	defer c.imports.Delete(f.progress)
	err = f.run(ctx)
	if f.documents > 0 {
		c.arrived(f.news)
	}
	if err == nil || ctx.Err() != nil { // who stops it is not the feed's fault; it goes on from where it is
		return err
	}
	if written := f.failed(ctx, err); written != nil {
		return errors.Join(err, written)
	}
	if at, ok := errors.AsType[*feed.PositionError](err); ok && firmward.CodeOf(err) == firmward.Internal {
		return firmward.Errorf(firmward.Invalid, "nothing of it was imported, the last good data stays in use: "+at.Error())
	}
	return err
}

// next asks the source what to ask. What it cannot make out is the server's fault.
func (f *fetching) next(asked feed.Fetching) (feed.Batch, error) {
	b, err := f.plan.Next(asked)
	if err != nil {
		err = &firmward.Error{Code: firmward.Invalid, Message: "fetch " + f.info.Name, Err: err}
	}
	f.refused += b.Refused
	return b, err
}

// newFetch reads how far the feed is, and writes that it is tried.
func (c *Control) newFetch(ctx context.Context, who firmward.Person, name string) (*fetching, error) {
	src, plan, err := c.fetcher(name)
	if err != nil {
		return nil, err
	}
	f := &fetching{
		Control: c, who: who, src: src, plan: plan, info: src.Info(), now: c.Clock.Now(), progress: &importing{feed: name, document: "network"},
		tags: map[string]firmward.FeedTag{}, lists: map[string]firmward.FeedTag{},
	}
	var row firmward.FeedFetch
	err = c.Store.Tx(ctx, func(tx *store.Tx) (err error) {
		if row, err = fetchRow(ctx, tx, name); err != nil {
			return err
		}
		row.Tried = f.now
		if row.By == "" {
			row.By, row.Since = who.Name, f.now
		}
		if err := tx.PutFeedFetch(ctx, row); err != nil {
			return err
		}
		return c.emit(ctx, tx, "fetch", name, name+" is being fetched")
	})
	if err != nil {
		return nil, fmt.Errorf("begin to fetch %s: %w", name, err)
	}
	if f.news, err = c.newsOf(ctx, f.info); err != nil {
		return nil, err
	}
	if f.urls = row.URLs; len(f.urls) == 0 {
		f.urls = f.info.URLs
	}
	f.at = feed.Cursor(row.Cursor)
	key := ""
	if row.Keyed {
		sealed, err := c.Store.SecretFor(ctx, feedScope(name))
		if err != nil {
			return nil, err
		}
		secret, err := c.Secrets.Open(sealed.Scope, sealed.Ciphertext)
		if err != nil {
			return nil, err
		}
		key = secret.Password
	}
	pinned, err := pinnedKeys(row)
	if err != nil {
		return nil, err
	}
	f.web = c.newWeb(f.urls, key, pinned, row.Tags, &f.progress.bytes)
	return f, nil
}

// run asks for batch after batch until the source has nothing more to ask.
func (f *fetching) run(ctx context.Context) error {
	b, err := f.next(feed.Fetching{At: f.at, URLs: f.urls, Now: f.now})
	for n := 0; err == nil && len(b.Requests) > 0; n++ {
		switch {
		case n == feed.MaxBatches:
			err = firmward.Errorf(firmward.Invalid, fmt.Sprintf("the server comes to no end after %d answers", n))
		case b.Index:
			b, err = f.index(ctx, b)
		default:
			b, err = f.batch(ctx, b)
		}
	}
	if err != nil {
		return err
	}
	return f.done(ctx, b.At)
}

// index asks for indexes and hands them to the source.
func (f *fetching) index(ctx context.Context, b feed.Batch) (feed.Batch, error) {
	asked := feed.Fetching{At: b.At, URLs: f.urls, Now: f.now, Before: &b, Answers: make([][]byte, len(b.Requests))}
	for i, q := range b.Requests {
		body, a, err := f.web.index(ctx, q, feed.MaxIndex)
		switch {
		case err != nil && b.Many && missing(err):
			f.Log.WarnContext(ctx, "index refused", "index", q.URL, "reason", err)
			f.refused++
			asked.Refused = append(asked.Refused, q.URL)
		case err != nil:
			return b, err
		case q.Conditional:
			f.lists[q.URL] = a.tag
		}
		asked.Answers[i] = body
	}
	return f.next(asked)
}

// kept is a document in a file.
type kept struct {
	q    feed.Request
	path string
}

// batch fetches documents first, so that no import waits for the network, and then imports them together.
func (f *fetching) batch(ctx context.Context, b feed.Batch) (feed.Batch, error) {
	var files []kept
	defer func() {
		for _, k := range files {
			_ = os.Remove(k.path) // the folder is emptied at the next start
		}
	}()
	asked := feed.Fetching{At: b.At, URLs: f.urls, Now: f.now, Before: &b}
	tags := map[string]firmward.FeedTag{}
	for _, q := range b.Requests {
		path, a, err := f.web.download(ctx, q)
		switch {
		case err != nil && b.Many && missing(err):
			f.Log.DebugContext(ctx, "document refused", "document", q.URL, "reason", err)
			asked.Refused = append(asked.Refused, q.URL)
			continue
		case err != nil:
			return b, err
		case a.unchanged:
			f.upToDate++
		default:
			files = append(files, kept{q, path})
		}
		if q.Conditional {
			tags[q.URL] = a.tag
		}
		f.progress.read.Add(1)
	}
	if len(files) == 0 {
		return f.skip(ctx, asked, tags)
	}
	return f.take(ctx, asked, files, tags)
}

// missing reports whether a document of many is left out alone: it is not there, lies elsewhere or is not what was published.
func missing(err error) bool {
	switch firmward.CodeOf(err) {
	case firmward.NotFound, firmward.Refused, firmward.Invalid, firmward.TooLarge:
		return true
	}
	return false
}

// skip goes on without an import: all is unchanged, or nothing could be used.
func (f *fetching) skip(ctx context.Context, asked feed.Fetching, tags map[string]firmward.FeedTag) (feed.Batch, error) {
	f.refused += len(asked.Refused)
	next, err := f.next(asked)
	if err != nil {
		return next, err
	}
	return next, f.Store.Tx(ctx, func(tx *store.Tx) error { return f.save(ctx, tx, next.At, tags) })
}

// take imports the documents of a batch. How far the feed is read then is written in the same transaction.
func (f *fetching) take(ctx context.Context, asked feed.Fetching, files []kept, tags map[string]firmward.FeedTag) (feed.Batch, error) {
	var next feed.Batch
	document, host := files[0].q.Name, feed.Hosts([]string{files[0].q.URL})[0]
	if asked.Before.Many {
		document = fmt.Sprintf("%d documents of %s", len(files), host)
	}
	o := store.ImportOptions{Kind: f.info.Kind, Document: document, Now: f.Clock.Now(), ReplaceAll: f.info.Whole, Scratch: f.Scratch}
	all := len(asked.Refused) + len(files)
	facts := map[string]string{"fetched from": host}
	_, err := f.Store.Import(ctx, f.info.Name, o, func(imp *store.Import) error {
		for _, url := range asked.Refused {
			imp.Refuse(url, "it could not be fetched")
		}
		for _, k := range files {
			at, err := f.read(ctx, imp, asked, k, facts)
			switch {
			case err == nil && !asked.Before.Many:
				asked.At = at
			case err != nil && asked.Before.Many && ctx.Err() == nil && refusable(err):
				f.Log.DebugContext(ctx, "document refused", "document", k.q.URL, "reason", err)
				imp.Refuse(k.q.URL, err.Error())
				asked.Refused = append(asked.Refused, k.q.URL)
			case err != nil:
				return err
			}
		}
		var err error
		if next, err = f.next(asked); err != nil {
			return err
		}
		imp.Then(f.imported(ctx, f.who, document, facts))
		imp.Then(func(tx *store.Tx, _ firmward.FeedStatus) error { return f.save(ctx, tx, next.At, tags) })
		return nil
	})
	switch {
	case err == nil:
		f.documents += all - len(asked.Refused)
		f.refused += len(asked.Refused)
		return next, nil
	case asked.Before.Many && len(asked.Refused) == all && ctx.Err() == nil:
		return f.skip(ctx, asked, tags)
	case firmward.CodeOf(err) == firmward.Conflict: // the server is behind what is held
		f.upToDate++
		return f.skip(ctx, asked, nil)
	}
	return next, err
}

// read hands one document to the source, as a file is. facts take what the audit log says of it.
func (f *fetching) read(ctx context.Context, imp *store.Import, asked feed.Fetching, k kept, facts map[string]string) (feed.Cursor, error) {
	at := cmp.Or(k.q.Want, asked.Before.At)
	if k.q.Archive {
		more, err := f.archive(ctx, imp, k)
		maps.Copy(facts, more)
		return at, err
	}
	doc, err := feed.OpenAs(k.path, k.q.Name)
	if err != nil {
		return "", err
	}
	defer doc.Close()
	if !f.src.Detect(doc.Head(), k.q.Name) {
		return "", firmward.Errorf(firmward.Invalid, fmt.Sprintf("%s: what came does not look like %s: somebody else may have answered, as a proxy or a login page", k.q.Name, f.info.Title))
	}
	sync := func() (feed.Cursor, error) {
		return f.src.Sync(ctx, at, feed.Input{Reader: doc, Document: k.q.Name, Now: f.Clock.Now()}, f.sink(ctx, imp, k.q.Name, &f.news))
	}
	if !asked.Before.Many {
		return sync()
	}
	return "", imp.Part(func() error { _, err := sync(); return err })
}

// save writes how far the feed is read and what servers said of its documents.
func (f *fetching) save(ctx context.Context, tx *store.Tx, at feed.Cursor, tags map[string]firmward.FeedTag) error {
	row, err := fetchRow(ctx, tx, f.info.Name)
	if err != nil {
		return err
	}
	maps.Copy(f.tags, tags)
	if row.Tags == nil {
		row.Tags = map[string]firmward.FeedTag{}
	}
	maps.Copy(row.Tags, tags)
	row.Cursor = string(at)
	return tx.PutFeedFetch(ctx, row)
}

// done writes that all is read.
func (f *fetching) done(ctx context.Context, at feed.Cursor) error {
	now := f.Clock.Now()
	return f.Store.Tx(ctx, func(tx *store.Tx) error {
		row, err := fetchRow(ctx, tx, f.info.Name)
		if err != nil {
			return err
		}
		row.Cursor, row.Good, row.Failures, row.LastError = string(at), now, 0, ""
		row.Tags = maps.Clone(f.tags) // what this run did not ask for is not asked for again
		maps.Copy(row.Tags, f.lists)
		row.Next = time.Time{}
		if row.Follow {
			row.Next = f.info.Due(0, now, rand.Float64())
		}
		if err := tx.PutFeedFetch(ctx, row); err != nil {
			return err
		}
		if err := tx.ForgetFeedError(ctx, f.info.Name); err != nil {
			return err
		}
		if err := f.emit(ctx, tx, "fetch", f.info.Name, f.info.Name+" was fetched"); err != nil {
			return err
		}
		facts := map[string]string{
			"requests": fmt.Sprint(f.web.asked), "documents": fmt.Sprint(f.documents), "unchanged": fmt.Sprint(f.upToDate), "refused": fmt.Sprint(f.refused),
		}
		if len(f.web.signed) > 0 {
			facts["signed"] = signedBy(f.web.signed)
		}
		return f.leaf(ctx, tx, f.who.Name, "feed-fetch", f.info.Name, facts)
	})
}

// failed writes that a run failed, and when the next one comes.
func (f *fetching) failed(ctx context.Context, cause error) error {
	ctx = context.WithoutCancel(ctx)
	now := f.Clock.Now()
	return f.Store.Tx(ctx, func(tx *store.Tx) error {
		row, err := fetchRow(ctx, tx, f.info.Name)
		if err != nil {
			return err
		}
		row.Failures++
		row.Tried = now // what this run imported before does not count as newer than its failure
		row.LastError, row.Next = cause.Error(), time.Time{}
		if row.Follow {
			row.Next = f.info.Due(row.Failures, now, rand.Float64())
			if l, ok := errors.AsType[*later](cause); ok && now.Add(l.after).After(row.Next) {
				row.Next = now.Add(l.after)
			}
		}
		if err := tx.PutFeedFetch(ctx, row); err != nil {
			return err
		}
		kind := "feed"
		if row.Failures > 1 {
			kind = "fetch" // people were told of the first one
		}
		if err := f.emit(ctx, tx, kind, f.info.Name, f.info.Name+" could not be fetched: "+row.LastError); err != nil || row.Failures > 1 {
			return err
		}
		return f.leaf(ctx, tx, f.who.Name, "feed-fetch", f.info.Name, map[string]string{"requests": fmt.Sprint(f.web.asked), "failed": row.LastError})
	})
}

// fetchRow is how a feed is fetched; a new one when it never was.
func fetchRow(ctx context.Context, tx *store.Tx, name string) (firmward.FeedFetch, error) {
	row, err := tx.FeedFetch(ctx, name)
	if firmward.CodeOf(err) == firmward.NotFound {
		return firmward.FeedFetch{Name: name}, nil
	}
	return row, err
}
