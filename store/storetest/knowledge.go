package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/store"
)

var knowledge = []check{
	{"import", imports},
	{"import is atomic", atomic},
	{"complete documents replace", replaces},
	{"rejected advisories go", rejects},
	{"knowledge never goes back", newest},
	{"exploited, likelihood, lifecycle", starter},
	{"earlier scores", trend},
	{"a source says all again", renews},
	{"documents in parts", parts},
	{"statements", stated},
	{"findings", findings},
	{"findings as they were", asFound},
	{"records as they were", asJudged},
	{"what findings say, once", saidOnce},
	{"exceptions", exceptions},
}

func advisory(id, vendor, product string) firmward.Advisory {
	return firmward.Advisory{
		ID: id, Title: "Overflow in " + product, Published: t0, Modified: t0,
		Scores: []firmward.Score{{Version: "3.1", Vector: "CVSS:3.1/AV:N", Base: 9.8}},
		Configurations: []firmward.Configuration{{Nodes: []firmward.Node{{Operator: "OR", Matches: []firmward.CPEMatch{
			{Vulnerable: true, Criteria: "cpe:2.3:o:" + vendor + ":" + product + ":*:*:*:*:*:*:*:*", VersionEndExcluding: "9.80.55"},
			{Vulnerable: true, Criteria: "cpe:2.3:h:" + vendor + ":x\\:y:-:*:*:*:*:*:*:*"},
		}}}}},
		References: []string{fmt.Sprintf("%0400d", 7)},
	}
}

func feed(t *testing.T, s *store.Store, name string, o store.ImportOptions, f func(*store.Import) error) firmward.FeedStatus {
	t.Helper()
	status, err := s.Import(t.Context(), name, o, f)
	if err != nil {
		t.Fatal(err)
	}
	return status
}

func ids(list []firmward.Advisory) (out []string) {
	for _, a := range list {
		out = append(out, a.ID)
	}
	return out
}

var document = store.ImportOptions{Kind: "advisories", Document: "nvd-2026.json", Now: t0}

func imports(t *testing.T, s *store.Store) {
	ctx := t.Context()
	status := feed(t, s, "nvd", document, func(i *store.Import) error {
		i.Dated(t0.Add(-time.Hour))
		i.Refuse("CVE-x", "no id")
		return errors.Join(i.Advisory(advisory("CVE-2", "axis", "m3045")), i.Advisory(advisory("CVE-1", "axis", "m3045")), i.Advisory(advisory("CVE-3", "hikvision", "ds\\!2")))
	})
	want := firmward.FeedStatus{Name: "nvd", Kind: "advisories", Records: 3, Refused: 1, Dated: t0.Add(-time.Hour), Imported: t0, Document: "nvd-2026.json"}
	diff(t, "status", want, status)
	diff(t, "statuses", []firmward.FeedStatus{want}, must[[]firmward.FeedStatus](t)(s.FeedStatuses(ctx)))
	a := advisory("CVE-1", "axis", "m3045")
	a.Source = "nvd"
	diff(t, "advisory", []firmward.Advisory{a}, must[[]firmward.Advisory](t)(s.Advisory(ctx, "CVE-1")))
	diff(t, "some", []string{"CVE-1", "CVE-3"}, ids(must[[]firmward.Advisory](t)(s.AdvisoriesOf(ctx, []string{"CVE-3", "CVE-1", "CVE-77"}))))
	diff(t, "all", []string{"CVE-1", "CVE-2", "CVE-3"}, all(t, s))
	diff(t, "changes", []string{"CVE-1 nvd", "CVE-2 nvd", "CVE-3 nvd"}, changes(t, s, 0))
	if n := must[int64](t)(s.Generation(ctx)); n != 1 {
		t.Errorf("generation %d", n)
	}
	// The next year comes on its own and changes one record.
	status = feed(t, s, "nvd", document, func(i *store.Import) error {
		return errors.Join(i.Advisory(advisory("CVE-2", "axis", "other")), i.Advisory(advisory("CVE-2", "axis", "p3245")))
	})
	if n := must[int64](t)(s.Generation(ctx)); n != 2 || status.Records != 3 {
		t.Errorf("generation %d, records %d", n, status.Records)
	}
	diff(t, "changes of the second", []string{"CVE-2 nvd"}, changes(t, s, 1))
	diff(t, "changes since now", []string(nil), changes(t, s, 2))
	second := advisory("CVE-2", "axis", "p3245")
	second.Source = "nvd"
	diff(t, "the last of two wins", []firmward.Advisory{second}, must[[]firmward.Advisory](t)(s.Advisory(ctx, "CVE-2")))
	got := each(t, 1, func(p store.Page) ([]firmward.Advisory, string, error) {
		return s.Advisories(ctx, store.AdvisoryFilter{Text: "OVERFLOW in d"}, p)
	})
	diff(t, "search", []string{"CVE-3"}, ids(got))
}

func all(t *testing.T, s *store.Store) (out []string) {
	t.Helper()
	if err := s.EachAdvisory(t.Context(), func(a firmward.Advisory) error { out = append(out, a.ID); return nil }); err != nil {
		t.Fatal(err)
	}
	return out
}

func changes(t *testing.T, s *store.Store, after int64) (out []string) {
	t.Helper()
	listed, err := s.Changes(t.Context(), after, func(id, source string) { out = append(out, id+" "+source) })
	if err != nil || !listed {
		t.Fatalf("listed %v, %v", listed, err)
	}
	return out
}

func atomic(t *testing.T, s *store.Store) {
	ctx := t.Context()
	feed(t, s, "nvd", document, func(i *store.Import) error { return i.Advisory(advisory("CVE-1", "axis", "m3045")) })
	broken := errors.New("at byte 77: unexpected end")
	o := document
	o.ReplaceAll, o.Now = true, t0.Add(time.Hour)
	var before bytes.Buffer
	if err := s.Dump(ctx, &before); err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]func(*store.Import) error{
		"while reading": func(i *store.Import) error { return errors.Join(i.Advisory(advisory("CVE-9", "a", "b")), broken) },
		"while storing": func(i *store.Import) error {
			i.Then(func(tx *store.Tx, _ firmward.FeedStatus) error {
				return tx.PutFeedFetch(ctx, firmward.FeedFetch{Name: "nvd", Cursor: "behind what is stored"})
			})
			i.Then(func(tx *store.Tx, _ firmward.FeedStatus) error { return broken })
			return i.Advisory(advisory("CVE-9", "a", "b"))
		},
	} {
		if _, err := s.Import(ctx, "nvd", o, f); !errors.Is(err, broken) {
			t.Errorf("%s: %v", name, err)
		}
		got := each(t, 10, func(p store.Page) ([]firmward.Advisory, string, error) {
			return s.Advisories(ctx, store.AdvisoryFilter{}, p)
		})
		diff(t, name, []string{"CVE-1"}, ids(got))
		status := must[firmward.FeedStatus](t)(s.FeedStatus(ctx, "nvd"))
		if status.Records != 1 || status.LastError == "" || !status.FailedAt.Equal(o.Now) || !status.Imported.Equal(t0) {
			t.Errorf("%s: status %+v", name, status)
		}
	}
	if n := must[int64](t)(s.Generation(ctx)); n != 1 {
		t.Errorf("generation %d after failures", n)
	}
	if _, err := s.FeedFetch(ctx, "nvd"); firmward.CodeOf(err) != firmward.NotFound {
		t.Errorf("the cursor outlived its import: %v", err)
	}
	want := firmward.FeedFetch{
		Name: "nvd", Follow: true, URLs: []string{"https://mirror.example/nvd/"}, By: "anna", Since: t0, Cursor: "since 2026", Good: t0, Next: t0.Add(time.Hour),
		Tags: map[string]firmward.FeedTag{"https://mirror.example/nvd/x": {ETag: `"a"`}},
	}
	err := s.Tx(ctx, func(tx *store.Tx) error {
		return errors.Join(tx.PutFeedFetch(ctx, want), tx.ForgetFeedError(ctx, "nvd"), tx.ForgetFeedError(ctx, "nobody"))
	})
	if err != nil {
		t.Fatal(err)
	}
	diff(t, "how it is fetched", []firmward.FeedFetch{want}, must[[]firmward.FeedFetch](t)(s.FeedFetches(ctx)))
	if status := must[firmward.FeedStatus](t)(s.FeedStatus(ctx, "nvd")); status.LastError != "" || status.Records != 1 {
		t.Errorf("the error is forgotten: %+v", status)
	}
	if status := feed(t, s, "nvd", o, func(i *store.Import) error { return i.Advisory(advisory("CVE-9", "a", "b")) }); status.LastError != "" {
		t.Errorf("after success: %+v", status)
	}
}

func replaces(t *testing.T, s *store.Store) {
	o := document
	o.ReplaceAll = true
	feed(t, s, "nvd", document, func(i *store.Import) error { return i.Advisory(advisory("CVE-0", "axis", "m3045")) })
	feed(t, s, "vendor", o, func(i *store.Import) error {
		return errors.Join(i.Advisory(advisory("CVE-1", "axis", "m3045")), i.Advisory(advisory("CVE-2", "axis", "m3045")))
	})
	status := feed(t, s, "vendor", o, func(i *store.Import) error { return i.Advisory(advisory("CVE-2", "axis", "m3045")) })
	if status.Records != 1 {
		t.Errorf("%d records", status.Records)
	}
	diff(t, "what is left", []string{"CVE-0", "CVE-2"}, all(t, s))
	diff(t, "what went and what came", []string{"CVE-1 vendor", "CVE-2 vendor"}, changes(t, s, 2))
}

func newest(t *testing.T, s *store.Store) {
	ctx := t.Context()
	dated := func(at time.Time, put ...func(*store.Import) error) func(*store.Import) error {
		return func(i *store.Import) error {
			i.Dated(at)
			for _, p := range put {
				if err := p(i); err != nil {
					return err
				}
			}
			return nil
		}
	}
	form := func(title string, modified time.Time) func(*store.Import) error {
		a := advisory("CVE-1", "axis", "m3045")
		a.Title, a.Modified = title, modified
		return func(i *store.Import) error { return i.Advisory(a) }
	}
	day := 24 * time.Hour
	feed(t, s, "nvd", document, dated(t0, form("new", t0)))
	status := feed(t, s, "nvd", document, dated(t0.Add(-9*day), form("old", t0.Add(-day))))
	if !status.Dated.Equal(t0) || status.Records != 1 {
		t.Errorf("an archive made the feed older: %+v", status)
	}
	title := func() string { return must[[]firmward.Advisory](t)(s.Advisory(ctx, "CVE-1"))[0].Title }
	if title() != "new" {
		t.Error("an older form replaced a newer one")
	}
	feed(t, s, "nvd", document, dated(time.Time{}, form("newer", t0.Add(day))))
	if title() != "newer" || !must[firmward.FeedStatus](t)(s.FeedStatus(ctx, "nvd")).Dated.Equal(t0) {
		t.Errorf("got %s", title())
	}

	o := store.ImportOptions{Kind: "exploited", Document: "kev.json", Now: t0}
	one := func(i *store.Import) error { return i.Exploited(firmward.Exploited{Advisory: "CVE-1", Added: t0}) }
	feed(t, s, "kev", o, dated(t0, one))
	_, err := s.Import(ctx, "kev", o, dated(t0.Add(-day), one))
	wantCode(t, err, firmward.Conflict)
	if got := must[firmward.FeedStatus](t)(s.FeedStatus(ctx, "kev")); !got.Dated.Equal(t0) || got.LastError != "" {
		t.Errorf("after an older list: %+v", got)
	}
	_, err = s.Import(ctx, "kev", o, func(i *store.Import) error { i.Refuse("entry 1", "no id"); return nil })
	wantCode(t, err, firmward.Invalid)
	if got := must[firmward.FeedStatus](t)(s.FeedStatus(ctx, "kev")); got.Records != 1 || got.LastError == "" {
		t.Errorf("after a document without a sound record: %+v", got)
	}
}

func rejects(t *testing.T, s *store.Store) {
	feed(t, s, "nvd", document, func(i *store.Import) error { return i.Advisory(advisory("CVE-1", "axis", "m3045")) })
	feed(t, s, "nvd", document, func(i *store.Import) error { return i.Advisory(firmward.Advisory{ID: "CVE-1", Rejected: true}) })
	_, err := s.Advisory(t.Context(), "CVE-1")
	wantCode(t, err, firmward.NotFound)
	diff(t, "what is left", []string(nil), all(t, s))
	diff(t, "what went", []string{"CVE-1 nvd"}, changes(t, s, 1))
	// What was rejected does not come back with an older document, and a rejection takes nothing that is newer.
	say := func(at time.Time, rejected bool) func(*store.Import) error {
		return func(i *store.Import) error {
			a := advisory("CVE-2", "axis", "m3045")
			a.Modified, a.Rejected = at, rejected
			return i.Advisory(a)
		}
	}
	for n, step := range []struct {
		at       time.Duration
		rejected bool
		there    bool
	}{{0, false, true}, {2, true, false}, {1, false, false}, {3, false, true}, {2, true, true}, {2, false, true}, {4, true, false}, {3, false, false}} {
		feed(t, s, "nvd", document, say(t0.Add(step.at*time.Hour), step.rejected))
		if _, err := s.Advisory(t.Context(), "CVE-2"); (err == nil) != step.there {
			t.Errorf("step %d: there %v, %v", n, !step.there, err)
		}
	}
}

func starter(t *testing.T, s *store.Store) {
	ctx := t.Context()
	kev := firmward.Exploited{Advisory: "CVE-1", Added: t0, Due: t0.Add(time.Hour), Ransomware: true}
	epss := firmward.Likelihood{Advisory: "CVE-1", Score: 0.25, Percentile: 0.5, Model: "v4", Dated: t0}
	end := firmward.Lifecycle{Vendor: "Axis", Product: "M3045", EndOfSupport: t0, Status: "announced"}
	o := store.ImportOptions{Kind: "starter", Document: "starter", Now: t0, ReplaceAll: true}
	for range 2 {
		status := feed(t, s, "starter", o, func(i *store.Import) error {
			return errors.Join(i.Exploited(kev), i.Likelihood(epss), i.Likelihood(firmward.Likelihood{Advisory: "x", Score: math.NaN()}), i.Lifecycle(end))
		})
		if status.Records != 3 || status.Refused != 1 {
			t.Errorf("status %+v", status)
		}
	}
	newer := epss
	newer.Dated, newer.Score = t0.Add(time.Hour), 0.75
	feed(t, s, "epss", store.ImportOptions{Kind: "likelihood", Now: t0}, func(i *store.Import) error { return i.Likelihood(newer) })
	diff(t, "exploited", map[string]firmward.Exploited{"CVE-1": kev}, must[map[string]firmward.Exploited](t)(s.ExploitedOf(ctx, []string{"CVE-1", "CVE-2"})))
	record := firmward.Exploited{Advisory: "CVE-1", Added: t0}
	for _, dated := range []time.Time{t0.Add(time.Hour), t0} { // an older record that says so is no older list
		feed(t, s, "cve", store.ImportOptions{Kind: "advisories", Now: t0}, func(i *store.Import) error {
			i.Dated(dated)
			return i.Exploited(record)
		})
	}
	diff(t, "exploited by a record too, which knows less", map[string]firmward.Exploited{"CVE-1": kev}, must[map[string]firmward.Exploited](t)(s.ExploitedOf(ctx, []string{"CVE-1"})))
	diff(t, "likelihood", map[string]firmward.Likelihood{"CVE-1": newer}, must[map[string]firmward.Likelihood](t)(s.LikelihoodOf(ctx, []string{"CVE-1", "CVE-2"})))
	diff(t, "lifecycle", []firmward.Lifecycle{end}, must[[]firmward.Lifecycle](t)(s.Lifecycles(ctx, []string{"nobody", "AXIS"}, "m3045", "other")))
	diff(t, "all of a vendor", []firmward.Lifecycle{end}, must[[]firmward.Lifecycle](t)(s.Lifecycles(ctx, []string{"axis"})))
}

// trend keeps what a person would call a change: not the noise of a day, not a document that comes again.
func trend(t *testing.T, s *store.Store) {
	ctx := t.Context()
	at := func(days int, score float64, model string) firmward.Likelihood {
		return firmward.Likelihood{Advisory: "CVE-1", Score: score, Percentile: .5, Model: model, Dated: t0.Add(time.Duration(days) * 24 * time.Hour)}
	}
	write := func(l firmward.Likelihood) {
		feed(t, s, "epss", store.ImportOptions{Kind: "likelihood", Now: t0}, func(i *store.Import) error {
			return i.Likelihood(l)
		})
	}
	all := func() []firmward.Likelihood {
		return must[map[string][]firmward.Likelihood](t)(s.LikelihoodTrend(ctx, []string{"CVE-1", "CVE-2"}))["CVE-1"]
	}
	first, second, other := at(0, .02, "v3"), at(7, .41, "v3"), at(8, .41, "v4")
	write(first)
	if got := all(); got != nil {
		t.Errorf("one score has a history: %v", got)
	}
	for _, l := range []firmward.Likelihood{at(1, .021, "v3"), at(1, .021, "v3"), at(2, .022, "v3"), second, second, other} {
		write(l)
	}
	diff(t, "earlier scores", []firmward.Likelihood{second, at(2, .022, "v3"), first}, all())
	diff(t, "the newest", other, must[map[string]firmward.Likelihood](t)(s.LikelihoodOf(ctx, []string{"CVE-1"}))["CVE-1"])
	quiet := at(0, .001, "v3")
	quiet.Advisory = "CVE-2"
	for n := range 3 {
		quiet.Dated = quiet.Dated.Add(time.Duration(n) * time.Hour)
		write(quiet)
	}
	for n := range 40 {
		write(at(10+n, float64(n%2), "v4"))
	}
	if got := all(); len(got) != 30 || !got[0].Dated.Equal(t0.Add(48*24*time.Hour)) {
		t.Errorf("%d earlier scores, the newest of %v", len(got), got[0].Dated)
	}
	if got := must[map[string][]firmward.Likelihood](t)(s.LikelihoodTrend(ctx, []string{"CVE-2"})); len(got) != 0 {
		t.Errorf("noise has a history: %v", got)
	}
}

func findings(t *testing.T, s *store.Store) {
	ctx := t.Context()
	replace := func(at time.Time, list ...firmward.Finding) (c store.FindingChanges) {
		write(t, s, func(tx *store.Tx) (err error) {
			c, err = tx.ReplaceFindings(ctx, store.Assessment{Device: "a", Findings: list, Observation: "o1", At: at})
			return err
		})
		return c
	}
	finding := func(id string, v firmward.Verdict, exploited bool) firmward.Finding {
		return firmward.Finding{AdvisoryID: id, Verdict: v, Exploited: exploited, Explanation: firmward.Explanation{Text: "why", Children: []firmward.Explanation{{Text: "so"}}}}
	}
	c := replace(t0, finding("CVE-1", firmward.Affected, true), finding("CVE-2", firmward.Possible, false), finding("CVE-3", firmward.NotAffected, false))
	if len(c.Opened) != 2 || len(c.Closed) != 0 {
		t.Errorf("first: %+v", c)
	}
	diff(t, "counts", []store.FindingCount{{Verdict: firmward.Affected, Exploited: true, N: 1}, {Verdict: firmward.Possible, N: 1}}, must[[]store.FindingCount](t)(s.CountFindings(ctx)))
	c = replace(t0.Add(time.Hour), finding("CVE-1", firmward.Affected, true))
	if len(c.Opened) != 0 || c.Updated != 1 || len(c.Closed) != 1 || c.Closed[0].ClosedBy != "o1" {
		t.Errorf("second: %+v", c)
	}
	kept := must[firmward.Finding](t)(s.Finding(ctx, "a", "CVE-1"))
	if !kept.OpenedAt.Equal(t0) || kept.DeviceID != "a" {
		t.Errorf("kept: %+v", kept)
	}
	c = replace(t0.Add(2*time.Hour), finding("CVE-1", firmward.NotAffected, true), finding("CVE-2", firmward.Affected, false))
	again := must[firmward.Finding](t)(s.Finding(ctx, "a", "CVE-2"))
	if len(c.Closed) != 1 || len(c.Opened) != 1 || !again.OpenedAt.Equal(t0.Add(2*time.Hour)) || !again.Open() {
		t.Errorf("third: %+v, %+v", c, again)
	}
	yes := true
	open := each(t, 1, func(p store.Page) ([]firmward.Finding, string, error) {
		return s.Findings(ctx, store.FindingFilter{Open: &yes}, p)
	})
	diff(t, "open", []firmward.Finding{again}, open)
	write(t, s, func(tx *store.Tx) error {
		return tx.CloseFinding(ctx, "a", "CVE-2", "exception:e1", t0.Add(3*time.Hour))
	})
	if n := must[[]store.FindingCount](t)(s.CountFindings(ctx)); len(n) != 0 {
		t.Errorf("counts after closing: %v", n)
	}
	wantCode(t, s.Tx(ctx, func(tx *store.Tx) error { return tx.CloseFinding(ctx, "a", "CVE-2", "o", t0) }), firmward.Conflict)
}

func exceptions(t *testing.T, s *store.Store) {
	ctx := t.Context()
	one := firmward.Exception{ID: "e1", Kind: firmward.Accept, DeviceID: "a", Expires: t0.Add(time.Hour)}
	everywhere := firmward.Exception{ID: "e2", Kind: firmward.Suppress, Advisory: "CVE-1", Expires: t0.Add(2 * time.Hour)}
	write(t, s, func(tx *store.Tx) error {
		return errors.Join(tx.PutException(ctx, one), tx.PutException(ctx, everywhere))
	})
	diff(t, "of a", []firmward.Exception{one, everywhere}, must[[]firmward.Exception](t)(s.ExceptionsFor(ctx, "a", t0)))
	diff(t, "after expiry", []firmward.Exception{everywhere}, must[[]firmward.Exception](t)(s.ExceptionsFor(ctx, "a", t0.Add(time.Hour))))
	diff(t, "of b", []firmward.Exception{everywhere}, must[[]firmward.Exception](t)(s.ExceptionsFor(ctx, "b", t0)))
	fallen := everywhere
	fallen.FellAt, fallen.FellWhy = t0.Add(time.Minute), "it is exploited"
	fallen.Premise = &firmward.Premise{Exploited: []string{"CVE-2"}, Exposed: true, Verdict: firmward.Likely, Firmware: "1.0", Control: "con-1"}
	write(t, s, func(tx *store.Tx) error { return tx.PutException(ctx, fallen) })
	diff(t, "fallen", fallen, must[firmward.Exception](t)(s.Exception(ctx, "e2")))
	diff(t, "before the fall", []firmward.Exception{one, fallen}, must[[]firmward.Exception](t)(s.ExceptionsFor(ctx, "a", t0)))
	diff(t, "after the fall", []firmward.Exception{one}, must[[]firmward.Exception](t)(s.ExceptionsFor(ctx, "a", t0.Add(time.Minute))))
	diff(t, "all of a", []firmward.Exception{one, fallen}, must[[]firmward.Exception](t)(s.ExceptionsOf(ctx, "a")))
	diff(t, "valid", []firmward.Exception{one}, each(t, 1, func(p store.Page) ([]firmward.Exception, string, error) {
		return s.Exceptions(ctx, store.ExceptionFilter{ValidAt: t0.Add(time.Minute)}, p)
	}))
}
