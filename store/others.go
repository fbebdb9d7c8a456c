package store

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
)

// channel is what servers that share a PostgreSQL database tell each other on: the id of the one that saved something.
const channel = "firmward"

// The waits of Others.
const (
	othersSoon  = 100 * time.Millisecond // before a connection that was lost is made again, and twice that each time it is lost at once
	othersAgain = 10 * time.Second       // at most
	othersProof = 30 * time.Second       // of silence, before the connection has to prove that it lives
)

// tell says to other servers, with the commit, that the transaction added something for them.
func (t *Tx) tell(ctx context.Context) error {
	if t.pipe == nil || t.told {
		return nil
	}
	t.told = true
	return t.later(ctx, "tell other servers", "SELECT pg_notify($1, $2)", channel, t.id)
}

// Others calls told whenever another server on the same PostgreSQL database has added events or commands, until ctx ends. It calls
// it too each time that it has begun to listen: what happened before nobody told. told must not wait. A connection that is lost is
// made again, soon and then less and less often. On SQLite there is no other server, and it returns at once.
func (s *Store) Others(ctx context.Context, told func()) error {
	if s.listen == nil {
		return nil
	}
	wait, last := othersSoon, ""
	for {
		begun := time.Now()
		err := s.hear(ctx, func() {
			last = ""
			s.commits.Add(1)
			told()
		})
		if ctx.Err() != nil {
			return nil
		}
		if time.Since(begun) > othersProof {
			wait = othersSoon
		}
		if err = s.d.plain("listen to other servers", err); err.Error() != last {
			s.log.WarnContext(ctx, "other servers are not heard; it is tried again", "error", err)
			last = err.Error()
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
		wait = min(2*wait, othersAgain)
	}
}

// hear listens on a connection of its own until that fails.
func (s *Store) hear(ctx context.Context, told func()) error {
	conn, err := pgx.ConnectConfig(ctx, s.listen.Copy())
	if err != nil {
		return err
	}
	defer func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		conn.Close(end) // whatever it was, another one is made
	}()
	if _, err := conn.Exec(ctx, "LISTEN "+channel); err != nil {
		return err
	}
	told()
	for {
		silent, cancel := context.WithTimeout(ctx, othersProof)
		n, err := conn.WaitForNotification(silent)
		cancel()
		switch {
		case err == nil && n.Payload != s.id:
			told()
		case err == nil:
		case !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil:
			return err
		default:
			proof, cancel := context.WithTimeout(ctx, othersAgain)
			err := conn.Ping(proof)
			cancel()
			if err != nil {
				return err
			}
		}
	}
}
