package store_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/audit"
	"github.com/firmward/firmward/store"
)

// pipes: a write that nobody waits for fails its transaction all the same, whole and with its own reason, and the store goes on.
func pipes(t *testing.T, s *store.Store) {
	ctx := t.Context()
	one, two := store.Command{ID: "c1", Created: time.Unix(1, 0)}, store.Command{ID: "c2", Created: time.Unix(1, 0)}
	if err := s.Tx(ctx, func(tx *store.Tx) error { return tx.Enqueue(ctx, one) }); err != nil {
		t.Fatal(err)
	}
	own := errors.New("of its own")
	for name, f := range map[string]func(*store.Tx) error{
		"nobody asked": func(tx *store.Tx) error {
			return errors.Join(tx.Enqueue(ctx, two), tx.Enqueue(ctx, one))
		},
		"writes follow": func(tx *store.Tx) error {
			leaf := audit.Leaf{At: time.Unix(1, 0), Actor: "anna", Action: "a", Subject: "s"}
			return errors.Join(tx.Enqueue(ctx, one), tx.Enqueue(ctx, two), tx.Record(ctx, leaf))
		},
		"something is read": func(tx *store.Tx) error {
			err := tx.Enqueue(ctx, one)
			_, err2 := tx.Command(ctx, "c2")
			return cmp.Or(err, err2)
		},
		"another error follows": func(tx *store.Tx) error {
			return cmp.Or(tx.Enqueue(ctx, one), own)
		},
	} {
		commits := s.Commits()
		if err := s.Tx(ctx, f); firmward.CodeOf(err) != firmward.Conflict {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := s.Command(ctx, "c2"); firmward.CodeOf(err) != firmward.NotFound || s.Commits() != commits {
			t.Errorf("%s: something was saved, %v", name, err)
		}
	}
	if err := s.Tx(ctx, func(tx *store.Tx) error { return cmp.Or(tx.Enqueue(ctx, two), own) }); !errors.Is(err, own) {
		t.Errorf("an error of the function became %v", err)
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic got lost")
			}
		}()
		s.Tx(ctx, func(tx *store.Tx) error { panic(tx.Enqueue(ctx, two) == nil) })
	}()
	for range 20 { // what is on its way when nobody wants it any more
		short, cancel := context.WithCancel(ctx)
		err := s.Tx(short, func(tx *store.Tx) error {
			defer cancel()
			return tx.Enqueue(short, two)
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
	}
	const n = 300
	err := s.Tx(ctx, func(tx *store.Tx) error {
		for i := range n {
			if err := tx.Enqueue(ctx, store.Command{ID: fmt.Sprintf("n%03d", i), Created: time.Unix(1, 0)}); err != nil {
				return err
			}
		}
		_, err := tx.Command(ctx, "n299") // sees what was written before
		return err
	})
	all, _, err2 := s.Commands(ctx, "", "", store.Page{Limit: 1000})
	if err != nil || err2 != nil || len(all) != n+1 {
		t.Errorf("%d commands are there, want %d; %v, %v", len(all), n+1, err, err2)
	}
}

func TestPipe(t *testing.T) { pipes(t, open(t, "memory:")) }
