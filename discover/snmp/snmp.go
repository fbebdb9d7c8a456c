// Package snmp asks an agent for a dozen identifying objects in one GET. It never walks.
package snmp

import (
	"context"
	"net/netip"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/discover"
	"github.com/firmward/firmward/proto/snmp"
)

// Probe implements discover.Probe. The community is the target's password, "public" without one.
type Probe struct{}

// Info declares the probe.
func (Probe) Info() discover.Info {
	return discover.Info{
		Name: "snmp", Safety: firmward.Polite, Ports: []discover.Port{{Network: "udp", Number: 161}},
		Period: 6 * time.Hour, Timeout: 4 * time.Second,
	}
}

// objects are the names of the readings and their OIDs (RFC 3418, 2863, 2790, 3805, 6933).
var objects = [...]struct{ name, oid string }{
	{"sysDescr", "1.3.6.1.2.1.1.1.0"},
	{"sysObjectID", "1.3.6.1.2.1.1.2.0"},
	{"sysName", "1.3.6.1.2.1.1.5.0"},
	{"ifPhysAddress", "1.3.6.1.2.1.2.2.1.6.1"},
	{"hrDeviceDescr", "1.3.6.1.2.1.25.3.2.1.3.1"},
	{"prtGeneralPrinterName", "1.3.6.1.2.1.43.5.1.1.16.1"},
	{"prtGeneralSerialNumber", "1.3.6.1.2.1.43.5.1.1.17.1"},
	{"entPhysicalHardwareRev", "1.3.6.1.2.1.47.1.1.1.1.8.1"},
	{"entPhysicalFirmwareRev", "1.3.6.1.2.1.47.1.1.1.1.9.1"},
	{"entPhysicalSoftwareRev", "1.3.6.1.2.1.47.1.1.1.1.10.1"},
	{"entPhysicalSerialNum", "1.3.6.1.2.1.47.1.1.1.1.11.1"},
	{"entPhysicalMfgName", "1.3.6.1.2.1.47.1.1.1.1.12.1"},
	{"entPhysicalModelName", "1.3.6.1.2.1.47.1.1.1.1.13.1"},
}

// Run reports snmp.<object> for each object that the agent has. One repeat after half the time.
func (p Probe) Run(ctx context.Context, t discover.Target, report func(firmward.Observation)) error {
	port := t.PortOr(161)
	o := firmward.Observation{Addr: t.Addr, Port: port, Outcome: firmward.NoAnswer, Note: "nothing came back in time"}
	values, err := ask(ctx, t, port, p.Info().Timeout/2)
	switch {
	case firmward.CodeOf(err) == firmward.Refused:
		return err
	case err != nil:
		o.Outcome, o.Note = discover.OutcomeOf(err), discover.Note(err)
	case len(values) > 0:
		o.Outcome, o.Note = firmward.Answered, ""
		for _, obj := range objects {
			if v, ok := values[obj.oid]; ok && v != "" {
				o.Readings = append(o.Readings, discover.Reading("snmp."+obj.name, v))
			}
		}
	}
	report(o)
	return nil
}

func ask(ctx context.Context, t discover.Target, port uint16, wait time.Duration) (map[string]string, error) {
	community := t.Secret.Password
	if community == "" {
		community = "public"
	}
	c, err := t.Network.DialContext(ctx, "udp", netip.AddrPortFrom(t.Addr, port).String())
	if err != nil {
		return nil, err
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	oids := make([]string, len(objects))
	for i, obj := range objects {
		oids[i] = obj.oid
	}
	const id = 0x66770001
	req, err := snmp.GetRequest(community, id, oids)
	if err != nil {
		return nil, err
	}
	buf := make([]byte, 8<<10)
	for range 2 {
		if _, err := c.Write(req); err != nil {
			return nil, err
		}
		if err := c.SetReadDeadline(time.Now().Add(wait)); err != nil {
			return nil, err
		}
		n, err := c.Read(buf)
		if err == nil {
			return snmp.Response(buf[:n], id)
		}
		if ctx.Err() != nil || discover.OutcomeOf(err) == firmward.Closed {
			return nil, err
		}
	}
	return nil, context.DeadlineExceeded
}
