package httpapi

import (
	"context"
	"net/http"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/report"
)

// EvidenceInput says about what an evidence file is wanted.
type EvidenceInput struct {
	Download
	Body EvidenceWanted
}

// EvidenceWanted names a device or a rollout.
type EvidenceWanted struct {
	Ref     string `json:"ref" minLength:"1" doc:"id of a rollout, or a reference of a device"`
	Earlier int64  `json:"earlier,omitempty" minimum:"0" doc:"records that an earlier checkpoint signs: the file then proves that the log begins with them"`
}

func (a *API) reportRoutes() {
	stream(a, spec{
		method: http.MethodPost, path: "/reports/evidence", id: "write-evidence", role: firmward.Viewer, tag: "Reports",
		summary: "An evidence file about a device or a rollout", download: "application/jsonl",
		doc: "A record of the audit log holds its digest and who asked for it. Verify it offline with 'firmward report verify'; docs/evidence.md is its form.",
	}, "evidence.jsonl", func(ctx context.Context, in *EvidenceInput, w http.ResponseWriter) error {
		return report.Evidence(ctx, a.Control, person(ctx), in.Body.Ref, in.Body.Earlier, w)
	})
	serve(a, spec{
		method: http.MethodGet, path: "/reports/check", id: "get-check", role: firmward.Viewer, tag: "Reports",
		summary: "The monthly check in plain words", doc: "At most five tasks, in the order of the next steps, and what went well in the last 30 days.",
	}, func(ctx context.Context, in *struct {
		Site string `query:"site" doc:"all sites unless given"`
	},
	) (report.Check, error) {
		if in.Site != "" {
			if _, err := a.Store.Site(ctx, in.Site); err != nil {
				return report.Check{}, err
			}
		}
		return report.MonthlyCheck(ctx, a.Control, in.Site)
	})
	serve(a, spec{method: http.MethodGet, path: "/reports/packs", id: "list-packs", role: firmward.Viewer, tag: "Reports", summary: "The rule books that evidence can be sorted by"},
		func(context.Context, *struct{}) (Packs, error) {
			l, err := report.Packs()
			return Packs{Items: list(l)}, err
		})
	serve(a, spec{
		method: http.MethodGet, path: "/reports/clauses", id: "get-clauses", role: firmward.Viewer, tag: "Reports",
		summary: "Evidence, clause by clause of a rule book", doc: "It says what the records show and what they do not. It is no judgement.",
	}, func(ctx context.Context, in *struct {
		Pack string `query:"pack" required:"true" doc:"id of a pack"`
	},
	) (report.ClauseReport, error) {
		return report.Answer(ctx, a.Control, in.Pack)
	})
}

// Packs lists rule books.
type Packs struct {
	Items []report.Pack `json:"items"`
}
