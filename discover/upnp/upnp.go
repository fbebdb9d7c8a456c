// Package upnp finds UPnP root devices by a search (SSDP), of one host or of all on the link of a prefix, and reads
// the description of each from the host that answered and from no other.
//
// A description tells of a root device and of devices embedded in it, and one host may have several roots: a router
// that also shares films. The box is the root; what is embedded is software that runs in it, and says so by its author's
// name. So the readings upnp.<field> are those of the first root alone, gateways first and media servers last.
package upnp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/discover"
	"github.com/firmward/firmward/proto/upnp"
	"github.com/firmward/firmward/wire"
)

// Probe implements discover.Probe.
type Probe struct{}

// Info declares the probe. The description is at a TCP port that the host names.
func (Probe) Info() discover.Info {
	return discover.Info{
		Name: "upnp", Safety: firmward.Polite, Ports: []discover.Port{{Network: "udp", Number: 1900}}, Group: upnp.Group,
		Period: 6 * time.Hour, Timeout: 15 * time.Second,
	}
}

const (
	quiet     = 1500 * time.Millisecond // hosts wait up to a second (MX: 1)
	each      = 4 * time.Second         // for one description
	roots     = 3                       // of one host that are read
	embedded  = 16                      // of one host that are told
	hosts     = 4096                    // of one run
	parallel  = 8                       // hosts whose descriptions are read together
	usualPort = 1900
)

// host is what one host answered.
type host struct {
	server, usn string
	locations   []string
}

// Run reports upnp.server, upnp.usn, upnp.location and, of the first root device, upnp.<field> as its description
// has it. Further roots are upnp.2.<field>; embedded devices stand in upnp.embedded, a line each.
func (Probe) Run(ctx context.Context, t discover.Target, report func(firmward.Observation)) error {
	port := t.PortOr(usualPort)
	seen, err := search(ctx, t, port)
	if code := firmward.CodeOf(err); err != nil && (code == firmward.Refused || code == firmward.NotSupported) {
		return err
	}
	if len(seen) == 0 && !t.Prefix.IsValid() {
		o := firmward.Observation{Addr: t.Addr, Port: port, Outcome: firmward.NoAnswer, Note: "nothing came back in time"}
		if err != nil {
			o.Outcome, o.Note = discover.OutcomeOf(err), discover.Note(err)
		}
		report(o)
		return nil
	}
	addrs := slices.SortedFunc(maps.Keys(seen), netip.Addr.Compare)
	out := make([]firmward.Observation, len(addrs))
	var g errgroup.Group
	g.SetLimit(parallel)
	for i, addr := range addrs {
		g.Go(func() error {
			out[i] = describe(ctx, t.Network, addr, port, seen[addr])
			return nil
		})
	}
	_ = g.Wait() // nothing in it fails
	for _, o := range out {
		report(o)
	}
	return nil
}

// search asks, a second time if nobody answers, and gives what each host said.
func search(ctx context.Context, t discover.Target, port uint16) (map[netip.Addr]*host, error) {
	seen := map[netip.Addr]*host{}
	a, err := discover.Ask(ctx, t, port, upnp.Group)
	if err != nil {
		return seen, err
	}
	defer a.Close()
	to := upnp.Group
	if !t.Prefix.IsValid() {
		to = netip.AddrPortFrom(t.Addr, port)
	}
	for range 2 {
		if err := a.Send(upnp.Search(to)); err != nil {
			return seen, err
		}
		_, err := a.Hear(ctx, quiet, func(from netip.Addr, b []byte) {
			r, err := upnp.ReadReply(b)
			if err != nil || seen[from] == nil && len(seen) >= hosts {
				return
			}
			h := seen[from]
			if h == nil {
				h = &host{server: r.Server, usn: r.USN}
				seen[from] = h
			}
			if r.Location != "" && !slices.Contains(h.locations, r.Location) && len(h.locations) < roots {
				h.locations = append(h.locations, r.Location)
			}
		})
		if err != nil || len(seen) > 0 {
			return seen, err
		}
	}
	return seen, nil
}

// describe reads the descriptions of one host, one after the other.
func describe(ctx context.Context, network wire.Network, addr netip.Addr, port uint16, h *host) firmward.Observation {
	o := firmward.Observation{Addr: addr, Port: port, Outcome: firmward.Answered}
	add := func(name, v string) {
		if v = strings.TrimSpace(v); v != "" {
			o.Readings = append(o.Readings, discover.Reading(name, v))
		}
	}
	add("upnp.server", h.server)
	add("upnp.usn", h.usn)
	add("upnp.location", strings.Join(h.locations, " "))
	var found []upnp.Device
	for _, location := range h.locations {
		d, err := fetch(ctx, network, addr, location)
		if err != nil {
			o.Note = "its description: " + err.Error()
			continue
		}
		found = append(found, d)
	}
	slices.SortStableFunc(found, func(a, b upnp.Device) int {
		return cmp.Or(cmp.Compare(rank(a.Type), rank(b.Type)), cmp.Compare(a.UDN, b.UDN))
	})
	var inside []string
	for i, d := range found {
		prefix := "upnp."
		if i > 0 {
			prefix = fmt.Sprintf("upnp.%d.", i+1)
		}
		for _, f := range []struct{ name, value string }{
			{"deviceType", d.Type},
			{"friendlyName", d.FriendlyName},
			{"manufacturer", d.Manufacturer},
			{"modelName", d.ModelName},
			{"modelNumber", d.ModelNumber},
			{"modelDescription", d.ModelDescription},
			{"serialNumber", d.SerialNumber},
			{"UDN", d.UDN},
			{"softwareVersion", d.SoftwareVersion},
			{"roomName", d.RoomName},
		} {
			add(prefix+f.name, f.value)
		}
		inside = within(inside, d)
	}
	add("upnp.embedded", strings.Join(inside, "\n"))
	return o
}

// within lists what is embedded in a device.
func within(list []string, d upnp.Device) []string {
	for _, e := range d.Embedded {
		if len(list) == embedded {
			break
		}
		list = within(append(list, strings.Join([]string{e.Type, e.Manufacturer, e.ModelName, e.ModelNumber}, " | ")), e)
	}
	return list
}

// rank says how near a root device is to what the box is.
func rank(deviceType string) int {
	switch {
	case strings.Contains(deviceType, ":InternetGatewayDevice:"):
		return 0
	case strings.Contains(deviceType, ":MediaServer:"), strings.Contains(deviceType, ":MediaRenderer:"):
		return 2
	}
	return 1
}

// fetch reads one description, if it is at the host that answered.
func fetch(ctx context.Context, network wire.Network, addr netip.Addr, location string) (upnp.Device, error) {
	port, path, err := place(addr, location)
	if err != nil {
		return upnp.Device{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, each)
	defer cancel()
	a := discover.Exchange(ctx, discover.Target{Network: network, Addr: addr}, port, path, "", nil)
	switch {
	case a.Outcome != firmward.Answered:
		return upnp.Device{}, errors.New(a.Note)
	case a.Status != 200:
		_, why := a.Closed(fmt.Sprintf("HTTP status %d", a.Status))
		return upnp.Device{}, errors.New(why)
	}
	return upnp.ReadDescription(a.Body)
}

// place takes a location apart. It must be at the answering host itself, and at a port where a web server may be: a
// forged answer must not lead a request to another device, or into a control protocol.
func place(addr netip.Addr, location string) (port uint16, path string, err error) {
	u, err := url.Parse(location)
	if err != nil || u.Scheme != "http" || u.User != nil {
		return 0, "", errors.New("it is said to be at a place that is none")
	}
	at, err := netip.ParseAddrPort(u.Host)
	if err != nil {
		host, perr := netip.ParseAddr(u.Host)
		if perr != nil {
			return 0, "", errors.New("it is said to be at another host; not asked")
		}
		at = netip.AddrPortFrom(host, 80)
	}
	if at.Addr() != addr {
		return 0, "", errors.New("it is said to be at another host; not asked")
	}
	if at.Port() != 80 && (at.Port() < 1024 || discover.ControlPort(at.Port())) {
		return 0, "", fmt.Errorf("it is said to be at port %d, where no web server belongs; not asked", at.Port())
	}
	return at.Port(), u.RequestURI(), nil
}
