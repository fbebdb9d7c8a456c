// Package redfish asks the management controller of a server (BMC) who it is. The service root is open to everybody; what it
// runs is told to its password alone, and that goes to none but the certificate for which it was entered.
package redfish

import (
	"context"
	"errors"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/discover"
	"github.com/firmward/firmward/proto/redfish"
	"github.com/firmward/firmward/wire"
)

// Probe implements discover.Probe.
type Probe struct{}

// Info declares the probe.
func (Probe) Info() discover.Info {
	return discover.Info{
		Name: "redfish", Safety: firmward.Polite, Ports: []discover.Port{{Network: "tcp", Number: 443}},
		Period: 6 * time.Hour, Timeout: 15 * time.Second, Service: true,
	}
}

// Run reports redfish.version, uuid, product and vendor of the service root. With a secret it reports redfish.manager-model,
// firmware, system-vendor, model and serial too; where they cannot be had the note says why, and the root stands.
func (Probe) Run(ctx context.Context, t discover.Target, report func(firmward.Observation)) error {
	port := t.PortOr(443)
	stranger := t
	stranger.Secret = wire.Secret{}
	a := discover.Exchange(ctx, stranger, port, redfish.RootPath, "", nil)
	o := firmward.Observation{Addr: t.Addr, Port: port, Outcome: a.Outcome, Note: a.Note}
	if a.Outcome == firmward.Answered {
		r, err := redfish.ReadRoot(a.Body)
		if a.Status != 200 || err != nil {
			o.Outcome, o.Note = a.Closed("a web server answers, but it does not speak Redfish")
		} else {
			add(&o, "version", r.Version, "uuid", r.UUID, "product", r.Product, "vendor", r.Vendor)
			inside(ctx, t, port, r, &o)
		}
	}
	report(o)
	return nil
}

// inside reads what only the owner may.
func inside(ctx context.Context, t discover.Target, port uint16, r redfish.Root, o *firmward.Observation) {
	if t.Secret.Password == "" {
		return
	}
	m, s, err := redfish.Walk(r, func(path string) ([]byte, error) {
		a := discover.Exchange(ctx, t, port, path, "", nil)
		switch {
		case a.Outcome != firmward.Answered:
			return nil, errors.New(a.Note)
		case a.Status == 401 || a.Status == 403:
			return nil, errors.New("the controller refuses the password (credentials set)")
		case a.Status != 200:
			_, why := a.Closed("the controller does not tell what it is")
			return nil, errors.New(why)
		}
		return a.Body, nil
	})
	if err != nil {
		o.Note = err.Error()
		return
	}
	add(o, "manager-model", m.Model, "firmware", m.FirmwareVersion, "system-vendor", s.Manufacturer, "model", s.Model, "serial", s.SerialNumber)
}

// add adds readings: names and values in turn. What is empty is left out.
func add(o *firmward.Observation, pairs ...string) {
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			o.Readings = append(o.Readings, discover.Reading("redfish."+pairs[i], pairs[i+1]))
		}
	}
}
