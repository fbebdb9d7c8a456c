package httpapi

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/firmward/firmward"
)

// Problem is an error as clients see it (RFC 9457), with the stable code of firmward.Error.
type Problem struct {
	Type   string              `json:"type" doc:"always about:blank; the code tells problems apart"`
	Title  string              `json:"title"`
	Status int                 `json:"status"`
	Code   firmward.Code       `json:"code" doc:"stable, for machines" enum:"invalid,not-found,conflict,refused,unauthorized,forbidden,unavailable,locked,newer-schema,too-large,disk-full,internal,not-supported"`
	Detail string              `json:"detail" doc:"what happened and what to do next, for people"`
	Errors []*huma.ErrorDetail `json:"errors,omitempty" doc:"where the input is wrong"`
}

func (p *Problem) Error() string { return p.Detail }

// GetStatus gives the HTTP status.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType marks the answer as a problem.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// statuses gives the HTTP status of each code.
var statuses = map[firmward.Code]int{
	firmward.Invalid: http.StatusUnprocessableEntity, firmward.NotFound: http.StatusNotFound, firmward.Conflict: http.StatusConflict,
	firmward.Refused: http.StatusForbidden, firmward.Unauthorized: http.StatusUnauthorized, firmward.Forbidden: http.StatusForbidden,
	firmward.Unavailable: http.StatusServiceUnavailable, firmward.Locked: http.StatusLocked, firmward.NewerSchema: http.StatusServiceUnavailable,
	firmward.TooLarge: http.StatusRequestEntityTooLarge, firmward.DiskFull: http.StatusInsufficientStorage,
	firmward.Internal: http.StatusInternalServerError, firmward.NotSupported: http.StatusNotImplemented,
}

// codeOf gives the code for a status that huma or the router chose.
func codeOf(status int) firmward.Code {
	switch status {
	case http.StatusNotFound:
		return firmward.NotFound
	case http.StatusUnauthorized:
		return firmward.Unauthorized
	case http.StatusForbidden:
		return firmward.Forbidden
	case http.StatusRequestEntityTooLarge:
		return firmward.TooLarge
	case http.StatusServiceUnavailable:
		return firmward.Unavailable
	}
	if status >= 500 {
		return firmward.Internal
	}
	return firmward.Invalid
}

func newProblem(code firmward.Code, detail string) *Problem {
	status := statuses[code]
	return &Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Code: code, Detail: detail}
}

// huma has one error constructor and one rule for arrays per process. This is the only package that uses
// huma, so they are set here, before any API is built.
func init() {
	huma.DefaultArrayNullable = false
	huma.NewError = func(status int, msg string, errs ...error) huma.StatusError {
		p := newProblem(codeOf(status), msg)
		p.Status, p.Title = status, http.StatusText(status)
		if status >= 500 {
			p.Detail = "internal error"
			return p
		}
		for _, err := range errs {
			var d huma.ErrorDetailer
			if errors.As(err, &d) {
				where := *d.ErrorDetail()
				where.Value = nil // it may be a secret
				p.Errors = append(p.Errors, &where)
			} else if err != nil {
				p.Errors = append(p.Errors, &huma.ErrorDetail{Message: err.Error()})
			}
		}
		return p
	}
}

// unrouted answers what no route takes with a problem too: the router's own answers are plain text.
func unrouted(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		router, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		said := &unsaid{header: http.Header{}}
		router.ServeHTTP(said, r)
		p := newProblem(firmward.NotFound, "there is no "+r.URL.Path+" here: /docs lists what there is")
		if allow := said.header.Get("Allow"); said.status == http.StatusMethodNotAllowed {
			w.Header().Set("Allow", allow)
			p = newProblem(firmward.Invalid, r.Method+" is not possible here, but "+allow)
			p.Status, p.Title = said.status, http.StatusText(said.status)
		}
		writeProblem(w, p)
	})
}

// unsaid takes an answer that is given in another form.
type unsaid struct {
	header http.Header
	status int
}

func (u *unsaid) Header() http.Header         { return u.header }
func (u *unsaid) Write(b []byte) (int, error) { return len(b), nil }
func (u *unsaid) WriteHeader(status int)      { u.status = status }

// problem turns an error of a handler into what the client sees. Internal ones are logged.
func (a *API) problem(ctx context.Context, operation string, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return newProblem(firmward.Unavailable, "the request was given up")
	}
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return newProblem(firmward.TooLarge, "the upload is larger than this server takes")
	}
	e, ok := errors.AsType[*firmward.Error](err)
	if !ok || e.Code == firmward.Internal || statuses[e.Code] == 0 {
		a.Log.ErrorContext(ctx, "request failed", "operation", operation, "error", err)
		return newProblem(firmward.Internal, "internal error")
	}
	return newProblem(e.Code, err.Error())
}

// invalid is the error for input that the schema cannot describe.
func invalid(message string) error { return firmward.Errorf(firmward.Invalid, message) }
