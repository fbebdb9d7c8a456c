package httpapi_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/store"
)

// BenchmarkDevicesPage compares a page of 100 among 100,000 devices over the handler with the store's
// query alone, at the 99th percentile. Wanted: at most three times as long.
func BenchmarkDevicesPage(b *testing.B) {
	h := newHouse(b)
	h.fill(b, 100_000)
	page := store.Page{Limit: 100}
	_, next, err := h.store.Devices(b.Context(), store.DeviceFilter{Site: "home"}, store.Page{Limit: 1000})
	if err != nil {
		b.Fatal(err)
	}
	page.After = next
	req := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/api/v1/devices?site=home&limit=100&after="+next, nil)
	req.Host = "localhost"
	req.Header.Set("Authorization", "Bearer "+h.tokens[firmward.Viewer])
	var bare, whole []time.Duration
	for b.Loop() {
		t0 := time.Now()
		if l, _, err := h.store.Devices(b.Context(), store.DeviceFilter{Site: "home"}, page); err != nil || len(l) != 100 {
			b.Fatal(len(l), err)
		}
		t1 := time.Now()
		w := httptest.NewRecorder()
		h.api.Handler().ServeHTTP(w, req)
		if w.Code != 200 {
			b.Fatal(w.Code, w.Body)
		}
		bare, whole = append(bare, t1.Sub(t0)), append(whole, time.Since(t1))
	}
	p99 := func(l []time.Duration) float64 {
		slices.Sort(l)
		return float64(l[len(l)*99/100].Microseconds())
	}
	b.ReportMetric(p99(bare), "p99-query-µs")
	b.ReportMetric(p99(whole), "p99-handler-µs")
	b.ReportMetric(p99(whole)/p99(bare), "p99-ratio")
}
