package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/audit"
	"github.com/firmward/firmward/store"
)

// Leaf is one record of the audit log.
type Leaf struct {
	Seq     int64             `json:"seq" doc:"position in the log; -1 until it is sealed"`
	At      time.Time         `json:"at"`
	Actor   string            `json:"actor" doc:"a person, or firmward when a rule acted"`
	Action  string            `json:"action"`
	Subject string            `json:"subject"`
	Detail  map[string]string `json:"detail,omitempty"`
}

// Checkpoint is a signed statement about the log. Keep its note outside: with it anyone finds out that
// history was changed.
type Checkpoint struct {
	Origin string    `json:"origin"`
	Size   int64     `json:"size" doc:"leaves covered"`
	Root   string    `json:"root" doc:"hash of the Merkle tree"`
	At     time.Time `json:"at"`
	Note   string    `json:"note" doc:"the signed note: this is what is kept outside"`
}

// Checkpoints lists the newest checkpoints.
type Checkpoints struct {
	Key   string       `json:"key" doc:"public key that verifies them"`
	Items []Checkpoint `json:"items" doc:"newest first"`
}

func (a *API) auditRoutes() {
	serve(a, spec{method: http.MethodGet, path: "/audit/leaves", id: "list-leaves", role: firmward.Viewer, tag: "Audit", summary: "List audit records, newest first"},
		func(ctx context.Context, in *struct {
			PageInput
			Subject string `query:"subject"`
			Actor   string `query:"actor"`
			Action  string `query:"action"`
		},
		) (Page[Leaf], error) {
			l, next, err := a.Store.FindLeaves(ctx, store.LeafFilter{Subject: in.Subject, Actor: in.Actor, Action: in.Action}, in.page())
			return pageOf(l, next, err, func(v audit.Leaf) Leaf { return Leaf(v) })
		})
	serve(a, spec{method: http.MethodGet, path: "/audit/checkpoints", id: "list-checkpoints", role: firmward.Viewer, tag: "Audit", summary: "List signed checkpoints"},
		func(ctx context.Context, in *struct {
			Limit int `query:"limit" minimum:"1" maximum:"1000" default:"10"`
		},
		) (Checkpoints, error) {
			l, err := a.Store.Checkpoints(ctx, in.Limit)
			return Checkpoints{Key: a.Control.Signer.Public(), Items: each(l, func(c audit.Checkpoint) Checkpoint {
				return Checkpoint{c.Origin, c.Size, c.Root.String(), c.At, string(c.Note)}
			})}, err
		})
	stream(a, spec{
		method: http.MethodGet, path: "/audit/bundle", id: "get-bundle", role: firmward.Viewer, tag: "Audit", summary: "The whole log as a bundle",
		download: "application/jsonl", doc: "Verify it offline with 'firmward audit verify'.",
	}, "audit.jsonl", func(ctx context.Context, _ *struct{ Download }, w http.ResponseWriter) error {
		return a.Control.ExportAudit(ctx, w)
	})
}

// stream registers an operation that writes a large answer piece by piece. An error before the first
// byte is a problem; later the answer is cut off, so that a half one never looks whole.
func stream[I any, P interface {
	*I
	writer() http.ResponseWriter
}](a *API, s spec, name string, write func(context.Context, P, http.ResponseWriter) error) {
	huma.Register(a.huma, a.operation(s), func(ctx context.Context, in *I) (*huma.StreamResponse, error) {
		done, err := a.large()
		if err != nil {
			return nil, a.problem(ctx, s.id, err)
		}
		w := P(in).writer()
		return &huma.StreamResponse{Body: func(huma.Context) {
			defer done()
			out := &lazyWriter{ResponseWriter: w, contentType: s.download, name: name}
			if err := write(ctx, in, out); err != nil {
				p := a.problem(ctx, s.id, err)
				if out.began {
					panic(http.ErrAbortHandler)
				}
				writeProblem(w, p.(*Problem))
			}
		}}, nil
	})
}

// Download is an input whose answer is written as a stream.
type Download struct{ w http.ResponseWriter }

// Resolve keeps the writer for the handler.
func (d *Download) Resolve(ctx huma.Context) []error {
	d.w = writerOf(ctx)
	return nil
}

func (d *Download) writer() http.ResponseWriter { return d.w }

// lazyWriter sends its header with the first byte.
type lazyWriter struct {
	http.ResponseWriter
	contentType, name string
	began             bool
}

func (w *lazyWriter) Write(b []byte) (int, error) {
	if !w.began {
		w.began = true
		w.Header().Set("Content-Type", w.contentType)
		w.Header().Set("Content-Disposition", `attachment; filename="`+w.name+`"`)
	}
	return w.ResponseWriter.Write(b)
}
