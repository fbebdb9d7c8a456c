// Package axis asks an Axis device for its basic device information: the open part, and with a
// credential also the hardware id that an update needs.
package axis

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/discover"
	"github.com/firmward/firmward/proto/vapix"
)

// Probe implements discover.Probe.
type Probe struct{}

// Info declares the probe.
func (Probe) Info() discover.Info {
	return discover.Info{
		Name: "axis", Safety: firmward.Polite, Ports: []discover.Port{{Network: "tcp", Number: 80}},
		Period: 6 * time.Hour, Timeout: 5 * time.Second,
	}
}

// Run reports each property as axis.<Property>.
func (Probe) Run(ctx context.Context, t discover.Target, report func(firmward.Observation)) error {
	method := "getAllUnrestrictedProperties"
	if t.Secret.Password != "" {
		method = "getAllProperties"
	}
	body, err := vapix.Request(method, nil)
	if err != nil {
		return err
	}
	port := t.PortOr(80)
	a := discover.Exchange(ctx, t, port, vapix.InfoPath, "application/json", body)
	o := firmward.Observation{Addr: t.Addr, Port: port, Outcome: a.Outcome, Note: a.Note}
	if a.Outcome == firmward.Answered {
		props, err := vapix.Properties(a.Body)
		switch {
		case a.Status == 401:
			o.Outcome, o.Note = firmward.Closed, "the camera refuses the password (credentials set)"
		case a.Status != 200 || err != nil:
			o.Outcome, o.Note = a.Closed("a web server answers, but it is no Axis device")
		}
		for _, k := range slices.Sorted(maps.Keys(props)) {
			if props[k] != "" {
				o.Readings = append(o.Readings, discover.Reading("axis."+k, props[k]))
			}
		}
	}
	report(o)
	return nil
}
