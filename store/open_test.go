package store_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/store"
	"github.com/firmward/firmward/store/storetest"
)

func execute(t *testing.T, url string, statements ...string) {
	t.Helper()
	driver := "sqlite"
	if strings.HasPrefix(url, "postgres:") {
		driver = "pgx"
	}
	db, err := sql.Open(driver, url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, s := range statements {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
}

func wantSaid(t *testing.T, err error, code firmward.Code, words string) {
	t.Helper()
	if err == nil || firmward.CodeOf(err) != code || !strings.Contains(err.Error(), words) {
		t.Errorf("error %v, want code %s and %q", err, code, words)
	}
}

func refusesNewerSchema(t *testing.T, url string) {
	open(t, url)
	execute(t, url, "UPDATE schema_version SET version = 99")
	_, err := store.Open(t.Context(), store.Options{URL: url})
	wantSaid(t, err, firmward.NewerSchema, "newer firmward")
}

func TestNewerSchema(t *testing.T) { refusesNewerSchema(t, filepath.Join(t.TempDir(), "firmward.db")) }

func TestPathWithOddCharacters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a b%20?c#d.db")
	open(t, path)
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

func TestNoDatabase(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "notes.txt")
	if err := os.WriteFile(text, bytes.Repeat([]byte("these are my notes\n"), 200), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := store.Open(t.Context(), store.Options{URL: text})
	wantSaid(t, err, firmward.Invalid, "no firmward database")
	_, err = store.Open(t.Context(), store.Options{URL: filepath.Join(dir, "missing", "firmward.db")})
	wantSaid(t, err, firmward.Unavailable, "folder")
	_, err = store.Open(t.Context(), store.Options{URL: "postgres://firmward:hunter2@127.0.0.1:1/x?connect_timeout=2"})
	wantSaid(t, err, firmward.Unavailable, "does not answer")
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the password is in the error: %v", err)
	}
	if strings.Contains(err.Error(), "\n") || strings.Count(err.Error(), "refused") != 1 {
		t.Errorf("the driver's lines are not one: %v", err)
	}
}

// TestLockedDatabase lets another connection hold the write lock.
func TestLockedDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "firmward.db")
	s := open(t, path)
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	store.ShortWait(t, s)
	err = s.Tx(t.Context(), func(tx *store.Tx) error { return tx.PutSetting(t.Context(), "a", "b") })
	wantSaid(t, err, firmward.Locked, "another process")
}

func TestLockDir(t *testing.T) {
	dir := t.TempDir()
	release, err := store.LockDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	_, err = store.LockDir(dir)
	wantSaid(t, err, firmward.Locked, "another firmward")
	if err := release(); err != nil {
		t.Fatal(err)
	}
	release, err = store.LockDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := release(); err != nil {
		t.Error(err)
	}
}

func TestDiskFull(t *testing.T) {
	for _, url := range []string{filepath.Join(t.TempDir(), "firmward.db"), "memory:"} {
		s := open(t, url)
		ctx := t.Context()
		keep := func(tx *store.Tx) error { return tx.PutSetting(ctx, "kept", "yes") }
		if err := s.Tx(ctx, keep); err != nil {
			t.Fatal(err)
		}
		store.LimitPages(t, s)
		err := s.Tx(ctx, func(tx *store.Tx) error {
			if err := tx.PutSetting(ctx, "kept", "no"); err != nil {
				return err
			}
			return tx.PutSetting(ctx, "big", strings.Repeat("x", 4<<20))
		})
		wantSaid(t, err, firmward.DiskFull, "no space is left")
		if v, err := s.Setting(ctx, "kept"); v != "yes" || err != nil {
			t.Errorf("after a full disk: %q, %v", v, err)
		}
		_, err = s.Import(ctx, "nvd", store.ImportOptions{Kind: "advisories"}, func(i *store.Import) error {
			return i.Advisory(firmward.Advisory{ID: "CVE-1", References: []string{randomText(4 << 20)}})
		})
		wantSaid(t, err, firmward.DiskFull, "no space is left")
	}
}

// randomText gives a text that does not compress well.
func randomText(n int) string {
	var b strings.Builder
	for b.Len() < n {
		b.WriteString(store.NewID("x"))
	}
	return b.String()
}

func moves(t *testing.T, from, to *store.Store) {
	storetest.Fill(t, from)
	first, second := new(bytes.Buffer), new(bytes.Buffer)
	if err := from.Dump(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	cut := bytes.NewReader(first.Bytes()[:first.Len()/2])
	if err := to.Load(t.Context(), cut); firmward.CodeOf(err) != firmward.Invalid {
		t.Errorf("half a dump: %v", err)
	}
	version, err := from.SchemaVersion(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	newer := bytes.Replace(first.Bytes(), fmt.Appendf(nil, `"schema":%d`, version), fmt.Appendf(nil, `"schema":%d`, version+1), 1)
	wantSaid(t, to.Load(t.Context(), bytes.NewReader(newer)), firmward.NewerSchema, "newer firmward")
	if err := to.Load(t.Context(), bytes.NewReader(first.Bytes())); err != nil {
		t.Fatal(err)
	}
	if err := to.Dump(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("the dump of what was loaded differs")
	}
}

func TestMove(t *testing.T) {
	moves(t, open(t, "memory:"), open(t, filepath.Join(t.TempDir(), "firmward.db")))
}

func TestBubble(t *testing.T) {
	for _, url := range []string{"memory:", filepath.Join(t.TempDir(), "firmward.db")} {
		storetest.Bubble(t, func(t *testing.T) *store.Store {
			s, err := store.Open(t.Context(), store.Options{URL: url})
			if err != nil {
				t.Fatal(err)
			}
			return s
		})
	}
}

func TestEncrypt(t *testing.T) {
	var sealed bytes.Buffer
	w, err := store.Encrypt(&sealed, "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, "the dump"); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := store.Decrypt(bytes.NewReader(sealed.Bytes()), "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(r); err != nil || string(b) != "the dump" {
		t.Errorf("%q, %v", b, err)
	}
	_, err = store.Decrypt(bytes.NewReader(sealed.Bytes()), "wrong")
	wantSaid(t, err, firmward.Unauthorized, "wrong")
	_, err = store.Decrypt(strings.NewReader("no backup"), "wrong")
	wantSaid(t, err, firmward.Invalid, "backup")
	r, err = store.Decrypt(bytes.NewReader(sealed.Bytes()[:sealed.Len()-3]), "correct horse")
	if err == nil {
		_, err = io.ReadAll(r)
	}
	if err == nil {
		t.Error("a cut backup was read without an error")
	}
}

func TestCancelled(t *testing.T) {
	s := open(t, "memory:")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Tx(ctx, func(*store.Tx) error { return nil }); err == nil {
		t.Error("a cancelled context was ignored")
	}
	if err := s.Tx(t.Context(), func(tx *store.Tx) error { return tx.PutSetting(t.Context(), "a", "b") }); err != nil {
		t.Errorf("after a cancelled one: %v", err)
	}
}

// TestRestart: the one owner of the data directory comes back after a crash. What was only leased may be done now, what
// was sent is in doubt.
func TestRestart(t *testing.T) {
	ctx, now := t.Context(), time.Date(2026, 3, 14, 0, 0, 0, 0, time.UTC)
	s := open(t, filepath.Join(t.TempDir(), "firmward.db"))
	err := s.Tx(ctx, func(tx *store.Tx) error {
		return errors.Join(tx.Enqueue(ctx, store.Command{ID: "leased"}), tx.Enqueue(ctx, store.Command{ID: "sent"}))
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.LeaseCommands(ctx, "before", 2, now, time.Hour); err != nil || len(got) != 2 {
		t.Fatal(got, err)
	}
	if may, err := s.MarkSent(ctx, "before", now, "sent"); err != nil || len(may) != 1 {
		t.Fatal(may, err)
	}
	if err := s.FreeLeases(ctx, now); err != nil {
		t.Fatal(err)
	}
	if got, err := s.LeaseCommands(ctx, "after", 2, now, time.Hour); err != nil || len(got) != 1 || got[0].ID != "leased" {
		t.Errorf("leased again: %v, %v", got, err)
	}
	if may, err := s.MarkSent(ctx, "before", now, "leased"); err != nil || len(may) != 0 {
		t.Errorf("sent without its lease: %v, %v", may, err)
	}
	err = s.Tx(ctx, func(tx *store.Tx) error {
		got, err := tx.InDoubt(ctx, now)
		if err == nil && (len(got) != 1 || got[0].ID != "sent") {
			t.Errorf("in doubt: %v", got)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
