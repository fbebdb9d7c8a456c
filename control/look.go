package control

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/discover"
	"github.com/firmward/firmward/driver"
	"github.com/firmward/firmward/identify"
	"github.com/firmward/firmward/rollout"
	"github.com/firmward/firmward/store"
	"github.com/firmward/firmward/wire"
)

// door is the guarded network for one purpose: only addresses of named networks, paced by zone and
// class, every byte recorded, no connection longer than limit (0: whoever dials ends it). groups are the multicast
// groups that may be asked too.
func (c *Control) door(network firmward.Network, class firmward.Class, purpose string, secret wire.Secret, limit time.Duration, groups ...netip.AddrPort) (wire.Network, *transcript) {
	tr := &transcript{purpose: purpose}
	way := c.Network
	if t, ok := c.twinIn(network.Prefix); ok {
		way = t.Network()
	}
	return wire.Guarded(way, wire.Guard{
		Allow: func(a netip.Addr) error {
			if !network.Prefix.Contains(a) {
				return firmward.Errorf(firmward.Refused, "nobody named a network with "+a.String()+" (networks add)")
			}
			return nil
		},
		Pace: func(netip.Addr) wire.Pace {
			p := discover.PaceFor(network.Zone(), class)
			p.Every = c.Clock.Wall(p.Every)
			return p
		},
		Groups: groups, Record: tr.add, Limit: limit, Purpose: purpose, Secrets: []string{secret.Password},
	}, c.pacer), tr
}

// transcript keeps every write until it is stored.
type transcript struct {
	purpose string
	mu      sync.Mutex
	sent    []wire.Sent
}

func (t *transcript) add(s wire.Sent) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := len(t.sent); n > 0 && len(t.sent) > 200 { // a long upload: counted, not kept
		t.sent[n-1].Total += s.Total
		return
	}
	t.sent = append(t.sent, s)
}

// keepSent stores a transcript.
func (c *Control) keepSent(ctx context.Context, device string, t *transcript) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.sent) == 0 {
		return nil
	}
	now := c.Clock.Now()
	batch := make([]store.Transmission, len(t.sent))
	for i, s := range t.sent {
		batch[i] = store.Transmission{Device: device, Addr: s.To.Addr(), At: now, Network: s.Network, Port: s.To.Port(), Purpose: s.Purpose, Bytes: s.Bytes, Total: s.Total}
	}
	t.sent = nil
	return c.Store.Tx(ctx, func(tx *store.Tx) error { return tx.AddTransmissions(ctx, batch) })
}

// probe runs one probe against one address and gives what it saw.
func (c *Control) probe(ctx context.Context, p discover.Probe, network firmward.Network, d firmward.Device, addr netip.Addr, secret wire.Secret, paths []string) ([]firmward.Observation, error) {
	info := p.Info()
	door, tr := c.door(network, d.Class, info.Name, secret, info.Timeout)
	// The pace may hold a probe back: its own time limit starts after the waiting. A device that drips is
	// cut by the limit of its connection.
	ctx, cancel := context.WithTimeout(ctx, info.Timeout+c.Clock.Wall(discover.PaceFor(network.Zone(), d.Class).Every)*8)
	defer cancel()
	var seen []firmward.Observation
	err := p.Run(ctx, discover.Target{Network: door, Addr: addr, Secret: secret, Paths: paths}, func(o firmward.Observation) {
		o.Probe = info.Name
		seen = append(seen, o)
	})
	if kept := c.keepSent(context.WithoutCancel(ctx), d.ID, tr); err == nil {
		err = kept
	}
	return seen, err
}

// seenNow is the result of a full look at one known device.
type seenNow struct {
	rollout.Seen
	Showed []string // devices that gave evidence: itself, and those behind it of which it told
}

// look asks a known device everything that its family and model card declare: who it is, what it runs,
// how its services answer, and what its driver says about slots. The observations become evidence.
func (c *Control) look(ctx context.Context, d firmward.Device) (seenNow, error) {
	var out seenNow
	network, err := c.networkOf(ctx, d)
	if err != nil {
		return out, err
	}
	asked, err := c.answersFor(ctx, d)
	if err != nil {
		return out, err
	}
	model := c.Catalog.Model(d)
	fam, _ := c.Catalog.Family(asked.Family)
	secret, err := c.secretFor(ctx, asked)
	if err != nil {
		return out, err
	}
	started := c.Clock.Now()
	var kept []firmward.Observation
	out.Note = "it does not answer"
	at := network // where it is asked: each address by the rules of its own network
	for _, addr := range asked.Addrs {
		if at, err = c.Store.NetworkFor(ctx, addr); firmward.CodeOf(err) == firmward.NotFound {
			continue
		} else if err != nil {
			return out, err
		}
		var answered bool
		for _, name := range lookWith(fam, model) {
			p, ok := c.byProbe[name]
			if !ok || !discover.Permitted(p.Info().Safety, at, asked.Class) {
				continue
			}
			seen, err := c.probe(ctx, p, at, asked, addr, secret, fam.Paths)
			if err != nil {
				return out, err
			}
			for _, o := range seen {
				answered = answered || o.Outcome == firmward.Answered
				if o.Outcome == firmward.Cut {
					out.Note = "it cannot be read: " + o.Note
				}
				if p.Info().Service && slices.Contains(model.Services, name) {
					out.Services = append(out.Services, firmward.ServiceState{Probe: name, OK: discover.Serves(o), Note: o.Note})
				}
				kept = append(kept, o)
			}
			if !answered && ctx.Err() != nil {
				return out, ctx.Err()
			}
		}
		if answered {
			out.Reachable, out.Note = true, ""
			break // one address that answers is enough
		}
		out.Services, kept = nil, nil
	}
	if !out.Reachable {
		return out, nil
	}
	ids, err := c.record(ctx, at, kept)
	if err != nil {
		return out, err
	}
	out.Showed = ids
	out.SameDevice = len(ids) == 0 || slices.Contains(ids, d.ID)
	if asked.ID != d.ID && !slices.Contains(ids, d.ID) {
		out.Reachable, out.Note = false, asked.Name+" answers, but does not reach it"
		return out, nil
	}
	obs, err := c.Store.ObservationsOf(ctx, d.ID)
	if err != nil {
		return out, err
	}
	out.Version, out.Evidence = freshVersion(c.Catalog.Rules, obs, started)
	c.slots(ctx, &out, d, model, network, secret)
	return out, nil
}

// answersFor is the device that is asked about d: itself, or the one before it when it has no address of its own.
func (c *Control) answersFor(ctx context.Context, d firmward.Device) (firmward.Device, error) {
	if len(d.Addrs) > 0 {
		return d, nil
	}
	before, err := c.gateways(ctx, d.ID)
	if err != nil {
		return d, err
	}
	for _, g := range before {
		if len(g.Addrs) > 0 {
			return g, nil
		}
	}
	return d, &firmward.Error{Code: firmward.NotSupported, Message: d.Name + " cannot be asked", Err: errNoAddress}
}

// gateways are the devices through which one is reached, the nearest first.
func (c *Control) gateways(ctx context.Context, id string) ([]firmward.Device, error) {
	var out []firmward.Device
	for todo := []string{id}; len(todo) > 0; todo = todo[1:] {
		edges, err := c.Store.RelationsOf(ctx, todo[0])
		if err != nil {
			return nil, err
		}
		for _, e := range edges {
			known := func(d firmward.Device) bool { return d.ID == e.To }
			if e.From != todo[0] || e.Kind != firmward.Behind || e.To == id || slices.ContainsFunc(out, known) {
				continue
			}
			d, err := c.Store.Device(ctx, e.To)
			if err != nil {
				return nil, err
			}
			out, todo = append(out, d), append(todo, e.To)
		}
	}
	return out, nil
}

// lookWith lists the probes for a known device: those of its family, then those of its services.
func lookWith(f firmward.Family, m firmward.Model) []string {
	names := slices.Clone(f.Probes)
	for _, s := range m.Services {
		if !slices.Contains(names, s) {
			names = append(names, s)
		}
	}
	if len(names) == 0 {
		names = []string{"http", "snmp"}
	}
	return names
}

// freshVersion reads the firmware version from observations made since a time.
func freshVersion(rules *identify.Rules, obs []firmward.Observation, since time.Time) (version, evidence string) {
	var claims []firmward.Claim
	for _, o := range obs {
		if !o.At.Before(since.Truncate(time.Microsecond)) {
			claims = append(claims, rules.Claims(o)...)
		}
	}
	best, _ := identify.Merge(claims).Best(firmward.FieldFirmware)
	return best.Value, best.Observation
}

// slots asks the driver for what probes cannot see. A driver that cannot answer adds nothing.
func (c *Control) slots(ctx context.Context, out *seenNow, d firmward.Device, m firmward.Model, network firmward.Network, secret wire.Secret) {
	drv, ok := c.byDriver[m.Driver]
	if !ok || drv.Info().Rollback != firmward.RollbackDeadMan {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	conn, tr := c.conn(network, d, drv, secret)
	state, err := drv.Read(ctx, conn)
	if err == nil {
		out.Busy, out.Uncommitted, out.FallsBackIn = state.Busy, state.Uncommitted, state.FallsBackIn
	}
	if err := c.keepSent(context.WithoutCancel(ctx), d.ID, tr); err != nil {
		c.Log.ErrorContext(ctx, "transcript not kept", "device", d.ID, "error", err)
	}
}

// installer is the driver that brings images to a model.
func (c *Control) installer(m firmward.Model) (driver.Driver, bool) {
	d, ok := c.byDriver[m.Driver]
	if _, installs := d.(driver.Installer); !ok || !installs {
		return nil, false
	}
	return d, true
}

// lookLimit is the wall time in which a whole look at a device ends, one way or the other: a handful of
// probes of some seconds each.
const lookLimit = 20 * time.Second

// readLimit bounds one driver exchange that moves no image.
const readLimit = 10 * time.Second

// conn is a device as its driver sees it.
func (c *Control) conn(network firmward.Network, d firmward.Device, drv driver.Driver, secret wire.Secret) (wire.Conn, *transcript) {
	door, tr := c.door(network, d.Class, drv.Info().Name, secret, 0)
	return wire.Conn{Network: door, Addr: d.Addrs[0], Secret: secret}, tr
}

// networkOf finds the named network of a device, or says that nobody named one. A device behind another is in the network in
// which that one was asked.
func (c *Control) networkOf(ctx context.Context, d firmward.Device) (firmward.Network, error) {
	if prefix, err := netip.ParsePrefix(d.Network); err == nil && len(d.Addrs) == 0 {
		return c.Store.Network(ctx, prefix)
	}
	if len(d.Addrs) == 0 {
		return firmward.Network{}, &firmward.Error{Code: firmward.NotSupported, Message: d.Name + " cannot be asked", Err: errNoAddress}
	}
	n, err := c.Store.NetworkFor(ctx, d.Addrs[0])
	if firmward.CodeOf(err) == firmward.NotFound {
		return n, firmward.Errorf(firmward.Refused, "nobody named a network with "+d.Addrs[0].String()+" (networks add)")
	}
	return n, err
}

// secretFor opens the credential of a device: its own, else that of its family at its site.
func (c *Control) secretFor(ctx context.Context, d firmward.Device) (wire.Secret, error) {
	scopes := []string{"device:" + d.ID}
	if d.Family != "" {
		scopes = append(scopes, "family:"+d.Family+"@"+d.Site)
	}
	sealed, err := c.Store.SecretFor(ctx, scopes...)
	if firmward.CodeOf(err) == firmward.NotFound {
		return wire.Secret{}, nil
	}
	if err != nil {
		return wire.Secret{}, err
	}
	return c.Secrets.Open(sealed.Scope, sealed.Ciphertext)
}
