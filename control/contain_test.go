package control_test

import (
	"context"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/contain"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/control/controltest"
	"github.com/firmward/firmward/store"
)

// TestUndoTimerOfAFastHouse: a crash came between setting the rules and their proof. The wall counts real
// time; in a house that runs an hour a second the record must not say sooner that they have undone themselves.
func TestUndoTimerOfAFastHouse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		clock := control.Clock{Base: start, Start: start, Scale: 3600}
		st, err := store.Open(t.Context(), store.Options{URL: "memory:"})
		if err != nil {
			t.Fatal(err)
		}
		defer st.Close()
		c := controltest.Open(t, func(cfg *control.Config) { cfg.Store, cfg.Clock = st, clock })
		err = st.Tx(t.Context(), func(tx *store.Tx) error {
			d := firmward.Device{ID: "dev-1", Name: "nas", Site: "home", Addrs: []netip.Addr{netip.MustParseAddr("192.168.1.9")}, FirstSeen: start, Origin: firmward.OriginSeen}
			if err := tx.PutDevice(t.Context(), d, store.Change{Actor: "test", At: start}); err != nil {
				return err
			}
			return tx.PutContainment(t.Context(), firmward.Containment{
				ID: "con-1", DeviceID: "dev-1", State: firmward.ContainApplied, Created: start, ConfirmBy: clock.Now().Add(clock.Real(contain.UndoAfter)),
			})
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- c.Run(ctx) }()
		state := func() firmward.ContainState {
			h, err := st.Containment(ctx, "con-1")
			if err != nil {
				t.Fatal(err)
			}
			return h.State
		}
		time.Sleep(contain.UndoAfter - time.Second)
		if got := state(); got != firmward.ContainApplied {
			t.Errorf("a second before the wall undoes it: %s", got)
		}
		time.Sleep(2 * time.Second)
		if got := state(); got != firmward.ContainUndone {
			t.Errorf("a second after the wall undid it: %s", got)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
