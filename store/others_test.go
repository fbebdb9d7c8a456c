package store_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/store"
)

// hears: a server is told of what another one saved, not of its own and not of what was given up.
func hears(t *testing.T, s, other *store.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	told, done := make(chan struct{}, 100), make(chan error, 1)
	go func() { done <- s.Others(ctx, func() { told <- struct{}{} }) }()
	<-told // it listens
	gone := errors.New("given up")
	emit := func(s *store.Store, want error) {
		t.Helper()
		err := s.Tx(ctx, func(tx *store.Tx) error {
			if err := tx.Emit(ctx, firmward.Event{At: time.Unix(1, 0), Kind: "device", Subject: "a"}); err != nil {
				return err
			}
			return want
		})
		if !errors.Is(err, want) {
			t.Fatal(err)
		}
	}
	commits := s.Commits()
	emit(s, nil)
	emit(other, gone)
	emit(other, nil)
	if err := other.Tx(ctx, func(tx *store.Tx) error { return tx.Enqueue(ctx, store.Command{ID: "c", Created: time.Unix(1, 0)}) }); err != nil {
		t.Fatal(err)
	}
	<-told
	<-told // in the order in which it was saved: had more been told, it would be there
	if n := len(told); n > 0 {
		t.Errorf("told %d times too often", n)
	}
	if n := s.Commits() - commits; n != 3 {
		t.Errorf("%d commits are counted, want its own and the two that it heard of", n)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestOthersSQLite(t *testing.T) {
	s := open(t, "memory:")
	if err := s.Others(t.Context(), func() { t.Error("told, though nobody else is there") }); err != nil {
		t.Error(err)
	}
}
