package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/httpapi"
)

// TokensCmd is about who may come in.
type TokensCmd struct {
	Add    TokensAddCmd    `cmd:"" help:"Make a token for a person. It is shown once."`
	List   TokensListCmd   `cmd:"" default:"withargs" help:"List tokens."`
	Remove TokensRemoveCmd `cmd:"" help:"Make a token worthless."`
}

// TokensAddCmd makes a token.
type TokensAddCmd struct {
	Name    string `arg:"" help:"The person's name, as it will stand in the audit log."`
	Role    string `help:"viewer (sees), operator (acts), approver (approves), admin (everything)." enum:"viewer,operator,approver,admin" required:""`
	Expires string `help:"Last day; never unless given." placeholder:"YYYY-MM-DD"`
}

// Help gives examples.
func (TokensAddCmd) Help() string {
	return examples("firmward tokens add anna --role approver", "firmward tokens add grafana --role viewer --expires 2027-06-30")
}

// Run carries it out.
func (c *TokensAddCmd) Run(ctx context.Context, a *app) error {
	var expires time.Time
	if c.Expires != "" {
		var err error
		if expires, err = dayOrTime(c.Expires); err != nil {
			return err
		}
	}
	var made httpapi.TokenMade
	if err := a.client.post(ctx, "/tokens", httpapi.NewToken{Name: c.Name, Role: firmward.Role(c.Role), Expires: expires}, &made); err != nil {
		return err
	}
	if done, err := a.asJSON(made); done {
		return err
	}
	fmt.Fprintln(a.out, made.Secret)
	fmt.Fprintf(a.err, "This is the token of %s (%s). It is shown this once: keep it now.\n", made.Token.Name, made.Token.Role)
	return nil
}

// TokensListCmd lists tokens.
type TokensListCmd struct{ Listing }

// Help gives examples.
func (TokensListCmd) Help() string { return examples("firmward tokens") }

// Run carries it out.
func (c *TokensListCmd) Run(ctx context.Context, a *app) error {
	return listTo(ctx, a, "/tokens", nil, c.Limit, []string{"TOKEN", "PERSON", "ROLE", "MADE", "BY", "EXPIRES"}, func(t httpapi.Token) []string {
		expires := "never"
		if !t.Expires.IsZero() {
			expires = when(t.Expires)
		}
		return []string{t.ID, t.Name, string(t.Role), day(t.Created), t.By, expires}
	})
}

// TokensRemoveCmd removes a token.
type TokensRemoveCmd struct {
	ID string `arg:"" help:"Token id."`
}

// Help gives examples.
func (TokensRemoveCmd) Help() string { return examples("firmward tokens remove tok-abc") }

// Run carries it out.
func (c *TokensRemoveCmd) Run(ctx context.Context, a *app) error {
	if err := a.client.do(ctx, call{method: http.MethodDelete, path: "/tokens/" + url.PathEscape(c.ID)}); err != nil {
		return err
	}
	return a.say(map[string]string{"removed": c.ID}, "The token is worthless now.")
}
