package httpapi

import (
	"context"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/store"
)

// metrics are read from the store when they are asked for, so they survive a restart and cannot drift.
type metrics struct {
	api      *API
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
}

var (
	descDevices  = prometheus.NewDesc("firmward_devices", "Devices that are not retired.", []string{"site", "class"}, nil)
	descFindings = prometheus.NewDesc("firmward_findings_open", "Open findings.", []string{"verdict", "exploited"}, nil)
	descSteps    = prometheus.NewDesc("firmward_next_steps", "Devices by their next step.", []string{"kind", "bucket"}, nil)
	descRollouts = prometheus.NewDesc("firmward_rollouts", "Rollouts by state.", []string{"state"}, nil)
	descInFlight = prometheus.NewDesc("firmward_targets_in_flight", "Devices that are being changed now.", nil, nil)
	descStrays   = prometheus.NewDesc("firmward_outcomes_ignored", "Outcomes of commands that changed nothing: the command is unknown or finished, or the target has gone on without it.", []string{"why"}, nil)
	descFeedAge  = prometheus.NewDesc("firmward_feed_age_seconds", "Age of the document behind a feed.", []string{"feed"}, nil)
	descFeedSick = prometheus.NewDesc("firmward_feed_trouble", "1 while a feed is stale or cannot be fetched.", []string{"feed"}, nil)
	descFeedFail = prometheus.NewDesc("firmward_feed_fetch_failures", "Tries in a row in which fetching a feed failed.", []string{"feed"}, nil)
	descLeaves   = prometheus.NewDesc("firmward_audit_leaves", "Sealed records of the audit log.", nil, nil)
	descDeaf     = prometheus.NewDesc("firmward_notices_failing", "Recipients whom the last message did not reach.", nil, nil)
	descStopAll  = prometheus.NewDesc("firmward_stop_all", "1 while the red button is pressed.", nil, nil)
)

func newMetrics(a *API) *metrics {
	m := &metrics{
		api: a, registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "firmward_http_requests_total", Help: "HTTP requests."}, []string{"method", "noun", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "firmward_http_request_seconds", Help: "Time to answer HTTP requests, event streams left out.", Buckets: prometheus.ExponentialBuckets(0.001, 4, 8),
		}, []string{"noun"}),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "firmward_build_info", Help: "Always 1.", ConstLabels: prometheus.Labels{"version": a.Version, "go": runtime.Version()},
	})
	build.Set(1)
	m.registry.MustRegister(m, m.requests, m.seconds, build, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// saw counts one request. Its noun is the first part of the path below the API, or "page".
func (m *metrics) saw(r *http.Request, status int, took time.Duration) {
	noun := "page"
	if rest, ok := strings.CutPrefix(r.URL.Path, base+"/"); ok {
		noun, _, _ = strings.Cut(rest, "/")
		if status == http.StatusNotFound || status == http.StatusMethodNotAllowed || r.Pattern == "" {
			noun = "other" // a label must not be made up by clients
		}
	}
	m.requests.WithLabelValues(method(r.Method), noun, strconv.Itoa(status)).Inc()
	if noun != "events" {
		m.seconds.WithLabelValues(noun).Observe(took.Seconds())
	}
}

func method(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
		return m
	}
	return "other"
}

// Describe is left empty on purpose: which labels there are depends on the data.
func (m *metrics) Describe(chan<- *prometheus.Desc) {}

// Collect reads the store. What cannot be read is left out and logged.
func (m *metrics) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	for _, read := range []func(context.Context, func(*prometheus.Desc, float64, ...string)) error{m.inventory, m.rollouts, m.records} {
		if err := read(ctx, gauge); err != nil {
			m.api.Log.ErrorContext(ctx, "metrics not read", "error", err)
		}
	}
}

func (m *metrics) inventory(ctx context.Context, gauge func(*prometheus.Desc, float64, ...string)) error {
	devices, err := m.api.Store.CountDevices(ctx)
	if err != nil {
		return err
	}
	for _, c := range devices {
		gauge(descDevices, float64(c.N), c.Site, string(c.Class))
	}
	findings, err := m.api.Store.CountFindings(ctx)
	if err != nil {
		return err
	}
	for _, c := range findings {
		gauge(descFindings, float64(c.N), string(c.Verdict), strconv.FormatBool(c.Exploited))
	}
	steps, err := m.api.Store.CountSteps(ctx)
	if err != nil {
		return err
	}
	for _, c := range steps {
		gauge(descSteps, float64(c.N), string(c.Kind), c.Bucket)
	}
	return nil
}

func (m *metrics) rollouts(ctx context.Context, gauge func(*prometheus.Desc, float64, ...string)) error {
	states, flying := map[firmward.RolloutState]int{}, 0
	for r, err := range store.All(func(p store.Page) ([]firmward.Rollout, string, error) {
		return m.api.Store.Rollouts(ctx, store.RolloutFilter{}, p)
	}) {
		if err != nil {
			return err
		}
		states[r.State]++
		flying += r.InFlight
	}
	for state, n := range states {
		gauge(descRollouts, float64(n), string(state))
	}
	gauge(descInFlight, float64(flying))
	strays, err := m.api.Store.Strays(ctx)
	for _, s := range strays {
		gauge(descStrays, float64(s.N), s.Why)
	}
	return err
}

func (m *metrics) records(ctx context.Context, gauge func(*prometheus.Desc, float64, ...string)) error {
	feeds, err := m.api.Control.FeedStatuses(ctx)
	if err != nil {
		return err
	}
	for _, f := range feeds {
		if !f.Dated.IsZero() {
			gauge(descFeedAge, m.api.Control.Clock.Now().Sub(f.Dated).Seconds(), f.Name)
		}
		sick := 0.0
		if f.Trouble != "" {
			sick = 1
		}
		gauge(descFeedSick, sick, f.Name)
		if f.Fetch != nil {
			gauge(descFeedFail, float64(f.Fetch.Failures), f.Name)
		}
	}
	leaves, err := m.api.Store.AuditSize(ctx)
	if err != nil {
		return err
	}
	gauge(descLeaves, float64(leaves))
	recipients, err := m.api.Store.Recipients(ctx)
	if err != nil {
		return err
	}
	failing := 0
	for _, r := range recipients {
		if r.Failures > 0 {
			failing++
		}
	}
	gauge(descDeaf, float64(failing))
	stop, err := m.api.Store.StopAll(ctx)
	if stop.On {
		gauge(descStopAll, 1)
	} else {
		gauge(descStopAll, 0)
	}
	return err
}

// handler serves the metrics to viewers: they tell what stands in the network.
func (m *metrics) handler() http.Handler {
	inner := promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p := allowed(person(r.Context()), firmward.Viewer); p != nil {
			writeProblem(w, p)
			return
		}
		inner.ServeHTTP(w, r)
	})
}
