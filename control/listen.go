package control

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/discover"
	"github.com/firmward/firmward/wire"
)

// listenAgain is the real time after which an ear that failed is tried again: interfaces come and go.
const listenAgain = time.Minute

// listen hears every named network for as long as it is named, whatever its zone: nothing is sent.
func (c *Control) listen(ctx context.Context) error {
	ears := map[netip.Prefix]func(){} // each ends an ear, and waits for that
	defer func() {
		for _, end := range ears {
			end()
		}
	}()
	return c.loop(ctx, loopListen, func(ctx context.Context) (time.Time, error) {
		networks, err := allNetworks(ctx, c.Store.Reader)
		if err != nil {
			return time.Time{}, err
		}
		named := map[netip.Prefix]bool{}
		for _, n := range networks {
			named[n.Prefix] = true
			if ears[n.Prefix] != nil {
				continue
			}
			ears[n.Prefix] = c.openEar(ctx, n)
		}
		for prefix, end := range ears {
			if !named[prefix] {
				end()
				delete(ears, prefix)
			}
		}
		return time.Time{}, nil
	})
}

// openEar begins to listen to a network. end ends that and waits until it did.
func (c *Control) openEar(ctx context.Context, network firmward.Network) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	for _, p := range c.Probes {
		if p.Info().Listens {
			wg.Go(func() { c.listenTo(ctx, p, network) })
		}
	}
	return func() {
		cancel()
		wg.Wait()
	}
}

// listenTo runs one listening probe on one network until ctx ends. The probe begins anew after its time, so that an interface
// that came later is heard too.
func (c *Control) listenTo(ctx context.Context, p discover.Probe, network firmward.Network) {
	info := p.Info()
	door, _ := c.door(network, firmward.ClassUnknown, info.Name, wire.Secret{}, 0)
	said, last := &ledger{}, ""
	defer c.setListening(network.Prefix, nil, false)
	for ctx.Err() == nil {
		c.setListening(network.Prefix, nil, true)
		limited, cancel := context.WithTimeout(ctx, info.Timeout)
		err := p.Run(limited, discover.Target{Network: door, Prefix: network.Prefix}, func(o firmward.Observation) {
			o.Probe = info.Name
			c.overheard(ctx, said, network.Prefix, o)
		})
		cancel()
		if err == nil {
			continue
		}
		c.setListening(network.Prefix, err, true)
		if err.Error() != last {
			last = err.Error()
			c.sayDeaf(ctx, err)
		}
		timer := c.Clock.Timer(c.Clock.Real(listenAgain))
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
}

// overheard records what was heard of an address of the network, once in an hour. What is named inside has ears of its own.
func (c *Control) overheard(ctx context.Context, said *ledger, prefix netip.Prefix, o firmward.Observation) {
	if slices.Contains(c.Self, o.Addr) || !said.news(o, c.Clock.Now()) {
		return
	}
	network, err := c.Store.NetworkFor(ctx, o.Addr)
	if err == nil && network.Prefix == prefix {
		_, err = c.record(ctx, network, []firmward.Observation{o})
	}
	if err != nil && ctx.Err() == nil {
		c.Log.ErrorContext(ctx, "what was heard is not kept", "network", prefix, "error", err)
	}
}

// sayDeaf tells once that the right to listen is missing. That a network is not on a link of this host is no news.
func (c *Control) sayDeaf(ctx context.Context, err error) {
	switch {
	case errors.Is(err, fs.ErrPermission):
		if c.deaf.CompareAndSwap(false, true) {
			c.Log.WarnContext(ctx, "not listening to ARP and DHCP: run firmward helper, or give this process CAP_NET_RAW (docs/operating.md); all else works", "error", err)
		}
	case firmward.CodeOf(err) != firmward.NotSupported:
		c.Log.WarnContext(ctx, "listening broke off; it will be tried again", "error", err)
	}
}

// setListening notes whether a network is listened to, or why not; known is false once it is named no more.
func (c *Control) setListening(prefix netip.Prefix, err error, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.ears, prefix)
	if known {
		c.ears[prefix] = err
	}
}

// Listening tells whether a network is listened to, which sends nothing, or why it is not. Where nothing listens yet both are
// empty.
func (c *Control) Listening(prefix netip.Prefix) (yes bool, why string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch err, known := c.ears[prefix]; {
	case !known:
		return false, ""
	case err != nil:
		return false, err.Error()
	}
	return true, ""
}

// The bounds of what is kept of one network in an hour.
const (
	ledgerHour  = time.Hour
	ledgerAddrs = 1 << 14
	ledgerEach  = 8 // different things said of one address
)

// ledger is what was heard in the last hour, so that nobody who talks much fills the store.
type ledger struct {
	said  map[netip.Addr]map[[sha256.Size]byte]time.Time // by address and digest
	swept time.Time
}

// news reports whether an observation is worth keeping, and notes it.
func (l *ledger) news(o firmward.Observation, now time.Time) bool {
	if now.Sub(l.swept) >= ledgerHour/8 {
		l.swept = now
		maps.DeleteFunc(l.said, func(_ netip.Addr, of map[[sha256.Size]byte]time.Time) bool {
			forget(of, now)
			return len(of) == 0
		})
	}
	of := l.said[o.Addr]
	if of == nil && len(l.said) >= ledgerAddrs {
		return false
	}
	forget(of, now)
	digest := sha256.Sum256(fmt.Append(nil, o.Port, o.Readings))
	if _, again := of[digest]; again || len(of) >= ledgerEach {
		return false
	}
	if l.said == nil {
		l.said = map[netip.Addr]map[[sha256.Size]byte]time.Time{}
	}
	if of == nil {
		of = map[[sha256.Size]byte]time.Time{}
		l.said[o.Addr] = of
	}
	of[digest] = now
	return true
}

func forget(of map[[sha256.Size]byte]time.Time, now time.Time) {
	maps.DeleteFunc(of, func(_ [sha256.Size]byte, at time.Time) bool { return now.Sub(at) >= ledgerHour })
}
