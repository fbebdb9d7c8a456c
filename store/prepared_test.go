package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/store"
)

// TestLearned: what one transaction had to parse the next one finds parsed, also after one that failed.
func TestLearned(t *testing.T) {
	s, err := store.Open(t.Context(), store.Options{URL: "memory:"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	before := s.Learned()
	broken := errors.New("no")
	put := func(id string, end error) {
		t.Helper()
		err := s.Tx(t.Context(), func(tx *store.Tx) error {
			if err := tx.PutDevice(t.Context(), firmward.Device{ID: id, Name: id, Site: "home"}, store.Change{Actor: "anna", At: time.Unix(1, 0)}); err != nil {
				return err
			}
			return end
		})
		if !errors.Is(err, end) {
			t.Fatal(err)
		}
	}
	put("a", broken)
	after := s.Learned()
	if after <= before {
		t.Fatalf("%d statements are kept, %d before", after, before)
	}
	put("b", nil)
	put("c", nil)
	if n := s.Learned(); n != after {
		t.Errorf("the same transaction parsed %d statements again", n-after)
	}
	if l, _, err := s.Devices(t.Context(), store.DeviceFilter{}, store.Page{}); err != nil || len(l) != 2 {
		t.Errorf("%d devices, %v", len(l), err)
	}
}
