package control

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/discover"
	"github.com/firmward/firmward/discover/ports"
	"github.com/firmward/firmward/driver"
	"github.com/firmward/firmward/identify"
	"github.com/firmward/firmward/staging"
	"github.com/firmward/firmward/wire"
)

// knock is how long the test pack waits at one port.
const knock = time.Second

// errSilent means that a spare answered nothing of the test pack.
var errSilent = errors.New("it does not answer")

func silent(err error) (why string, gone bool) {
	return errSilent.Error(), errors.Is(err, errSilent)
}

// testPack runs the test pack on a spare: with the probes of production, which are asked for what they are asked there, and those that
// answered before. Nothing of it becomes evidence: it is kept with the rehearsal. The error is errSilent when nothing answers.
func (c *Control) testPack(ctx context.Context, h firmward.Rehearsal, d firmward.Device, before firmward.TestPack) (firmward.TestPack, error) {
	pack := firmward.TestPack{At: c.Clock.Now(), NotTried: map[string]string{}}
	network, err := c.networkOf(ctx, d)
	if err != nil {
		return pack, err
	}
	secret, err := c.secretFor(ctx, d)
	if err != nil {
		return pack, err
	}
	if err := c.knock(ctx, network, d, &pack); err != nil {
		return pack, err
	}
	model := c.Catalog.Model(d)
	fam, _ := c.Catalog.Family(d.Family)
	answered := false
	for _, name := range packProbes(fam, model, pack, before) {
		p, ok := c.byProbe[name]
		if !ok || p.Info().Listens || !discover.Permitted(p.Info().Safety, network, d.Class) {
			continue
		}
		seen, took, err := c.timed(ctx, p, network, d, secret, fam.Paths, before)
		if err != nil {
			return pack, err
		}
		for _, o := range seen {
			if o.Child != "" {
				continue
			}
			answered = answered || o.Outcome == firmward.Answered
			pack.Probes = append(pack.Probes, firmward.ProbeResult{
				Probe: name, Port: o.Port, Outcome: o.Outcome, Serves: discover.Serves(o), Note: o.Note, Took: took, Readings: o.Readings,
			})
		}
	}
	if !answered {
		return pack, errSilent
	}
	if err := c.tryFactory(ctx, network, d, &pack); err != nil {
		return pack, err
	}
	return pack, c.savedSettings(ctx, network, h, d, secret, &pack)
}

// slowTries is how often a service is asked that seems slower than before: a busy moment of this host is no fault of the image.
const slowTries = 3

// timed runs a probe and says how long that took, at best.
func (c *Control) timed(ctx context.Context, p discover.Probe, network firmward.Network, d firmward.Device, secret wire.Secret, paths []string, before firmward.TestPack) (seen []firmward.Observation, took time.Duration, err error) {
	for try := range slowTries {
		began := time.Now()
		again, err := c.probe(ctx, p, network, d, d.Addrs[0], secret, paths)
		if err != nil {
			return nil, 0, err
		}
		if now := time.Since(began); try == 0 || now < took {
			seen, took = again, now
		}
		name := p.Info().Name
		if !slices.ContainsFunc(before.Probes, func(b firmward.ProbeResult) bool { return b.Probe == name && b.Serves && staging.TooSlow(b.Took, took) }) {
			break
		}
	}
	return seen, took, nil
}

// packProbes lists what is asked: what a look at the device asks, what an open port calls for, an agent, and what answered before.
func packProbes(f firmward.Family, m firmward.Model, now, before firmward.TestPack) []string {
	names := lookWith(f, m)
	add := func(more ...string) {
		for _, name := range more {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	if now.Knocked {
		add("snmp")
	}
	for _, port := range now.Ports {
		if port != 80 { // its family says what to ask there
			add(discover.ByPort(strconv.Itoa(int(port)))...)
		}
	}
	for _, p := range before.Probes {
		if p.Serves {
			add(p.Probe)
		}
	}
	return names
}

// knock finds open ports, where the zone and the class of the device allow that.
func (c *Control) knock(ctx context.Context, network firmward.Network, d firmward.Device, pack *firmward.TestPack) error {
	switch {
	case network.Zone().Careful():
		pack.NotTried["ports"] = "nobody knocks at ports in a careful zone"
		return nil
	case d.Class == firmward.ClassPLC || d.Class.LifeSupport():
		pack.NotTried["ports"] = "nobody knocks at the ports of a " + string(d.Class)
		return nil
	}
	seen, err := c.probe(ctx, ports.Probe{List: staging.Ports(), Each: knock}, network, d, d.Addrs[0], wire.Secret{}, nil)
	if err != nil {
		return err
	}
	for _, o := range seen {
		open, ok := o.Get("ports.open")
		if !ok {
			continue
		}
		pack.Knocked = true
		for port := range strings.FieldsFuncSeq(open, func(r rune) bool { return r == ',' }) {
			n, err := strconv.ParseUint(port, 10, 16)
			if err != nil {
				return fmt.Errorf("read open ports: %w", err)
			}
			pack.Ports = append(pack.Ports, uint16(n))
		}
	}
	if !pack.Knocked {
		pack.NotTried["ports"] = "nothing came back from any port"
	}
	return nil
}

// factoryScope is where the maker's password of a family lies, with which its owner allows rehearsals to try.
func factoryScope(family, site string) string { return "factory:" + family + "@" + site }

// tryFactory looks whether the device lets in who comes with its maker's password. That is tried only where the owner entered it for that.
func (c *Control) tryFactory(ctx context.Context, network firmward.Network, d firmward.Device, pack *firmward.TestPack) error {
	const check = "factory-password"
	drv, ok := c.installer(c.Catalog.Model(d))
	sealed, err := c.Store.SecretFor(ctx, factoryScope(d.Family, d.Site))
	switch {
	case firmward.CodeOf(err) == firmward.NotFound:
		pack.NotTried[check] = "its owner entered no maker's password to try (firmward credentials set --factory)"
		return nil
	case err != nil:
		return err
	case !ok:
		pack.NotTried[check] = "no driver can log in"
		return nil
	}
	secret, err := c.Secrets.Open(sealed.Scope, sealed.Ciphertext)
	if err != nil {
		return err
	}
	read := func(s wire.Secret) error {
		rctx, cancel := context.WithTimeout(ctx, readLimit)
		defer cancel()
		conn, tr := c.conn(network, d, drv, s)
		_, err := drv.Read(rctx, conn)
		if kept := c.keepSent(context.WithoutCancel(ctx), d.ID, tr); kept != nil {
			return kept
		}
		return err
	}
	if read(wire.Secret{}) == nil {
		pack.NotTried[check] = "it tells what it is to anybody, so no password can be tried there"
		return nil
	}
	switch err := read(secret); {
	case err == nil:
		pack.Factory = "accepted"
	case firmward.CodeOf(err) == firmward.Unauthorized:
		pack.Factory = "refused"
	default:
		pack.NotTried[check] = "it neither took nor refused the maker's password: " + err.Error()
	}
	return nil
}

// savedSettings takes the configuration of the device apart, where its driver can save that. Nothing of it is kept but hashes that say
// nothing outside this rehearsal.
func (c *Control) savedSettings(ctx context.Context, network firmward.Network, h firmward.Rehearsal, d firmward.Device, secret wire.Secret, pack *firmward.TestPack) error {
	const check = "configuration"
	drv := c.byDriver[c.Catalog.Model(d).Driver]
	saves, ok := drv.(driver.Backuper)
	if !ok {
		pack.NotTried[check] = "its driver cannot save the configuration"
		return nil
	}
	bctx, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	conn, tr := c.conn(network, d, drv, secret)
	var saved bounded
	err := saves.Backup(bctx, conn, &saved)
	if kept := c.keepSent(context.WithoutCancel(ctx), d.ID, tr); kept != nil {
		return kept
	}
	if err == nil {
		pack.Settings, err = staging.Settings(saved.Bytes(), h.RolloutID)
	}
	if err != nil {
		pack.NotTried[check] = "its configuration was not saved: " + err.Error()
	}
	return nil
}

// nameIn is what a device calls itself in a pack, by the catalogue's rules.
func (c *Control) nameIn(p firmward.TestPack) string {
	var claims []firmward.Claim
	for _, r := range p.Probes {
		claims = append(claims, c.Catalog.Rules.Claims(firmward.Observation{Probe: r.Probe, Port: r.Port, Outcome: r.Outcome, Readings: r.Readings, At: p.At})...)
	}
	best, _ := identify.Merge(claims).Best(firmward.FieldName)
	return best.Value
}
