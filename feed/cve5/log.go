package cve5

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/firmward/firmward/feed"
)

// log is what the log of changes says beyond a mark. The list writes it with each of its updates, for some weeks back, as long
// as the file does not grow too large. Its entries may come in any order, and name one record again and again.
type log struct {
	oldest, newest time.Time // entry that is not ahead of the clock
	changes        []update  // each record once, in its newest entry
	over           bool      // there are too many: changes are not all
	broken         int       // of those beyond the mark: no change of any record
}

// entry is one update of the list. Links in it are not read: an address is made from the record's id.
type entry struct {
	Fetched string          `json:"fetchTime"`
	New     json.RawMessage `json:"new"`
	Updated json.RawMessage `json:"updated"`
	Error   json.RawMessage `json:"error"` // neither new nor updated, and changed: empty as a rule
}

// named is a record that an entry names.
type named struct {
	ID      string `json:"cveId"`
	Updated string `json:"dateUpdated"`
}

// readLog reads the log. An entry without a time, or ahead of the clock, counts as one that the mark cannot pass: its records are
// read in every run until it is behind the clock or gone.
func readLog(b []byte, m cursor, now time.Time) (log, error) {
	var l log
	changes := map[string]update{}
	broken, err := each(b, func(e entry) error {
		at, err := feed.Day(e.Fetched)
		switch {
		case err != nil || at.After(now):
			at = time.Time{}
		case l.oldest.IsZero():
			l.oldest, l.newest = at, at
		case at.Before(l.oldest):
			l.oldest = at
		case at.After(l.newest):
			l.newest = at
		}
		if !at.IsZero() && (at.Before(m.Since) || at.Equal(m.Since) && m.ID == "") {
			return nil
		}
		for _, list := range []json.RawMessage{e.New, e.Updated, e.Error} {
			if len(list) == 0 || string(list) == "null" {
				continue
			}
			broken, err := each(list, func(n named) error {
				l.take(changes, n, at, m)
				return nil
			})
			if l.broken += broken; err != nil {
				return err
			}
		}
		return nil
	})
	l.broken += broken
	l.changes = slices.Collect(maps.Values(changes))
	return l, err
}

// take takes one change. at is zero when the mark cannot pass it.
func (l *log) take(changes map[string]update, n named, at time.Time, m cursor) {
	if !feed.CVE(n.ID) {
		l.broken++
		return
	}
	if !at.IsZero() && at.Equal(m.Since) && n.ID <= m.ID {
		return
	}
	c := update{ID: n.ID, at: at}
	if day, err := feed.Day(n.Updated); err == nil {
		c.Updated = day
	}
	before, known := changes[n.ID]
	switch {
	case known && before.at.After(at):
	case known && before.at.Equal(at) && before.Updated.After(c.Updated):
	case !known && len(changes) == most:
		l.over = true
	default:
		changes[n.ID] = c
	}
}

// each hands the elements of a list to f, one after another, so that a long list takes no more memory than its bytes. An element
// of another shape is left out and counted.
func each[T any](b []byte, f func(T) error) (broken int, err error) {
	d := json.NewDecoder(bytes.NewReader(b))
	fail := func(err error) (int, error) {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return broken, fmt.Errorf("at byte %d: %w", d.InputOffset(), err)
	}
	if t, err := d.Token(); err != nil {
		return fail(err)
	} else if t != json.Delim('[') {
		return fail(fmt.Errorf("a list was expected, not %v", t))
	}
	for d.More() {
		var v T
		err := d.Decode(&v)
		if _, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			broken++
			continue
		}
		if err == nil {
			err = f(v)
		}
		if err != nil {
			return fail(err)
		}
	}
	if _, err := d.Token(); err != nil {
		return fail(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fail(errors.New("more follows after the end"))
	}
	return broken, nil
}
