package control

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/feed"
	"github.com/firmward/firmward/store"
)

// ImportFeed takes one document file; document is the name shown to people. source may be empty: then the document's first bytes decide which
// source it belongs to. Nothing is half-imported: on an error the last good data stays in use.
func (c *Control) ImportFeed(ctx context.Context, who firmward.Person, source, path, document string) (firmward.FeedStatus, error) {
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
	known, err := c.Store.FeedStatuses(ctx)
	if err != nil {
		return firmward.FeedStatus{}, err
	}
	ends := info.Kind == "lifecycle" // of support
	status, err := c.Store.Import(ctx, info.Name, store.ImportOptions{
		Kind: info.Kind, Document: document, Now: c.Clock.Now(), ReplaceAll: info.Whole,
	}, func(imp *store.Import) error {
		_, err := src.Sync(ctx, "", feed.Input{Reader: doc, Document: document, Now: c.Clock.Now()}, feed.Sink{
			Advisory: imp.Advisory, Exploited: imp.Exploited, Likelihood: imp.Likelihood, Lifecycle: func(l firmward.Lifecycle) error {
				ends = true
				return imp.Lifecycle(l)
			},
			Refuse: imp.Refuse, Dated: imp.Dated,
		})
		if err != nil {
			return err
		}
		imp.Then(func(tx *store.Tx, s firmward.FeedStatus) error {
			if err := c.emit(ctx, tx, "feed", info.Name, fmt.Sprintf("%s: %d records from %s", info.Name, s.Records, document)); err != nil {
				return err
			}
			return c.leaf(ctx, tx, who.Name, "feed-import", info.Name, map[string]string{"document": document, "records": fmt.Sprint(s.Records), "refused": fmt.Sprint(s.Refused), "dated": s.Dated.Format("2006-01-02")})
		})
		return nil
	})
	if at, ok := errors.AsType[*feed.PositionError](err); ok {
		return status, &firmward.Error{Code: firmward.Invalid, Message: "nothing was imported, the last good data stays in use: " + at.Error(), Err: nil}
	}
	if err != nil {
		return status, err
	}
	c.stale.Store(true)
	c.wake(loopDecide)
	// Ends of support are no findings, and what a first document changes is how deep the knowledge is: that stands on every step.
	first := !slices.ContainsFunc(known, func(s firmward.FeedStatus) bool { return s.Name == info.Name && s.Records > 0 })
	if first || ends {
		c.touchAll()
	}
	return status, nil
}

func (c *Control) sourceFor(name string, doc *feed.Document) (feed.Source, error) {
	var names []string
	for _, s := range c.Sources {
		if n := s.Info().Name; !slices.Contains(names, n) {
			names = append(names, n)
		}
		if name == "" && s.Detect(doc.Head(), doc.Name) || name != "" && s.Info().Name == name {
			return s, nil
		}
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
	now := c.Clock.Now()
	for i, s := range all {
		at := slices.IndexFunc(c.Sources, func(src feed.Source) bool { return src.Info().Name == s.Name })
		if at >= 0 {
			limit := c.Sources[at].Info().StaleAfter
			all[i].Stale = limit > 0 && !s.Dated.IsZero() && now.Sub(s.Dated) > limit
		}
	}
	return all, nil
}
