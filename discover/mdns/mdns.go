// Package mdns asks by multicast DNS which services a host has, and what they tell about it: one host by unicast
// (RFC 6762 §5.5), or all hosts on the link of a prefix. It never announces anything and never answers.
package mdns

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/discover"
	"github.com/firmward/firmward/proto/mdns"
)

// Probe implements discover.Probe.
type Probe struct{}

// Info declares the probe.
func (Probe) Info() discover.Info {
	return discover.Info{
		Name: "mdns", Safety: firmward.Polite, Ports: []discover.Port{{Network: "udp", Number: 5353}}, Group: mdns.Group,
		Period: 6 * time.Hour, Timeout: 10 * time.Second,
	}
}

const (
	rounds = 4                       // types, instances, what they are, where their host is
	quiet  = 1200 * time.Millisecond // a round ends when nothing came for so long; hosts wait up to 120 ms (RFC 6762 §6)
	hosts  = 4096                    // of one run
)

// Run reports mdns.services (a comma list of types), mdns.host and, per service, mdns.<type> (its instance) and
// mdns.<type>.<key> for each key of its TXT record; a second instance of a type is mdns.<type>#2. Services whose
// host is elsewhere are left out.
func (Probe) Run(ctx context.Context, t discover.Target, report func(firmward.Observation)) error {
	silent := firmward.Observation{Addr: t.Addr, Port: t.PortOr(5353), Outcome: firmward.NoAnswer, Note: "nothing came back in time"}
	seen := map[netip.Addr]*mdns.Answers{}
	err := browse(ctx, t, seen)
	switch code := firmward.CodeOf(err); {
	case err != nil && (code == firmward.Refused || code == firmward.NotSupported):
		return err
	case len(seen) > 0, t.Prefix.IsValid():
	case err != nil && !errors.Is(err, ctx.Err()):
		silent.Outcome, silent.Note = discover.OutcomeOf(err), discover.Note(err)
	}
	if len(seen) == 0 && !t.Prefix.IsValid() {
		report(silent)
		return nil
	}
	for _, addr := range slices.SortedFunc(maps.Keys(seen), netip.Addr.Compare) {
		report(observation(addr, silent.Port, seen[addr]))
	}
	return nil
}

// browse asks round after round for what is still missing.
func browse(ctx context.Context, t discover.Target, seen map[netip.Addr]*mdns.Answers) error {
	a, err := discover.Ask(ctx, t, t.PortOr(5353), mdns.Group)
	if err != nil {
		return err
	}
	defer a.Close()
	hear := func(from netip.Addr, b []byte) {
		all := seen[from]
		if all == nil {
			all = &mdns.Answers{}
		}
		if all.Add(b) == nil && len(seen) < hosts {
			seen[from] = all
		}
	}
	asked, todo := map[mdns.Question]bool{}, mdns.Browse()
	for round := range rounds {
		messages, err := mdns.Queries(uint16(round+1), todo)
		if err != nil {
			return err
		}
		for range 2 { // the first is said twice where nobody answers: datagrams get lost
			for _, m := range messages {
				if err := a.Send(m); err != nil {
					return err
				}
			}
			n, err := a.Hear(ctx, quiet, hear)
			if err != nil {
				return err
			}
			if n > 0 || round > 0 {
				break
			}
		}
		for _, q := range todo {
			asked[q] = true
		}
		todo = nil
		for _, answers := range seen {
			for _, q := range answers.Missing() {
				if !asked[q] && !slices.Contains(todo, q) {
					todo = append(todo, q)
				}
			}
		}
		if len(todo) == 0 {
			break
		}
	}
	return nil
}

// observation turns what one host said into readings.
func observation(addr netip.Addr, port uint16, a *mdns.Answers) firmward.Observation {
	o := firmward.Observation{Addr: addr, Port: port, Outcome: firmward.Answered}
	add := func(name, v string) {
		if v != "" {
			o.Readings = append(o.Readings, discover.Reading(name, v))
		}
	}
	elsewhere, count := 0, map[string]int{}
	var types []string
	host := ""
	for _, s := range a.Services() {
		if len(s.Addrs) > 0 && !slices.Contains(s.Addrs, addr) {
			elsewhere++ // a repeater or a sleep proxy speaks for others
			continue
		}
		if !slices.Contains(types, s.Type) {
			types = append(types, s.Type)
		}
		host = s.Host
		kind, _, _ := strings.Cut(s.Type, ".")
		name := "mdns." + kind
		if count[name]++; count[name] > 1 {
			name = fmt.Sprintf("%s#%d", name, count[name])
		}
		add(name, s.Instance)
		for _, p := range s.TXT {
			add(name+"."+p.Key, p.Value)
		}
	}
	add("mdns.services", strings.Join(types, ","))
	add("mdns.host", host)
	if elsewhere > 0 {
		o.Note = fmt.Sprintf("services of other hosts were left out: %d", elsewhere)
	}
	return o
}
