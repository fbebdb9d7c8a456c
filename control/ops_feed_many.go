package control

import (
	"context"
	"errors"
	"fmt"
	"path"
	"sync/atomic"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/feed"
	"github.com/firmward/firmward/store"
)

// Importing is an import of many documents that is under way.
type Importing struct {
	Feed, Document string
	Read           int   // documents so far
	Bytes          int64 // that came over the network so far
}

// importing is shared between the import and those who ask.
type importing struct {
	feed, document string
	read, bytes    atomic.Int64
}

// Importing gives the imports of many documents that are under way, in no order.
func (c *Control) Importing() []Importing {
	var out []Importing
	c.imports.Range(func(key, _ any) bool {
		i := key.(*importing)
		out = append(out, Importing{i.feed, i.document, int(i.read.Load()), i.bytes.Load()})
		return true
	})
	return out
}

// importMany takes all documents of a collection into one import. They have to be of one feed; with source given, only those
// of that feed are read. A document that is broken is refused and counted like a broken record, and nothing of it is kept.
func (c *Control) importMany(ctx context.Context, who firmward.Person, many *feed.Collection, source, document string) (firmward.FeedStatus, error) {
	first, err := c.firstOf(many, source, document)
	if err != nil {
		return firmward.FeedStatus{}, err
	}
	info := first.Info()
	if info.Whole {
		return firmward.FeedStatus{}, firmward.Errorf(firmward.Invalid, fmt.Sprintf("%s: one document is all of %s, and this holds several files: import the newest alone", document, info.Name))
	}
	news, err := c.newsOf(ctx, info)
	if err != nil {
		return firmward.FeedStatus{}, err
	}
	if many.Keys, err = c.pinned(ctx, info.Name); err != nil {
		return firmward.FeedStatus{}, err
	}
	many.Now = c.Clock.Now()
	m := reading{feed: info.Name, source: source, document: document, news: &news, progress: &importing{feed: info.Name, document: document}}
	c.imports.Store(m.progress, nil)
	defer c.imports.Delete(m.progress)
	status, err := c.Store.Import(ctx, info.Name, store.ImportOptions{Kind: info.Kind, Document: document, Now: c.Clock.Now(), Scratch: c.Scratch}, func(imp *store.Import) error {
		facts, err := c.readMany(ctx, imp, many, m)
		if err != nil {
			return err
		}
		imp.Then(c.imported(ctx, who, document, facts))
		return nil
	})
	if err != nil {
		return status, err
	}
	c.arrived(news)
	return status, nil
}

// reading is what is read of a collection.
type reading struct {
	feed     string
	source   string // as a person chose it: documents of other feeds are left aside
	refuse   bool   // without it: documents of other feeds are refused; else they end the import
	document string // name of the collection
	news     *feedNews
	progress *importing
}

// readMany reads the documents of a collection into an import, each for itself, and gives what the audit log says of them.
func (c *Control) readMany(ctx context.Context, imp *store.Import, many *feed.Collection, m reading) (map[string]string, error) {
	documents := 0
	for doc, err := range many.Documents() {
		if doc == nil {
			return nil, &firmward.Error{Code: firmward.CodeOf(err), Message: "nothing was imported, the last good data stays in use: " + err.Error()}
		}
		taken := false
		if err == nil {
			if taken, err = c.part(ctx, imp, doc, m); err != nil && (ctx.Err() != nil || !refusable(err)) {
				return nil, err
			}
		}
		m.progress.read.Add(1)
		if err != nil {
			c.Log.DebugContext(ctx, "document refused", "document", doc.Name, "reason", err)
			imp.Refuse(doc.Name, err.Error())
			continue
		}
		if taken {
			documents++
		}
	}
	facts := map[string]string{"documents": fmt.Sprint(documents), "hashes checked": fmt.Sprint(many.Hashed)}
	if many.Signed > 0 {
		facts["signatures not verified"] = fmt.Sprint(many.Signed)
	}
	if len(many.SignedBy) > 0 {
		facts["signed"] = signedBy(many.SignedBy)
	}
	return facts, nil
}

// part reads one document of several, unless it is left aside.
func (c *Control) part(ctx context.Context, imp *store.Import, doc *feed.Document, m reading) (taken bool, err error) {
	src, err := c.sourceFor("", doc)
	switch {
	case err != nil && len(doc.Head()) > 0 && (m.source != "" || doc.Page):
		return false, nil // those of one feed are asked for, or it is for people
	case err != nil:
		return false, err
	case src.Info().Name != m.feed && m.source != "":
		return false, nil
	case src.Info().Name != m.feed && m.refuse:
		return false, firmward.Errorf(firmward.Invalid, "it is a document of "+src.Info().Name)
	case src.Info().Name != m.feed:
		return false, firmward.Errorf(firmward.Conflict, fmt.Sprintf("%s holds documents of %s and, with %s, of %s: nothing was imported; say which to read with --source", m.document, m.feed, doc.Name, src.Info().Name))
	}
	return true, imp.Part(func() error {
		_, err := src.Sync(ctx, "", feed.Input{Reader: doc, Document: path.Base(doc.Name), Now: c.Clock.Now()}, c.sink(ctx, imp, doc.Name, m.news))
		return err
	})
}

// refusable reports whether an error is the document's own, so that the others can be read.
func refusable(err error) bool {
	if _, ok := errors.AsType[*feed.PositionError](err); ok {
		return true
	}
	switch firmward.CodeOf(err) {
	case firmward.Invalid, firmward.TooLarge:
		return true
	}
	return false
}

// firstOf finds the source of the first document that any source knows.
func (c *Control) firstOf(many *feed.Collection, source, document string) (feed.Source, error) {
	var last error
	for doc, err := range many.Documents() {
		if doc == nil {
			return nil, err
		}
		if err != nil {
			last = err
			continue
		}
		src, err := c.sourceFor("", doc)
		if err == nil && (source == "" || src.Info().Name == source) {
			return src, nil
		}
		last = err
	}
	if source != "" {
		if _, err := c.sourceFor(source, &feed.Document{}); err != nil {
			return nil, err
		}
	}
	text := document + " holds no document of any feed"
	if last != nil {
		text += ": " + last.Error()
	}
	return nil, firmward.Errorf(firmward.Invalid, text)
}
