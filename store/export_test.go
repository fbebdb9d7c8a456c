package store

import (
	"context"
	"fmt"
	"io/fs"
	"testing"
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
