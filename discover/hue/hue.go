// Package hue asks a Hue bridge who it is, which is open, and with the owner's application key how it updates itself and which
// lamps hang on it.
package hue

import (
	"context"
	"errors"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/discover"
	"github.com/firmward/firmward/proto/hue"
)

// Probe implements discover.Probe.
type Probe struct{}

const port = 80

// Info declares the probe.
func (Probe) Info() discover.Info {
	return discover.Info{
		Name: "hue", Safety: firmward.Polite, Ports: []discover.Port{{Network: "tcp", Number: port}},
		Period: 6 * time.Hour, Timeout: 10 * time.Second,
	}
}

// Run reports hue.bridgeid, .mac, .modelid, .swversion, .apiversion and .name; with a key also .autoinstall (on or off),
// .updatetime (15:04) and .updatestate, and one observation for each lamp that the bridge reaches: hue-lamp.address, .model,
// .maker, .product, .type, .version and .name. The password of the credential is the key.
func (Probe) Run(ctx context.Context, t discover.Target, report func(firmward.Observation)) error {
	key := t.Secret.Password
	t.Secret.Password = "" // it stands in the path; nobody asks for it in another way
	if !hue.Key(key) {
		key = ""
	}
	at := t.PortOr(port)
	a := discover.Exchange(ctx, t, at, hue.ConfigPath(key), "", nil)
	o := firmward.Observation{Addr: t.Addr, Port: at, Outcome: a.Outcome, Note: a.Note}
	c, err := hue.ReadConfig(a.Body)
	if e, refused := errors.AsType[*hue.Error](err); refused && e.Unauthorized() {
		o.Outcome, o.Note = a.Closed("the bridge does not know this key (credentials set)")
		report(o)
		return nil
	}
	if a.Outcome != firmward.Answered || err != nil {
		if a.Outcome == firmward.Answered {
			o.Outcome, o.Note = a.Closed("a web server answers, but it is no Hue bridge")
		}
		report(o)
		return nil
	}
	add := func(o *firmward.Observation, name, v string) {
		if v != "" {
			o.Readings = append(o.Readings, discover.Reading(name, v))
		}
	}
	for _, r := range [][2]string{
		{"bridgeid", c.BridgeID},
		{"mac", c.MAC},
		{"modelid", c.Model},
		{"swversion", c.Version},
		{"apiversion", c.API},
		{"name", c.Name},
	} {
		add(&o, "hue."+r[0], r[1])
	}
	if u := c.Update; u != nil {
		add(&o, "hue.autoinstall", map[bool]string{true: "on", false: "off"}[u.Auto.On])
		add(&o, "hue.updatetime", u.Time())
		add(&o, "hue.updatestate", u.State)
	}
	report(o)
	if key == "" {
		return nil
	}
	a = discover.Exchange(ctx, t, at, hue.LampsPath(key), "", nil)
	lamps, err := hue.ReadLamps(a.Body)
	if a.Outcome != firmward.Answered || err != nil {
		return nil // what the bridge is stands; its lamps are seen the next time
	}
	for _, l := range lamps {
		child := firmward.Observation{Addr: t.Addr, Port: at, Child: l.Address(), Outcome: firmward.Answered}
		for _, r := range [][2]string{
			{"address", l.Address()},
			{"model", l.Model},
			{"maker", l.Maker},
			{"product", l.Product},
			{"type", l.Type},
			{"version", l.Version},
			{"name", l.Name},
		} {
			add(&child, "hue-lamp."+r[0], r[1])
		}
		if !l.State.Reachable {
			child.Outcome, child.Note = firmward.NoAnswer, "the bridge does not reach it"
		}
		report(child)
	}
	return nil
}
