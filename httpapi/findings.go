package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/priority"
	"github.com/firmward/firmward/store"
)

// Finding is one advisory that concerns one device.
type Finding struct {
	DeviceID    string           `json:"deviceId"`
	Device      string           `json:"device" doc:"its name"`
	Advisory    string           `json:"advisory"`
	Verdict     firmward.Verdict `json:"verdict" enum:"affected,likely,possible,not-affected"`
	Reason      string           `json:"reason"`
	Open        bool             `json:"open"`
	Score       float64          `json:"score" doc:"highest CVSS base score, 0 when no source gives one"`
	Vector      string           `json:"vector,omitempty"`
	Exploited   bool             `json:"exploited"`
	ExploitedAt time.Time        `json:"exploitedAt,omitzero"`
	Likelihood  float64          `json:"likelihood" doc:"EPSS, 0 when unknown"`
	Model       string           `json:"likelihoodModel,omitempty" doc:"version of the EPSS model"`
	Trend       string           `json:"likelihoodTrend,omitempty" doc:"how EPSS moved within 30 days"`
	SSVC        *SSVC            `json:"ssvc,omitempty" doc:"what an authority decided"`
	FixedIn     string           `json:"fixedIn,omitempty"`
	NoFix       bool             `json:"noFix"`
	Published   time.Time        `json:"published,omitzero"`
	Firmware    string           `json:"firmware,omitempty" doc:"the version that was judged"`
	Snapshot    int64            `json:"snapshot" doc:"generation of the feeds that was used"`
	OpenedAt    time.Time        `json:"openedAt,omitzero"`
	ClosedAt    time.Time        `json:"closedAt,omitzero"`
	ClosedBy    string           `json:"closedBy,omitempty" doc:"the evidence that closed it"`
	Explanation *Explanation     `json:"explanation,omitempty"`
}

// Explanation is a node of the tree that tells how a verdict came about.
type Explanation struct {
	Text     string        `json:"text"`
	Result   string        `json:"result"`
	Source   string        `json:"source,omitempty"`
	Children []Explanation `json:"children,omitempty"`
}

func explanationOf(e firmward.Explanation) Explanation {
	out := Explanation{Text: e.Text, Result: e.Result, Source: e.Source}
	if len(e.Children) > 0 {
		out.Children = each(e.Children, explanationOf)
	}
	return out
}

func findingOf(f firmward.Finding, device string, explain bool) Finding {
	out := Finding{
		DeviceID: f.DeviceID, Device: device, Advisory: f.AdvisoryID, Verdict: f.Verdict, Reason: f.Reason, Open: f.Open(), Score: f.Score,
		Vector: f.Vector, Exploited: f.Exploited, ExploitedAt: f.ExploitedAt, Likelihood: f.Likelihood, FixedIn: f.FixedIn, NoFix: f.NoFix,
		Published: f.Published, Firmware: f.Firmware, Snapshot: f.Snapshot, OpenedAt: f.OpenedAt, ClosedAt: f.ClosedAt, ClosedBy: f.ClosedBy,
	}
	out.SSVC, out.Trend = (*SSVC)(f.Threat.SSVC), priority.Trend(f.Threat)
	if f.Threat.EPSS != nil {
		out.Model = f.Threat.EPSS.Model
	}
	if explain {
		e := explanationOf(f.Explanation)
		out.Explanation = &e
	}
	return out
}

func (a *API) findingRoutes() {
	serve(a, spec{method: http.MethodGet, path: "/findings", id: "list-findings", role: firmward.Viewer, tag: "Findings", summary: "List findings"},
		func(ctx context.Context, in *struct {
			PageInput
			Device    string           `query:"device" doc:"reference of a device"`
			Advisory  string           `query:"advisory"`
			Verdict   firmward.Verdict `query:"verdict" enum:"affected,likely,possible,not-affected"`
			Open      string           `query:"open" enum:"true,false"`
			Exploited string           `query:"exploited" enum:"true,false"`
			Explain   bool             `query:"explain" doc:"with the tree that tells how each verdict came about"`
		},
		) (Page[Finding], error) {
			want := store.FindingFilter{Advisory: in.Advisory, Verdict: in.Verdict, Open: tri(in.Open), Exploited: tri(in.Exploited)}
			if in.Device != "" {
				d, err := a.Control.Find(ctx, in.Device)
				if err != nil {
					return Page[Finding]{}, err
				}
				want.Device = d.ID
			}
			l, next, err := a.Store.Findings(ctx, want, in.page())
			names := a.names(ctx)
			return pageOf(l, next, err, func(f firmward.Finding) Finding { return findingOf(f, names(f.DeviceID).Name, in.Explain) })
		})
}

// names gives devices by id, each read once per request. A device that is gone has its id as its name.
func (a *API) names(ctx context.Context) func(id string) firmward.Device {
	known := map[string]firmward.Device{}
	return func(id string) firmward.Device {
		d, ok := known[id]
		if !ok {
			var err error
			if d, err = a.Store.Device(ctx, id); err != nil {
				d = firmward.Device{ID: id, Name: id}
			}
			known[id] = d
		}
		return d
	}
}
