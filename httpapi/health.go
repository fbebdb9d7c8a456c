package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"time"
)

// Health tells whether this server works. It names no device, so it needs no token.
type Health struct {
	Status   string   `json:"status"` // "ok", "degraded" or "failing"
	Database string   `json:"database"`
	Loops    string   `json:"loops"`
	Stale    []string `json:"staleFeeds"`
	StopAll  bool     `json:"stopAll"`
}

// healthTime bounds one check.
const healthTime = 3 * time.Second

func (a *API) health(ctx context.Context) Health {
	ctx, cancel := context.WithTimeout(ctx, healthTime)
	defer cancel()
	h := Health{Status: "ok", Database: "ok", Loops: "ok", Stale: []string{}}
	stop, err := a.Store.StopAll(ctx)
	h.StopAll = stop.On
	if err != nil {
		a.Log.ErrorContext(ctx, "database does not answer", "error", err)
		h.Status, h.Database = "failing", "does not answer"
	}
	switch {
	case a.Alive == nil:
		h.Loops = "not running here"
	case a.Alive() != nil:
		h.Status, h.Loops = "failing", "ended"
	}
	if feeds, err := a.Control.FeedStatuses(ctx); err == nil {
		for _, f := range feeds {
			if f.Trouble != "" || f.LastError != "" {
				h.Stale = append(h.Stale, f.Name)
			}
		}
	}
	if h.Status == "ok" && len(h.Stale) > 0 {
		h.Status = "degraded"
	}
	return h
}

func (a *API) healthz(w http.ResponseWriter, r *http.Request) {
	h := a.health(r.Context())
	w.Header().Set("Content-Type", "application/json")
	if h.Status == "failing" {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(h) // the client may be gone
}
