package store_test

import (
	"testing"

	"github.com/firmward/firmward/store"
	"github.com/firmward/firmward/store/pgtest"
	"github.com/firmward/firmward/store/storetest"
)

func TestPostgres(t *testing.T) {
	server := pgtest.Start(t)
	storetest.Run(t, func(t *testing.T) *store.Store { return open(t, server.Database(t)) })
	t.Run("newer schema", func(t *testing.T) { refusesNewerSchema(t, server.Database(t)) })
	t.Run("moved from SQLite", func(t *testing.T) { moves(t, open(t, "memory:"), open(t, server.Database(t))) })
	t.Run("moved to SQLite", func(t *testing.T) { moves(t, open(t, server.Database(t)), open(t, "memory:")) })
	t.Run("pipe", func(t *testing.T) { pipes(t, open(t, server.Database(t))) })
	t.Run("others", func(t *testing.T) {
		url := server.Database(t)
		hears(t, open(t, url), open(t, url))
	})
	t.Run("two servers", func(t *testing.T) {
		url := server.Database(t)
		storetest.Shared(t, open(t, url), open(t, url))
	})
}
