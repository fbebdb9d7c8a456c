package control_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/assess"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/control/controltest"
	"github.com/firmward/firmward/priority"
	"github.com/firmward/firmward/store"
)

// world is a control over one store that may be stopped and started at any time.
type world struct {
	t       *rapid.T
	tb      testing.TB
	store   *store.Store
	config  control.Config
	control *control.Control
	devices int
	day     int
}

// TestReassess: whatever is imported, learnt of devices and interrupted, in whatever order, the open findings of every device are those
// of assessing it from scratch with all that is known at the end.
func TestReassess(t *testing.T) {
	config := controltest.Open(t, nil).Config
	rapid.Check(t, func(rt *rapid.T) {
		s, err := store.Open(t.Context(), store.Options{URL: "memory:"})
		if err != nil {
			rt.Fatal(err)
		}
		defer s.Close()
		w := &world{t: rt, tb: t, store: s, config: config}
		w.config.Store = s
		w.start()
		for range rapid.IntRange(1, 20).Draw(rt, "steps") {
			w.step(rapid.SampledFrom([]string{"advisories", "advisories", "whole feed", "exploited", "likelihood", "device", "device", "change", "decide", "decide", "assess one", "stop", "die"}).Draw(rt, "step"))
		}
		if rapid.Bool().Draw(rt, "stopped at the end") {
			w.start()
		}
		w.must(w.control.DecideStep(t.Context()))
		w.check()
	})
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// start is a process that begins: it knows nothing but the store.
func (w *world) start() {
	c, err := control.New(w.config)
	w.must(err)
	w.control = c
	c.SetAtOnce(2)
}

func (w *world) pick(what string, from ...string) string {
	return rapid.SampledFrom(from).Draw(w.t, what)
}

func (w *world) step(kind string) {
	ctx := w.tb.Context()
	w.day++
	at := time.Date(2026, 3, w.day, 0, 0, 0, 0, time.UTC)
	id := w.pick("id", "CVE-2026-1", "CVE-2026-2")
	feed := func(name, kind string, whole bool, f func(*store.Import) error) {
		_, err := w.store.Import(ctx, name, store.ImportOptions{Kind: kind, Document: name, Now: at, ReplaceAll: whole}, func(i *store.Import) error {
			i.Dated(at)
			return f(i)
		})
		w.must(err)
	}
	switch kind {
	case "advisories":
		feed(w.pick("source", "nvd", "cve"), "advisories", false, func(i *store.Import) error { return i.Advisory(w.advisory(id, at)) })
	case "whole feed":
		feed("vendor", "advisories", true, func(i *store.Import) error { return i.Advisory(w.advisory(id, at)) })
	case "exploited":
		feed("kev", "exploited", true, func(i *store.Import) error {
			return i.Exploited(firmward.Exploited{Advisory: id, Added: at.AddDate(0, -rapid.IntRange(0, 1).Draw(w.t, "months"), 0)})
		})
	case "likelihood":
		feed("epss", "likelihood", true, func(i *store.Import) error {
			return i.Likelihood(firmward.Likelihood{Advisory: id, Score: rapid.SampledFrom([]float64{0, .001, .004, .0999, .1, .5}).Draw(w.t, "score"), Dated: at})
		})
	case "device":
		w.devices++
		w.put(firmward.Device{ID: fmt.Sprintf("dev-%d", w.devices), Origin: firmward.OriginSeen})
	case "change":
		if w.devices > 0 {
			d, err := w.store.Device(ctx, fmt.Sprintf("dev-%d", rapid.IntRange(1, w.devices).Draw(w.t, "device")))
			w.must(err)
			w.put(d)
		}
	case "decide":
		w.must(w.control.DecideStep(ctx))
	case "assess one":
		if w.devices > 0 {
			w.must(w.control.Weigh(ctx, fmt.Sprintf("dev-%d", rapid.IntRange(1, w.devices).Draw(w.t, "device"))))
		}
	case "stop":
		w.start()
	case "die": // at any place of a turn
		ctx, cancel := context.WithCancel(ctx)
		dying := &mortal{Context: ctx, die: cancel}
		dying.left.Store(rapid.Int64Range(1, 600).Draw(w.t, "steps of the database"))
		if err := w.control.DecideStep(dying); err != nil && dying.left.Load() > 0 {
			w.t.Fatal(err)
		}
		cancel()
		w.start()
	}
}

// TestReassessDies: wherever a process ends while it writes the findings of seven devices of one kind, two at a time, the next one ends the work.
func TestReassessDies(t *testing.T) {
	s, err := store.Open(t.Context(), store.Options{URL: "memory:"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	w := &world{tb: t, store: s, config: controltest.Open(t, func(cfg *control.Config) { cfg.Store = s }).Config}
	midway, steps := 0, int64(0)       // of the database, that a whole run takes
	rapid.Check(t, func(rt *rapid.T) { // one store for all: each begins with the end state of the last
		w.t = rt
		w.start()
		for w.devices < 7 {
			w.devices++
			w.write(firmward.Device{ID: fmt.Sprintf("dev-%d", w.devices), Model: "a", Firmware: "1.0"}, 90)
		}
		w.must(w.control.DecideStep(t.Context()))
		w.day++
		at := time.Date(2026, 3, w.day, 0, 0, 0, 0, time.UTC)
		a := firmward.Advisory{ID: "CVE-2026-1", Published: at, Modified: at, Configurations: []firmward.Configuration{{Nodes: []firmward.Node{{
			Operator: "OR", Matches: []firmward.CPEMatch{{Vulnerable: true, Criteria: "cpe:2.3:o:acme:a_firmware:*:*:*:*:*:*:*:*", VersionEndExcluding: []string{"1.0", "2.0"}[w.day%2]}},
		}}}}}
		_, err := s.Import(t.Context(), "nvd", store.ImportOptions{Kind: "advisories"}, func(i *store.Import) error { return i.Advisory(a) })
		w.must(err)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		dying := &mortal{Context: ctx, die: cancel}
		const forever = 1 << 40
		dying.left.Store(forever)
		if steps > 0 {
			dying.left.Store(rapid.Int64Range(1, steps).Draw(rt, "steps of the database"))
		}
		before := s.Commits()
		if err := w.control.Reassess(dying); err != nil && dying.left.Load() > 0 {
			rt.Fatal(err)
		}
		if steps == 0 {
			steps = forever - dying.left.Load()
		}
		if n := s.Commits() - before; n > 0 && n < 4 {
			midway++
		}
		w.start()
		w.must(w.control.Reassess(t.Context()))
		w.check()
	})
	t.Logf("%d of 100 ends were midway, of runs of %d steps", midway, steps)
	if midway < 5 {
		t.Errorf("only %d ends were midway, of runs of %d steps", midway, steps)
	}
}

// TestReassessRetracted: while the findings of seven devices of one kind are being written, two at a time, the process ends, and before the next one begins
// what it was about is taken back. No device keeps what was never to be, and none lacks what it had.
func TestReassessRetracted(t *testing.T) {
	s, err := store.Open(t.Context(), store.Options{URL: "memory:"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	w := &world{tb: t, store: s, config: controltest.Open(t, func(cfg *control.Config) { cfg.Store = s }).Config}
	broken := 0
	rapid.Check(t, func(rt *rapid.T) { // one store for all
		w.t = rt
		w.start()
		for w.devices < 7 {
			w.devices++
			w.write(firmward.Device{ID: fmt.Sprintf("dev-%d", w.devices), Model: "a", Firmware: "1.0"}, 90)
		}
		there := rapid.Bool().Draw(rt, "it was there before") // taken away and back, or brought and taken away
		w.say(!there)
		w.must(w.control.DecideStep(t.Context()))
		w.say(there)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		dying := &mortal{Context: ctx, die: cancel}
		dying.left.Store(rapid.Int64Range(1, 400).Draw(rt, "steps of the database"))
		if err := w.control.Reassess(dying); err != nil {
			broken++
			if dying.left.Load() > 0 {
				rt.Fatal(err)
			}
		}
		w.say(!there)
		w.start()
		w.must(w.control.Reassess(t.Context()))
		w.check()
	})
	t.Logf("%d were broken off", broken)
}

// TestReassessApart: a device is assessed alone by a newer import than those of its kind, and what that said is taken back before they are.
func TestReassessApart(t *testing.T) {
	config := controltest.Open(t, nil).Config
	for _, there := range []bool{false, true} {
		ran := false
		rapid.Check(t, func(rt *rapid.T) { // nothing is drawn: once is enough
			if ran {
				return
			}
			ran = true
			s, err := store.Open(t.Context(), store.Options{URL: "memory:"})
			if err != nil {
				rt.Fatal(err)
			}
			defer s.Close()
			w := &world{t: rt, tb: t, store: s, config: config}
			w.config.Store = s
			w.start()
			one := func(id string) { w.write(firmward.Device{ID: id, Model: "a", Firmware: "1.0"}, 90) }
			one("dev-1")
			w.devices = 1
			w.say(!there)
			w.must(w.control.DecideStep(t.Context()))
			w.say(there)
			one("dev-2")
			w.devices = 2
			w.must(w.control.Weigh(t.Context(), "dev-2"))
			w.say(!there)
			w.must(w.control.DecideStep(t.Context()))
			w.check()
		})
	}
}

// say imports one advisory on model a, or takes it back.
func (w *world) say(rejected bool) {
	w.day++
	at := time.Date(2026, 3, w.day, 0, 0, 0, 0, time.UTC)
	a := firmward.Advisory{ID: "CVE-2026-1", Published: at, Modified: at, Rejected: rejected, Configurations: []firmward.Configuration{{Nodes: []firmward.Node{{
		Operator: "OR", Matches: []firmward.CPEMatch{{Vulnerable: true, Criteria: "cpe:2.3:o:acme:a_firmware:*:*:*:*:*:*:*:*", VersionEndExcluding: "2.0"}},
	}}}}}
	_, err := w.store.Import(w.tb.Context(), "nvd", store.ImportOptions{Kind: "advisories"}, func(i *store.Import) error { return i.Advisory(a) })
	w.must(err)
}

// mortal ends after it was asked some times whether it has ended.
type mortal struct {
	context.Context
	left atomic.Int64
	die  func()
}

func (m *mortal) Done() <-chan struct{} {
	if m.left.Add(-1) <= 0 {
		m.die()
	}
	return m.Context.Done()
}

// put writes a device of one of a few kinds; it is assessed by a later step, as after a scan.
func (w *world) put(d firmward.Device) {
	d.Model, d.Firmware = w.pick("model", "a", "b"), w.pick("firmware", "1.0", "2.0", "")
	w.write(d, rapid.SampledFrom([]int{50, 90}).Draw(w.t, "confidence"))
}

func (w *world) write(d firmward.Device, confidence int) {
	ctx := w.tb.Context()
	d.Name, d.Vendor, d.Class, d.Site = d.ID, "acme", firmward.ClassCamera, "home"
	w.must(w.store.Tx(ctx, func(tx *store.Tx) error {
		if err := tx.PutDevice(ctx, d, store.Change{Actor: "test"}); err != nil {
			return err
		}
		return tx.PutIdentity(ctx, d.ID, firmward.Identity{Claims: []firmward.Claim{{Field: firmward.FieldModel, Value: d.Model, Confidence: confidence}}})
	}))
	w.control.Touch(d.ID)
}

func (w *world) advisory(id string, at time.Time) firmward.Advisory {
	a := firmward.Advisory{
		ID: id, Title: "A flaw", Published: at, Modified: at, Rejected: rapid.IntRange(0, 4).Draw(w.t, "rejected") == 0,
		References: []string{w.pick("reference", "https://vendor.example/1", "https://www.exploit-db.com/exploits/1")},
		Configurations: []firmward.Configuration{{Nodes: []firmward.Node{{Operator: "OR", Matches: []firmward.CPEMatch{{
			Vulnerable: true, VersionEndExcluding: w.pick("end", "", "1.5", "3.0"),
			Criteria: w.pick("criteria", "cpe:2.3:o:acme:a_firmware:*:*:*:*:*:*:*:*", "cpe:2.3:*:acme:b:*:*:*:*:*:*:*:*", "cpe:2.3:h:acme:a:-:*:*:*:*:*:*:*",
				"cpe:2.3:o:*:b_firmware:*:*:*:*:*:*:*:*", "cpe:2.3:o:other:c:*:*:*:*:*:*:*:*"),
		}}}}}},
	}
	if a.Configurations[0].Nodes[0].Matches[0].Criteria == "cpe:2.3:*:acme:b:*:*:*:*:*:*:*:*" {
		a.Configurations[0].Nodes[0].Matches[0].Words = "ACME B"
	}
	return a
}

// check compares the store with the end state.
func (w *world) check() {
	ctx := w.tb.Context()
	var all []firmward.Advisory
	w.must(w.store.EachAdvisory(ctx, func(a firmward.Advisory) error { all = append(all, a); return nil }))
	counts := map[store.FindingCount]int{}
	for n := range w.devices {
		d, err := w.store.Device(ctx, fmt.Sprintf("dev-%d", n+1))
		w.must(err)
		identity, err := w.store.Identity(ctx, d.ID)
		w.must(err)
		want := w.scratch(assess.Subject{Device: d, Identity: identity, Model: w.control.Catalog.Model(d)}, all)
		have, err := w.store.FindingsOf(ctx, d.ID)
		w.must(err)
		have = slices.DeleteFunc(have, func(f firmward.Finding) bool { return !f.Open() })
		for i := range have {
			f := &have[i]
			counts[store.FindingCount{Verdict: f.Verdict, Exploited: f.Exploited}]++
			f.Snapshot, f.OpenedAt = 0, time.Time{} // when it was written last, and opened
			if i < len(want) && !priority.Moved(f.Likelihood, want[i].Likelihood) {
				f.Likelihood, f.Threat.EPSS, f.Threat.Trend = want[i].Likelihood, want[i].Threat.EPSS, want[i].Threat.Trend
			}
		}
		if diff := cmp.Diff(want, have, cmpopts.EquateEmpty()); diff != "" {
			w.t.Fatalf("%s %s %q: want, got\n%s", d.ID, d.Model, d.Firmware, diff)
		}
	}
	kept, err := w.store.CountFindings(ctx)
	w.must(err)
	for _, k := range kept {
		if n := counts[store.FindingCount{Verdict: k.Verdict, Exploited: k.Exploited}]; n != k.N {
			w.t.Errorf("%d findings are counted, there are %d: %+v", k.N, n, k)
		}
	}
}

// scratch judges a device by all advisories, without index, fingerprint and store.
func (w *world) scratch(s assess.Subject, all []firmward.Advisory) []firmward.Finding {
	ctx := w.tb.Context()
	var ids []string
	for _, a := range all {
		ids = append(ids, a.ID)
	}
	exploited, err := w.store.ExploitedOf(ctx, ids)
	w.must(err)
	likely, err := w.store.LikelihoodOf(ctx, ids)
	w.must(err)
	trend, err := w.store.LikelihoodTrend(ctx, ids)
	w.must(err)
	threats := priority.Threats(all, likely, trend)
	var out []firmward.Finding
	for _, f := range assess.Evaluate(s, all, assess.Extras{Exploited: exploited, Likelihood: likely}, time.Time{}) {
		if f.Threat = threats[f.AdvisoryID]; f.Verdict != firmward.NotAffected {
			out = append(out, f)
		}
	}
	return out
}

// TestReassessAlive: an import reaches the findings and the next steps of the devices that it names, and writes no others.
func TestReassessAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := controltest.Open(t, nil)
		if _, err := c.AddSite(t.Context(), anna, firmward.Site{Name: "ward", TimeZone: "UTC"}); err != nil {
			t.Fatal(err)
		}
		var inventory strings.Builder
		inventory.WriteString("name,site,vendor,model,firmware\n")
		for i := range 50 {
			fmt.Fprintf(&inventory, "cam-%d,ward,Acme,Cam,1.0\nplug-%d,ward,Acme,Plug,1.0\n", i, i)
		}
		if _, _, err := c.ImportDevices(t.Context(), anna, "inv.csv", strings.NewReader(inventory.String())); err != nil {
			t.Fatal(err)
		}
		importNVD(t, c, "plug", "CVE-2026-1001")
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- c.Run(ctx) }()
		defer func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}()
		synctest.Wait()
		decided := steps(t, c)
		time.Sleep(time.Minute)
		importNVD(t, c, "cam", "CVE-2026-1002")
		synctest.Wait()
		yes := true
		open, _, err := c.Store.Findings(t.Context(), store.FindingFilter{Advisory: "CVE-2026-1002", Open: &yes}, store.Page{Limit: 1000})
		if err != nil || len(open) != 50 {
			t.Fatalf("%d open findings, %v", len(open), err)
		}
		leaves, _, err := c.Store.FindLeaves(t.Context(), store.LeafFilter{Action: "finding-open"}, store.Page{Limit: 1000})
		if err != nil || len(leaves) != 100 {
			t.Errorf("%d leaves, %v", len(leaves), err)
		}
		moved := 0
		for id, at := range steps(t, c) {
			if !at.Equal(decided[id]) {
				moved++
			}
		}
		if moved != 50 {
			t.Errorf("%d next steps were decided anew", moved)
		}
	})
}

// steps gives when the next step of each device was decided.
func steps(t *testing.T, c *control.Control) map[string]time.Time {
	t.Helper()
	out := map[string]time.Time{}
	all, _, err := c.Store.NextSteps(t.Context(), store.StepFilter{}, store.Page{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		out[s.DeviceID] = s.DecidedAt
	}
	return out
}

func importNVD(t *testing.T, c *control.Control, product, id string) {
	t.Helper()
	text := `{"resultsPerPage":1,"startIndex":0,"totalResults":1,"format":"NVD_CVE","version":"2.0","timestamp":"2000-01-01T00:00:00.000","vulnerabilities":[{"cve":{
		"id":"` + id + `","sourceIdentifier":"x@example","published":"2000-01-01T00:00:00.000","lastModified":"2000-01-01T00:00:00.000","vulnStatus":"Analyzed",
		"descriptions":[{"lang":"en","value":"A flaw"}],"metrics":{},"references":[],
		"configurations":[{"nodes":[{"operator":"OR","negate":false,"cpeMatch":[{"vulnerable":true,"criteria":"cpe:2.3:o:acme:` + product + `_firmware:*:*:*:*:*:*:*:*","versionEndExcluding":"2.0","matchCriteriaId":"1"}]}]}]}}]}`
	path := filepath.Join(t.TempDir(), "nvd.json")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := c.ImportFeed(t.Context(), anna, "", path, "nvd.json"); err != nil || s.Records == 0 {
		t.Fatal(s, err)
	}
}
