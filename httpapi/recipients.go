package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/control"
)

// Recipient is a place where people are told.
type Recipient struct {
	Name       string    `json:"name"`
	Kind       string    `json:"kind" doc:"webhook, or a service: smtp, ntfy, …"`
	Host       string    `json:"host" doc:"of its address; the address itself is sealed"`
	Digest     string    `json:"digest" enum:"daily,weekly,off"`
	Hour       int       `json:"hour" doc:"local hour of the digest"`
	Zone       string    `json:"zone" doc:"time zone of the hour"`
	Urgent     bool      `json:"urgent" doc:"told at once of what cannot wait"`
	Details    bool      `json:"details" doc:"messages may name devices, models and versions"`
	By         string    `json:"by"`
	Created    time.Time `json:"created"`
	NextDigest time.Time `json:"nextDigest,omitzero"`
	LastSent   time.Time `json:"lastSent,omitzero"`
	Failures   int       `json:"failures" doc:"tries in a row that failed"`
	LastError  string    `json:"lastError,omitempty"`
	RetryAt    time.Time `json:"retryAt,omitzero"`
}

func recipientOf(r firmward.Recipient) Recipient {
	return Recipient{
		Name: r.Name, Kind: r.Kind, Host: r.Host, Digest: r.Digest, Hour: r.Hour, Zone: r.Zone, Urgent: r.Urgent, Details: r.Details, By: r.By, Created: r.Created,
		NextDigest: r.NextDigest, LastSent: r.LastSent, Failures: r.Failures, LastError: r.LastError, RetryAt: r.RetryAt,
	}
}

// NewRecipient adds one.
type NewRecipient struct {
	Name    string `json:"name"`
	Address string `json:"address" doc:"an https address, or one as shoutrrr writes them: smtp://user:password@host:587/?from=a@x&to=b@y, ntfy://host/topic; it is sealed and never shown"`
	Digest  string `json:"digest,omitempty" enum:"daily,weekly,off" doc:"absent: daily; weekly is on Mondays"`
	Hour    *int   `json:"hour,omitempty" minimum:"0" maximum:"23" doc:"local hour of the digest; absent: 8"`
	Zone    string `json:"zone,omitempty" doc:"its time zone; absent: that of the only site, else UTC"`
	Urgent  *bool  `json:"urgent,omitempty" doc:"absent: true"`
	Details bool   `json:"details,omitempty" doc:"messages may name devices, models and versions"`
}

// RecipientMade is the new recipient, with the key of a webhook.
type RecipientMade struct {
	Recipient Recipient `json:"recipient"`
	Key       string    `json:"key,omitempty" doc:"signs what a webhook gets (Standard Webhooks); shown this once"`
}

// Notice is one message to people.
type Notice struct {
	ID     string    `json:"id,omitempty"`
	At     time.Time `json:"at"`
	Urgent bool      `json:"urgent"`
	Title  string    `json:"title"`
	Lines  []string  `json:"lines"`
	Action string    `json:"action"`
}

func noticeOf(n firmward.Notice) Notice {
	return Notice{n.ID, n.At, n.Urgent, n.Title, list(n.Lines), n.Action}
}

func (a *API) recipientRoutes() {
	tag := "Notices"
	serve(a, spec{method: http.MethodGet, path: "/recipients", id: "list-recipients", role: firmward.Viewer, tag: tag, summary: "List who is told"},
		func(ctx context.Context, _ *PageInput) (Page[Recipient], error) { // a handful: always one page
			l, err := a.Store.Recipients(ctx)
			return pageOf(l, "", err, recipientOf)
		})
	serve(a, spec{
		method: http.MethodPost, path: "/recipients", id: "add-recipient", role: firmward.Admin, tag: tag, summary: "Tell somebody", status: http.StatusCreated,
		doc: "By default once a day, and at once only when a device is exposed and exploited, a rollout stopped itself or a wall is down.",
	}, func(ctx context.Context, in *struct{ Body NewRecipient }) (RecipientMade, error) {
		b := in.Body
		r, key, err := a.Control.AddRecipient(ctx, person(ctx), control.AddRecipient{
			Name: b.Name, Address: b.Address, Digest: b.Digest, Hour: b.Hour, Zone: b.Zone, Urgent: b.Urgent == nil || *b.Urgent, Details: b.Details,
		})
		return RecipientMade{recipientOf(r), key}, err
	})
	serveNone(a, spec{method: http.MethodDelete, path: "/recipients/{name}", id: "remove-recipient", role: firmward.Admin, tag: tag, summary: "Tell somebody no more"},
		func(ctx context.Context, in *struct {
			Name string `path:"name"`
		},
		) error {
			return a.Control.RemoveRecipient(ctx, person(ctx), in.Name)
		})
	serve(a, spec{method: http.MethodPost, path: "/recipients/{name}/try", id: "try-recipient", role: firmward.Admin, tag: tag, summary: "Send the digest of this moment"},
		func(ctx context.Context, in *struct {
			Name string `path:"name"`
		},
		) (Notice, error) {
			n, err := a.Control.TryRecipient(ctx, person(ctx), in.Name)
			return noticeOf(n), err
		})
	serve(a, spec{method: http.MethodGet, path: "/notices/preview", id: "preview-notice", role: firmward.Viewer, tag: tag, summary: "What a digest would say now"},
		func(ctx context.Context, in *struct {
			Details bool   `query:"details" doc:"as to a recipient that may be told names"`
			Digest  string `query:"digest" enum:"daily,weekly" default:"daily"`
		},
		) (Notice, error) {
			n, err := a.Control.PreviewNotice(ctx, firmward.Recipient{Details: in.Details, Digest: in.Digest})
			return noticeOf(n), err
		})
}
