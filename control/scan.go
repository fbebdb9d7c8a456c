package control

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/discover"
	"github.com/firmward/firmward/remedy"
	"github.com/firmward/firmward/store"
	"github.com/firmward/firmward/wire"
)

// Scan is one run over one named network, and its receipt.
type Scan struct {
	ID       string
	Network  string
	Site     string
	By       string
	Started  time.Time
	Ended    time.Time // zero while it runs
	Targets  int       // addresses to look at
	Looked   int
	Answered int
	Devices  int    // devices that gave evidence
	Withheld string // what was not sent, and why
	Error    string

	taken bool // a worker runs it
}

// maxSweep is the largest prefix that is swept address by address; wider ones are looked at through
// the neighbour table only.
const maxSweep = 16

// scanPeriod is how often a named network is looked at by itself.
const scanPeriod = 24 * time.Hour

// parallelHosts bounds how many hosts one scan looks at together.
const parallelHosts = 64

// StartScan begins a scan of a named network and returns at once; Scans tells how it goes.
func (c *Control) StartScan(ctx context.Context, who firmward.Person, prefix netip.Prefix) (Scan, error) {
	network, err := c.Store.Network(ctx, prefix.Masked())
	if err != nil {
		return Scan{}, err
	}
	s := &Scan{ID: store.NewID("scan"), Network: network.Prefix.String(), Site: network.Site, By: who.Name, Started: c.Clock.Now()}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, other := range c.scans {
		if other.Network == s.Network && other.Ended.IsZero() {
			return *other, nil
		}
	}
	c.forgetScans()
	c.scans[s.ID] = s
	c.wake(loopObserve)
	return *s, nil
}

// keptScans bounds how many receipts stay in memory; their leaves stay for good.
const keptScans = 200

// forgetScans drops the oldest receipts of ended scans. The caller holds the lock.
func (c *Control) forgetScans() {
	for len(c.scans) >= keptScans {
		oldest := ""
		for id, s := range c.scans {
			if !s.Ended.IsZero() && (oldest == "" || s.Started.Before(c.scans[oldest].Started)) {
				oldest = id
			}
		}
		if oldest == "" {
			return
		}
		delete(c.scans, oldest)
	}
}

// ScanByID tells how a scan goes.
func (c *Control) ScanByID(id string) (Scan, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, ok := c.scans[id]
	if !ok {
		return Scan{}, firmward.Errorf(firmward.NotFound, "no scan "+id+" since the start of this server")
	}
	return *s, nil
}

// parallelScans bounds how many networks are looked at together: the patience that a careful zone asks for does not hold up
// the others.
const parallelScans = 4

// observe runs the scans that a person asked for and those that are due, and looks at devices whose work a person reported
// done. It ends when all that it began has ended.
func (c *Control) observe(ctx context.Context) error {
	var scans errgroup.Group
	scans.SetLimit(parallelScans)
	defer scans.Wait() // nothing in it fails
	work := func() error {
		for s := c.nextScan(); s != nil && ctx.Err() == nil; s = c.nextScan() {
			c.runScan(ctx, s)
		}
		c.wake(loopObserve) // for when the next one is due
		return nil
	}
	return c.loop(ctx, loopObserve, func(ctx context.Context) (time.Time, error) {
		for n := c.waiting(); n > 0 && scans.TryGo(work); n-- {
		}
		return c.observeStep(ctx)
	})
}

// observeStep looks at reported work and orders the scans that are due.
func (c *Control) observeStep(ctx context.Context) (time.Time, error) {
	if err := c.lookAtWork(ctx); err != nil {
		return time.Time{}, err
	}
	due := time.Time{}
	networks, err := allNetworks(ctx, c.Store.Reader)
	if err != nil {
		return due, err
	}
	now := c.Clock.Now()
	for _, n := range networks {
		if n.Scanned.IsZero() || c.scanning(n.Prefix) {
			continue // the first look is a person's order
		}
		next := n.Scanned.Add(scanPeriod)
		if !next.After(now) {
			if _, err := c.StartScan(ctx, firmward.Person{Name: self}, n.Prefix); err != nil {
				return due, err
			}
			return now, nil
		}
		if due.IsZero() || next.Before(due) {
			due = next
		}
	}
	return due, nil
}

// waiting is how many scans nobody runs yet.
func (c *Control) waiting() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.scans {
		if s.Ended.IsZero() && !s.taken {
			n++
		}
	}
	return n
}

// scanning reports whether a network is being looked at, or about to be.
func (c *Control) scanning(prefix netip.Prefix) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.scans {
		if s.Ended.IsZero() && s.Network == prefix.String() {
			return true
		}
	}
	return false
}

// nextScan takes a scan that nobody runs yet; nil: there is none.
func (c *Control) nextScan() *Scan {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(c.scans)) {
		if s := c.scans[id]; s.Ended.IsZero() && !s.taken {
			s.taken = true
			return s
		}
	}
	return nil
}

func (c *Control) runScan(ctx context.Context, s *Scan) {
	prefix := netip.MustParsePrefix(s.Network)
	network, err := c.Store.Network(ctx, prefix)
	if err == nil {
		err = c.sweep(ctx, s, network)
	}
	c.mu.Lock()
	s.Ended = c.Clock.Now()
	if err != nil {
		s.Error = err.Error()
	}
	receipt := *s
	c.mu.Unlock()
	if ctx.Err() != nil {
		return
	}
	before := network.Began
	err = c.Store.Tx(ctx, func(tx *store.Tx) error {
		n, err := tx.Network(ctx, prefix)
		if err != nil {
			return err
		}
		n.Scanned, n.Began = receipt.Ended, receipt.Started
		if err := tx.PutNetwork(ctx, n); err != nil {
			return err
		}
		if err := c.emit(ctx, tx, "scan", s.ID, fmt.Sprintf("%s: %d of %d addresses answered, %d devices", s.Network, receipt.Answered, receipt.Targets, receipt.Devices)); err != nil {
			return err
		}
		return c.leaf(ctx, tx, s.By, "network-scan", s.Network, map[string]string{
			"targets": fmt.Sprint(receipt.Targets), "answered": fmt.Sprint(receipt.Answered), "devices": fmt.Sprint(receipt.Devices),
			"withheld": receipt.Withheld, "error": receipt.Error,
		})
	})
	if err == nil {
		err = c.eachDevice(ctx, store.DeviceFilter{Network: s.Network}, func(d firmward.Device) error {
			if receipt.Ended.Sub(d.LastSeen) >= remedy.Missed {
				c.touch(d.ID)
			}
			return nil
		})
	}
	if err == nil && receipt.Error == "" {
		err = c.vendorEvents(ctx, network, before, receipt.Started, receipt.Ended)
	}
	if err != nil {
		c.Log.ErrorContext(ctx, "scan receipt not kept", "network", s.Network, "error", err)
	}
}

// sweep looks at a whole network: first at the neighbour table, then, as far as the network allows,
// at each host.
func (c *Control) sweep(ctx context.Context, s *Scan, network firmward.Network) error {
	inner, err := c.innerNetworks(ctx, network)
	if err != nil {
		return err
	}
	hosts, err := c.neighbours(ctx, network, inner)
	if err != nil && firmward.CodeOf(err) != firmward.NotSupported {
		return err
	}
	blind := err != nil
	c.mu.Lock()
	s.Targets, s.Answered, s.Devices = len(hosts), len(hosts), len(hosts)
	if network.Allowed < firmward.Polite {
		s.Withheld = "the profile is " + string(network.Profile) + ": nothing beyond the neighbour table until a person allows it (networks allow " + network.Prefix.String() + " --step polite)"
		s.Looked = len(hosts)
	}
	c.mu.Unlock()
	if network.Allowed < firmward.Polite {
		return nil
	}
	targets, notSwept := hosts, unswept(network)
	if notSwept == "" {
		targets = addresses(network.Prefix)
	} else if targets, err = c.withInventory(ctx, network, hosts); err != nil {
		return err
	}
	targets = inner.leaveOut(targets)
	found, heard, err := c.askAll(ctx, network, inner)
	if err != nil {
		return err
	}
	targets, hosts = sorted(targets, heard), sorted(hosts, heard)
	c.mu.Lock()
	s.Withheld = withheld(blind, notSwept, inner)
	s.Targets, s.Answered, s.Devices = len(targets), 0, len(found)
	c.mu.Unlock()
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(parallelHosts)
	var once sync.Map
	for _, id := range found {
		once.Store(id, true)
	}
	for _, addr := range targets {
		g.Go(func() error {
			ids, answered, err := c.lookAtHost(gctx, network, addr)
			if err != nil {
				return err
			}
			c.mu.Lock()
			defer c.mu.Unlock()
			s.Looked++
			if answered || slices.Contains(hosts, addr) {
				s.Answered++
			}
			for _, id := range ids {
				if _, seen := once.LoadOrStore(id, true); !seen {
					s.Devices++
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil || blind {
		return err
	}
	_, err = c.neighbours(ctx, network, inner) // who was asked stands in the table by now: MACs for everybody
	return err
}

// neighbours records who is there by the neighbour table and gives their addresses, sorted.
func (c *Control) neighbours(ctx context.Context, network firmward.Network, inner prefixes) ([]netip.Addr, error) {
	p, ok := c.byProbe["neighbor"]
	if !ok {
		return nil, nil
	}
	door, _ := c.door(network, firmward.ClassUnknown, "neighbor", wire.Secret{}, p.Info().Timeout)
	var seen []firmward.Observation
	var hosts []netip.Addr
	err := p.Run(ctx, discover.Target{Network: door, Prefix: network.Prefix}, func(o firmward.Observation) {
		if slices.Contains(c.Self, o.Addr) || inner.contain(o.Addr) {
			return
		}
		o.Probe = "neighbor"
		seen = append(seen, o)
		hosts = append(hosts, o.Addr)
	})
	if err != nil {
		return nil, err
	}
	_, err = c.record(ctx, network, seen)
	return hosts, err
}

// lookAtHost asks one address step by step: what is first allowed for an unknown host, then what its
// open ports suggest, then what its family declares. It stops where the rules say stop.
func (c *Control) lookAtHost(ctx context.Context, network firmward.Network, addr netip.Addr) (devices []string, answered bool, err error) {
	if slices.Contains(c.Self, addr) {
		return nil, false, nil
	}
	done := map[string]bool{}
	todo := c.firstFor(ctx, network, addr)
	for len(todo) > 0 {
		name := todo[0]
		todo = todo[1:]
		p, ok := c.byProbe[name]
		if done[name] || !ok {
			continue
		}
		done[name] = true
		d, _ := c.deviceAt(ctx, network.Site, addr)
		if !discover.Permitted(p.Info().Safety, network, d.Class) {
			continue
		}
		fam, _ := c.Catalog.Family(d.Family)
		secret, err := c.secretFor(ctx, d)
		if err != nil {
			return nil, answered, err
		}
		seen, err := c.probe(ctx, p, network, d, addr, secret, fam.Paths)
		if err != nil {
			return nil, answered, err
		}
		ids, err := c.record(ctx, network, seen)
		if err != nil {
			return nil, answered, err
		}
		for _, o := range seen {
			answered = answered || o.Outcome == firmward.Answered
			open, ok := o.Get("ports.open")
			if name == "ports" && o.Outcome == firmward.NoAnswer && d.ID == "" {
				return nil, false, nil // nobody is there
			}
			if ok && !network.Zone().Careful() {
				for port := range strings.SplitSeq(open, ",") {
					todo = append(todo, discover.ByPort(port)...)
				}
			}
		}
		devices = append(devices, ids...)
		if d, err := c.deviceAt(ctx, network.Site, addr); err == nil && d.Family != "" {
			fam, _ := c.Catalog.Family(d.Family)
			todo = append(todo, fam.Probes...)
			if done["http"] && len(fam.Paths) > 0 && !done["http+paths"] && !d.Class.LifeSupport() {
				done["http+paths"] = true
				delete(done, "http")
				todo = append(todo, "http")
			}
		}
	}
	return devices, answered, nil
}

// firstFor is the list of first probes for an address: those of the suspected family, else those of
// the zone.
func (c *Control) firstFor(ctx context.Context, network firmward.Network, addr netip.Addr) []string {
	if d, err := c.deviceAt(ctx, network.Site, addr); err == nil && d.Family != "" {
		fam, _ := c.Catalog.Family(d.Family)
		if len(fam.Probes) > 0 {
			return slices.Clone(fam.Probes)
		}
	}
	return discover.FirstProbes(network.Zone())
}

// deviceAt is the device that was last seen at an address; the zero Device when none was.
func (c *Control) deviceAt(ctx context.Context, site string, addr netip.Addr) (firmward.Device, error) {
	found, err := c.Store.DevicesAt(ctx, site, addr)
	if err != nil || len(found) == 0 {
		return firmward.Device{}, cmp.Or(err, error(firmward.Errorf(firmward.NotFound, "no device at "+addr.String())))
	}
	return latest(found), nil
}

// latest is the one of some devices, at least one, that was seen last.
func latest(devices []firmward.Device) firmward.Device {
	return slices.MaxFunc(devices, func(a, b firmward.Device) int { return a.LastSeen.Compare(b.LastSeen) })
}
