package store

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/firmward/firmward"
)

// CommandState is where a command stands.
type CommandState string

// The command states. A command goes from queued to sent to done; it is in doubt when it was sent and nobody recorded
// how it ended.
const (
	CommandQueued  CommandState = "queued"
	CommandSent    CommandState = "sent"
	CommandDone    CommandState = "done"
	CommandInDoubt CommandState = "in-doubt"
)

// Command is an effect that is carried out after the transaction that decided it.
//
// It is never carried out twice: a worker leases it, marks it as sent, durably, and only then acts. Before that mark a
// lost lease lets another worker try; after it nobody does, and a missing outcome makes it in-doubt.
type Command struct {
	ID         string
	Kind       string
	Subject    string    // id of the thing that it concerns
	Payload    []byte    // JSON
	NotBefore  time.Time // zero: at once
	State      CommandState
	LeaseOwner string
	LeaseUntil time.Time
	Attempt    int // how often it was leased
	Created    time.Time
	Sent       time.Time
	Finished   time.Time
	Outcome    string // as given to FinishCommand
}

const commandColumns = "id, kind, subject, payload, not_before, state, lease_owner, lease_until, attempt, created, sent, finished, outcome"

func commandRow(s scan) (c Command, err error) {
	var payload string
	err = s(&c.ID, &c.Kind, &c.Subject, &payload, timeInto{&c.NotBefore}, &c.State, &c.LeaseOwner, timeInto{&c.LeaseUntil},
		&c.Attempt, timeInto{&c.Created}, timeInto{&c.Sent}, timeInto{&c.Finished}, &c.Outcome)
	c.Payload = []byte(payload)
	return c, err
}

// Enqueue adds commands. Only ID, Kind, Subject, Payload, NotBefore and Created are taken. Conflict when an id
// exists already.
func (t *Tx) Enqueue(ctx context.Context, commands ...Command) error {
	if len(commands) == 0 {
		return nil
	}
	rows := load{table: "command", columns: strings.Split(commandColumns, ", "), keys: 1, once: true}
	for _, c := range commands {
		rows.rows = append(rows.rows, []any{c.ID, c.Kind, c.Subject, string(c.Payload), c.NotBefore, string(CommandQueued), "", 0, 0, c.Created, 0, 0, ""})
	}
	if err := t.fold(ctx, rows); err != nil {
		return err
	}
	return t.tell(ctx)
}

// LeaseCommands gives owner up to n queued commands that are due and not leased by anyone, oldest due first, until
// now+leaseFor. It is a transaction of its own.
func (s *Store) LeaseCommands(ctx context.Context, owner string, n int, now time.Time, leaseFor time.Duration) ([]Command, error) {
	var out []Command
	err := s.Tx(ctx, func(tx *Tx) (err error) {
		out, err = list(ctx, tx.Reader, commandRow, `UPDATE command SET lease_owner = $1, lease_until = $2, attempt = attempt + 1
			WHERE id IN (SELECT id FROM command WHERE state = 'queued' AND not_before <= $3 AND lease_until < $3
			ORDER BY not_before, id LIMIT $4) RETURNING `+commandColumns, owner, now.Add(leaseFor), now, n)
		return err
	})
	slices.SortFunc(out, func(a, b Command) int {
		if c := a.NotBefore.Compare(b.NotBefore); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return out, err
}

// MarkSent records, durably and before the effect, that owner is about to carry commands out, and gives the ids of those
// that it may. Of the others the lease was lost or ran out, or they were sent before: then the effect must not happen. It
// is a transaction of its own.
func (s *Store) MarkSent(ctx context.Context, owner string, now time.Time, ids ...string) (may []string, err error) {
	err = s.Tx(ctx, func(tx *Tx) error {
		may, err = list(ctx, tx.Reader, texts, `UPDATE command SET state = 'sent', sent = $2
			WHERE lease_owner = $1 AND state = 'queued' AND lease_until >= $2 AND id IN (`+tx.d.elements("$3")+") RETURNING id", owner, now, js{ids})
		return err
	})
	return may, err
}

// ExtendLease keeps a lease while long work goes on. Conflict when owner has no lease any more.
func (s *Store) ExtendLease(ctx context.Context, id, owner string, now, until time.Time) error {
	return s.Tx(ctx, func(tx *Tx) error {
		n, err := tx.exec(ctx, `UPDATE command SET lease_until = $4
			WHERE id = $1 AND lease_owner = $2 AND state IN ('queued', 'sent') AND lease_until >= $3`, id, owner, now, until)
		if err == nil && n == 0 {
			err = firmward.Errorf(firmward.Conflict, "the lease of command "+id+" was lost")
		}
		return err
	})
}

// Finish is how a command ended.
type Finish struct{ ID, Outcome string }

// FinishCommands records how commands ended, from any state but done, and gives the ids of those that it did. The others are
// finished already or unknown. A command in doubt is finished when its fate was found out.
func (t *Tx) FinishCommands(ctx context.Context, now time.Time, ends ...Finish) (did map[string]bool, err error) {
	return t.finish(ctx, now, ends)()
}

// finish is FinishCommands whose answer is wanted later.
func (t *Tx) finish(ctx context.Context, now time.Time, ends []Finish) (did func() (map[string]bool, error)) {
	const set = "UPDATE command SET state = 'done', finished = $1, lease_owner = '', lease_until = 0, outcome = "
	if len(ends) == 0 || t.d != postgresDialect {
		out := make(map[string]bool, len(ends))
		for _, e := range ends {
			n, err := t.exec(ctx, set+"$2 WHERE id = $3 AND state <> 'done'", now, e.Outcome, e.ID)
			if err != nil {
				return func() (map[string]bool, error) { return nil, err }
			}
			if n == 1 {
				out[e.ID] = true
			}
		}
		return func() (map[string]bool, error) { return out, nil }
	}
	ids, outcomes := make([]string, len(ends)), make([]string, len(ends))
	for i, e := range ends {
		ids[i], outcomes[i] = clean(e.ID), clean(e.Outcome)
	}
	answer := ask(ctx, t, texts, set+`e.outcome FROM unnest($2::text[], $3::text[]) AS e (id, outcome)
		WHERE command.id = e.id AND state <> 'done' RETURNING command.id`, now, ids, outcomes)
	return func() (map[string]bool, error) {
		all, err := answer()
		out := make(map[string]bool, len(all))
		for _, id := range all {
			out[id] = true
		}
		return out, err
	}
}

// Lost reports whether a command was sent whose lease ran out without an outcome: InDoubt would find it.
func (r Reader) Lost(ctx context.Context, now time.Time) (found bool, err error) {
	err = firstOf(ctx, r, &found, "SELECT 1 FROM command WHERE state = 'sent' AND lease_until < $1 LIMIT 1", now)
	return found, err
}

// InDoubt finds the commands that were sent and whose lease ran out without an outcome, marks them in-doubt and gives
// them, sorted by id. Each is given once; they are never leased again.
func (t *Tx) InDoubt(ctx context.Context, now time.Time) ([]Command, error) {
	out, err := list(ctx, t.Reader, commandRow, "UPDATE command SET state = 'in-doubt' WHERE state = 'sent' AND lease_until < $1 RETURNING "+commandColumns, now)
	slices.SortFunc(out, func(a, b Command) int { return strings.Compare(a.ID, b.ID) })
	return out, err
}

// Command gives one command.
func (r Reader) Command(ctx context.Context, id string) (Command, error) {
	found, err := list(ctx, r, commandRow, "SELECT "+commandColumns+" FROM command WHERE id = $1", id)
	if err != nil || len(found) == 0 {
		if err == nil {
			err = notFound("command", id)
		}
		return Command{}, err
	}
	return found[0], nil
}

// Commands lists commands by id, in one state unless state is empty, of one subject unless subject is empty.
func (r Reader) Commands(ctx context.Context, state CommandState, subject string, p Page) ([]Command, string, error) {
	var f filter
	f.is("state", state)
	f.is("subject", subject)
	return page(ctx, r, ordered("id"), p, f, "command",
		"id, kind, subject, payload, not_before, state, lease_owner, lease_until, attempt, created, sent, finished, outcome", commandRow)
}

// ForgetCommands removes commands that were finished before a time and tells how many.
func (t *Tx) ForgetCommands(ctx context.Context, before time.Time) (int, error) {
	n, err := t.exec(ctx, "DELETE FROM command WHERE state = 'done' AND finished < $1", before)
	return int(n), err
}

// FreeLeases ends the leases of earlier runs, so that a restarted owner takes its commands over at
// once: queued ones can be leased again, sent ones are in doubt. With SQLite the data directory has one
// owner, which must hold its lock; with PostgreSQL other servers may be at work, so nothing is done and
// leases run out by themselves.
func (s *Store) FreeLeases(ctx context.Context, now time.Time) error {
	if s.d != sqliteDialect {
		return nil
	}
	return s.Tx(ctx, func(tx *Tx) error {
		_, err := tx.exec(ctx, `UPDATE command SET lease_until = $1 WHERE state IN ('queued', 'sent') AND lease_until > $1`, now.Add(-time.Microsecond))
		return err
	})
}

// DoubtAll treats every command that has no outcome as sent and lost. After a restore the backup's
// commands may long have been carried out: whoever runs next looks at the devices before anything is sent.
func (s *Store) DoubtAll(ctx context.Context, now time.Time) error {
	return s.Tx(ctx, func(tx *Tx) error {
		_, err := tx.exec(ctx, `UPDATE command SET state = 'sent', sent = $1, lease_owner = '', lease_until = $2 WHERE state IN ('queued', 'sent')`, now, now.Add(-time.Microsecond))
		return err
	})
}
