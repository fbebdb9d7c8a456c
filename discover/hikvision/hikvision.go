// Package hikvision asks a Hikvision device who it is by ISAPI. Nothing there is open: without the owner's credential all that
// shows is that the door is closed.
package hikvision

import (
	"context"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/discover"
	"github.com/firmward/firmward/proto/isapi"
)

// Probe implements discover.Probe.
type Probe struct{}

// Info declares the probe.
func (Probe) Info() discover.Info {
	return discover.Info{
		Name: "hikvision", Safety: firmward.Polite, Ports: []discover.Port{{Network: "tcp", Number: 80}},
		Credential: true, Period: 6 * time.Hour, Timeout: 6 * time.Second,
	}
}

// Run reports what deviceInfo says as hikvision.<element>.
func (Probe) Run(ctx context.Context, t discover.Target, report func(firmward.Observation)) error {
	port := t.PortOr(80)
	a := discover.Exchange(ctx, t, port, isapi.InfoPath, "", nil)
	o := firmward.Observation{Addr: t.Addr, Port: port, Outcome: a.Outcome, Note: a.Note}
	if a.Outcome == firmward.Answered {
		i, err := isapi.ReadInfo(a.Body)
		switch {
		case a.Status == 401 && t.Secret.Password == "":
			o.Outcome, o.Note = firmward.Closed, "it tells who it is only with its password (credentials set)"
		case a.Status == 401:
			o.Outcome, o.Note = firmward.Closed, "the device refuses the password (credentials set)"
		case a.Status != 200 || err != nil:
			o.Outcome, o.Note = a.Closed("a web server answers, but not as a Hikvision device")
		}
		for _, r := range [...]struct{ name, value string }{
			{"deviceName", i.Name},
			{"model", i.Model},
			{"serialNumber", i.Serial},
			{"macAddress", i.MAC},
			{"firmwareVersion", i.Firmware},
			{"firmwareReleasedDate", i.Released},
			{"deviceType", i.Type},
			{"hardwareVersion", i.Revision},
			{"firmwareVersionInfo", i.Platform},
		} {
			if r.value != "" {
				o.Readings = append(o.Readings, discover.Reading("hikvision."+r.name, r.value))
			}
		}
	}
	report(o)
	return nil
}
