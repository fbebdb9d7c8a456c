package store

import (
	"context"
	"database/sql"
	"fmt"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/firmward/firmward"
)

// pipe runs a write transaction on PostgreSQL. Statements that nobody waits for yet go on their way at once; what is added while the
// server works on them follows together, in one exchange. So rows are read and made ready while the server works on others, and a
// server that is far away is waited for once, not once a statement. Everything else waits until all of them are done.
type pipe struct {
	tx      *sql.Tx
	conn    *sql.Conn
	plain   func(doing string, err error) error
	sending sync.WaitGroup

	mu      sync.Mutex // of what follows
	waiting []sent
	held    bool // what waits is to go together
	busy    bool
	err     error // the first
}

// sent is one statement.
type sent struct {
	doing string // "write target"
	query string
	args  []any
	read  func(pgx.Rows) error // nil: it gives no rows
	done  func(error)          // nil, or told what became of it
}

// add sends a statement. Its error comes with a later statement too, at the latest with settle.
func (p *pipe) add(ctx context.Context, s sent) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return p.err
	}
	p.waiting = append(p.waiting, s)
	p.start(ctx)
	return nil
}

func (p *pipe) start(ctx context.Context) {
	if !p.busy && !p.held {
		p.busy = true
		p.sending.Go(func() { p.send(ctx) })
	}
}

func (p *pipe) hold(ctx context.Context, yes bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held = yes
	p.start(ctx)
}

// send sends what waits until nothing does.
func (p *pipe) send(ctx context.Context) {
	for {
		p.mu.Lock()
		some, err := p.waiting, p.err
		p.waiting = nil
		p.busy = len(some) > 0
		p.mu.Unlock()
		if len(some) == 0 {
			return
		}
		if err == nil {
			some, err = p.exchange(ctx, some)
		}
		if err == nil {
			continue
		}
		p.mu.Lock()
		p.err = err
		p.mu.Unlock()
		for _, s := range some {
			if s.done != nil {
				s.done(err)
			}
		}
	}
}

// exchange carries statements out. When one fails, it gives that and those behind it.
func (p *pipe) exchange(ctx context.Context, some []sent) (left []sent, err error) {
	var batch pgx.Batch
	for _, s := range some {
		batch.Queue(s.query, s.args...)
	}
	left = some
	err = onConn(p.conn, func(c *pgx.Conn) (err error) {
		results := c.SendBatch(ctx, &batch)
		defer func() {
			if end := results.Close(); err == nil {
				err = end
			}
		}()
		for ; len(left) > 0; left = left[1:] {
			if err := left[0].result(results); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil && ctx.Err() != nil {
		return left, ctx.Err() // the connection may have been closed over it
	}
	if err != nil {
		err = p.plain(some[min(len(some)-len(left), len(some)-1)].doing, err)
	}
	return left, err
}

func (s sent) result(results pgx.BatchResults) error {
	if s.read == nil {
		_, err := results.Exec()
		return err
	}
	rows, err := results.Query()
	if err != nil {
		return err
	}
	defer rows.Close()
	if err := s.read(rows); err != nil {
		return err
	}
	s.done(nil)
	return nil
}

// settle waits until all that was sent is done.
func (p *pipe) settle() error {
	p.sending.Wait()
	return p.err
}

// ExecContext is sql.Tx's.
func (p *pipe) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if err := p.settle(); err != nil {
		return nil, err
	}
	return p.tx.ExecContext(ctx, query, args...)
}

// QueryContext is sql.Tx's.
func (p *pipe) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if err := p.settle(); err != nil {
		return nil, err
	}
	return p.tx.QueryContext(ctx, query, args...)
}

// onConn gives f the driver's connection.
func onConn(conn *sql.Conn, f func(*pgx.Conn) error) error {
	return conn.Raw(func(driver any) error {
		c, ok := driver.(*stdlib.Conn)
		if !ok {
			return firmward.Errorf(firmward.Internal, fmt.Sprintf("the database driver is %T", driver))
		}
		return f(c.Conn())
	})
}

// settle waits until all that was sent is done.
func (t *Tx) settle() error {
	if t.pipe == nil {
		return nil
	}
	return t.pipe.settle()
}

// together lets the statements that f sends go in one exchange. f must not wait for any of them.
func (t *Tx) together(ctx context.Context, f func()) {
	if t.pipe != nil {
		t.pipe.hold(ctx, true)
		defer t.pipe.hold(ctx, false)
	}
	f()
}

// later runs one statement whose row count does not matter. On PostgreSQL its error may come with a later statement, at the latest
// with the end of the transaction.
func (t *Tx) later(ctx context.Context, doing, query string, args ...any) error {
	if t.pipe == nil || changesSchema(query) { // statements that are sent together are parsed before the first of them runs
		_, err := t.w.ExecContext(ctx, query, args...)
		return t.d.plain(doing, err)
	}
	return t.pipe.add(ctx, sent{doing: doing, query: query, args: args})
}

// ask runs a query whose rows are wanted later: the answer waits for them. Its columns are texts and whole numbers.
func ask[T any](ctx context.Context, t *Tx, each func(scan) (T, error), query string, args ...any) (answer func() ([]T, error)) {
	var out []T
	if t.pipe == nil {
		out, err := list(ctx, t.Reader, each, query, args...)
		return func() ([]T, error) { return out, err }
	}
	args, err := bind(args)
	if err != nil {
		return func() ([]T, error) { return nil, err }
	}
	told := make(chan error, 1)
	s := sent{doing: "read", query: query, args: args, done: func(err error) { told <- err }, read: func(rows pgx.Rows) error {
		for rows.Next() {
			v, err := each(rows.Scan)
			if err != nil {
				return err
			}
			out = append(out, v)
		}
		return rows.Err()
	}}
	if err := t.pipe.add(ctx, s); err != nil {
		return func() ([]T, error) { return nil, err }
	}
	return func() ([]T, error) {
		err := <-told
		return out, err
	}
}
