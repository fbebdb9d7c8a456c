package control_test

import (
	"context"
	"net/netip"
	"testing"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/control/controltest"
	"github.com/firmward/firmward/lab"
	"github.com/firmward/firmward/store"
	"github.com/firmward/firmward/wire"
)

// anna may do everything.
var anna = firmward.Person{Name: "anna", Role: firmward.Admin}

// home is where the lab's devices stand unless a test says otherwise.
var home = netip.MustParsePrefix("192.168.20.0/24")

// bubble is a control whose loops run beside a lab, in a synctest bubble.
type bubble struct {
	*control.Control
	t   *testing.T
	ctx context.Context
}

// newLab is an empty lab that ends with the test.
func newLab(t *testing.T) *lab.Lab {
	t.Helper()
	l := lab.New(lab.Options{})
	t.Cleanup(func() { l.Close() })
	return l
}

// live names networks and lets a control, as change makes it, run on the network of a lab's site until the test ends.
func live(t *testing.T, network wire.Network, site string, networks map[netip.Prefix]firmward.Profile, change ...func(*control.Config)) bubble {
	t.Helper()
	c := controltest.Open(t, func(cfg *control.Config) {
		cfg.Network, cfg.Lab = network, true
		for prefix := range networks {
			cfg.Self = append(cfg.Self, prefix.Addr().Next().Next()) // where a lab attaches firmward
		}
		for _, f := range change {
			f(cfg)
		}
	})
	for prefix, profile := range networks {
		if _, err := c.NameNetwork(t.Context(), anna, control.AddNetwork{Prefix: prefix, Site: site, Profile: profile}); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return bubble{c, t, ctx}
}

// scan looks at a whole network and gives all known devices.
func (b bubble) scan(prefix netip.Prefix) []firmward.Device {
	b.t.Helper()
	s, err := b.StartScan(b.ctx, anna, prefix)
	if err != nil {
		b.t.Fatal(err)
	}
	wait(b.t, func() bool {
		s, err = b.ScanByID(s.ID)
		return err == nil && !s.Ended.IsZero()
	})
	if s.Error != "" {
		b.t.Fatal(s.Error)
	}
	all, _, err := b.Store.Devices(b.ctx, store.DeviceFilter{}, store.Page{})
	if err != nil {
		b.t.Fatal(err)
	}
	return all
}
