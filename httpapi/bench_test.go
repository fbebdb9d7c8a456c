package httpapi_test

import (
	"database/sql"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/store"
)

// BenchmarkDevicesPage compares a page of 100 among 100,000 devices over the handler (token, roles, JSON and all) with the
// bare query: the same rows and columns by a prepared statement of database/sql, thrown away unread. Turn by turn
// in one run, at the 99th percentile. Wanted: at most three times as long.
func BenchmarkDevicesPage(b *testing.B) {
	path := filepath.Join(b.TempDir(), "firmward.db")
	h := houseOn(b, path)
	h.fill(b, 100_000)
	first, next, err := h.store.Devices(b.Context(), store.DeviceFilter{Site: "home"}, store.Page{Limit: 1000})
	if err != nil || next == "" {
		b.Fatal(next, err)
	}
	after := first[len(first)-1].ID
	bare := bareQuery(b, path)
	req := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/api/v1/devices?site=home&limit=100&after="+next, nil)
	req.Host = "localhost"
	req.Header.Set("Authorization", "Bearer "+h.tokens[firmward.Viewer])
	var query, handler []time.Duration
	for b.Loop() {
		t0 := time.Now()
		bare(after)
		t1 := time.Now()
		w := httptest.NewRecorder()
		h.api.Handler().ServeHTTP(w, req)
		if w.Code != 200 {
			b.Fatal(w.Code, w.Body)
		}
		query, handler = append(query, t1.Sub(t0)), append(handler, time.Since(t1))
	}
	for name, at := range map[string]int{"p50": 50, "p99": 99} {
		q, w := percentile(query, at), percentile(handler, at)
		b.ReportMetric(q, name+"-query-µs")
		b.ReportMetric(w, name+"-handler-µs")
		b.ReportMetric(w/q, name+"-ratio")
	}
}

// percentile gives the n-th percentile in microseconds.
func percentile(l []time.Duration, n int) float64 {
	slices.Sort(l)
	return float64(l[len(l)*n/100].Microseconds())
}

// bareQuery reads the page after a device by SQL alone.
func bareQuery(b *testing.B, path string) func(after string) {
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=query_only(1)&_pragma=cache_size(-16000)")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	stmt, err := db.PrepareContext(b.Context(), `SELECT id, name, site, network, zone, class, family, vendor, model, hardware, serial, firmware,
		addrs, macs, origin, owner, function, criticality, location, spare, lab, never_contain, exposed, released_from, released_to,
		retired, first_seen, COALESCE((SELECT s.at FROM device_seen s WHERE s.device = d.id), 0)
		FROM device d WHERE site = $1 AND id > $2 ORDER BY id LIMIT 101`)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { stmt.Close() })
	return func(after string) {
		rows, err := stmt.QueryContext(b.Context(), "home", after)
		if err != nil {
			b.Fatal(err)
		}
		defer rows.Close()
		columns, err := rows.Columns()
		if err != nil {
			b.Fatal(err)
		}
		dest := make([]any, len(columns))
		for i := range dest {
			dest[i] = new(sql.RawBytes)
		}
		n := 0
		for ; rows.Next(); n++ {
			if err := rows.Scan(dest...); err != nil {
				b.Fatal(err)
			}
		}
		if err := rows.Err(); err != nil || n != 101 {
			b.Fatal(n, err)
		}
	}
}
