package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/store"
)

// Token lets a person in. Its secret is shown once, when it is made.
type Token struct {
	ID      string        `json:"id"`
	Name    string        `json:"name" doc:"the person"`
	Role    firmward.Role `json:"role" enum:"viewer,operator,approver,admin"`
	Created time.Time     `json:"created"`
	Expires time.Time     `json:"expires,omitzero" doc:"absent: never"`
	By      string        `json:"by"`
}

func tokenOf(t store.Token) Token {
	return Token{t.ID, t.Person.Name, t.Person.Role, t.Created, t.Expires, t.By}
}

// NewToken names the person and the role.
type NewToken struct {
	Name    string        `json:"name"`
	Role    firmward.Role `json:"role" enum:"viewer,operator,approver,admin"`
	Expires time.Time     `json:"expires,omitzero"`
}

// TokenMade is a new token with its secret.
type TokenMade struct {
	Token  Token  `json:"token"`
	Secret string `json:"secret" doc:"shown this once; only its hash is kept"`
}

func (a *API) tokenRoutes() {
	serve(a, spec{method: http.MethodGet, path: "/tokens", id: "list-tokens", role: firmward.Admin, tag: "Tokens", summary: "List who may come in"},
		func(ctx context.Context, in *PageInput) (Page[Token], error) {
			l, next, err := a.Store.Tokens(ctx, in.page())
			return pageOf(l, next, err, tokenOf)
		})
	serve(a, spec{method: http.MethodPost, path: "/tokens", id: "add-token", role: firmward.Admin, tag: "Tokens", summary: "Make a token", status: http.StatusCreated},
		func(ctx context.Context, in *struct{ Body NewToken }) (TokenMade, error) {
			secret, t, err := a.Control.AddToken(ctx, person(ctx), in.Body.Name, in.Body.Role, in.Body.Expires)
			return TokenMade{tokenOf(t), secret}, err
		})
	serveNone(a, spec{method: http.MethodDelete, path: "/tokens/{id}", id: "remove-token", role: firmward.Admin, tag: "Tokens", summary: "Make a token worthless"},
		func(ctx context.Context, in *struct {
			ID string `path:"id"`
		},
		) error {
			return a.Control.RemoveToken(ctx, person(ctx), in.ID)
		})
}
