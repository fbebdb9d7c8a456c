package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/audit"
	"github.com/firmward/firmward/store"
)

var fleet = []check{
	{"fingerprints", fingerprints},
	{"restating", restating},
	{"restating page by page", restatingPages},
	{"many leaves", manyLeaves},
}

func fingerprints(t *testing.T, s *store.Store) {
	ctx := t.Context()
	a := store.Fingerprint{ID: "aa", Essence: []byte(`{"x":1}`), Products: []string{"axis:m3045", "axis:os"}}
	b := store.Fingerprint{ID: "bb", Essence: []byte(`{"x":2}`), Products: []string{"axis:os"}}
	answers := []store.Answer{{Advisory: "CVE-1", Sum: "s1", Exploited: -1, Likelihood: .02}, {Advisory: "CVE-2", Sum: "s2", Exploited: t0.UnixMicro()}}
	write(t, s, func(tx *store.Tx) error {
		for _, step := range []error{
			tx.PutFingerprint(ctx, a, answers), tx.PutFingerprint(ctx, b, nil), tx.PutFingerprint(ctx, a, answers), // the second time changes nothing
			tx.SetFingerprint(ctx, "d1", "bb"), tx.SetFingerprint(ctx, "d1", "aa"), tx.SetAssessed(ctx, 7),
		} {
			if step != nil {
				return step
			}
		}
		return nil
	})
	diff(t, "of d1", "aa", must[string](t)(s.FingerprintOf(ctx, "d1")))
	diff(t, "of d2", "", must[string](t)(s.FingerprintOf(ctx, "d2")))
	diff(t, "assessed", int64(7), must[int64](t)(s.Assessed(ctx)))
	diff(t, "all", []string{"aa", "bb"}, must[[]string](t)(s.AllFingerprints(ctx)))
	diff(t, "answers", map[string][]store.Answer{"aa": answers}, must[map[string][]store.Answer](t)(s.Answers(ctx, []string{"aa", "bb"})))
	got := must[[]store.Fingerprint](t)(s.Fingerprints(ctx, []string{"aa", "cc"}))
	diff(t, "some", []store.Fingerprint{{ID: "aa", Essence: a.Essence}}, got)
	apart := store.Fingerprint{ID: "dd", Essence: []byte(`{"x":3}`)}
	write(t, s, func(tx *store.Tx) error { // a device says otherwise: what it and the others do not have in common equals nothing
		err := tx.PutFingerprint(ctx, apart, []store.Answer{{Advisory: "CVE-1", Sum: "s1", Exploited: -1}, {Advisory: "CVE-2", Sum: "s2", Exploited: -1}, {Advisory: "CVE-3", Sum: "s3", Exploited: -1}})
		if err == nil {
			err = tx.PutFingerprint(ctx, apart, []store.Answer{{Advisory: "CVE-1", Sum: "s1", Exploited: -1}, {Advisory: "CVE-2", Sum: "other", Exploited: -1}, {Advisory: "CVE-4", Sum: "s4", Exploited: -1}})
		}
		return err
	})
	diff(t, "apart", map[string][]store.Answer{"dd": {
		{Advisory: "CVE-1", Sum: "s1", Exploited: -1}, {Advisory: "CVE-2", Exploited: -1}, {Advisory: "CVE-3", Exploited: -1}, {Advisory: "CVE-4", Exploited: -1},
	}}, must[map[string][]store.Answer](t)(s.Answers(ctx, []string{"dd"})))
	write(t, s, func(tx *store.Tx) error {
		_, _, err := tx.Restate(ctx, store.Restatement{Fingerprint: "dd"}, "", 9, t0, nil) // nobody has it
		return err
	})
	for _, c := range []struct{ products, want []string }{
		{[]string{"axis:os"}, []string{"aa", "bb"}},
		{[]string{"axis:m3045", "x:y"}, []string{"aa"}},
		{nil, nil},
	} {
		diff(t, fmt.Sprint("naming ", c.products), c.want, must[[]string](t)(s.FingerprintsNaming(ctx, c.products)))
	}
	diff(t, "nobody told of use", int64(0), must[int64](t)(s.UseGeneration(ctx)))
	moved := func(from, to float64) bool { return from != to }
	behind := func() []string { return must[[]string](t)(s.FingerprintsBehind(ctx, moved)) }
	diff(t, "no list of exploited ones", []string{"aa"}, behind())
	feed(t, s, "kev", store.ImportOptions{Kind: "exploited"}, func(i *store.Import) error {
		return i.Exploited(firmward.Exploited{Advisory: "CVE-2", Added: t0})
	})
	diff(t, "no EPSS", []string{"aa"}, behind())
	diff(t, "use", int64(1), must[int64](t)(s.UseGeneration(ctx)))
	feed(t, s, "nvd", document, func(i *store.Import) error { return i.Advisory(advisory("CVE-1", "axis", "m3045")) })
	diff(t, "no use", int64(1), must[int64](t)(s.UseGeneration(ctx)))
	for n, score := range []float64{.5, .02} { // the newer one counts
		feed(t, s, fmt.Sprint("epss", n), store.ImportOptions{Kind: "likelihood"}, func(i *store.Import) error {
			return i.Likelihood(firmward.Likelihood{Advisory: "CVE-1", Score: score, Dated: t0.Add(time.Duration(n) * time.Hour)})
		})
	}
	diff(t, "as known", []string(nil), behind())
	feed(t, s, "kev", store.ImportOptions{Kind: "exploited"}, func(i *store.Import) error { return i.Exploited(firmward.Exploited{Advisory: "CVE-1"}) })
	diff(t, "exploited, nobody knows since when", []string{"aa"}, behind())
}

// restating: what a restatement does to many devices is what ReplaceFindings does to each.
func restating(t *testing.T, s *store.Store) {
	ctx := t.Context()
	turn := 0
	rapid.Check(t, func(rt *rapid.T) {
		turn++
		kind := fmt.Sprintf("kind-%d", turn)
		devices := []string{"a", "b", "c"}
		id := func(way, device string) string { return fmt.Sprintf("%s-%d-%s", way, turn, device) }
		write(t, s, func(tx *store.Tx) error {
			if err := tx.PutFingerprint(ctx, store.Fingerprint{ID: kind, Essence: []byte("{}")}, nil); err != nil {
				return err
			}
			for _, d := range devices {
				if err := tx.SetFingerprint(ctx, id("many", d), kind); err != nil {
					return err
				}
			}
			return nil
		})
		answer := map[string]firmward.Finding{}
		judged := &firmward.Judged{Essence: []byte("{}"), By: "1.0"}
		for step := range rapid.IntRange(1, 6).Draw(rt, "steps") {
			at := t0.Add(time.Duration(step) * time.Hour)
			r := store.Restatement{Fingerprint: kind, Judged: judged}
			for _, advisory := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"CVE-1", "CVE-2", "CVE-3"}), 0, 3, rapid.ID).Draw(rt, "changed") {
				if rapid.IntRange(0, 3).Draw(rt, "gone") == 0 {
					delete(answer, advisory)
					r.Gone = append(r.Gone, advisory)
					continue
				}
				f := firmward.Finding{
					AdvisoryID: advisory, Reason: fmt.Sprint(step), Exploited: rapid.Bool().Draw(rt, "exploited"),
					Verdict: rapid.SampledFrom([]firmward.Verdict{firmward.Affected, firmward.Possible, firmward.NotAffected}).Draw(rt, "verdict"),
				}
				answer[advisory] = f
				r.Changed, r.Answers = append(r.Changed, f), append(r.Answers, store.Answer{Advisory: advisory, Sum: f.Reason})
			}
			var all []firmward.Finding
			for _, f := range answer {
				all = append(all, f)
			}
			again := rapid.Bool().Draw(rt, "again")
			var told []store.Restated
			did := make([]store.FindingChanges, len(devices))
			write(t, s, func(tx *store.Tx) (err error) {
				told, _, err = tx.Restate(ctx, r, "", 10, at, byObs)
				if err == nil && again { // as after a crash
					_, _, err = tx.Restate(ctx, r, "", 10, at, byObs)
				}
				for i, d := range devices {
					if err == nil {
						did[i], err = tx.ReplaceFindings(ctx, store.Assessment{Device: id("alone", d), Findings: all, Observation: "obs", Judged: judged, At: at})
					}
				}
				return err
			})
			of := map[string]store.Restated{}
			for _, r := range told {
				of[r.Device] = r
			}
			for i, d := range devices {
				compare(rt, "opened", did[i].Opened, of[id("many", d)].Opened)
				compare(rt, "closed", did[i].Closed, of[id("many", d)].Closed)
				compare(rt, "findings of "+d, must[[]firmward.Finding](t)(s.FindingsOf(ctx, id("alone", d))), must[[]firmward.Finding](t)(s.FindingsOf(ctx, id("many", d))))
			}
			for _, d := range devices {
				for _, advisory := range []string{"CVE-1", "CVE-2", "CVE-3"} {
					alone, many := formsText(t, s, id("alone", d), advisory), formsText(t, s, id("many", d), advisory)
					if alone != many {
						rt.Fatalf("history of %s, %s:\n%s\nand of many:\n%s", d, advisory, alone, many)
					}
				}
			}
			var kept []string
			for _, a := range must[map[string][]store.Answer](t)(s.Answers(ctx, []string{kind}))[kind] {
				kept = append(kept, a.Advisory+a.Sum)
			}
			var want []string
			for _, f := range all {
				want = append(want, f.AdvisoryID+f.Reason)
			}
			slices.Sort(want)
			if !slices.Equal(kept, want) {
				rt.Fatalf("answers %v, want %v", kept, want)
			}
		}
	})
	for _, c := range must[[]store.FindingCount](t)(s.CountFindings(ctx)) {
		if c.N%2 != 0 || c.N < 0 {
			t.Errorf("counts are not those of pairs: %+v", c)
		}
	}
}

// formsText writes the history of a finding, without whose it is.
func formsText(t *testing.T, s *store.Store, device, advisory string) string {
	t.Helper()
	var b strings.Builder
	for _, f := range must[[]firmward.Form](t)(s.FormsOf(t.Context(), device, advisory)) {
		fmt.Fprintf(&b, "%s to %s: %s %s %v, closed %s by %s, judged %v\n", f.Since, f.Until, f.Verdict, f.Reason, f.Exploited, f.ClosedAt, f.ClosedBy, f.Judged != nil)
	}
	return b.String()
}

func byObs(devices []string) (map[string]string, error) {
	out := map[string]string{}
	for _, d := range devices {
		out[d] = "obs"
	}
	return out, nil
}

// compare compares findings of two devices.
func compare(t *rapid.T, what string, want, got []firmward.Finding) {
	t.Helper()
	text := func(list []firmward.Finding) string {
		var out []string
		for _, f := range list {
			f.DeviceID = ""
			out = append(out, fmt.Sprintf("%+v", f))
		}
		slices.Sort(out)
		return strings.Join(out, "\n")
	}
	if text(want) != text(got) {
		t.Fatalf("%s: want\n%s\ngot\n%s", what, text(want), text(got))
	}
}

func restatingPages(t *testing.T, s *store.Store) {
	ctx := t.Context()
	write(t, s, func(tx *store.Tx) error {
		for _, id := range []string{"aa", "empty"} {
			if err := tx.PutFingerprint(ctx, store.Fingerprint{ID: id, Essence: []byte("{}"), Products: []string{"axis:" + id}}, []store.Answer{{Advisory: "CVE-0"}}); err != nil {
				return err
			}
		}
		for n := range 5 {
			if err := tx.SetFingerprint(ctx, fmt.Sprint("d", n), "aa"); err != nil {
				return err
			}
		}
		return nil
	})
	r := store.Restatement{
		Fingerprint: "aa", Gone: []string{"CVE-0"}, Answers: []store.Answer{{Advisory: "CVE-1", Sum: "s", Exploited: -1}},
		Changed: []firmward.Finding{{AdvisoryID: "CVE-1", Verdict: firmward.Affected}},
	}
	after := ""
	for n, want := range []string{"d0 d1", "d2 d3", "d4"} {
		var done []store.Restated
		write(t, s, func(tx *store.Tx) (err error) {
			done, after, err = tx.Restate(ctx, r, after, 2, t0, byObs)
			return err
		})
		last := after == ""
		var got []string
		for _, d := range done {
			got = append(got, d.Device)
		}
		diff(t, "page", want, strings.Join(got, " "))
		kept := must[map[string][]store.Answer](t)(s.Answers(ctx, []string{"aa"}))["aa"][0].Advisory
		if last != (n == 2) || (kept == "CVE-1") != last {
			t.Errorf("page %d: last %v, answer on %s", n, last, kept)
		}
	}
	diff(t, "count", []store.FindingCount{{Verdict: firmward.Affected, N: 5}}, must[[]store.FindingCount](t)(s.CountFindings(ctx)))
	write(t, s, func(tx *store.Tx) error { return tx.CloseFinding(ctx, "d0", "CVE-1", "exception:e", t0) })
	diff(t, "who has another answer than its kind is assessed alone", "", must[string](t)(s.FingerprintOf(ctx, "d0")))
	r.Changed[0].AdvisoryID, r.Changed[0].Verdict = "CVE-2", firmward.NotAffected
	write(t, s, func(tx *store.Tx) error {
		done, _, err := tx.Restate(ctx, r, "", 10, t0, byObs)
		if len(done) > 0 {
			t.Errorf("nothing was written to %v", done)
		}
		return err
	})
	r.Fingerprint = "empty"
	write(t, s, func(tx *store.Tx) error {
		_, next, err := tx.Restate(ctx, r, "", 2, t0, byObs)
		if next != "" {
			t.Error("there is more of nothing")
		}
		return err
	})
	diff(t, "what no device has is forgotten", []string{"aa"}, must[[]string](t)(s.AllFingerprints(ctx)))
	diff(t, "also by product", []string(nil), must[[]string](t)(s.FingerprintsNaming(ctx, []string{"axis:empty"})))
}

func manyLeaves(t *testing.T, s *store.Store) {
	ctx := t.Context()
	one := audit.Leaf{Seq: -1, At: t0, Actor: "firmward", Action: "finding-open", Subject: "d1", Detail: map[string]string{"advisory": "CVE-1"}}
	two := one
	two.Subject = "d2"
	write(t, s, func(tx *store.Tx) error {
		if err := tx.Record(ctx, one); err != nil {
			return err
		}
		if err := tx.RecordAll(ctx, nil); err != nil {
			return err
		}
		return tx.RecordAll(ctx, []audit.Leaf{two, one})
	})
	got := each(t, 2, func(p store.Page) ([]audit.Leaf, string, error) { return s.FindLeaves(ctx, store.LeafFilter{}, p) })
	diff(t, "leaves, newest first", []audit.Leaf{one, two, one}, got)
	ids := must[map[string]firmward.Identity](t)(s.IdentitiesOf(ctx, []string{"d1"}))
	diff(t, "identities", map[string]firmward.Identity{}, ids)
}
