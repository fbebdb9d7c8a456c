// Package shelly asks a Shelly Gen2 device who it is (open, one request) and whether its relay answers.
package shelly

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/discover"
	"github.com/firmward/firmward/proto/shelly"
)

// Probe reads GET /shelly.
type Probe struct{}

// Info declares the probe.
func (Probe) Info() discover.Info {
	return discover.Info{
		Name: "shelly", Safety: firmward.Polite, Ports: []discover.Port{{Network: "tcp", Number: 80}},
		Period: 6 * time.Hour, Timeout: 5 * time.Second,
	}
}

// Run reports shelly.id, .mac, .model, .gen, .ver, .fw_id, .app, .name, .auth_en.
func (Probe) Run(ctx context.Context, t discover.Target, report func(firmward.Observation)) error {
	t.Secret.Password = "" // this page is open; a password has no business here
	port := t.PortOr(80)
	a := discover.Exchange(ctx, t, port, "/shelly", "", nil)
	o := firmward.Observation{Addr: t.Addr, Port: port, Outcome: a.Outcome, Note: a.Note}
	var info shelly.DeviceInfo
	if a.Status == 200 && json.Unmarshal(a.Body, &info) == nil && info.Model != "" {
		for _, r := range [][2]string{
			{"id", info.ID},
			{"mac", info.MAC},
			{"model", info.Model},
			{"gen", strconv.Itoa(info.Gen)},
			{"ver", info.Version},
			{"fw_id", info.FwID},
			{"app", info.App},
			{"name", info.Name},
			{"auth_en", strconv.FormatBool(info.Auth)},
		} {
			if r[1] != "" {
				o.Readings = append(o.Readings, discover.Reading("shelly."+r[0], r[1]))
			}
		}
	} else if a.Outcome == firmward.Answered {
		o.Outcome, o.Note = a.Closed("a web server answers, but it is no Shelly")
	}
	report(o)
	return nil
}

// Switch proves that the relay's service answers.
type Switch struct{}

// Info declares the probe.
func (Switch) Info() discover.Info {
	return discover.Info{
		Name: "shelly-switch", Safety: firmward.Polite, Ports: []discover.Port{{Network: "tcp", Number: 80}},
		Period: 6 * time.Hour, Timeout: 5 * time.Second, Service: true,
	}
}

// Run reports shelly-switch.output: on or off.
func (Switch) Run(ctx context.Context, t discover.Target, report func(firmward.Observation)) error {
	port := t.PortOr(80)
	body, err := shelly.Request(1, "Switch.GetStatus", map[string]int{"id": 0})
	if err != nil {
		return err
	}
	a := discover.Exchange(ctx, t, port, "/rpc", "application/json", body)
	o := firmward.Observation{Addr: t.Addr, Port: port, Outcome: a.Outcome, Note: a.Note}
	if a.Outcome == firmward.Answered {
		var sw shelly.Switch
		switch err := shelly.Response(a.Body, &sw); {
		case a.Status == 401:
			o.Outcome, o.Note = firmward.Closed, "the device wants a password (credentials set)"
		case err != nil:
			o.Outcome, o.Note = a.Closed("the relay does not answer: " + err.Error())
		case sw.Output == nil:
			o.Outcome, o.Note = firmward.Closed, "the relay's answer has no state"
		case *sw.Output:
			o.Readings = []firmward.Reading{discover.Reading("shelly-switch.output", "on")}
		default:
			o.Readings = []firmward.Reading{discover.Reading("shelly-switch.output", "off")}
		}
	}
	report(o)
	return nil
}
