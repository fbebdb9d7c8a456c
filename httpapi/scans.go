package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/control"
)

// Scan is one run over one named network, and its receipt.
type Scan struct {
	ID       string    `json:"id"`
	Network  string    `json:"network"`
	Site     string    `json:"site"`
	By       string    `json:"by"`
	Done     bool      `json:"done"`
	Started  time.Time `json:"started"`
	Ended    time.Time `json:"ended,omitzero"`
	Targets  int       `json:"targets" doc:"addresses to look at"`
	Looked   int       `json:"looked"`
	Answered int       `json:"answered"`
	Devices  int       `json:"devices" doc:"devices that gave evidence"`
	Withheld string    `json:"withheld,omitempty" doc:"what was not sent, and why"`
	Error    string    `json:"error,omitempty"`
}

func scanOf(s control.Scan) Scan {
	return Scan{
		ID: s.ID, Network: s.Network, Site: s.Site, By: s.By, Done: !s.Ended.IsZero(), Started: s.Started, Ended: s.Ended,
		Targets: s.Targets, Looked: s.Looked, Answered: s.Answered, Devices: s.Devices, Withheld: s.Withheld, Error: s.Error,
	}
}

// NewScan names what to look at.
type NewScan struct {
	Network string `json:"network" doc:"a named network" example:"192.168.1.0/24"`
}

func (a *API) scanRoutes() {
	serve(a, spec{
		method: http.MethodPost, path: "/scans", id: "start-scan", role: firmward.Operator, tag: "Scans", summary: "Start a scan of a named network",
		status: http.StatusAccepted, doc: "Returns at once; ask for the scan by its id until done is true. A scan that runs already is returned instead of a second one.",
	}, func(ctx context.Context, in *struct{ Body NewScan }) (Scan, error) {
		p, err := parsePrefix(in.Body.Network)
		if err != nil {
			return Scan{}, err
		}
		s, err := a.Control.StartScan(ctx, person(ctx), p)
		if firmward.CodeOf(err) == firmward.NotFound {
			return Scan{}, firmward.Errorf(firmward.Refused, p.String()+" is not a named network: firmward looks only where a person said so (networks add)")
		}
		return scanOf(s), err
	})
	serve(a, spec{method: http.MethodGet, path: "/scans/{id}", id: "get-scan", role: firmward.Viewer, tag: "Scans", summary: "See how a scan goes"},
		func(_ context.Context, in *struct {
			ID string `path:"id"`
		},
		) (Scan, error) {
			s, err := a.Control.ScanByID(in.ID)
			return scanOf(s), err
		})
}
