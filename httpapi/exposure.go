package httpapi

import (
	"context"
	"net/http"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/remedy"
)

// Exposure is how long the open findings of one group of devices have been open to the world.
type Exposure struct {
	Group     string `json:"group"`
	Devices   int    `json:"devices" doc:"with an open finding"`
	Open      int    `json:"open" doc:"findings that are affected or likely"`
	Possible  int    `json:"possible" doc:"findings that are only possible; no clock runs on them"`
	Published Clock  `json:"published" doc:"since the advisory was published"`
	Exploited Clock  `json:"exploited" doc:"since it is known to be exploited"`
	Fixable   Clock  `json:"fixable" doc:"since a release that mends it was at hand"`
	Known     Clock  `json:"known" doc:"since firmward found it"`
}

// Clock is a distribution of whole days.
type Clock struct {
	N   int `json:"n" doc:"findings on which it runs"`
	P50 int `json:"p50"`
	P90 int `json:"p90"`
	Max int `json:"max"`
}

func (a *API) exposureRoutes() {
	serve(a, spec{
		method: http.MethodGet, path: "/exposure", id: "list-exposure", role: firmward.Viewer, tag: "Findings", summary: "How long findings have been open to the world",
		doc: "Days since published, exploited, fixable and known, as distributions. The group whose exploited findings are oldest comes first.",
	}, func(ctx context.Context, in *struct {
		By string `query:"by" enum:"site,class,vendor,model,device" doc:"absent: all together"`
	},
	) (Page[Exposure], error) {
		l, err := a.Control.Exposure(ctx, in.By)
		return pageOf(l, "", err, func(e remedy.Exposure) Exposure {
			return Exposure{e.Group, e.Devices, e.Open, e.Possible, Clock(e.Published), Clock(e.Exploited), Clock(e.Fixable), Clock(e.Known)}
		})
	})
}
