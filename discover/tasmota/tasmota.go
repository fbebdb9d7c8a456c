// Package tasmota asks a device with Tasmota for its firmware and its hardware address. The http probe with a path
// would do, were it not for the password: Tasmota refuses a command without it and asks for it by no challenge, so it
// must be sent along unasked, in clear. That is why only a device that is suspected to be one is asked.
package tasmota

import (
	"context"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/discover"
	"github.com/firmward/firmward/proto/tasmota"
)

// Probe implements discover.Probe.
type Probe struct{}

// Info declares the probe.
func (Probe) Info() discover.Info {
	return discover.Info{
		Name: "tasmota", Safety: firmward.Polite, Ports: []discover.Port{{Network: "tcp", Number: 80}},
		Period: 24 * time.Hour, Timeout: 5 * time.Second,
	}
}

// Run reports tasmota.version, .build, .hardware, .hostname and .mac.
func (Probe) Run(ctx context.Context, t discover.Target, report func(firmward.Observation)) error {
	if t.Secret.User == "" {
		t.Secret.User = tasmota.User
	}
	port := t.PortOr(80)
	o := firmward.Observation{Addr: t.Addr, Port: port}
	add := func(name, v string) {
		if v != "" {
			o.Readings = append(o.Readings, discover.Reading("tasmota."+name, v))
		}
	}
	a := discover.ExchangeInClear(ctx, t, port, tasmota.Path(tasmota.AskFirmware))
	o.Outcome, o.Note = a.Outcome, a.Note
	if a.Outcome == firmward.Answered {
		f, err := tasmota.ReadFirmware(a.Body)
		switch {
		case a.Status == 401:
			o.Outcome, o.Note = firmward.Closed, "it wants another password (credentials set)"
		case a.Status != 200 || err != nil:
			o.Outcome, o.Note = a.Closed("a web server answers, but it is no Tasmota")
		default:
			add("version", f.Version)
			add("build", f.Build)
			add("hardware", f.Hardware)
			a = discover.ExchangeInClear(ctx, t, port, tasmota.Path(tasmota.AskNetwork))
			if n, err := tasmota.ReadNetwork(a.Body); a.Outcome == firmward.Answered && err == nil {
				add("hostname", n.Hostname)
				add("mac", n.MAC)
			}
		}
	}
	report(o)
	return nil
}
