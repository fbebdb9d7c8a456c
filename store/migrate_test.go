package store_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/store"
)

// TestMigration brings a database one step further: what it holds stays, a copy as it was is kept beside it, and a step
// that fails changes nothing.
func TestMigration(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "firmward.db")
	s := open(t, path)
	if err := s.Tx(ctx, func(tx *store.Tx) error { return tx.PutSite(ctx, firmward.Site{Name: "home"}) }); err != nil {
		t.Fatal(err)
	}
	now, err := s.SchemaVersion(ctx)
	if err != nil {
		t.Fatal(err)
	}
	steps := fstest.MapFS{}
	for n := range now {
		steps[fmt.Sprintf("schema/%04d_known.sql", n+1)] = &fstest.MapFile{}
	}
	more := fmt.Sprintf("schema/%04d_more.sql", now+1)
	steps[more] = &fstest.MapFile{Data: []byte("-- a note; with a semicolon\nALTER TABLE site ADD COLUMN note @text;\nCREATE TABLE broken (;")}
	if err := s.Migrate(ctx, path, steps); err == nil {
		t.Fatal("a broken step went through")
	}
	if v, err := s.SchemaVersion(ctx); v != now || err != nil {
		t.Errorf("after a broken step: version %d, %v", v, err)
	}
	copies := fmt.Sprintf("%s.schema-%d.*.bak", path, now)
	before, err := filepath.Glob(copies)
	if err != nil || len(before) != 1 {
		t.Fatalf("backups %v, %v", before, err)
	}
	if err := os.Remove(before[0]); err != nil {
		t.Fatal(err)
	}
	steps[more].Data = []byte("ALTER TABLE site ADD COLUMN note @text;")
	if err := s.Migrate(ctx, path, steps); err != nil {
		t.Fatal(err)
	}
	if v, err := s.SchemaVersion(ctx); v != now+1 || err != nil {
		t.Errorf("version %d, %v", v, err)
	}
	if _, err := s.Site(ctx, "home"); err != nil {
		t.Error(err)
	}
	backups, err := filepath.Glob(copies)
	if err != nil || len(backups) != 1 {
		t.Fatalf("backups %v, %v", backups, err)
	}
	if _, err := open(t, backups[0]).Site(ctx, "home"); err != nil {
		t.Errorf("the backup: %v", err)
	}
	_, err = store.Open(ctx, store.Options{URL: path})
	wantSaid(t, err, firmward.NewerSchema, "newer firmward")
}

// TestFindingOfBefore reads findings that keep all in their row, as they were written before finding_text, and goes on from them. A text
// that is lost is an error, not a finding that says nothing.
func TestFindingOfBefore(t *testing.T) {
	ctx := t.Context()
	s := open(t, filepath.Join(t.TempDir(), "firmward.db"))
	at := time.Date(2026, 3, 14, 15, 9, 26, 0, time.UTC)
	weigh := func(v firmward.Verdict, at time.Time) {
		t.Helper()
		err := s.Tx(ctx, func(tx *store.Tx) error {
			_, err := tx.ReplaceFindings(ctx, store.Assessment{Device: "a", At: at, Judged: &firmward.Judged{By: "1.0"}, Findings: []firmward.Finding{{
				AdvisoryID: "CVE-1", Verdict: v, Explanation: firmward.Explanation{Text: string(v)}, Records: []firmward.RecordRef{{Source: "nvd"}},
			}}})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	read := func() (firmward.Finding, []firmward.Form) {
		t.Helper()
		f, err := s.Finding(ctx, "a", "CVE-1")
		if err != nil {
			t.Fatal(err)
		}
		forms, err := s.FormsOf(ctx, "a", "CVE-1")
		if err != nil {
			t.Fatal(err)
		}
		return f, forms
	}
	weigh(firmward.Affected, at)
	f, forms := read()
	s.WholeRows(t, f, forms[0])
	was, then := read()
	if diff := cmp.Diff(f, was) + cmp.Diff(forms, then); diff != "" {
		t.Errorf("in one row it reads otherwise:\n%s", diff)
	}
	weigh(firmward.Possible, at.Add(time.Hour))
	is, now := read()
	if is.Verdict != firmward.Possible || !is.OpenedAt.Equal(at) || len(now) != 2 || now[0].Verdict != firmward.Affected || now[1].Explanation.Text != "possible" {
		t.Errorf("afterwards %+v\n%+v", is, now)
	}
	s.LoseTexts(t)
	if f, err := s.Finding(ctx, "a", "CVE-1"); err == nil {
		t.Errorf("with its text lost it is %+v", f)
	}
}

// TestSoaksOfBefore: targets that were looked at after their soak before that had a column are known as such.
func TestSoaksOfBefore(t *testing.T) {
	ctx := t.Context()
	s := open(t, filepath.Join(t.TempDir(), "firmward.db"))
	at := time.Date(2026, 3, 14, 15, 9, 26, 0, time.UTC)
	err := s.Tx(ctx, func(tx *store.Tx) error {
		return tx.PutTargets(ctx, []firmward.Target{
			{RolloutID: "r", DeviceID: "a", Wave: 1, State: firmward.TargetSucceeded, SoakedAt: at, Why: "healthy"},
			{RolloutID: "r", DeviceID: "b", Wave: 1, State: firmward.TargetSucceeded, Why: `it said "SoakedAt":"2026"`},
			{RolloutID: "r", DeviceID: "c", Wave: 1, State: firmward.TargetPending},
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	want, err := s.CountWave(ctx, "r", 1)
	if err != nil {
		t.Fatal(err)
	}
	s.ForgetSoaks(t)
	s.Backfill(t, "0012_fold.sql", "UPDATE target")
	got, err := s.CountWave(ctx, "r", 1)
	if err != nil || len(got) != 3 {
		t.Fatal(got, err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("counted otherwise after the step:\n%s", diff)
	}
}
