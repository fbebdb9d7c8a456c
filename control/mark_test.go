package control_test

import (
	"testing"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/control/controltest"
	"github.com/firmward/firmward/store"
)

// TestMarkOnce: of several that ask in one transaction to carry the same command out, one may.
func TestMarkOnce(t *testing.T) {
	c := controltest.Open(t, nil)
	err := c.Store.Tx(t.Context(), func(tx *store.Tx) error { return tx.Enqueue(t.Context(), store.Command{ID: "c1"}) })
	if err != nil {
		t.Fatal(err)
	}
	if got, err := c.Store.LeaseCommands(t.Context(), c.Owner(), 1, c.Clock.Now(), time.Hour); err != nil || len(got) != 1 {
		t.Fatal(got, err)
	}
	answers := c.MarkTogether(t.Context(), "c1", "c1", "c2", "c1")
	may := 0
	for _, err := range answers {
		if err == nil {
			may++
		} else if firmward.CodeOf(err) != firmward.Conflict {
			t.Error(err)
		}
	}
	if may != 1 {
		t.Errorf("%d may carry it out", may)
	}
}
