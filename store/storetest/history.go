package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/store"
)

func asFound(t *testing.T, s *store.Store) {
	ctx := t.Context()
	judged := &firmward.Judged{Essence: []byte(`{"Vendor":"Axis","Firmware":"9.80.1"}`), By: "1.0"}
	hour := func(n int) time.Time { return t0.Add(time.Duration(n) * time.Hour) }
	weigh := func(at time.Time, list ...firmward.Finding) {
		t.Helper()
		write(t, s, func(tx *store.Tx) error {
			_, err := tx.ReplaceFindings(ctx, store.Assessment{Device: "a", Findings: list, Judged: judged, At: at})
			return err
		})
	}
	finding := func(digest, document string, v firmward.Verdict) firmward.Finding {
		return firmward.Finding{
			AdvisoryID: "CVE-1", Verdict: v, Digest: digest, Records: []firmward.RecordRef{{Source: "nvd", Document: document, Dated: t0, Modified: t0}},
			Explanation: firmward.Explanation{Text: string(v), Children: []firmward.Explanation{{Text: "because of a long sentence that is told again and again"}}},
		}
	}
	weigh(hour(0), finding("1", "nvd-2026.json", firmward.Affected))
	weigh(hour(1), finding("2", "nvd-recent.json", firmward.Affected)) // only another document
	weigh(hour(2), finding("3", "nvd-recent.json", firmward.Possible))
	weigh(hour(3))                                                     // it is named no more
	weigh(hour(4), finding("3", "nvd-recent.json", firmward.Possible)) // and again
	weigh(hour(4), finding("1", "nvd-2026.json", firmward.Affected))   // at the same moment
	var got []string
	for _, f := range must[[]firmward.Form](t)(s.FormsOf(ctx, "a", "CVE-1")) {
		until := "now"
		if !f.Until.IsZero() {
			until = f.Until.Sub(t0).String()
		}
		got = append(got, f.Since.Sub(t0).String()+" to "+until+": "+string(f.Verdict)+" "+f.Digest)
		if closed := !f.ClosedAt.IsZero(); closed != (f.Judged == nil) {
			t.Errorf("closed: %v, judged: %v", closed, f.Judged)
		}
	}
	diff(t, "forms", []string{"0s to 2h0m0s: affected 1", "2h0m0s to 3h0m0s: possible 3", "3h0m0s to 4h0m0s: possible 3", "4h0m0s to now: affected 1"}, got)
	for at, want := range map[time.Time]firmward.Verdict{hour(0): firmward.Affected, hour(2).Add(-1000): firmward.Affected, hour(2): firmward.Possible, hour(99): firmward.Affected} {
		f := must[firmward.Form](t)(s.FindingAsOf(ctx, "a", "CVE-1", at))
		if f.Verdict != want || f.Judged == nil || string(f.Judged.Essence) != string(judged.Essence) || f.DeviceID != "a" {
			t.Errorf("at %s: %+v", at, f)
		}
	}
	_, err := s.FindingAsOf(ctx, "a", "CVE-1", t0.Add(-time.Second))
	wantCode(t, err, firmward.NotFound)
	write(t, s, func(tx *store.Tx) error { return tx.CloseFinding(ctx, "a", "CVE-1", "exception:e", hour(5)) })
	if f := must[firmward.Form](t)(s.FindingAsOf(ctx, "a", "CVE-1", hour(6))); f.ClosedBy != "exception:e" {
		t.Errorf("closed: %+v", f)
	}
}

// saidOnce keeps what two devices have in common once, and as long as one of them, or its history, says it.
func saidOnce(t *testing.T, s *store.Store) {
	ctx := t.Context()
	weigh := func(day int, likelihood float64) {
		t.Helper()
		for _, device := range []string{"a", "b"} {
			write(t, s, func(tx *store.Tx) error {
				_, err := tx.ReplaceFindings(ctx, store.Assessment{
					Device: device, At: t0.AddDate(0, 0, day), Judged: &firmward.Judged{Essence: []byte(`{"Vendor":"Axis"}`)},
					Findings: []firmward.Finding{{AdvisoryID: "CVE-1", Verdict: firmward.Affected, Digest: "1", Likelihood: likelihood, Snapshot: int64(day), Reason: "because"}},
				})
				return err
			})
		}
	}
	forget := func(day, want int) {
		t.Helper()
		if n := must[int](t)(s.ForgetTexts(ctx, t0.AddDate(0, 0, day))); n != want {
			t.Errorf("before day %d: %d texts were forgotten, not %d", day, n, want)
		}
	}
	check := func(day int, likelihood float64) {
		t.Helper()
		for _, device := range []string{"a", "b"} {
			f := must[firmward.Finding](t)(s.Finding(ctx, device, "CVE-1"))
			if f.DeviceID != device || f.Likelihood != likelihood || f.Reason != "because" || !f.OpenedAt.Equal(t0) || f.Snapshot != int64(day) {
				t.Errorf("%s: %+v", device, f)
			}
			list, _, err := s.Findings(ctx, store.FindingFilter{Device: device}, store.Page{})
			if err != nil || len(list) != 1 || list[0].Likelihood != likelihood {
				t.Errorf("%s: %+v, %v", device, list, err)
			}
			forms := must[[]firmward.Form](t)(s.FormsOf(ctx, device, "CVE-1"))
			if len(forms) != 1 || forms[0].Likelihood != .1 || forms[0].Judged == nil || forms[0].Snapshot != 0 {
				t.Errorf("%s: %+v", device, forms)
			}
		}
	}
	weigh(0, .1)
	weigh(1, .2) // a likelihood alone makes no history
	weigh(2, .3)
	check(2, .3)
	forget(1, 0) // somebody may still be about to say it
	forget(9, 1) // .2
	forget(9, 0)
	check(2, .3)
	weigh(3, .2)
	check(3, .2)
	weigh(4, .3)
	forget(4, 1)
	check(4, .3)
}

// asJudged keeps the records by which findings were judged, those alone, and as long as there is such a finding.
func asJudged(t *testing.T, s *store.Store) {
	ctx := t.Context()
	c := store.Change{Actor: "anna", Source: "person:anna", At: t0}
	bring := func(o store.ImportOptions, list ...firmward.Advisory) {
		feed(t, s, "nvd", o, func(i *store.Import) (err error) {
			for _, a := range list {
				err = errors.Join(err, i.Advisory(a))
			}
			return err
		})
	}
	product := func(id, name string, hours int) firmward.Advisory {
		a := advisory(id, "axis", name)
		a.Modified = t0.Add(time.Duration(hours) * time.Hour)
		return a
	}
	then := func(id string, generation int64) (out string) {
		t.Helper()
		for _, a := range must[[]firmward.Advisory](t)(s.AdvisoryAsOf(ctx, id, generation)) {
			out += a.Title[len("Overflow in "):] + " "
		}
		return out
	}
	bring(document, product("CVE-1", "one", 0), product("CVE-2", "two", 0)) // generation 1
	write(t, s, func(tx *store.Tx) error {
		device := firmward.Device{ID: "a", Name: "a", Site: "s"}
		other := firmward.Device{ID: "b", Name: "b", Site: "s"}
		_, err := tx.ReplaceFindings(ctx, store.Assessment{Device: "b", At: t0, Findings: []firmward.Finding{{AdvisoryID: "CVE-1", Verdict: firmward.Affected, Snapshot: 1}}})
		return errors.Join(tx.PutDevice(ctx, device, c), tx.PutDevice(ctx, other, c), err)
	})
	again := document
	again.Document = "again.json"
	reissued := product("CVE-1", "one", 0)
	reissued.Origin = firmward.Origins{Document: "again.json"}
	bring(again, reissued)                                                   // 2: another document
	bring(document, product("CVE-1", "uno", 1), product("CVE-2", "due", 1))  // 3
	bring(document, product("CVE-1", "older", 0))                            // 4: changes nothing
	bring(document, firmward.Advisory{ID: "CVE-1", Rejected: true})          // 5
	bring(document, product("CVE-1", "eins", 2), product("CVE-2", "two", 2)) // 6
	whole := document
	whole.ReplaceAll = true
	bring(whole, product("CVE-2", "zwei", 3)) // 7: CVE-1 is gone
	for generation, want := range map[int64]string{1: "one ", 2: "one ", 3: "uno ", 4: "uno ", 6: "eins ", 7: ""} {
		if got := then("CVE-1", generation); got != want {
			t.Errorf("generation %d: %q, want %q", generation, got, want)
		}
	}
	if got := then("CVE-2", 1); got != "zwei " {
		t.Errorf("a record that nothing was judged by was kept: %q", got)
	}
	diff(t, "rejected and given again", []string(nil), must[[]string](t)(s.RejectedBy(ctx, "CVE-1")))
	bring(document, firmward.Advisory{ID: "CVE-2", Rejected: true})
	diff(t, "rejected", []string{"nvd"}, must[[]string](t)(s.RejectedBy(ctx, "CVE-2")))
	write(t, s, func(tx *store.Tx) error { return tx.MergeDevices(ctx, "a", "b", "the same", c) })
	if got := then("CVE-1", 1); got != "" {
		t.Errorf("kept for nobody: %q", got)
	}
}
