// Package storetest is the conformance suite of store: the same behaviour on every engine.
package storetest

import (
	"testing"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/store"
)

// Run runs the whole suite. open gives a new empty store each time and closes it when its test ends.
func Run(t *testing.T, open func(t *testing.T) *store.Store) {
	for _, group := range [][]check{inventory, knowledge, fleet, work, records} {
		for _, c := range group {
			t.Run(c.name, func(t *testing.T) { c.run(t, open(t)) })
		}
	}
}

type check struct {
	name string
	run  func(*testing.T, *store.Store)
}

// t0 is a time with microseconds, which both engines keep.
var t0 = time.Date(2026, 3, 14, 15, 9, 26, 535897000, time.UTC)

func write(t *testing.T, s *store.Store, f func(*store.Tx) error) {
	t.Helper()
	if err := s.Tx(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

func wantCode(t *testing.T, err error, want firmward.Code) {
	t.Helper()
	if err == nil || firmward.CodeOf(err) != want {
		t.Errorf("error = %v, want code %s", err, want)
	}
}

func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// each reads all pages of a listing, limit at a time.
func each[T any](t *testing.T, limit int, list func(store.Page) ([]T, string, error)) []T {
	t.Helper()
	var out []T
	p := store.Page{Limit: limit}
	for {
		items, next, err := list(p)
		if err != nil {
			t.Fatal(err)
		}
		if len(items) > limit {
			t.Fatalf("a page of %d holds %d items", limit, len(items))
		}
		out = append(out, items...)
		if next == "" {
			return out
		}
		p.After = next
	}
}
