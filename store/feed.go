package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/firmward/firmward"
)

// generation is the setting that counts successful imports.
const generation = "feed-generation"

// Generation grows with each successful import. Findings carry the one that they were judged with.
func (r Reader) Generation(ctx context.Context) (int64, error) {
	return r.number(ctx, generation)
}

// useGeneration is the setting that keeps the generation of the last import that told of the use of vulnerabilities.
const useGeneration = "use-generation"

// UseGeneration gives the generation of the last import that told which vulnerabilities are exploited, or how likely that is.
func (r Reader) UseGeneration(ctx context.Context) (int64, error) {
	return r.number(ctx, useGeneration)
}

// number reads a setting that is a number, 0 while it is not set.
func (r Reader) number(ctx context.Context, setting string) (int64, error) {
	text, err := r.Setting(ctx, setting)
	if err != nil || text == "" {
		return 0, err
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read setting %s: %w", setting, err)
	}
	return n, nil
}

// FeedStatuses gives the state of each feed that was imported or failed, sorted by name. Stale is left to the caller.
func (r Reader) FeedStatuses(ctx context.Context) ([]firmward.FeedStatus, error) {
	return list(ctx, r, bodies[firmward.FeedStatus], "SELECT body FROM feed ORDER BY name")
}

// FeedStatus gives the state of one feed.
func (r Reader) FeedStatus(ctx context.Context, name string) (firmward.FeedStatus, error) {
	return one[firmward.FeedStatus](ctx, r, "feed", name, "SELECT body FROM feed WHERE name = $1", name)
}

func (t *Tx) putFeed(ctx context.Context, s firmward.FeedStatus) error {
	return t.put(ctx, "INSERT INTO feed (name, body) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET body = excluded.body", s.Name, js{s})
}

// ImportOptions describe one document.
type ImportOptions struct {
	Kind       string // advisories, exploited, likelihood, lifecycle; starter holds all four
	Document   string // name shown to people
	Now        time.Time
	Scratch    string // folder for what does not fit into memory; empty for the system's own
	ReplaceAll bool   // the document is complete: what this feed held of its kind and the document lacks is removed
}

// Import takes one document of a feed, or several at once. f hands over the records; they are kept in memory, and in a file
// when they are many, while it reads, so writers are held up only while what was read is stored, in one transaction. When f or the storing fails, nothing
// is changed, the last good data stays, and FeedStatus says why and when. A record that f refuses is counted; a
// document of which every record is refused fails. Knowledge never goes back: an older form of an advisory does not
// replace a newer one, and an older list of exploited or likely vulnerabilities, or of all ends of support, is refused.
func (s *Store) Import(ctx context.Context, feed string, o ImportOptions, f func(*Import) error) (firmward.FeedStatus, error) {
	imp := &Import{feed: feed, o: o}
	defer imp.close()
	err := f(imp)
	if err == nil && imp.refused > 0 && imp.empty() {
		err = firmward.Errorf(firmward.Invalid, fmt.Sprintf("nothing was imported, the last good data stays in use: %s: none of its records could be read (%d)", o.Document, imp.refused))
	}
	var status firmward.FeedStatus
	if err == nil {
		err = s.Tx(ctx, func(tx *Tx) (err error) {
			status, err = imp.store(ctx, tx)
			return err
		})
	}
	if err == nil {
		return status, nil
	}
	if firmward.CodeOf(err) == firmward.Conflict {
		return firmward.FeedStatus{}, err // the document is fine, and so is what is there
	}
	cause := err.Error()
	err = fmt.Errorf("import %s into %s: %w", o.Document, feed, err)
	failed := s.Tx(context.WithoutCancel(ctx), func(tx *Tx) error {
		status, err2 := tx.FeedStatus(ctx, feed)
		if firmward.CodeOf(err2) == firmward.NotFound {
			status, err2 = firmward.FeedStatus{Name: feed, Kind: o.Kind}, nil
		}
		if err2 != nil {
			return err2
		}
		status.LastError, status.FailedAt = cause, o.Now
		return tx.putFeed(ctx, status)
	})
	return firmward.FeedStatus{}, errors.Join(err, failed)
}

func (i *Import) store(ctx context.Context, tx *Tx) (firmward.FeedStatus, error) {
	status := firmward.FeedStatus{Name: i.feed, Kind: i.o.Kind, Refused: i.refused, Aside: i.aside, Dated: i.dated, Imported: i.o.Now, Document: i.o.Document}
	old, err := tx.FeedStatus(ctx, i.feed)
	if err != nil && firmward.CodeOf(err) != firmward.NotFound {
		return status, err
	}
	lists := len(i.exploited) > 0 || len(i.likelihoods) > 0 || len(i.lifecycles) > 0 && i.o.ReplaceAll
	if older := !i.dated.IsZero() && i.dated.Before(old.Dated); older && lists && i.o.Kind != "starter" && i.o.Kind != "advisories" {
		return status, firmward.Errorf(firmward.Conflict, fmt.Sprintf("%s is of %s, and what is in use is of %s: nothing was changed",
			i.o.Document, i.dated.Format(time.DateOnly), old.Dated.Format(time.DateOnly)))
	}
	if !i.o.ReplaceAll && status.Dated.Before(old.Dated) {
		status.Dated = old.Dated // an archive adds to what is there and makes it no older
	}
	if i.o.ReplaceAll {
		if i.changed, err = tx.advisoriesOf(ctx, i.feed, i.o.Kind); err != nil {
			return status, err
		}
		if err := i.keepBodies(ctx, tx, i.removed(i.changed)); err != nil {
			return status, err
		}
		if err := tx.clearFeed(ctx, i.feed, i.o.Kind); err != nil {
			return status, err
		}
	}
	for _, store := range []func(context.Context, *Tx) error{i.storeAdvisories, i.storeExploited, i.storeLikelihoods, i.storeLifecycles} {
		if err := store(ctx, tx); err != nil {
			return status, err
		}
	}
	_, err = tx.row(ctx, `SELECT (SELECT COUNT(*) FROM advisory WHERE feed = $1) + (SELECT COUNT(*) FROM exploited WHERE feed = $1)
		+ (SELECT COUNT(*) FROM likelihood WHERE feed = $1) + (SELECT COUNT(*) FROM lifecycle WHERE feed = $1)`, args(i.feed), &status.Records)
	if err != nil {
		return status, err
	}
	gen, err := tx.Generation(ctx)
	if err != nil {
		return status, err
	}
	if err := i.storeChanges(ctx, tx, gen+1); err != nil {
		return status, err
	}
	if err := tx.PutSetting(ctx, generation, strconv.FormatInt(gen+1, 10)); err != nil {
		return status, err
	}
	if len(i.exploited)+len(i.likelihoods) > 0 || i.o.ReplaceAll && i.o.Kind != "advisories" {
		if err := tx.PutSetting(ctx, useGeneration, strconv.FormatInt(gen+1, 10)); err != nil {
			return status, err
		}
	}
	if err := tx.putFeed(ctx, status); err != nil {
		return status, err
	}
	for _, then := range i.then {
		if err := then(tx, status); err != nil {
			return status, err
		}
	}
	return status, nil
}

// advisoriesOf gives the ids and sources of the advisories that a document of this kind replaces.
func (r Reader) advisoriesOf(ctx context.Context, feed, kind string) ([][2]string, error) {
	if kind != "advisories" && kind != "starter" {
		return nil, nil
	}
	return list(ctx, r, changedKey, "SELECT id, source FROM advisory WHERE feed = $1", feed)
}

// changedKey scans the id and source of an advisory.
func changedKey(s scan) (k [2]string, err error) {
	err = s(&k[0], &k[1])
	return k, err
}

// Changes calls f with the id and source of each advisory that an import of a later generation wrote or removed. It reports false,
// and calls f no more, when not all of them were listed: then everything may have changed.
func (r Reader) Changes(ctx context.Context, after int64, f func(id, source string)) (listed bool, err error) {
	now, err := r.Generation(ctx)
	if err != nil {
		return false, err
	}
	if now-after >= generationsKept {
		return false, nil
	}
	listed = true
	err = r.each(ctx, "SELECT id, source FROM advisory_change WHERE generation > $1 ORDER BY id, source", func(s scan) error {
		var id, source string
		if err := s(&id, &source); err != nil {
			return err
		}
		listed = listed && id != ""
		if listed {
			f(id, source)
		}
		return nil
	}, after)
	return listed, err
}

// clearFeed removes what a feed holds of one kind of document.
func (t *Tx) clearFeed(ctx context.Context, feed, kind string) error {
	tables := map[string][]string{
		"advisories": {"advisory"}, "exploited": {"exploited"}, "likelihood": {"likelihood"}, "lifecycle": {"lifecycle"},
		"starter": {"advisory", "exploited", "likelihood", "lifecycle"},
	}[kind]
	if tables == nil {
		return firmward.Errorf(firmward.Invalid, "unknown kind of document "+strconv.Quote(kind)+": want advisories, exploited, likelihood, lifecycle or starter")
	}
	for _, table := range tables {
		if table == "advisory" {
			if err := t.put(ctx, "DELETE FROM advisory_withdrawn WHERE feed = $1", feed); err != nil {
				return err
			}
		}
		if err := t.put(ctx, "DELETE FROM "+table+" WHERE feed = $1", feed); err != nil {
			return err
		}
	}
	return nil
}
