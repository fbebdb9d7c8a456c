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
	StaleAt   time.Time `json:"staleAt,omitzero" doc:"since when it is stale, or from when on unless something newer comes; absent: never, or its date is not known"`
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
	out := Feed{f.Name, f.Kind, f.Records, f.Refused, f.Aside, f.Dated, f.Imported, f.Document, f.Stale, f.StaleAt, f.LastError, f.FailedAt, f.Trouble, nil}
	if n := f.Fetch; n != nil {
		out.Fetch = &Fetch{n.Follow, n.URLs, n.Keyed, control.Fingerprints(n.OpenPGP), n.By, n.Tried, n.Good, n.Failures, n.LastError, n.Next}
	}
	return out
}

// Feeds is what firmward knows of the world.
type Feeds struct {
	Items     []Feed      `json:"items" doc:"those of which something was imported, or that are set to be fetched"`
	Knowledge string      `json:"knowledge" doc:"how deep it is, in one sentence"`
	Importing []Importing `json:"importing,omitempty" doc:"imports of many documents and fetches that are under way"`
	Fetchable []string    `json:"fetchable" doc:"those that are fetched over the network when none is named: all that have an address, and a large one only when it was named before"`
	Known     []KnownFeed `json:"known" doc:"all that firmward can read, whether or not anything of them is there"`
}

// KnownFeed is a feed that firmward can read.
type KnownFeed struct {
	Name    string   `json:"name"`
	Title   string   `json:"title"`
	Kind    string   `json:"kind" enum:"advisories,exploited,likelihood,lifecycle,starter" doc:"starter comes with the program"`
	Gives   string   `json:"gives" doc:"what one knows by it"`
	Home    string   `json:"home"`
	Licence string   `json:"licence"`
	Network bool     `json:"network" doc:"it can be fetched over the network, once it has an address"`
	Hosts   []string `json:"hosts,omitempty" doc:"with port: the only ones that a fetch asks; absent: it has no address"`
	Period  string   `json:"period,omitempty" doc:"how often a followed feed is fetched"`
}

func knownFeedOf(k control.KnownFeed) KnownFeed {
	return KnownFeed{k.Name, k.Title, k.Kind, k.Gives, k.Home, k.Licence, k.Network, k.Hosts, span(k.Period)}
}

// Importing is an import of many documents that is under way.
type Importing struct {
	Feed     string `json:"feed"`
	Document string `json:"document" doc:"name of the folder or archive, or network"`
	Read     int    `json:"read" doc:"documents so far"`
	Bytes    int64  `json:"bytes,omitempty" doc:"that came over the network so far"`
}

func (a *API) feedRoutes() {
	serve(a, spec{method: http.MethodGet, path: "/feeds", id: "list-feeds", role: firmward.Viewer, tag: "Feeds", summary: "How deep and fresh the knowledge is"},
		func(ctx context.Context, _ *struct{}) (Feeds, error) {
			l, err := a.Control.FeedStatuses(ctx)
			if err != nil {
				return Feeds{}, err
			}
			known, err := a.Control.KnownFeeds(ctx)
			if err != nil {
				return Feeds{}, err
			}
			out := Feeds{Items: each(l, feedOf), Knowledge: remedy.Depth(l), Fetchable: []string{}, Known: each(known, knownFeedOf)}
			out.Importing = each(a.Control.Importing(), func(i control.Importing) Importing { return Importing(i) })
			for _, k := range known {
				if k.Usual {
					out.Fetchable = append(out.Fetchable, k.Name)
				}
			}
			return out, nil
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
