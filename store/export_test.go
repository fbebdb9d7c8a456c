package store

import (
	"context"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/firmward/firmward"
)

// ShortWait makes the store wait for a foreign lock for a millisecond only.
func ShortWait(t *testing.T, s *Store) { pragma(t, s, "PRAGMA busy_timeout = 1") }

// LimitPages lets the database grow by a few pages only, as if the disk were nearly full.
func LimitPages(t *testing.T, s *Store) {
	var n int
	if err := s.write.QueryRowContext(t.Context(), "PRAGMA page_count").Scan(&n); err != nil {
		t.Fatal(err)
	}
	pragma(t, s, fmt.Sprintf("PRAGMA max_page_count = %d", n+20))
}

func pragma(t *testing.T, s *Store, text string) {
	t.Helper()
	if _, err := s.write.ExecContext(t.Context(), text); err != nil {
		t.Fatal(err)
	}
}

// Migrate runs other schema steps than the real ones.
func (s *Store) Migrate(ctx context.Context, path string, steps fs.FS) error {
	return s.migrate(ctx, path, steps)
}

// Learned gives the number of statements that the writer of an SQLite database keeps parsed.
func (s *Store) Learned() int { return len(s.learned.known) }

// WholeRows writes a finding and its form as they were before finding_text: whole, in their rows.
func (s *Store) WholeRows(t *testing.T, f firmward.Finding, form firmward.Form) {
	err := s.Tx(t.Context(), func(tx *Tx) error {
		body, err := (&packer{}).pack(form)
		if err != nil {
			return err
		}
		if err := tx.put(t.Context(), "UPDATE finding SET said = '', body = $1", js{f}); err != nil {
			return err
		}
		if err := tx.put(t.Context(), "UPDATE finding_history SET said = '', judged = '', body = $1", body); err != nil {
			return err
		}
		return tx.put(t.Context(), "DELETE FROM finding_text")
	})
	if err != nil {
		t.Fatal(err)
	}
}

// LoseTexts damages the database.
func (s *Store) LoseTexts(t *testing.T) { pragma(t, s, "DELETE FROM finding_text") }

// Backfill runs the statement of a schema step that begins with some words, as when older rows are brought up to date.
func (s *Store) Backfill(t *testing.T, file, begins string) {
	text, err := schemaFiles.ReadFile("schema/" + file)
	if err != nil {
		t.Fatal(err)
	}
	ran := false
	for statement := range strings.SplitSeq(s.d.ddl(string(text)), ";") {
		if statement = strings.TrimSpace(statement); strings.HasPrefix(statement, begins) {
			pragma(t, s, statement)
			ran = true
		}
	}
	if !ran {
		t.Fatalf("%s has no statement that begins with %s", file, begins)
	}
}

// ForgetSoaks makes targets as they were before the column soaked.
func (s *Store) ForgetSoaks(t *testing.T) { pragma(t, s, "UPDATE target SET soaked = 0") }
