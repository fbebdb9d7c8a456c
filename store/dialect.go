package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/firmward/firmward"
)

// dialect is what differs between the engines.
type dialect int

const (
	sqliteDialect dialect = iota
	postgresDialect
)

func (d dialect) name() string {
	if d == postgresDialect {
		return "postgresql"
	}
	return "sqlite"
}

// ddl replaces the tokens of the schema files.
func (d dialect) ddl(text string) string {
	if d == postgresDialect {
		return strings.NewReplacer("@text", `TEXT COLLATE "C"`, "@blob", "BYTEA", " @rowless", "").Replace(text)
	}
	return strings.NewReplacer("@text", "TEXT", "@blob", "BLOB", "@rowless", "WITHOUT ROWID").Replace(text)
}

// lock is the statement that lets write transactions run one after another.
func (d dialect) lock() string {
	if d == postgresDialect {
		return "SELECT pg_advisory_xact_lock(7310579611)"
	}
	return "" // BEGIN IMMEDIATE
}

func (d dialect) readOptions() *sql.TxOptions {
	if d == postgresDialect {
		return &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}
	}
	return nil // a deferred transaction sees one state of the WAL
}

// retry reports whether the transaction may succeed when it is run again.
func (d dialect) retry(err error) bool {
	pe, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (pe.Code == "40001" || pe.Code == "40P01")
}

// plain turns an engine's error into one that says what to do.
func (d dialect) plain(doing string, err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if _, ok := errors.AsType[*firmward.Error](err); ok {
		return err
	}
	say := func(code firmward.Code, message string) error {
		return &firmward.Error{Code: code, Message: doing + ": " + message, Err: err}
	}
	const full = "no space is left for the database; nothing was changed. Free some space and try again"
	if errors.Is(err, syscall.ENOSPC) {
		return say(firmward.DiskFull, full)
	}
	if se, ok := errors.AsType[*sqlite.Error](err); ok {
		switch se.Code() & 0xff {
		case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
			return say(firmward.Locked, "another process holds the database. Stop it, or use the one that runs, and try again")
		case sqlite3.SQLITE_FULL:
			return say(firmward.DiskFull, full)
		case sqlite3.SQLITE_CONSTRAINT:
			return say(firmward.Conflict, "it exists already")
		case sqlite3.SQLITE_NOTADB:
			return say(firmward.Invalid, "the file is no firmward database")
		case sqlite3.SQLITE_CANTOPEN:
			return say(firmward.Unavailable, "the database file cannot be opened. Does its folder exist, and may firmward write there?")
		case sqlite3.SQLITE_READONLY:
			return say(firmward.Unavailable, "the database file may not be written. Give firmward the right to write it and its folder")
		case sqlite3.SQLITE_CORRUPT:
			return say(firmward.Internal, "the database file is damaged. Restore the last backup")
		case sqlite3.SQLITE_IOERR:
			if se.Code() == sqlite3.SQLITE_IOERR_SHMSIZE { // a database is opened on a full disk
				return say(firmward.DiskFull, full)
			}
			return say(firmward.Unavailable, "the disk does not read or write the database file. Look at the system's log, and at the last backup")
		}
	}
	if pe, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch {
		case pe.Code == "23505":
			return say(firmward.Conflict, "it exists already")
		case pe.Code == "53100":
			return say(firmward.DiskFull, full)
		case pe.Code == "55P03":
			return say(firmward.Locked, "another process holds the database")
		case strings.HasPrefix(pe.Code, "08"), strings.HasPrefix(pe.Code, "57"), strings.HasPrefix(pe.Code, "28"), pe.Code == "3D000", pe.Code == "53300":
			return &firmward.Error{Code: firmward.Unavailable, Message: doing + ": the PostgreSQL server refuses", Err: oneLine(err)}
		}
	}
	if ce, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return &firmward.Error{Code: firmward.Unavailable, Message: doing + ": the PostgreSQL server does not answer", Err: oneLine(ce)}
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// oneLine says once what the driver says of each address and way that it tried.
func oneLine(err error) error {
	var parts []string
	for line := range strings.Lines(err.Error()) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasSuffix(line, "server refused TLS connection") && !slices.Contains(parts, line) {
			parts = append(parts, line)
		}
	}
	return errors.New(strings.Join(parts, " "))
}

func (s *Store) openPostgres(address string, trace pgx.QueryTracer) error {
	s.d = postgresDialect
	config, err := pgx.ParseConfig(address)
	if err != nil {
		// The error of a malformed URL may hold its password.
		return firmward.Errorf(firmward.Invalid, "the PostgreSQL URL cannot be read: want postgres://user@host/database")
	}
	config.Tracer = trace
	s.listen = config.Copy()
	// Writers wait for each other on connections of their own, so that no reader waits with them.
	for pool, conns := range map[**sql.DB]int{&s.write: 4, &s.read: 8} {
		db := stdlib.OpenDB(*config)
		db.SetMaxOpenConns(conns)
		db.SetMaxIdleConns(conns)
		*pool = db
	}
	return nil
}

// openSQLite opens one writer and several readers.
func (s *Store) openSQLite(path string) error {
	s.d = sqliteDialect
	sync := "synchronous(FULL)"
	switch path {
	case "":
		return firmward.Errorf(firmward.Invalid, "no database is named: want a file, memory: or a postgres:// URL")
	case "memory:":
		dir, err := os.MkdirTemp("", "firmward-")
		if err != nil {
			return s.d.plain("make a temporary database", err)
		}
		s.temporary, path, sync = dir, filepath.Join(dir, "firmward.db"), "synchronous(OFF)"
	}
	if f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600); err == nil { // it holds hashes of tokens; else the engine says why
		if err := f.Close(); err != nil {
			return s.d.plain("make the database file", err)
		}
	}
	pragmas := []string{"busy_timeout(" + strconv.FormatInt(later.Milliseconds(), 10) + ")", "journal_mode(WAL)", sync, "foreign_keys(1)", "cache_size(-16000)"}
	var err error
	if s.write, err = openFile(path, 1, url.Values{"_pragma": pragmas, "_txlock": {"immediate"}}); err != nil {
		return err
	}
	s.read, err = openFile(path, 4, url.Values{"_pragma": append(pragmas, "query_only(1)")})
	return err
}

func openFile(path string, conns int, query url.Values) (*sql.DB, error) {
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+query.Encode())
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	return db, nil
}
