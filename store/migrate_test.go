package store_test

import (
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

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
	steps := fstest.MapFS{"schema/0001_first.sql": {}, "schema/0002_more.sql": {Data: []byte("-- a note; with a semicolon\nALTER TABLE site ADD COLUMN note @text;\nCREATE TABLE broken (;")}}
	if err := s.Migrate(ctx, path, steps); err == nil {
		t.Fatal("a broken step went through")
	}
	if v, err := s.SchemaVersion(ctx); v != 1 || err != nil {
		t.Errorf("after a broken step: version %d, %v", v, err)
	}
	before, err := filepath.Glob(path + ".schema-1.*.bak")
	if err != nil || len(before) != 1 {
		t.Fatalf("backups %v, %v", before, err)
	}
	if err := os.Remove(before[0]); err != nil {
		t.Fatal(err)
	}
	steps["schema/0002_more.sql"].Data = []byte("ALTER TABLE site ADD COLUMN note @text;")
	if err := s.Migrate(ctx, path, steps); err != nil {
		t.Fatal(err)
	}
	if v, err := s.SchemaVersion(ctx); v != 2 || err != nil {
		t.Errorf("version %d, %v", v, err)
	}
	if _, err := s.Site(ctx, "home"); err != nil {
		t.Error(err)
	}
	backups, err := filepath.Glob(path + ".schema-1.*.bak")
	if err != nil || len(backups) != 1 {
		t.Fatalf("backups %v, %v", backups, err)
	}
	if _, err := open(t, backups[0]).Site(ctx, "home"); err != nil {
		t.Errorf("the backup: %v", err)
	}
	_, err = store.Open(ctx, store.Options{URL: path})
	wantSaid(t, err, firmward.NewerSchema, "newer firmward")
}
