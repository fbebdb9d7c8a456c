package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/remedy"
)

// Feed tells how deep and how fresh the knowledge of one feed is.
type Feed struct {
	Name      string    `json:"name"`
	Kind      string    `json:"kind"`
	Records   int       `json:"records"`
	Refused   int       `json:"refused" doc:"broken records of the last import"`
	Aside     int       `json:"aside,omitempty" doc:"sound records of the last import that say nothing of devices, and were not kept"`
	Dated     time.Time `json:"dated,omitzero" doc:"the document's own date"`
	Imported  time.Time `json:"imported,omitzero"`
	Document  string    `json:"document,omitempty"`
	Stale     bool      `json:"stale" doc:"older than the feed's limit"`
	LastError string    `json:"lastError,omitempty" doc:"the last failed import; the last good data stays in use"`
	FailedAt  time.Time `json:"failedAt,omitzero"`
	Trouble   string    `json:"trouble,omitempty" doc:"why nobody should rely on it being new; absent: nothing is known against it"`
	Fetch     *Fetch    `json:"fetch,omitempty" doc:"how it is fetched over the network; absent: documents are imported by hand"`
}

// Fetch is how a feed is fetched over the network, and how that goes.
type Fetch struct {
	Followed  bool      `json:"followed" doc:"fetched again and again while the server runs"`
	URLs      []string  `json:"urls,omitempty" doc:"in place of the source's own"`
	Keyed     bool      `json:"keyed" doc:"a key for its server is sealed"`
	OpenPGP   []string  `json:"openpgpKeys,omitempty" doc:"fingerprints of the keys by one of which every document must be signed"`
	By        string    `json:"by" doc:"who asked for it"`
	Tried     time.Time `json:"tried,omitzero"`
	Good      time.Time `json:"good,omitzero" doc:"the last try that ended well, whether or not anything was new"`
	Failures  int       `json:"failures" doc:"tries in a row that failed"`
	LastError string    `json:"lastError,omitempty"`
	Next      time.Time `json:"next,omitzero" doc:"the next try"`
}

func feedOf(f firmward.FeedStatus) Feed {
	out := Feed{f.Name, f.Kind, f.Records, f.Refused, f.Aside, f.Dated, f.Imported, f.Document, f.Stale, f.LastError, f.FailedAt, f.Trouble, nil}
	if n := f.Fetch; n != nil {
		out.Fetch = &Fetch{n.Follow, n.URLs, n.Keyed, control.Fingerprints(n.OpenPGP), n.By, n.Tried, n.Good, n.Failures, n.LastError, n.Next}
	}
	return out
}

// Feeds is what firmward knows of the world.
type Feeds struct {
	Items     []Feed      `json:"items"`
	Knowledge string      `json:"knowledge" doc:"how deep it is, in one sentence"`
	Importing []Importing `json:"importing,omitempty" doc:"imports of many documents and fetches that are under way"`
	Fetchable []string    `json:"fetchable" doc:"those that can be fetched over the network as things are"`
}

// Importing is an import of many documents that is under way.
type Importing struct {
	Feed     string `json:"feed"`
	Document string `json:"document" doc:"name of the folder or archive, or network"`
	Read     int    `json:"read" doc:"documents so far"`
}

func (a *API) feedRoutes() {
	serve(a, spec{method: http.MethodGet, path: "/feeds", id: "list-feeds", role: firmward.Viewer, tag: "Feeds", summary: "How deep and fresh the knowledge is"},
		func(ctx context.Context, _ *struct{}) (Feeds, error) {
			l, err := a.Control.FeedStatuses(ctx)
			if err != nil {
				return Feeds{}, err
			}
			names, err := a.Control.Fetchable(ctx)
			return Feeds{each(l, feedOf), remedy.Depth(l), each(a.Control.Importing(), func(i control.Importing) Importing { return Importing(i) }), list(names)}, err
		})
	serve(a, spec{
		method: http.MethodPost, path: "/feeds/import", id: "import-feed", role: firmward.Admin, tag: "Feeds", summary: "Import one document, or an archive of many",
		upload: "application/octet-stream",
		doc:    "JSON or CSV as its source publishes it, plain, gzip or zip; or a zip, tar or tar.gz of many documents of one feed, of which a broken one is left out and counted. Nothing is half-imported: after an error the last good data stays in use.",
	}, func(ctx context.Context, in *struct {
		Upload
		Name   string `query:"name" required:"true" doc:"file name shown to people"`
		Source string `query:"source" doc:"name of the feed; found by content when absent"`
	},
	) (Feed, error) {
		body, done, err := a.upload(in.Upload, maxFeed)
		if err != nil {
			return Feed{}, err
		}
		defer done()
		path, remove, err := a.saved(ctx, body, in.Name)
		if err != nil {
			return Feed{}, err
		}
		defer remove()
		status, err := a.Control.ImportFeed(ctx, person(ctx), in.Source, path, fileName(in.Name))
		return feedOf(status), err
	})
}
