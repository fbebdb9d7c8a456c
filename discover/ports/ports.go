// Package ports finds open TCP ports by complete handshakes: connect, then close cleanly. Never half-open,
// never a byte, one connection at a time.
package ports

import (
	"context"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/discover"
)

// Probe implements discover.Probe. It knocks at List in order.
type Probe struct {
	List []uint16
	Each time.Duration // how long to wait at one port
}

// New returns the probe with the short list of ports at which the other probes have something to ask.
func New() Probe {
	return Probe{List: []uint16{80, 443, 554, 631, 22, 1883, 445, 8080}, Each: time.Second}
}

// Info declares the probe.
func (p Probe) Info() discover.Info {
	return discover.Info{Name: "ports", Safety: firmward.Polite, Period: 24 * time.Hour, Timeout: time.Duration(len(p.List))*p.Each + 5*time.Second}
}

// Run reports one observation with "ports.open", a comma list, empty when the host answers with
// closed ports only. A host that answers nothing is NoAnswer; it is given up after two silent ports.
func (p Probe) Run(ctx context.Context, t discover.Target, report func(firmward.Observation)) error {
	o := firmward.Observation{Addr: t.Addr, Outcome: firmward.NoAnswer}
	var open []string
	silent := 0
	for _, port := range p.List {
		one, cancel := context.WithTimeout(ctx, p.Each)
		c, err := t.Network.DialContext(one, "tcp", netip.AddrPortFrom(t.Addr, port).String())
		cancel()
		switch {
		case err == nil:
			c.Close()
			open = append(open, strconv.Itoa(int(port)))
			o.Outcome = firmward.Answered
		case firmward.CodeOf(err) == firmward.Refused:
			return err
		case discover.OutcomeOf(err) == firmward.Closed:
			o.Outcome = firmward.Answered
		default:
			silent++
		}
		if ctx.Err() != nil || silent == 2 && o.Outcome == firmward.NoAnswer {
			break
		}
	}
	if o.Outcome == firmward.Answered {
		o.Readings = []firmward.Reading{discover.Reading("ports.open", strings.Join(open, ","))}
	}
	if o.Outcome == firmward.NoAnswer {
		o.Note = "nothing came back in time"
	}
	report(o)
	return nil
}
