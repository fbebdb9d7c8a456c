package httpapi

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/control"
)

type localKey struct{}

type personKey struct{}

// LocalPerson marks the context of a connection whose other end is known without a token: the unix
// socket's peer, or the same process. It belongs into an http.Server's ConnContext.
func LocalPerson(ctx context.Context, p firmward.Person) context.Context {
	return context.WithValue(ctx, localKey{}, p)
}

// person is who asks. Operations run only after requireRole found one.
func person(ctx context.Context) firmward.Person {
	p, _ := ctx.Value(personKey{}).(firmward.Person)
	return p
}

// guard stands before everything: panics, headers, Host and Origin, and who asks.
func (a *API) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := &recorder{ResponseWriter: w}
		began := time.Now()
		defer func() {
			if v := recover(); v != nil {
				if v == http.ErrAbortHandler {
					panic(v)
				}
				a.Log.ErrorContext(r.Context(), "handler panicked", "path", r.URL.Path, "panic", v, "stack", string(debug.Stack()))
				if rec.status == 0 {
					writeProblem(rec, newProblem(firmward.Internal, "internal error"))
				}
			}
			a.metrics.saw(r, rec.status, time.Since(began))
		}()
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		local, isLocal := r.Context().Value(localKey{}).(firmward.Person)
		if !isLocal {
			if p := a.wrongHost(r); p != nil {
				writeProblem(rec, p)
				return
			}
		}
		ctx := r.Context()
		switch who, err := a.tokenPerson(r); {
		case err != nil:
			writeProblem(rec, a.problem(ctx, "authenticate", err).(*Problem))
			return
		case who.Name != "":
			ctx = context.WithValue(ctx, personKey{}, who)
		case isLocal:
			ctx = context.WithValue(ctx, personKey{}, local)
		}
		r = r.WithContext(ctx) // the router notes its pattern on this one, for the metrics
		next.ServeHTTP(rec, r)
	})
}

// wrongHost refuses names that are not ours and requests that come from another site.
func (a *API) wrongHost(r *http.Request) *Problem {
	if !a.ourHost(r.Host) {
		return newProblem(firmward.Forbidden, "this server is not called "+r.Host+": name it with --host if it is")
	}
	for _, origin := range r.Header.Values("Origin") {
		u, err := url.Parse(origin)
		if err != nil || !strings.EqualFold(u.Host, r.Host) {
			return newProblem(firmward.Forbidden, "requests from other sites are refused")
		}
	}
	return nil
}

func (a *API) ourHost(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"))
	if ip, err := netip.ParseAddr(host); err == nil && ip.IsLoopback() {
		return true
	}
	return host == "localhost" || slices.Contains(a.Hosts, host)
}

// tokenPerson finds who a bearer token belongs to; the zero Person when there is no token. A wrong or
// expired token is an error even where none is needed.
func (a *API) tokenPerson(r *http.Request) (firmward.Person, error) {
	head := r.Header.Get("Authorization")
	if head == "" {
		return firmward.Person{}, nil
	}
	bad := firmward.Errorf(firmward.Unauthorized, "the token is not valid here: ask an administrator for one (tokens add)")
	scheme, secret, _ := strings.Cut(head, " ")
	secret = strings.TrimSpace(secret)
	if !strings.EqualFold(scheme, "Bearer") || !strings.HasPrefix(secret, control.TokenPrefix) {
		return firmward.Person{}, bad
	}
	hash := control.HashToken(secret)
	t, err := a.Store.TokenByHash(r.Context(), hash)
	if err != nil {
		if firmward.CodeOf(err) == firmward.NotFound {
			return firmward.Person{}, bad
		}
		return firmward.Person{}, err
	}
	if subtle.ConstantTimeCompare([]byte(t.Hash), []byte(hash)) != 1 {
		return firmward.Person{}, bad
	}
	if !t.Expires.IsZero() && !a.Control.Clock.Now().Before(t.Expires) {
		return firmward.Person{}, firmward.Errorf(firmward.Unauthorized, "the token has expired: ask an administrator for a new one")
	}
	return t.Person, nil
}

// allowed says why a person may not do what needs a role, or nil.
func allowed(who firmward.Person, role firmward.Role) *Problem {
	switch {
	case who.Name == "":
		return newProblem(firmward.Unauthorized, "say who you are: Authorization: Bearer fw_…")
	case !who.Role.Includes(role):
		return newProblem(firmward.Forbidden, who.Name+" is "+string(who.Role)+": this needs the role "+string(role))
	}
	return nil
}

// requireRole stands before every operation. An operation without a role is open to nobody.
func (a *API) requireRole(ctx huma.Context, next func(huma.Context)) {
	role, _ := ctx.Operation().Metadata["role"].(firmward.Role)
	if p := allowed(person(ctx.Context()), role); p != nil {
		if p.Status == http.StatusUnauthorized {
			ctx.SetHeader("WWW-Authenticate", "Bearer")
		}
		ctx.SetHeader("Content-Type", p.ContentType(""))
		ctx.SetStatus(p.Status)
		_ = json.NewEncoder(ctx.BodyWriter()).Encode(p) // the client may be gone
		return
	}
	next(ctx)
}

func writeProblem(w http.ResponseWriter, p *Problem) {
	if p.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	w.Header().Set("Content-Type", p.ContentType(""))
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // the client may be gone
}

// recorder remembers the status for the metrics.
type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController and huma reach flushing and deadlines.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
