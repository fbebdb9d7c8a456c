package store

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/firmward/firmward"
)

// schemaFiles are the steps from one schema version to the next, in the order of their names: the file 0001_….sql leads
// to version 1. A step is never changed once it was released.
//
//go:embed schema/*.sql
var schemaFiles embed.FS

// SchemaVersion gives the version of the schema that the database has.
func (r Reader) SchemaVersion(ctx context.Context) (int, error) {
	var v int
	_, err := r.row(ctx, "SELECT version FROM schema_version", nil, &v)
	return v, err
}

func (s *Store) migrate(ctx context.Context, path string, steps fs.FS) error {
	files, err := fs.Glob(steps, "schema/*.sql")
	if err != nil {
		return fmt.Errorf("read schema: %w", err)
	}
	have := 0
	err = s.Tx(ctx, func(tx *Tx) error {
		if err := tx.put(ctx, "CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)"); err != nil {
			return err
		}
		have, err = tx.SchemaVersion(ctx)
		return err
	})
	if err != nil {
		return fmt.Errorf("open database: %w", err)
	}
	switch {
	case have > len(files):
		return firmward.Errorf(firmward.NewerSchema, fmt.Sprintf(
			"the database was written by a newer firmward (schema %d, this one knows %d). Nothing was changed. Install the newer firmward, or restore the backup made before the update",
			have, len(files)))
	case have == len(files):
		return nil
	case have > 0:
		if err := s.backupBefore(ctx, path, have); err != nil {
			return err
		}
	}
	err = s.Tx(ctx, func(tx *Tx) error {
		again, err := tx.SchemaVersion(ctx)
		if err != nil || again != have {
			return err // another server was faster
		}
		for _, file := range files[have:] {
			if err := tx.step(ctx, steps, file); err != nil {
				return fmt.Errorf("bring the database up to date with %s: %w", file, err)
			}
		}
		if err := tx.put(ctx, "DELETE FROM schema_version"); err != nil {
			return err
		}
		return tx.put(ctx, "INSERT INTO schema_version (version) VALUES ($1)", len(files))
	})
	s.commits.Store(0)
	return err
}

func (t *Tx) step(ctx context.Context, steps fs.FS, file string) error {
	text, err := fs.ReadFile(steps, file)
	if err != nil {
		return err
	}
	var lines []string
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(strings.TrimSpace(line), "--") {
			lines = append(lines, line)
		}
	}
	for statement := range strings.SplitSeq(t.d.ddl(strings.Join(lines, "")), ";") {
		if strings.TrimSpace(statement) == "" {
			continue
		}
		if err := t.put(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// backupBefore keeps a copy of an SQLite database beside it before its schema changes. PostgreSQL has its own backups and
// changes schemas in a transaction.
func (s *Store) backupBefore(ctx context.Context, path string, version int) error {
	if s.d != sqliteDialect || s.temporary != "" {
		return nil
	}
	to := fmt.Sprintf("%s.schema-%d.%s.bak", path, version, time.Now().UTC().Format("20060102T150405"))
	if _, err := s.write.ExecContext(ctx, "VACUUM INTO $1", to); err != nil {
		return s.d.plain("back up the database to "+to, err)
	}
	s.log.Info("database backed up before its schema changes", "file", to, "version", version)
	return nil
}
