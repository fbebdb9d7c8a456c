package control_test

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/control/controltest"
	"github.com/firmward/firmward/store"
)

// TestRereadWithoutTouching: evidence that was stored under older rules is read by today's rules at the
// start, and no packet is needed for it.
func TestRereadWithoutTouching(t *testing.T) {
	c := controltest.Open(t, nil)
	addr := netip.MustParseAddr("192.168.1.9")
	at := time.Now()
	err := c.Store.Tx(t.Context(), func(tx *store.Tx) error {
		d := firmward.Device{ID: "dev-1", Name: "old", Site: "home", Addrs: []netip.Addr{addr}, FirstSeen: at, Origin: firmward.OriginSeen}
		if err := tx.PutDevice(t.Context(), d, store.Change{Actor: "test", At: at}); err != nil {
			return err
		}
		_, err := tx.AddObservation(t.Context(), "dev-1", firmward.Observation{
			ID: "obs-1", Site: "home", Addr: addr, Port: 161, Probe: "snmp", At: at, Outcome: firmward.Answered,
			Readings: []firmward.Reading{{Name: "snmp.sysObjectID", Value: "1.3.6.1.4.1.14988.1"}, {Name: "snmp.sysDescr", Value: "RouterOS RB750Gr3"}},
		})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	wait(t, func() bool {
		d, err := c.Store.Device(ctx, "dev-1")
		return err == nil && d.Model == "RB750Gr3" && d.Class == firmward.ClassRouter
	})
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	sent, _, err := c.Store.TransmissionsOf(t.Context(), addr, store.Page{})
	if err != nil || len(sent) != 0 {
		t.Errorf("%d writes to the device, %v", len(sent), err)
	}
}
