package store

import (
	"context"
	"database/sql"
	"errors"
	"sync"
)

// prepared keeps the statements of reads: SQLite parses a query anew each time, which costs as much as
// running a small one. (pgx keeps its own.)
type prepared struct {
	db    *sql.DB
	mu    sync.Mutex
	known map[string]*sql.Stmt
}

// maxPrepared bounds the statements that are kept; queries with lists of many lengths go past it.
const maxPrepared = 256

func (p *prepared) stmt(ctx context.Context, query string) (*sql.Stmt, error) {
	p.mu.Lock()
	s, ok := p.known[query]
	full := len(p.known) >= maxPrepared
	p.mu.Unlock()
	if ok || full {
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

// QueryRowContext is sql.DB's.
func (p *prepared) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	if s, err := p.stmt(ctx, query); err == nil && s != nil {
		return s.QueryRowContext(ctx, args...)
	}
	return p.db.QueryRowContext(ctx, query, args...)
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
