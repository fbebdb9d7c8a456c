package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/store"
)

// Advisory is what one source says about one vulnerability.
type Advisory struct {
	ID         string    `json:"id"`
	Source     string    `json:"source"`
	Title      string    `json:"title"`
	Published  time.Time `json:"published,omitzero"`
	Modified   time.Time `json:"modified,omitzero"`
	Scores     []Score   `json:"scores"`
	Fixes      []Fix     `json:"fixes"`
	NoFix      bool      `json:"noFix" doc:"the source says that there is no fix"`
	Weakness   []string  `json:"weakness"`
	References []string  `json:"references"`
	SSVC       *SSVC     `json:"ssvc,omitempty" doc:"what an authority decided"`
	Feed       string    `json:"feed"`
	Document   string    `json:"document"`
	Dated      time.Time `json:"dated,omitzero"`
	Imported   time.Time `json:"imported,omitzero"`
}

// Score is one CVSS score.
type Score struct {
	Version  string  `json:"version"`
	Vector   string  `json:"vector"`
	Base     float64 `json:"base" doc:"as the source gives it"`
	Computed float64 `json:"computed,omitempty" doc:"worked out from the vector, where that gives another number"`
	Source   string  `json:"source,omitempty"`
}

// Fix names a version that repairs a product.
type Fix struct {
	Vendor  string `json:"vendor"`
	Product string `json:"product"`
	Version string `json:"version"`
}

func advisoryOf(v firmward.Advisory) Advisory {
	return Advisory{
		ID: v.ID, Source: v.Source, Title: v.Title, Published: v.Published, Modified: v.Modified, NoFix: v.NoFix,
		Scores: each(v.Scores, func(s firmward.Score) Score { return Score(s) }),
		Fixes:  each(v.Fixes, func(f firmward.Fix) Fix { return Fix(f) }),
		SSVC:   (*SSVC)(v.SSVC), Weakness: list(v.Weakness), References: list(v.References),
		Feed: v.Origin.Feed, Document: v.Origin.Document, Dated: v.Origin.Dated, Imported: v.Origin.Imported,
	}
}

// AdvisoryDetail is what all sources say about one vulnerability.
type AdvisoryDetail struct {
	ID         string       `json:"id"`
	Sources    []Advisory   `json:"sources"`
	Exploited  *Exploited   `json:"exploited,omitempty"`
	Likelihood *Likelihood  `json:"likelihood,omitempty"`
	Earlier    []Likelihood `json:"earlier" doc:"earlier scores, the newest first"`
}

// Exploited says that somebody was seen using a vulnerability.
type Exploited struct {
	Added      time.Time `json:"added"`
	Due        time.Time `json:"due,omitzero"`
	Action     string    `json:"action,omitempty"`
	Ransomware bool      `json:"ransomware"`
	Feed       string    `json:"feed"`
}

// Likelihood is an EPSS score.
type Likelihood struct {
	Score      float64   `json:"score" doc:"probability of exploitation in the next 30 days, 0 to 1"`
	Percentile float64   `json:"percentile"`
	Model      string    `json:"model,omitempty"`
	Dated      time.Time `json:"dated,omitzero"`
}

func (a *API) advisoryRoutes() {
	serve(a, spec{method: http.MethodGet, path: "/advisories", id: "list-advisories", role: firmward.Viewer, tag: "Advisories", summary: "List advisories"},
		func(ctx context.Context, in *struct {
			PageInput
			Source    string    `query:"source"`
			Text      string    `query:"text" doc:"part of id or title"`
			Modified  time.Time `query:"modifiedSince"`
			Exploited bool      `query:"exploited" doc:"only those known to be exploited"`
		},
		) (Page[Advisory], error) {
			l, next, err := a.Store.Advisories(ctx, store.AdvisoryFilter{Source: in.Source, Text: in.Text, Modified: in.Modified, Exploited: in.Exploited}, in.page())
			return pageOf(l, next, err, advisoryOf)
		})
	serve(a, spec{method: http.MethodGet, path: "/advisories/{id}", id: "get-advisory", role: firmward.Viewer, tag: "Advisories", summary: "What all sources say about one vulnerability"},
		func(ctx context.Context, in *struct {
			ID string `path:"id"`
		},
		) (AdvisoryDetail, error) {
			l, err := a.Store.Advisory(ctx, in.ID)
			if err != nil {
				return AdvisoryDetail{}, err
			}
			out := AdvisoryDetail{ID: in.ID, Sources: each(l, advisoryOf)}
			exploited, err := a.Store.ExploitedOf(ctx, []string{in.ID})
			if err != nil {
				return out, err
			}
			if e, ok := exploited[in.ID]; ok {
				out.Exploited = &Exploited{e.Added, e.Due, e.Action, e.Ransomware, e.Origin.Feed}
			}
			likely, err := a.Store.LikelihoodOf(ctx, []string{in.ID})
			if err != nil {
				return out, err
			}
			if e, ok := likely[in.ID]; ok {
				l := likelihoodOf(e)
				out.Likelihood = &l
			}
			earlier, err := a.Store.LikelihoodTrend(ctx, []string{in.ID})
			out.Earlier = each(earlier[in.ID], likelihoodOf)
			return out, err
		})
}
