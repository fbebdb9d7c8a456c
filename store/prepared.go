package store

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"sync"
)

// prepared keeps the statements of a pool: SQLite parses a query anew each time, which costs as much as
// running a small one. (pgx keeps its own.)
type prepared struct {
	db    *sql.DB
	mu    sync.Mutex
	known map[string]*sql.Stmt
}

// maxPrepared bounds the statements that are kept; queries with lists of many lengths go past it.
const maxPrepared = 256

func prepare(db *sql.DB) *prepared { return &prepared{db: db, known: map[string]*sql.Stmt{}} }

// get gives a statement that is known, and whether asking for another one is pointless.
func (p *prepared) get(query string) (s *sql.Stmt, done bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s, ok := p.known[query]
	return s, ok || len(p.known) >= maxPrepared
}

func (p *prepared) stmt(ctx context.Context, query string) (*sql.Stmt, error) {
	if s, done := p.get(query); done {
		return s, nil
	}
	s, err := p.db.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if first, ok := p.known[query]; ok { // somebody was faster
		return first, s.Close()
	}
	p.known[query] = s
	return s, nil
}

// QueryContext is sql.DB's.
func (p *prepared) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	s, err := p.stmt(ctx, query)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return p.db.QueryContext(ctx, query, args...)
	}
	return s.QueryContext(ctx, args...)
}

func (p *prepared) close() error {
	if p == nil {
		return nil
	}
	var errs []error
	for _, s := range p.known {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}

// session runs a write transaction with statements that are parsed once. The one write connection is busy
// until the transaction ends, so statements that were missed are prepared for the next one after it.
type session struct {
	tx     *sql.Tx
	known  *prepared
	stmts  map[string]*sql.Stmt // of this transaction
	missed []string
}

func (s *session) stmt(ctx context.Context, query string) (*sql.Stmt, error) {
	if st := s.stmts[query]; st != nil {
		return st, nil
	}
	if st, done := s.known.get(query); st != nil {
		s.stmts[query] = s.tx.StmtContext(ctx, st)
		return s.stmts[query], nil
	} else if !done {
		s.missed = append(s.missed, query)
	}
	st, err := s.tx.PrepareContext(ctx, query)
	if err == nil {
		s.stmts[query] = st
	}
	return st, err
}

// ExecContext is sql.Tx's.
func (s *session) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if changesSchema(query) {
		return s.tx.ExecContext(ctx, query, args...)
	}
	st, err := s.stmt(ctx, query)
	if err != nil {
		return nil, err
	}
	return st.ExecContext(ctx, args...)
}

// QueryContext is sql.Tx's.
func (s *session) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	st, err := s.stmt(ctx, query)
	if err != nil {
		return nil, err
	}
	return st.QueryContext(ctx, args...)
}

// learn prepares what the session had to parse. A statement that cannot be prepared is parsed again next time.
func (s *session) learn(ctx context.Context) {
	for _, query := range s.missed {
		if _, err := s.known.stmt(ctx, query); err != nil {
			return
		}
	}
}

func changesSchema(query string) bool {
	verb, _, _ := strings.Cut(strings.TrimSpace(query), " ")
	return verb == "CREATE" || verb == "DROP" || verb == "ALTER"
}
