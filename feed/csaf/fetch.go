package csaf

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/firmward/firmward/feed"
)

// A provider is named by the URL of its provider-metadata.json (CSAF 2.0 §7.1.7). There is no default: which vendors matter
// is the operator's to say. Its distributions are folders with a changes.csv (§7.1.13) or ROLIE feeds (§7.1.15); both list the
// documents with the time of their last change, so that only those are asked for that are newer than the cursor.
//
// Only URLs on the host of the provider's own metadata are asked: who publishes decides about that host. Where a provider keeps
// its documents on another one, the operator names it too, with an address that ends with a slash (CISA's metadata lies at
// www.cisa.gov and its documents at raw.githubusercontent.com; check www.cisa.gov/sites/default/files/csaf/provider-metadata.json).
// What lies elsewhere is refused and counted.
//
// A trusted provider signs every document (§7.1.19) and names its keys (§7.1.20): of such a one a document without a signature by one
// of them is refused. What others sign counts when the operator names their keys.
const (
	together = 100 // documents in one import
	owed     = 500 // documents that are tried again in the next run
)

// place is how far one provider is read.
type place struct {
	Since time.Time `json:"since"`
	Read  []string  `json:"read,omitempty"` // URLs with a change at that very time
	Owed  []change  `json:"owed,omitempty"` // that could not be used: tried again once a run
}

// change is a document that a list names.
type change struct {
	URL  string    `json:"url"`
	Hash []string  `json:"hash,omitempty"`
	Sign string    `json:"sign,omitempty"` // URL of the signature
	At   time.Time `json:"at"`
	from string    // the provider's URL
}

// list is an index that is asked for.
type list struct {
	provider, folder string // the folder is empty for a ROLIE feed
}

// key is a public key that is asked for, after the lists.
type key struct{ provider, print string }

// trusted is the role of those who sign (CSAF 2.0 §7.2.3).
const trusted = "csaf_trusted_provider"

// run is what a fetch remembers from batch to batch.
type run struct {
	places  map[string]place
	lists   []list               // asked for; nil: the providers were
	asked   []key                // with the lists
	keys    map[string]feed.Keys // by provider
	batch   []change             // asked for
	pending []change             // the oldest first
}

// Next asks for the providers, then for their lists, then for the documents that changed.
func (Source) Next(f feed.Fetching) (feed.Batch, error) {
	if len(providers(f.URLs)) == 0 {
		return feed.Batch{}, fmt.Errorf("no provider is named: firmward feeds set csaf --url https://HOST/…/provider-metadata.json")
	}
	if f.Before == nil {
		r := run{places: map[string]place{}, keys: map[string]feed.Keys{}}
		if f.At != "" {
			if err := json.Unmarshal([]byte(f.At), &r.places); err != nil {
				return feed.Batch{}, fmt.Errorf("cursor: %w", err)
			}
		}
		b := feed.Batch{At: f.At, Index: true, Memo: r}
		for _, u := range providers(f.URLs) {
			b.Requests = append(b.Requests, feed.Request{URL: u, Name: lastPart(u)})
		}
		return b, nil
	}
	r, _ := f.Before.Memo.(run)
	switch {
	case r.batch != nil:
		r.places = after(r.places, r.batch, f.Refused)
		r.batch = nil
	case r.lists != nil:
		if err := r.changes(f); err != nil {
			return feed.Batch{}, err
		}
	default:
		return r.ask(f)
	}
	return r.next()
}

// ask asks for the lists of the providers that answered.
func (r run) ask(f feed.Fetching) (feed.Batch, error) {
	b := feed.Batch{At: f.Before.At, Index: true}
	var keys []feed.Request
	r.lists = []list{}
	for i, at := range providers(f.URLs) {
		var p struct {
			Role string `json:"role"`
			Keys []struct {
				Print string `json:"fingerprint"`
				URL   string `json:"url"`
			} `json:"public_openpgp_keys"`
			Distributions []struct {
				Folder string `json:"directory_url"`
				Rolie  struct {
					Feeds []struct {
						URL string `json:"url"`
					} `json:"feeds"`
				} `json:"rolie"`
			} `json:"distributions"`
		}
		if err := json.Unmarshal(f.Answers[i], &p); err != nil {
			return b, fmt.Errorf("%s: %w", at, err)
		}
		before := len(b.Requests)
		for _, d := range p.Distributions {
			if d.Folder != "" {
				folder := strings.TrimSuffix(d.Folder, "/") + "/"
				r.lists = append(r.lists, list{at, folder})
				b.Requests = append(b.Requests, feed.Request{URL: folder + "changes.csv", Name: "changes.csv", Conditional: true})
				continue
			}
			for _, rolie := range d.Rolie.Feeds {
				r.lists = append(r.lists, list{at, ""})
				b.Requests = append(b.Requests, feed.Request{URL: rolie.URL, Name: lastPart(rolie.URL), Conditional: true})
			}
		}
		if before == len(b.Requests) {
			return b, fmt.Errorf("%s names no distribution: no folder and no ROLIE feed", at)
		}
		if p.Role == trusted && len(p.Keys) == 0 {
			return b, fmt.Errorf("%s says that it is a trusted provider and names no OpenPGP key", at)
		}
		for _, k := range p.Keys {
			if p.Role == trusted {
				r.asked, keys = append(r.asked, key{at, k.Print}), append(keys, feed.Request{URL: k.URL, Name: lastPart(k.URL)})
			}
		}
		for _, q := range append(b.Requests[before:len(b.Requests):len(b.Requests)], keys...) {
			if !slices.Contains(feed.Hosts(f.URLs), feed.Hosts([]string{q.URL})[0]) {
				return b, fmt.Errorf("%s names a list or a key on another host, which is not asked unless you name it too (with --url and a slash at its end): %q", at, feed.Clip(q.URL))
			}
		}
	}
	b.Requests = append(b.Requests, keys...)
	b.Memo = r
	return b, nil
}

// changes reads the lists and keeps what is newer than the cursor, and what is owed from before.
func (r *run) changes(f feed.Fetching) error {
	seen := map[string]bool{}
	for _, at := range providers(f.URLs) {
		for _, c := range r.places[at].Owed {
			c.from, seen[c.URL] = at, true
			r.pending = append(r.pending, c)
		}
	}
	for i, k := range r.asked {
		at := f.Before.Requests[len(r.lists)+i].URL
		keys, err := feed.ReadKeys(f.Answers[len(r.lists)+i])
		if err == nil && k.print != "" && !keys.Has(k.print) {
			err = fmt.Errorf("this is not the key %s that %s names", feed.Clip(k.print), k.provider)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", at, err)
		}
		r.keys[k.provider] = r.keys[k.provider].With(keys)
	}
	for i, l := range r.lists {
		if f.Answers[i] == nil {
			continue
		}
		all, err := listed(l, f.Answers[i])
		if err != nil {
			return fmt.Errorf("%s: %w", f.Before.Requests[i].URL, err)
		}
		p := r.places[l.provider]
		for _, c := range all {
			if c.from = l.provider; c.At.Before(p.Since) || seen[c.URL] || c.At.Equal(p.Since) && slices.Contains(p.Read, c.URL) {
				continue
			}
			seen[c.URL] = true
			r.pending = append(r.pending, c)
		}
	}
	slices.SortStableFunc(r.pending, func(a, b change) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.URL, b.URL)) })
	return nil
}

// next asks for the oldest documents that are pending.
func (r run) next() (feed.Batch, error) {
	at, err := json.Marshal(r.places)
	if err != nil {
		return feed.Batch{}, fmt.Errorf("write cursor: %w", err)
	}
	b := feed.Batch{At: feed.Cursor(at), Many: true}
	n := min(together, len(r.pending))
	r.batch, r.pending = r.pending[:n], r.pending[n:]
	for _, c := range r.batch {
		b.Requests = append(b.Requests, feed.Request{URL: c.URL, Name: lastPart(c.URL), Hashes: c.Hash, Signature: c.Sign, Keys: r.keys[c.from]})
	}
	b.Memo = r
	return b, nil
}

// after is how far providers are read once a batch is.
func after(places map[string]place, batch []change, refused []string) map[string]place {
	places = maps.Clone(places)
	for _, c := range batch {
		p := places[c.from]
		p.Owed = slices.DeleteFunc(slices.Clone(p.Owed), func(o change) bool { return o.URL == c.URL })
		if slices.Contains(refused, c.URL) && len(p.Owed) < owed {
			p.Owed = append(p.Owed, c)
		}
		switch {
		case c.At.After(p.Since):
			p.Since, p.Read = c.At, []string{c.URL}
		case c.At.Equal(p.Since):
			p.Read = feed.Unique(append(slices.Clone(p.Read), c.URL))
		}
		places[c.from] = p
	}
	return places
}

// listed reads a changes.csv or a ROLIE feed. A document elsewhere than at its provider is left to the request, which is refused.
func listed(l list, b []byte) ([]change, error) {
	if l.folder != "" {
		return changed(l.folder, b)
	}
	var in struct {
		Feed struct {
			Entry []struct {
				Updated time.Time `json:"updated"`
				Content struct {
					Source string `json:"src"`
				} `json:"content"`
				Link []struct {
					Rel  string `json:"rel"`
					Href string `json:"href"`
				} `json:"link"`
			} `json:"entry"`
		} `json:"feed"`
	}
	if err := json.Unmarshal(b, &in); err != nil {
		return nil, err
	}
	out := make([]change, 0, len(in.Feed.Entry))
	for _, e := range in.Feed.Entry {
		c := change{URL: e.Content.Source, At: e.Updated}
		for _, link := range e.Link {
			switch link.Rel {
			case "hash":
				c.Hash = append(c.Hash, link.Href)
			case "signature":
				c.Sign = link.Href
			}
		}
		out = append(out, c)
	}
	return out, nil
}

// changed reads a changes.csv: a path from the folder and a time a line.
func changed(folder string, b []byte) ([]change, error) {
	base, err := url.Parse(folder)
	if err != nil {
		return nil, err
	}
	in := csv.NewReader(bytes.NewReader(b))
	in.FieldsPerRecord = 2
	rows, err := in.ReadAll()
	if err != nil {
		return nil, err
	}
	out := make([]change, 0, len(rows))
	for _, row := range rows {
		at, err := time.Parse(time.RFC3339, strings.TrimSpace(row[1]))
		if err != nil {
			return nil, err
		}
		u := base.JoinPath(below(base.Path, row[0])).String()
		out = append(out, change{URL: u, Hash: []string{u + ".sha256", u + ".sha512"}, Sign: u + ".asc", At: at})
	}
	return out, nil
}

// below is a listed path as it counts from its folder. Some lists, CISA's among them, count from folders above: then the path
// begins as the folder ends, with two names or more.
func below(folder, name string) string {
	names := strings.Split(strings.Trim(name, "/"), "/")
	for n := len(names) - 1; n >= 2; n-- {
		if strings.HasSuffix(folder, "/"+strings.Join(names[:n], "/")+"/") {
			return strings.Join(names[n:], "/")
		}
	}
	return name
}

// providers are the addresses of metadata; those that end with a slash name further hosts.
func providers(urls []string) []string {
	return slices.DeleteFunc(slices.Clone(urls), func(u string) bool { return strings.HasSuffix(u, "/") })
}

// lastPart is the file name in a URL.
func lastPart(u string) string { return u[strings.LastIndex(u, "/")+1:] }
