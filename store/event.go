package store

import (
	"context"

	"github.com/firmward/firmward"
)

// eventsKept bounds the events.
const eventsKept = 10_000

const lastEvent = "SELECT COALESCE(MAX(seq), 0) FROM event"

// Emit adds events and forgets all but the newest 10,000. Seq is given by the store: it grows in the order of
// commits.
func (t *Tx) Emit(ctx context.Context, events ...firmward.Event) error {
	if len(events) == 0 {
		return nil
	}
	last, err := t.top(ctx, lastEvent)
	if err != nil {
		return err
	}
	l := load{table: "event", columns: []string{"seq", "at", "kind", "subject", "body"}, keys: 1, once: true}
	for _, e := range events {
		*last++
		e.Seq = *last
		l.rows = append(l.rows, []any{e.Seq, e.At, e.Kind, e.Subject, js{&e}})
	}
	if err := t.fold(ctx, l); err != nil {
		return err
	}
	if err := t.put(ctx, "DELETE FROM event WHERE seq <= $1", *last-eventsKept); err != nil {
		return err
	}
	return t.tell(ctx)
}

// EventsAfter gives up to n events (at most 1000) with a Seq greater than seq, oldest first.
func (r Reader) EventsAfter(ctx context.Context, seq int64, n int) ([]firmward.Event, error) {
	return list(ctx, r, bodies[firmward.Event], "SELECT body FROM event WHERE seq > $1 ORDER BY seq LIMIT $2", seq, Page{Limit: n}.limit())
}

// LastEvent gives the Seq of the newest event, 0 when there is none.
func (r Reader) LastEvent(ctx context.Context) (int64, error) {
	var seq int64
	_, err := r.row(ctx, lastEvent, nil, &seq)
	return seq, err
}
