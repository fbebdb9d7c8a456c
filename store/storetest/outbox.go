package storetest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/store"
)

func enqueue(t *testing.T, s *store.Store, list ...store.Command) {
	t.Helper()
	write(t, s, func(tx *store.Tx) error {
		return tx.Enqueue(t.Context(), list...)
	})
}

// mark marks one command as sent, or fails with Conflict.
func mark(t *testing.T, s *store.Store, id, owner string, now time.Time) error {
	may, err := s.MarkSent(t.Context(), owner, now, id)
	if err == nil && len(may) == 0 {
		err = firmward.Errorf(firmward.Conflict, "not "+id)
	}
	return err
}

func outbox(t *testing.T, s *store.Store) {
	ctx := t.Context()
	later := t0.Add(time.Hour)
	enqueue(t, s, store.Command{ID: "c1", Kind: "install", Subject: "a", Payload: []byte(`{"n":1}`), Created: t0}, store.Command{ID: "c2", NotBefore: later, Created: t0})
	wantCode(t, s.Tx(ctx, func(tx *store.Tx) error { return tx.Enqueue(ctx, store.Command{ID: "c1"}) }), firmward.Conflict)
	lease := func(owner string, now time.Time) []store.Command {
		t.Helper()
		return must[[]store.Command](t)(s.LeaseCommands(ctx, owner, 10, now, time.Minute))
	}
	got := lease("w1", t0)
	want := store.Command{ID: "c1", Kind: "install", Subject: "a", Payload: []byte(`{"n":1}`), State: store.CommandQueued, LeaseOwner: "w1", LeaseUntil: t0.Add(time.Minute), Attempt: 1, Created: t0}
	diff(t, "leased", []store.Command{want}, got)
	if got := lease("w2", t0.Add(time.Minute)); len(got) != 0 {
		t.Errorf("leased twice: %v", got)
	}
	// The lease runs out before it was sent: another worker may try, the first one must not any more.
	if got := lease("w2", t0.Add(2*time.Minute)); len(got) != 1 || got[0].Attempt != 2 {
		t.Errorf("after the lease: %v", got)
	}
	now := t0.Add(2 * time.Minute)
	wantCode(t, mark(t, s, "c1", "w1", now), firmward.Conflict)
	wantCode(t, mark(t, s, "c1", "w2", now.Add(2*time.Minute)), firmward.Conflict)
	if err := mark(t, s, "c1", "w2", now); err != nil {
		t.Fatal(err)
	}
	wantCode(t, mark(t, s, "c1", "w2", now), firmward.Conflict)
	if err := s.ExtendLease(ctx, "c1", "w2", now, now.Add(3*time.Minute)); err != nil {
		t.Error(err)
	}
	// It was sent and nobody says how it ended: in doubt, told once, never leased again.
	doubt := func(at time.Time) (out []store.Command) {
		write(t, s, func(tx *store.Tx) (err error) {
			out, err = tx.InDoubt(ctx, at)
			return err
		})
		return out
	}
	if got := doubt(now.Add(3 * time.Minute)); len(got) != 0 {
		t.Errorf("in doubt while leased: %v", got)
	}
	if got := doubt(now.Add(4 * time.Minute)); len(got) != 1 || got[0].State != store.CommandInDoubt {
		t.Errorf("in doubt: %v", got)
	}
	if got := doubt(now.Add(5 * time.Minute)); len(got) != 0 {
		t.Errorf("in doubt twice: %v", got)
	}
	if got := lease("w3", now.Add(30*time.Minute)); len(got) != 0 {
		t.Errorf("a command in doubt was leased: %v", got)
	}
	for _, want := range []map[string]bool{{"c1": true}, {}} { // what is finished stays so
		write(t, s, func(tx *store.Tx) error {
			did, err := tx.FinishCommands(ctx, now, store.Finish{ID: "c1", Outcome: "succeeded"}, store.Finish{ID: "none"})
			diff(t, "finished", want, did)
			return err
		})
	}
	if c := must[store.Command](t)(s.Command(ctx, "c1")); c.State != store.CommandDone || c.Outcome != "succeeded" || !c.Finished.Equal(now) {
		t.Errorf("finished: %+v", c)
	}
	if got := lease("w1", later); len(got) != 1 || got[0].ID != "c2" {
		t.Errorf("not before: %v", got)
	}
	write(t, s, func(tx *store.Tx) error {
		n, err := tx.ForgetCommands(ctx, later)
		if err == nil && n != 1 {
			err = fmt.Errorf("%d commands forgotten", n)
		}
		return err
	})
	// After a restore nothing that was queued or leased is sent any more; all of it is in doubt.
	enqueue(t, s, store.Command{ID: "c3", Created: t0})
	if err := s.DoubtAll(ctx, later); err != nil {
		t.Fatal(err)
	}
	if got := lease("w1", later.Add(time.Hour)); len(got) != 0 {
		t.Errorf("leased after a restore: %v", got)
	}
	if got := doubt(later); len(got) != 2 || got[0].ID != "c2" || got[1].ID != "c3" {
		t.Errorf("in doubt after a restore: %v", got)
	}
}

func leaseRace(t *testing.T, a, b *store.Store) {
	for i := range 40 {
		enqueue(t, a, store.Command{ID: fmt.Sprintf("race%02d", i), Created: t0})
	}
	var mu sync.Mutex
	sent := map[string]int{}
	race(8, func(i int) {
		s, owner := []*store.Store{a, b}[i%2], fmt.Sprintf("w%d", i)
		for {
			got, err := s.LeaseCommands(t.Context(), owner, 3, t0, time.Minute)
			if err != nil {
				t.Error(err)
			}
			for _, c := range got {
				if err := mark(t, s, c.ID, owner, t0); err != nil {
					t.Error(err)
				}
				mu.Lock()
				sent[c.ID]++
				mu.Unlock()
			}
			if len(got) == 0 {
				return
			}
		}
	})
	for id, n := range sent {
		if n != 1 {
			t.Errorf("%s was sent %d times", id, n)
		}
	}
	if len(sent) != 40 {
		t.Errorf("%d of 40 were sent", len(sent))
	}
}
