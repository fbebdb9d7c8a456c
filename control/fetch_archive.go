package control

import (
	"context"
	"errors"
	"fmt"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/feed"
	"github.com/firmward/firmward/store"
)

// archive reads an archive of many documents as a file of many is read, and gives what the audit log says of it. It has to be one
// of this feed; documents of others in it are refused and counted.
func (f *fetching) archive(ctx context.Context, imp *store.Import, k kept) (map[string]string, error) {
	many, err := feed.OpenCollectionAs(k.path, k.q.Name)
	if err == nil && many == nil {
		err = f.noArchive(k)
	}
	if err != nil {
		return nil, err
	}
	if _, err := f.firstOf(many, f.info.Name, k.q.Name); err != nil {
		return nil, err
	}
	many.Keys, many.Now = f.web.pinned, f.Clock.Now()
	return f.readMany(ctx, imp, many, reading{feed: f.info.Name, refuse: true, document: k.q.Name, news: &f.news, progress: f.progress})
}

// noArchive says what is wrong with what came in place of an archive.
func (f *fetching) noArchive(k kept) error {
	doc, err := feed.OpenAs(k.path, k.q.Name)
	if err != nil {
		return err
	}
	return errors.Join(firmward.Errorf(firmward.Invalid, fmt.Sprintf("%s: what came is no archive of many documents: somebody else may have answered, as a proxy or a login page", k.q.Name)), doc.Close())
}
