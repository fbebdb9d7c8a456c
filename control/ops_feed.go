package control

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/feed"
	"github.com/firmward/firmward/store"
)

// ImportFeed takes one document file, or many of one feed in a folder or an archive; document is the name shown to people. source may be
// empty: then the first bytes decide which source a document belongs to. Nothing is half-imported: on an error the last good data stays in use.
func (c *Control) ImportFeed(ctx context.Context, who firmward.Person, source, path, document string) (firmward.FeedStatus, error) {
	many, err := feed.OpenCollection(path)
	if err != nil {
		return firmward.FeedStatus{}, err
	}
	if many != nil {
		return c.importMany(ctx, who, many, source, document)
	}
	doc, err := feed.Open(path)
	if err != nil {
		return firmward.FeedStatus{}, err
	}
	defer doc.Close()
	src, err := c.sourceFor(source, doc)
	if err != nil {
		return firmward.FeedStatus{}, err
	}
	info := src.Info()
	if err := c.mayComeAlone(ctx, info.Name, document); err != nil {
		return firmward.FeedStatus{}, err
	}
	news, err := c.newsOf(ctx, info)
	if err != nil {
		return firmward.FeedStatus{}, err
	}
	status, err := c.Store.Import(ctx, info.Name, store.ImportOptions{
		Kind: info.Kind, Document: document, Now: c.Clock.Now(), ReplaceAll: info.Whole, Scratch: c.Scratch,
	}, func(imp *store.Import) error {
		if _, err := src.Sync(ctx, "", feed.Input{Reader: doc, Document: document, Now: c.Clock.Now()}, c.sink(ctx, imp, document, &news)); err != nil {
			return err
		}
		imp.Then(c.imported(ctx, who, document, nil))
		return nil
	})
	if at, ok := errors.AsType[*feed.PositionError](err); ok {
		return status, &firmward.Error{Code: firmward.Invalid, Message: "nothing was imported, the last good data stays in use: " + at.Error(), Err: nil}
	}
	if err != nil {
		return status, err
	}
	c.arrived(news)
	return status, nil
}

// feedNews is what an import changes beside findings: those follow by fingerprints.
type feedNews struct {
	first bool // document of its feed: how deep the knowledge is stands on every step
	ends  bool // of support, which are no findings
}

func (c *Control) newsOf(ctx context.Context, info feed.Info) (feedNews, error) {
	known, err := c.Store.FeedStatuses(ctx)
	return feedNews{
		first: !slices.ContainsFunc(known, func(s firmward.FeedStatus) bool { return s.Name == info.Name && s.Records > 0 }),
		ends:  info.Kind == "lifecycle",
	}, err
}

// arrived lets findings and steps follow an import.
func (c *Control) arrived(n feedNews) {
	c.stale.Store(true)
	c.wake(loopDecide)
	if n.first || n.ends {
		c.touchAll()
	}
}

// sink hands the records of one document to an import. What is refused is logged.
func (c *Control) sink(ctx context.Context, imp *store.Import, document string, news *feedNews) feed.Sink {
	return feed.Sink{
		Advisory: imp.Advisory, Exploited: imp.Exploited, Likelihood: imp.Likelihood,
		Lifecycle: func(l firmward.Lifecycle) error {
			news.ends = true
			return imp.Lifecycle(l)
		},
		Dated: imp.Dated, Replace: imp.Replace,
		Refuse: func(where, why string) {
			c.Log.DebugContext(ctx, "record refused", "document", document, "record", where, "reason", why)
			imp.Refuse(where, why)
		},
		Aside: imp.Aside,
	}
}

// imported tells of an import, in its transaction.
func (c *Control) imported(ctx context.Context, who firmward.Person, document string, more map[string]string) func(*store.Tx, firmward.FeedStatus) error {
	return func(tx *store.Tx, s firmward.FeedStatus) error {
		if err := c.emit(ctx, tx, "feed", s.Name, fmt.Sprintf("%s: %d records from %s", s.Name, s.Records, document)); err != nil {
			return err
		}
		facts := map[string]string{"document": document, "records": fmt.Sprint(s.Records), "refused": fmt.Sprint(s.Refused), "dated": s.Dated.Format("2006-01-02")}
		if s.Aside > 0 {
			facts["left aside"] = fmt.Sprint(s.Aside)
		}
		maps.Copy(facts, more)
		return c.leaf(ctx, tx, who.Name, "feed-import", s.Name, facts)
	}
}

// sourceFor finds the source of a document by its first bytes, or the one of that name: of several, which read documents of
// different form, the one that knows it.
func (c *Control) sourceFor(name string, doc *feed.Document) (feed.Source, error) {
	var names []string
	var named feed.Source
	for _, s := range c.Sources {
		n := s.Info().Name
		if !slices.Contains(names, n) {
			names = append(names, n)
		}
		if (name == "" || name == n) && s.Detect(doc.Head(), doc.Name) {
			return s, nil
		}
		if n == name && named == nil {
			named = s
		}
	}
	if named != nil {
		return named, nil
	}
	if name != "" {
		return nil, firmward.Errorf(firmward.NotFound, fmt.Sprintf("no feed is called %s: want one of %s", name, strings.Join(names, ", ")))
	}
	if len(doc.Head()) == 0 {
		return nil, firmward.Errorf(firmward.Invalid, doc.Name+" is empty: fetch it again")
	}
	return nil, firmward.Errorf(firmward.Invalid, fmt.Sprintf("%s: its beginning looks like none of the feeds %s", doc.Name, strings.Join(names, ", ")))
}

// FeedStatuses tells how deep and fresh the knowledge is; a feed past its staleness limit says so.
func (c *Control) FeedStatuses(ctx context.Context) ([]firmward.FeedStatus, error) {
	all, err := c.Store.FeedStatuses(ctx)
	if err != nil {
		return nil, err
	}
	if all, err = c.withFetches(ctx, all); err != nil {
		return nil, err
	}
	now := c.Clock.Now()
	for i, s := range all {
		at := slices.IndexFunc(c.Sources, func(src feed.Source) bool { return src.Info().Name == s.Name })
		if at >= 0 {
			info := c.Sources[at].Info()
			all[i].Stale, all[i].StaleAt = info.Stale(s, now), info.StaleAt(s)
			all[i].Trouble, _ = info.Trouble(s, now)
		}
	}
	return all, nil
}
