// Package mqtt asks an MQTT broker whom it lets in, and for its version: one clean session without a user name, one
// subscription to one topic of the broker's own, at most once. Nothing is published, and no topic of anybody's devices is
// read: a house says all that happens in it there.
package mqtt

import (
	"context"
	"crypto/rand"
	"net"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/discover"
	"github.com/firmward/firmward/proto/mqtt"
)

// Probe implements discover.Probe.
type Probe struct{}

// Info declares the probe.
func (Probe) Info() discover.Info {
	return discover.Info{
		Name: "mqtt", Safety: firmward.Polite, Ports: []discover.Port{{Network: "tcp", Number: 1883}},
		Period: 24 * time.Hour, Timeout: 8 * time.Second,
	}
}

// patience is how long an open session waits for the version: it is a retained message, which comes at once or never.
const patience = 4 * time.Second

// Run reports mqtt.connack, as proto/mqtt names the codes, and mqtt.version where the broker tells it to anybody.
func (Probe) Run(ctx context.Context, t discover.Target, report func(firmward.Observation)) error {
	port := t.PortOr(1883)
	o := firmward.Observation{Addr: t.Addr, Port: port, Outcome: firmward.Answered}
	c, ear, err := t.Call(ctx, port, report)
	if c == nil {
		return err
	}
	defer c.Close()
	code, err := open(c)
	if err != nil {
		if o.Outcome, o.Note = ear.Failed(err); ctx.Err() == nil && o.Outcome == firmward.Cut {
			o.Outcome, o.Note = firmward.Closed, "it is no MQTT broker: "+err.Error()
		}
		report(o)
		return nil
	}
	o.Readings = append(o.Readings, discover.Reading("mqtt.connack", code.String()))
	if code != mqtt.Accepted {
		o.Note = "it lets in no client without a name: " + code.String()
		report(o)
		return nil
	}
	version, err := ask(ctx, c)
	if version != "" {
		o.Readings = append(o.Readings, discover.Reading("mqtt.version", version))
	} else if err != nil {
		o.Note = "it did not tell its version: " + discover.Note(err)
	}
	report(o)
	return nil
}

// open asks for a session.
func open(c net.Conn) (mqtt.Code, error) {
	if _, err := c.Write(mqtt.Connect("firmward-" + rand.Text()[:12])); err != nil {
		return 0, err
	}
	return mqtt.ReadCode(c)
}

// ask asks for the version within an open session and ends it.
func ask(ctx context.Context, c net.Conn) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = c.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := c.Write(mqtt.SubscribeVersion()); err != nil {
		return "", err
	}
	version, err := mqtt.ReadVersion(c)
	_, _ = c.Write(mqtt.Disconnect()) // a courtesy: all was said
	return version, err
}
