package store

import (
	"context"
	"errors"
	"time"

	"github.com/firmward/firmward"
)

// Opening is what a transaction that takes events of a rollout must know first.
type Opening struct {
	Rollout firmward.Rollout
	Targets []firmward.Target // as TargetsIn gives them
	Did     map[string]bool   // as FinishCommands gives them
}

// Open reads the header of a rollout and its targets on some devices, and finishes the commands that the events answer: on
// PostgreSQL in one exchange, in which it does the one while what the other gave is read. Errors are those of Rollout, TargetsIn and FinishCommands.
func (t *Tx) Open(ctx context.Context, rollout string, devices []string, now time.Time, ends ...Finish) (o Opening, err error) {
	var header func() ([]firmward.Rollout, error)
	var targets func() ([]firmward.Target, error)
	var leaf, event func() (*int64, error)
	var did func() (map[string]bool, error)
	t.together(ctx, func() {
		header = ask(ctx, t, bodies[firmward.Rollout], rolloutByID, rollout)
		targets = ask(ctx, t, bodies[firmward.Target], t.targetsIn(), rollout, js{devices})
		leaf, event = t.askTop(ctx, lastLeaf), t.askTop(ctx, lastEvent)
		did = t.finish(ctx, now, ends)
	})
	r, err1 := header()
	var err2, err5 error
	o.Targets, err2 = targets()
	_, err3 := leaf()
	_, err4 := event()
	o.Did, err5 = did()
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
		return o, err
	}
	if len(r) == 0 {
		return o, notFound("rollout", rollout)
	}
	o.Rollout = r[0]
	return o, nil
}
