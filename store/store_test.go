package store_test

import (
	"path/filepath"
	"testing"

	"github.com/firmward/firmward/store"
	"github.com/firmward/firmward/store/storetest"
)

func open(t *testing.T, url string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{URL: url})
	if err != nil {
		t.Fatalf("open %s: %v", url, err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

func TestFile(t *testing.T) {
	storetest.Run(t, func(t *testing.T) *store.Store { return open(t, filepath.Join(t.TempDir(), "firmward.db")) })
}

func TestMemory(t *testing.T) {
	storetest.Run(t, func(t *testing.T) *store.Store { return open(t, "memory:") })
}
