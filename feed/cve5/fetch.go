package cve5

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/firmward/firmward/feed"
)

// The addresses: the folder in which cves/ lies, with the log of changes and every record in a file of its own, and the archive
// of the whole list, which its host sends without a redirect. An address that ends with a slash is a folder. An archive alone
// is read whole whenever it has changed.
//
// Check: github.com/CVEProject/cvelistV5, and its cves/deltaLog.json.
const (
	folderURL  = "https://raw.githubusercontent.com/CVEProject/cvelistV5/main/"
	archiveURL = "https://codeload.github.com/CVEProject/cvelistV5/zip/refs/heads/main"
	logPath    = "cves/deltaLog.json"
)

const (
	together = 200    // records in one import
	most     = 10_000 // changed records that are asked for one by one: beyond that the archive is one request
	owed     = 500    // records that are asked for again in the next run
	maxTries = 7      // of a record that could not be used, one a run

	// overlap is read once more after the archive, which may be of an older state than the log that was read before it.
	overlap = 6 * time.Hour

	// Nothing is published on how often the folder's host may be asked without an account. This is 5,000 times an hour.
	pace = 720 * time.Millisecond
)

// cursor is how far a feed is that is fetched: the entries of the log up to a time are read.
type cursor struct {
	Since time.Time `json:"since"`
	ID    string    `json:"id,omitempty"` // of the entry of that very time only the records up to this one
	Owed  []update  `json:"owed,omitempty"`
}

// update is a record that the log names.
type update struct {
	ID      string    `json:"id"`
	Updated time.Time `json:"updated,omitzero"` // the state that the log tells of
	Tries   int       `json:"tries,omitempty"`  // that failed
	at      time.Time // of its newest entry; zero: of none that the mark can pass
}

// run is what a fetch remembers from batch to batch.
type run struct {
	mark    cursor
	newest  time.Time // entry of the log: read when nothing is pending
	batch   []update  // asked for
	pending []update  // in the order of their entries
}

// Next asks for the log of changes first. Where that does not reach back to the mark, or cannot be read, or tells of very many
// changes, it asks for the whole list, and then for the records that changed.
func (Source) Next(f feed.Fetching) (feed.Batch, error) {
	m, err := parseCursor(f.At)
	if err != nil {
		return feed.Batch{}, err
	}
	folder, archive, err := places(f.URLs)
	if err != nil {
		return feed.Batch{}, err
	}
	if f.Before == nil {
		if folder == "" {
			return run{mark: m}.whole(f.At, archive, ""), nil
		}
		return feed.Batch{At: f.At, Index: true, Many: true, Requests: []feed.Request{{
			URL: folder + logPath, Name: "deltaLog.json", Conditional: true, Pace: pace,
		}}}, nil
	}
	r, _ := f.Before.Memo.(run)
	switch {
	case !f.Before.Index:
		r.mark = r.mark.after(r.batch, f.Refused)
		return r.next(folder)
	case len(f.Refused) == 0 && f.Answers[0] == nil && !m.Since.IsZero(): // what the log lists is read
		return run{mark: m, pending: m.Owed}.next(folder)
	}
	l, why := log{}, "its log of changes could not be fetched"
	if f.Answers[0] != nil {
		l, why = enough(f, m)
	}
	if why != "" || m.Since.IsZero() {
		if m.Since.IsZero() {
			why = ""
		}
		return afterWhole(f, l).whole(f.At, archive, why), nil
	}
	r = run{mark: m, newest: l.newest, pending: l.changes}
	for _, o := range m.Owed {
		if !slices.ContainsFunc(l.changes, func(c update) bool { return c.ID == o.ID }) {
			r.pending = append(r.pending, o)
		}
	}
	r.order()
	b, err := r.next(folder)
	b.Refused = l.broken
	return b, err
}

// enough reads the log, and says why it is not enough to go on from the cursor.
func enough(f feed.Fetching, m cursor) (l log, why string) {
	l, err := readLog(f.Answers[0], m, f.Now)
	switch {
	case err != nil:
		return log{}, "its log of changes cannot be read: " + err.Error()
	case l.oldest.IsZero() || l.oldest.After(m.Since):
		why = "its log of changes does not reach back to " + m.Since.Format(time.DateOnly)
	case l.over:
		why = fmt.Sprintf("its log tells of more than %d changed records", most)
	}
	return l, why
}

// afterWhole is what follows the archive: the changes of the last hours before the log was read.
func afterWhole(f feed.Fetching, l log) run {
	if l.newest.IsZero() {
		return run{mark: cursor{Since: f.Now.UTC().Add(-overlap)}} // there is no log: the archive is of some time after now
	}
	r := run{mark: cursor{Since: l.newest.Add(-overlap)}, newest: l.newest}
	l, err := readLog(f.Answers[0], r.mark, f.Now)
	if err != nil || l.over {
		r.mark.Since = r.newest
		return r
	}
	r.pending = l.changes
	r.order()
	return r
}

// whole asks for the archive.
func (r run) whole(at feed.Cursor, archive, why string) feed.Batch {
	name := "the whole CVE list"
	if why != "" {
		name += " (" + why + ")"
	}
	return feed.Batch{At: at, Requests: []feed.Request{{URL: archive, Name: name, Conditional: true, Archive: true}}, Memo: r}
}

// order puts changes into the order of their entries.
func (r *run) order() {
	slices.SortFunc(r.pending, func(a, b update) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.ID, b.ID)) })
}

// next asks for the records that are pending, the oldest changes first.
func (r run) next(folder string) (feed.Batch, error) {
	if !slices.ContainsFunc(r.pending, func(c update) bool { return c.at.Equal(r.mark.Since) }) {
		r.mark.ID = "" // nothing more of that entry
	}
	n := min(together, len(r.pending))
	r.batch, r.pending = r.pending[:n], r.pending[n:]
	if n == 0 && r.newest.After(r.mark.Since) {
		r.mark.Since, r.mark.ID = r.newest, ""
	}
	b := feed.Batch{Many: true, Memo: r}
	if !r.mark.Since.IsZero() {
		at, err := json.Marshal(r.mark)
		if err != nil {
			return b, fmt.Errorf("write cursor: %w", err)
		}
		b.At = feed.Cursor(at)
	}
	for _, c := range r.batch {
		b.Requests = append(b.Requests, feed.Request{URL: folder + path(c.ID), Name: c.ID + ".json", Pace: pace, Want: c.want()})
	}
	return b, nil
}

// after is how far the feed is read once a batch is.
func (m cursor) after(batch []update, refused []string) cursor {
	bad := map[string]bool{}
	for _, u := range refused {
		bad[strings.TrimSuffix(u[strings.LastIndex(u, "/")+1:], ".json")] = true
	}
	still := map[string]update{}
	for _, o := range m.Owed {
		still[o.ID] = o
	}
	for _, c := range batch {
		delete(still, c.ID)
		if c.Tries++; bad[c.ID] && c.Tries < maxTries && len(still) < owed {
			still[c.ID] = c
		}
		if !c.at.Before(m.Since) && !c.at.IsZero() {
			m.Since, m.ID = c.at, c.ID
		}
	}
	m.Owed = slices.SortedFunc(maps.Values(still), func(a, b update) int { return cmp.Compare(a.ID, b.ID) })
	return m
}

func parseCursor(c feed.Cursor) (cursor, error) {
	var m cursor
	if c == "" {
		return m, nil
	}
	err := json.Unmarshal([]byte(c), &m)
	if err == nil && slices.ContainsFunc(m.Owed, func(c update) bool { return !feed.CVE(c.ID) }) {
		err = fmt.Errorf("it owes what is no CVE record")
	}
	if err != nil {
		return m, fmt.Errorf("cursor: %w", err)
	}
	return m, nil
}

// places tells the folder from the archive.
func places(urls []string) (folder, archive string, err error) {
	for _, u := range urls {
		is := &archive
		if strings.HasSuffix(u, "/") {
			is = &folder
		}
		if *is != "" {
			archive = ""
			break
		}
		*is = u
	}
	if archive == "" {
		return "", "", fmt.Errorf("want the address of an archive of the whole list, and with it, ending with a slash, that of the folder in which %s lies, if there is one: "+
			"firmward feeds set %s --url https://HOST/cvelistV5.zip --url https://HOST/cvelistV5/", logPath, name)
	}
	return folder, archive, nil
}

// path is where the list keeps a record, from its folder: cves/2024/3xxx/CVE-2024-3273.json.
func path(id string) string {
	year, number, _ := strings.Cut(strings.TrimPrefix(id, "CVE-"), "-")
	thousands := strings.TrimLeft(number[:len(number)-3], "0")
	return "cves/" + year + "/" + cmp.Or(thousands, "0") + "xxx/" + id + ".json"
}

// wanted is what one document has to be.
type wanted struct {
	id      string // empty: anything
	updated time.Time
}

func (c update) want() feed.Cursor {
	return feed.Cursor("record " + c.ID + " " + c.Updated.Format(time.RFC3339Nano))
}

func parseWant(from feed.Cursor) (wanted, error) {
	if from == "" {
		return wanted{}, nil
	}
	var w wanted
	part := strings.Fields(string(from))
	if len(part) != 3 || part[0] != "record" || !feed.CVE(part[1]) {
		return w, fmt.Errorf("%q names no record", feed.Clip(string(from)))
	}
	w.id = part[1]
	var err error
	if w.updated, err = time.Parse(time.RFC3339Nano, part[2]); err != nil {
		return w, fmt.Errorf("%q names no state of a record: %w", feed.Clip(string(from)), err)
	}
	return w, nil
}

// check compares a record with what was asked for. Servers in between may give for hours what was there before a change.
func (w wanted) check(id string, updated time.Time) error {
	switch {
	case id != w.id:
		return fmt.Errorf("%s was asked for, and this is %q", w.id, feed.Clip(id))
	case updated.Before(w.updated):
		return fmt.Errorf("%s was changed at %s, and this is its state of %s", w.id, w.updated.Format(time.RFC3339), updated.Format(time.RFC3339))
	}
	return nil
}
