// Package ipp asks a printer for its identifying attributes and so proves that printing answers.
package ipp

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/discover"
	"github.com/firmward/firmward/proto/ipp"
)

// Probe implements discover.Probe.
type Probe struct{}

// Info declares the probe.
func (Probe) Info() discover.Info {
	return discover.Info{
		Name: "ipp", Safety: firmward.Polite, Ports: []discover.Port{{Network: "tcp", Number: 631}},
		Period: 6 * time.Hour, Timeout: 5 * time.Second, Service: true,
	}
}

var wanted = [...]string{
	"printer-make-and-model", "printer-device-id", "printer-firmware-name", "printer-firmware-string-version",
	"printer-uuid", "printer-name", "printer-location", "printer-state",
}

// Run reports ipp.<attribute>.
func (Probe) Run(ctx context.Context, t discover.Target, report func(firmward.Observation)) error {
	port := t.PortOr(631)
	t.Secret.Password = ""
	const id = 0x66770001
	uri := fmt.Sprintf("ipp://%s/ipp/print", netip.AddrPortFrom(t.Addr, port))
	body, err := ipp.GetPrinterAttributes(id, uri, wanted[:])
	if err != nil {
		return err
	}
	a := discover.Exchange(ctx, t, port, "/ipp/print", ipp.ContentType, body)
	o := firmward.Observation{Addr: t.Addr, Port: port, Outcome: a.Outcome, Note: a.Note}
	if a.Outcome == firmward.Answered {
		attrs, err := ipp.PrinterAttributes(a.Body, id)
		if status, ok := errors.AsType[ipp.Status](err); ok {
			o.Outcome, o.Note = a.Closed("printing does not answer: " + status.Error())
		} else if a.Status != 200 || err != nil {
			o.Outcome, o.Note = a.Closed("a web server answers, but it is no printer")
		}
		for _, name := range wanted {
			if v := attrs[name]; v != "" {
				o.Readings = append(o.Readings, discover.Reading("ipp."+name, v))
			}
		}
	}
	report(o)
	return nil
}
