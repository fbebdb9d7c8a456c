// Package modbus asks a Modbus/TCP device who it is, by function 0x2B/0x0E and no other: no process data is read, none is
// written. One connection, opened and closed in full; many controllers have four sockets and lose one to whoever leaves in
// the middle of a handshake. So it is stateful: nobody's controller is asked before a person allowed it for the network.
package modbus

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"strconv"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/discover"
	"github.com/firmward/firmward/proto/modbus"
)

// Probe implements discover.Probe.
type Probe struct{}

// Info declares the probe.
func (Probe) Info() discover.Info {
	return discover.Info{
		Name: "modbus", Safety: firmward.Stateful, Ports: []discover.Port{{Network: "tcp", Number: 502}},
		Period: 7 * 24 * time.Hour, Timeout: 8 * time.Second,
	}
}

// units are asked in turn while a gateway says that nobody is there: 255 and 0 mean the device itself.
var units = [...]byte{255, 0, 1}

// maxParts bounds how often the rest of an answer is asked for.
const maxParts = 4

// Run reports modbus.unit and modbus.<object> by the names of the specification; modbus.exception where the device
// refuses. It stops at the first silence.
func (Probe) Run(ctx context.Context, t discover.Target, report func(firmward.Observation)) error {
	port := t.PortOr(502)
	o := firmward.Observation{Addr: t.Addr, Port: port, Outcome: firmward.Answered}
	c, ear, err := t.Call(ctx, port, report)
	if c == nil {
		return err
	}
	defer c.Close()
	a := asking{c: c}
	unit, objects, err := a.identify()
	add := func(name, v string) {
		if v != "" {
			o.Readings = append(o.Readings, discover.Reading("modbus."+name, v))
		}
	}
	e, refused := errors.AsType[modbus.Exception](err)
	switch {
	case refused:
		o.Note = "it speaks Modbus but does not say who it is: " + e.Error()
		add("exception", strconv.Itoa(int(e)))
	case err != nil && len(objects) == 0:
		o.Outcome, o.Note = ear.Failed(err)
		report(o)
		return nil
	case err != nil:
		o.Note = "not all of its identification came: " + discover.Note(err)
	}
	add("unit", strconv.Itoa(int(unit)))
	for object := range byte(7) {
		name, _ := modbus.Name(object)
		add(name, objects[object])
	}
	report(o)
	return nil
}

type asking struct {
	c           net.Conn
	transaction uint16
}

// identify finds the unit that answers and gives what it says.
func (a *asking) identify() (unit byte, objects map[byte]string, err error) {
	for _, unit = range units {
		id, err := a.all(unit, modbus.Basic, 0)
		switch e, _ := errors.AsType[modbus.Exception](err); {
		case e == modbus.GatewayPath || e == modbus.GatewayTarget:
			continue
		case err != nil:
			return unit, nil, err
		}
		if id.Conformity&0x7f < modbus.Regular {
			return unit, id.Objects, nil
		}
		more, err := a.all(unit, modbus.Regular, 3)
		if _, refused := errors.AsType[modbus.Exception](err); refused {
			err = nil // the basic objects stand
		}
		maps.Copy(id.Objects, more.Objects)
		return unit, id.Objects, err
	}
	return unit, nil, modbus.GatewayTarget
}

// all asks for a code's objects, part after part.
func (a *asking) all(unit, code, object byte) (modbus.Identity, error) {
	out := modbus.Identity{Objects: map[byte]string{}}
	for range maxParts {
		id, err := a.once(unit, code, object)
		if err != nil {
			return out, err
		}
		out.Conformity = id.Conformity
		maps.Copy(out.Objects, id.Objects)
		if !id.More || id.Next <= object {
			break
		}
		object = id.Next
	}
	return out, nil
}

func (a *asking) once(unit, code, object byte) (modbus.Identity, error) {
	a.transaction++
	if _, err := a.c.Write(modbus.Request(a.transaction, unit, code, object)); err != nil {
		return modbus.Identity{}, fmt.Errorf("ask for identification: %w", err)
	}
	frame, err := modbus.ReadFrame(a.c)
	if err != nil {
		return modbus.Identity{}, err
	}
	return modbus.Response(frame, a.transaction)
}
