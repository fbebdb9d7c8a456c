// Package listen hears what devices say to everybody on their link, and sends nothing: ARP, the neighbour messages of IPv6, and
// DHCP clients that ask for an address. It is the one sense that needs no answer, so it listens in every zone.
//
// Whoever stands on the link can say anything in another's name. So what is heard is weak evidence: the catalogue gives its
// words a low confidence, and a serial number that was only heard is none.
package listen

import (
	"context"
	"encoding/hex"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/discover"
	"github.com/firmward/firmward/proto/dhcp"
	"github.com/firmward/firmward/proto/link"
	"github.com/firmward/firmward/wire"
)

// Probe implements discover.Probe.
type Probe struct{}

// Info declares the probe.
func (Probe) Info() discover.Info {
	return discover.Info{Name: "listen", Safety: firmward.Passive, Listens: true, Period: time.Hour, Timeout: time.Hour}
}

// Run listens on the link of t.Prefix until ctx ends and reports what is heard of addresses inside: arp.mac or ndp.mac; of
// DHCP clients (at port 67) dhcp.mac, dhcp.hostname, dhcp.fqdn, dhcp.vendorClass, dhcp.parameters (codes with commas, in the
// client's order), dhcp.clientID (hexadecimal) and dhcp.mudURL. One report may come again and again.
func (Probe) Run(ctx context.Context, t discover.Target, report func(firmward.Observation)) error {
	n, ok := t.Network.(wire.Overhearing)
	if !ok {
		return firmward.Errorf(firmward.NotSupported, "this network cannot be listened to")
	}
	e := ear{prefix: t.Prefix, report: report, asked: map[string]dhcp.Message{}}
	return n.Overhear(ctx, t.Prefix, e.hear)
}

type ear struct {
	prefix netip.Prefix
	report func(firmward.Observation)
	asked  map[string]dhcp.Message // by MAC: clients that asked and are not known to have an address yet
}

// manyAsked bounds how many clients are remembered that have no address.
const manyAsked = 1024

func (e *ear) hear(frame []byte) {
	h, ok := link.Read(frame)
	if !ok {
		return
	}
	mac := strings.ToUpper(h.MAC.String())
	if h.By == link.DHCP {
		if !h.Addr.IsValid() {
			if len(e.asked) >= manyAsked {
				clear(e.asked) // they ask again
			}
			e.asked[mac] = h.DHCP
			return
		}
		delete(e.asked, mac)
		e.tell(h.Addr, server, client(mac, h.DHCP))
		return
	}
	e.tell(h.Addr, 0, []firmward.Reading{discover.Reading(h.By+".mac", mac)})
	if m, ok := e.asked[mac]; ok && h.By == link.ARP && e.prefix.Contains(h.Addr) {
		delete(e.asked, mac)
		e.tell(h.Addr, server, client(mac, m))
	}
}

// server is the port to which DHCP clients speak.
const server = 67

func (e *ear) tell(addr netip.Addr, port uint16, readings []firmward.Reading) {
	if e.prefix.Contains(addr) {
		e.report(firmward.Observation{Addr: addr, Port: port, Outcome: firmward.Answered, Readings: readings})
	}
}

// client turns what a DHCP client said into readings.
func client(mac string, m dhcp.Message) []firmward.Reading {
	codes := make([]string, len(m.Parameters))
	for i, c := range m.Parameters {
		codes[i] = strconv.Itoa(int(c))
	}
	all := []firmward.Reading{
		discover.Reading("dhcp.mac", mac), discover.Reading("dhcp.hostname", m.Hostname), discover.Reading("dhcp.fqdn", m.FQDN),
		discover.Reading("dhcp.vendorClass", m.VendorClass), discover.Reading("dhcp.parameters", strings.Join(codes, ",")),
		discover.Reading("dhcp.clientID", hex.EncodeToString(m.ClientID)), discover.Reading("dhcp.mudURL", m.MUD),
	}
	return slices.DeleteFunc(all, func(r firmward.Reading) bool { return r.Value == "" })
}
