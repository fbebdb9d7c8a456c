package control_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/control/controltest"
	"github.com/firmward/firmward/store"
)

// TestManyRollouts: the newest of more rollouts than a page holds goes on all the same.
func TestManyRollouts(t *testing.T) {
	c := controltest.Open(t, nil)
	at := time.Now()
	err := c.Store.Tx(t.Context(), func(tx *store.Tx) error {
		if err := tx.PutRelease(t.Context(), firmward.Release{ID: "rel-1", Models: []string{"M1"}}); err != nil {
			return err
		}
		for i := range 1100 { // planned and left alone, as happens over the years
			r := firmward.Rollout{ID: fmt.Sprintf("ro-a%04d", i), ReleaseID: "rel-1", State: firmward.RolloutPlanned, Waves: 1, Created: at}
			if _, err := tx.PutRollout(t.Context(), r); err != nil {
				return err
			}
		}
		_, err := tx.PutRollout(t.Context(), firmward.Rollout{ID: "ro-z", ReleaseID: "rel-1", State: firmward.RolloutRunning, Waves: 1, Created: at})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	wait(t, func() bool {
		r, err := c.Store.Rollout(ctx, "ro-z")
		return err == nil && r.State == firmward.RolloutFinished
	})
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
