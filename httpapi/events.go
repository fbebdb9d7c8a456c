package httpapi

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/sse"

	"github.com/firmward/firmward"
)

// Change is something that happened: a thing of that kind is to be read again. It is no record; the
// audit log is.
type Change struct {
	Seq     int64     `json:"seq"`
	At      time.Time `json:"at"`
	Kind    string    `json:"kind" doc:"device, network, scan, feed, fetch (of a feed), finding, exception, step, release, rollout, target, workorder, containment, stop-all, vendor-event (subject: the family)"`
	Subject string    `json:"subject" doc:"id of the thing"`
	Text    string    `json:"text" doc:"for people"`
}

// Gap says that events between the last one seen and the next were forgotten: read everything again.
type Gap struct {
	From int64 `json:"from"`
	To   int64 `json:"to"`
}

// Heartbeat says that the stream lives.
type Heartbeat struct {
	At time.Time `json:"at"`
}

// The clocks of a stream.
const (
	eventLook      = 200 * time.Millisecond // how often this process's own commits are looked at
	eventLookWide  = 2 * time.Second        // how often the database is asked all the same: other servers may share it
	eventHeartbeat = 15 * time.Second
)

// EventsInput says where to go on.
type EventsInput struct {
	LastEventID string `header:"Last-Event-ID" doc:"seq of the last event seen; newest ones only when absent"`
	After       string `query:"after" doc:"the same, for clients that cannot set the header"`
}

func (a *API) eventRoutes() {
	op := a.operation(spec{
		method: http.MethodGet, path: "/events", id: "stream-events", role: firmward.Viewer, tag: "Events", summary: "What happens, live",
		doc: "Server-sent events. A client that comes back with Last-Event-ID gets what it missed.",
	})
	// huma writes the 200 before the handler runs, so what may be refused is refused before it.
	op.Middlewares = huma.Middlewares{a.streamPlace}
	sse.Register(a.huma, op, map[string]any{"change": Change{}, "gap": Gap{}, "heartbeat": Heartbeat{}},
		func(ctx context.Context, in *EventsInput, send sse.Sender) {
			if err := a.follow(ctx, in, send); err != nil && ctx.Err() == nil {
				a.Log.WarnContext(ctx, "event stream broke off", "error", err)
			}
		})
}

// streamPlace bounds the number of open streams.
func (a *API) streamPlace(ctx huma.Context, next func(huma.Context)) {
	select {
	case a.streams <- struct{}{}:
		defer func() { <-a.streams }()
		next(ctx)
	default:
		writeProblem(writerOf(ctx), newProblem(firmward.Unavailable, "too many event streams are open: try again in a moment"))
	}
}

// follow sends events until the client is gone.
func (a *API) follow(ctx context.Context, in *EventsInput, send sse.Sender) error {
	last := in.LastEventID
	if last == "" {
		last = in.After
	}
	seq, err := strconv.ParseInt(last, 10, 64)
	if err != nil || seq < 0 {
		if seq, err = a.Store.LastEvent(ctx); err != nil {
			return err
		}
	}
	if err := send.Data(Heartbeat{At: a.Control.Clock.Now()}); err != nil {
		return err
	}
	tick := time.NewTicker(eventLook)
	defer tick.Stop()
	commits, looked, spoke := int64(-1), time.Now(), time.Now()
	for {
		if n := a.Store.Commits(); n != commits || time.Since(looked) >= eventLookWide {
			commits, looked = n, time.Now()
			before := seq
			if seq, err = a.sendAfter(ctx, seq, send); err != nil {
				return err
			}
			if seq != before {
				spoke = time.Now()
			}
		}
		if time.Since(spoke) >= eventHeartbeat {
			spoke = time.Now()
			if err := send.Data(Heartbeat{At: a.Control.Clock.Now()}); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// sendAfter sends all events after seq and gives the seq of the last one.
func (a *API) sendAfter(ctx context.Context, seq int64, send sse.Sender) (int64, error) {
	const batch = 200
	for {
		events, err := a.Store.EventsAfter(ctx, seq, batch)
		if err != nil {
			return seq, err
		}
		for _, e := range events {
			if e.Seq > seq+1 {
				if err := send.Data(Gap{From: seq + 1, To: e.Seq - 1}); err != nil {
					return seq, err
				}
			}
			seq = e.Seq
			if err := send(sse.Message{ID: int(e.Seq), Data: Change{e.Seq, e.At, e.Kind, e.Subject, e.Text}}); err != nil {
				return seq, err
			}
		}
		if len(events) < batch {
			return seq, nil
		}
	}
}
