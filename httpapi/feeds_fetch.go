package httpapi

import (
	"context"
	"net/http"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/control"
)

// FeedChange changes how a feed is fetched; what is absent stays.
type FeedChange struct {
	Follow  *bool     `json:"follow,omitempty" doc:"fetch it at once, and then as often as its source says, while the server runs"`
	URLs    *[]string `json:"urls,omitempty" maxItems:"20" doc:"where it is fetched from; an empty list: where its source says. Other addresses begin anew"`
	OpenPGP *string   `json:"openpgpKeys,omitempty" maxLength:"1000000" doc:"public OpenPGP keys, armored: every document, of a file too, must then be signed by one of them. Empty: by those that its provider names, if it says that it signs"`
	Key     *string   `json:"key,omitempty" maxLength:"512" doc:"for its server, where that gives more to who has one; sealed, never shown. An empty one is forgotten"`
}

func (a *API) feedFetchRoutes() {
	serve(a, spec{
		method: http.MethodPost, path: "/feeds/{name}/fetch", id: "fetch-feed", role: firmward.Admin, tag: "Feeds", summary: "Fetch a feed over the network now",
		doc: "Answers when all is read, which the first time may take long; list-feeds tells how far it is. Only the feed's own hosts are asked, and no request names a device, a serial number or a version. What was read before an error stays, and the next fetch goes on there.",
	}, func(ctx context.Context, in *struct {
		Name string `path:"name"`
	},
	) (Feed, error) {
		s, err := a.Control.FetchFeed(ctx, person(ctx), in.Name)
		return feedOf(s), err
	})
	serve(a, spec{method: http.MethodPatch, path: "/feeds/{name}", id: "set-feed", role: firmward.Admin, tag: "Feeds", summary: "Follow a feed, or change from where it is fetched"},
		func(ctx context.Context, in *struct {
			Name string `path:"name"`
			Body FeedChange
		},
		) (Feed, error) {
			s, err := a.Control.SetFeed(ctx, person(ctx), in.Name, control.SetFeed{Follow: in.Body.Follow, URLs: in.Body.URLs, Key: in.Body.Key, OpenPGP: in.Body.OpenPGP})
			return feedOf(s), err
		})
}
