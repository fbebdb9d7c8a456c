// Package store keeps the truth: every noun of firmward in SQL, in SQLite or PostgreSQL.
//
// # Shape
//
// Reads are methods of Reader, which both *Store and *Tx embed. Writes are methods of *Tx only, so a change, its
// audit leaf (Tx.Record), its event (Tx.Emit) and its commands (Tx.Enqueue) stand in one transaction. One table has
// one owner file, named after its noun. There is no interface here: callers use the concrete type, tests use SQLite
// in memory.
//
// # Rows
//
// What is searched, sorted or kept unique is a column; the rest of a noun is JSON in the column body, so a noun may
// grow a field without a migration. Device is columns alone: its pages are read most. Time columns are microseconds since 1970 in UTC and 0 is the zero time; body
// keeps times as they were given. Text columns hold valid UTF-8 without NUL, in byte order on both engines. Hot
// state (last seen) has a narrow table, counts are kept in the transaction that changes them, and listings page by key.
//
// # Transactions
//
// Write transactions run one after another, on SQLite through its single writer, on PostgreSQL through one advisory
// lock per database that all servers share. What a transaction read is therefore still true when it commits, on both
// engines alike. Reads never wait for writers. A transaction function may run again after a deadlock, so it
// must not change anything outside of its *Tx before it returns.
//
// On PostgreSQL a write need not be waited for: its error may come with a later statement of the same transaction, at the latest
// with its end. Where a transaction must know, it asks for the number of rows.
//
// Inside a transaction use the Tx for reading too; the Store would show the state before it. A transaction never begins
// inside another: it would wait for the other to end. LeaseCommands, MarkSent, ExtendLease, Import, Sequence and Load are
// transactions of their own.
package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/firmward/firmward"
)

// Options say where the data is.
type Options struct {
	// URL is the path of an SQLite file, a postgres:// URL as libpq knows it, or "memory:" for a database that ends with
	// the Store. The latter is a temporary file that never waits for the disk: SQLite's own databases in memory let
	// no one read while a transaction writes.
	URL string
	Log *slog.Logger // nil: nothing is logged
	// Trace sees every statement that goes to PostgreSQL; nil: nobody does.
	Trace pgx.QueryTracer
}

// Store is an open database. It is safe for concurrent use.
type Store struct {
	Reader
	write   *sql.DB // one connection on SQLite
	read    *sql.DB
	commits atomic.Int64
	log     *slog.Logger
	id      string          // among the servers on the same database
	listen  *pgx.ConnConfig // where others are heard; nil on SQLite

	prepared  *prepared // statements of reads; nil on PostgreSQL
	learned   *prepared // statements of the writer; nil on PostgreSQL
	temporary string    // directory to remove on Close
}

// Reader reads. Its methods take a context first and fail with *firmward.Error: NotFound when the one thing that was
// asked for is not there, Invalid for a cursor that no listing gave out, Locked when another process holds the
// database, Unavailable when it does not answer.
type Reader struct {
	q queryer
	d dialect
}

// Tx is one write transaction.
type Tx struct {
	Reader
	tx   *sql.Tx
	conn *sql.Conn
	w    execer
	pipe *pipe             // nil on SQLite
	told bool              // other servers are
	id   string            // of the Store
	tops map[string]*int64 // see top
}

type queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// Open opens the database, creates it when it is new, and brings an older schema up to date after a backup. Errors:
// NewerSchema when a newer firmward wrote it, Locked when another process holds it, DiskFull, Invalid
// when the file is something else, Unavailable when the server does not answer.
func Open(ctx context.Context, o Options) (*Store, error) {
	s := &Store{log: o.Log, id: NewID("store")}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	var err error
	if strings.HasPrefix(o.URL, "postgres://") || strings.HasPrefix(o.URL, "postgresql://") {
		err = s.openPostgres(o.URL, o.Trace)
	} else {
		err = s.openSQLite(o.URL)
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	s.q = s.read
	if s.d == sqliteDialect {
		s.prepared, s.learned = prepare(s.read), prepare(s.write)
		s.q = s.prepared
	}
	if err := s.migrate(ctx, o.URL, schemaFiles); err != nil {
		s.Close()
		return nil, err
	}
	s.log.Info("database open", "engine", s.d.name())
	return s, nil
}

// Close waits for running queries and closes the database.
func (s *Store) Close() error {
	var first error
	if err := errors.Join(s.prepared.close(), s.learned.close()); err != nil {
		first = fmt.Errorf("close database: %w", err)
	}
	for _, db := range []*sql.DB{s.read, s.write} {
		if db == nil {
			continue
		}
		if err := db.Close(); err != nil && first == nil {
			first = fmt.Errorf("close database: %w", err)
		}
	}
	if s.temporary != "" {
		if err := os.RemoveAll(s.temporary); err != nil && first == nil {
			first = fmt.Errorf("remove temporary database: %w", err)
		}
	}
	return first
}

// Shared reports whether other servers may work on the same database.
func (s *Store) Shared() bool { return s.d == postgresDialect }

// Commits gives the number of write transactions committed since Open, and of those of other servers that Others heard of; many of
// these may count as one.
func (s *Store) Commits() int64 { return s.commits.Load() }

// attempts bounds how often a transaction is tried when PostgreSQL reports a deadlock.
const attempts = 5

// Tx runs f in one write transaction. It commits when f returns nil, else nothing is changed: an error of f is
// returned as it is, a panic goes on after the rollback.
func (s *Store) Tx(ctx context.Context, f func(*Tx) error) error {
	for try := 1; ; try++ {
		err := s.try(ctx, f)
		if err == nil {
			s.commits.Add(1)
			return nil
		}
		if !s.d.retry(err) || try == attempts || ctx.Err() != nil {
			return err
		}
		s.log.Warn("transaction is tried again", "try", try, "err", err)
	}
}

func (s *Store) try(ctx context.Context, f func(*Tx) error) error {
	if s.learned == nil {
		return s.tryOn(ctx, f, nil)
	}
	session := &session{known: s.learned, stmts: map[string]*sql.Stmt{}}
	err := s.tryOn(ctx, f, session)
	session.learn(ctx)
	return err
}

// tryOn runs the transaction; its statements go through the session unless that is nil.
func (s *Store) tryOn(ctx context.Context, f func(*Tx) error, over *session) error {
	conn, err := s.write.Conn(ctx)
	if err != nil {
		return s.d.plain("connect to the database", err)
	}
	defer conn.Close()
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return s.d.plain("begin transaction", err)
	}
	defer tx.Rollback() // after Commit it does nothing
	t := &Tx{Reader: Reader{q: tx, d: s.d}, tx: tx, conn: conn, w: tx, tops: map[string]*int64{}, id: s.id}
	if over != nil {
		over.tx = tx
		t.q, t.w = over, over
	}
	if lock := s.d.lock(); lock != "" {
		if _, err := tx.ExecContext(ctx, lock); err != nil {
			return s.d.plain("wait for other writers", err)
		}
		t.pipe = &pipe{tx: tx, conn: conn, plain: s.d.plain}
		t.q, t.w = t.pipe, t.pipe
		defer t.pipe.settle() // also after a panic: what is being sent holds the connection
	}
	if err := f(t); err != nil {
		return cmp.Or(t.settle(), err) // a write that failed is why all later ones did
	}
	if err := t.settle(); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return cmp.Or(ctx.Err(), s.d.plain("commit", err)) // whoever gave up is told that, not what became of it
	}
	return nil
}

// Snapshot runs f on one consistent state of the whole database.
func (s *Store) Snapshot(ctx context.Context, f func(Reader) error) error {
	tx, err := s.read.BeginTx(ctx, s.d.readOptions())
	if err != nil {
		return s.d.plain("begin reading", err)
	}
	defer tx.Rollback()
	return f(Reader{q: tx, d: s.d})
}

// exec runs one statement and gives the number of rows it changed.
func (t *Tx) exec(ctx context.Context, query string, args ...any) (int64, error) {
	args, err := bind(args)
	if err != nil {
		return 0, err
	}
	res, err := t.w.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, t.d.plain("write", err)
	}
	n, err := res.RowsAffected()
	if err != nil {
		return 0, t.d.plain("write", err)
	}
	return n, nil
}

// put runs one statement whose row count does not matter: see later.
func (t *Tx) put(ctx context.Context, query string, args ...any) error {
	args, err := bind(args)
	if err != nil {
		return err
	}
	return t.later(ctx, "write", query, args...)
}

func notFound(what, name string) error {
	return firmward.Errorf(firmward.NotFound, "there is no "+what+" "+name)
}

// later gives the longest wait for a lock that another process holds.
const later = 10 * time.Second
