// Package enforcetest is the conformance suite that every wall passes, against real packets.
//
// A world has a device, another device beside it, a peer on the other side of the wall, and the host on
// which firmward runs. Each place has one address per family it is tested with, in the same order everywhere.
// The suite listens at all of them and sends from all of them; what it asks of an enforcer is in the names of
// its tests.
package enforcetest

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/contain"
	"github.com/firmward/firmward/enforce"
	"github.com/firmward/firmward/wire"
)

// Place is a host of the world.
type Place struct {
	Name    string
	Network wire.Network
	Addrs   []netip.Addr // one per address family
}

// World is where packets run. Everything that Device and Other exchange with Peer and Self must pass the wall.
type World struct {
	Device, Other, Peer, Self Place
}

// trial is how long the suite lets an unconfirmed change stand.
const trial = 3 * time.Second

// Run puts an enforcer to the test. newEnforcer gives one that works in the world; the suite leaves it
// empty after each part.
func Run(t *testing.T, newEnforcer func(*testing.T) enforce.Enforcer, w World) {
	for _, p := range [...]Place{w.Device, w.Other, w.Peer, w.Self} {
		serve(t, p)
	}
	for _, part := range [...]struct {
		name string
		run  func(*testing.T, *stage)
	}{
		{"ready and declared", declared},
		{"contained both ways, others untouched", contained},
		{"unconfirmed undoes itself", undoes},
		{"confirmed stays until released", stays},
		{"unconfirmed change falls back to the confirmed one", fallsBack},
		{"too late to confirm", tooLate},
		{"allowed exchanges stay open, their answers too", allowed},
		{"no gap while rules are swapped", noGap},
		{"bad rules change nothing", bad},
	} {
		t.Run(part.name, func(t *testing.T) {
			s := &stage{World: w, Enforcer: newEnforcer(t), t: t}
			t.Cleanup(func() {
				ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
				defer cancel()
				if _, err := s.Enforcer.Apply(ctx, nil, time.Now().Add(trial)); err != nil {
					t.Errorf("remove everything: %v", err)
				}
			})
			part.run(t, s)
		})
	}
}

// stage is one part's world, enforcer and test.
type stage struct {
	World
	enforce.Enforcer
	t *testing.T
}

func (s *stage) rules(p Place) []firmward.AccessRule {
	return contain.Rules(firmward.Device{Addrs: p.Addrs}, s.Self.Addrs, nil)
}

func (s *stage) apply(want []firmward.AccessRule, limit time.Duration) enforce.Applied {
	s.t.Helper()
	a, err := s.Apply(s.t.Context(), want, time.Now().Add(limit))
	if err != nil {
		s.t.Fatalf("apply: %v", err)
	}
	return a
}

func (s *stage) confirm(a enforce.Applied) {
	s.t.Helper()
	if err := s.Confirm(s.t.Context(), a); err != nil {
		s.t.Fatalf("confirm: %v", err)
	}
}

// isCut checks that a place is contained in all families and directions, and that firmward still reaches it.
func (s *stage) isCut(p Place) {
	s.t.Helper()
	s.path(s.Peer, p, false)
	s.path(p, s.Peer, false)
	s.path(s.Self, p, true)
	s.path(p, s.Self, true)
}

// isOpen checks that a place is not contained.
func (s *stage) isOpen(p Place) {
	s.t.Helper()
	s.path(s.Peer, p, true)
	s.path(p, s.Peer, true)
	s.path(s.Self, p, true)
}

func (s *stage) path(from, to Place, want bool) {
	s.t.Helper()
	for i := range to.Addrs {
		for _, network := range [...]string{"tcp", "udp"} {
			s.at(from, to, i, network, firstPort, want)
		}
	}
}

func (s *stage) at(from, to Place, i int, network string, port uint16, want bool) {
	s.t.Helper()
	limit := 400 * time.Millisecond
	if want {
		limit = 5 * time.Second
	}
	addr := netip.AddrPortFrom(to.Addrs[i], port)
	if got := reaches(s.t.Context(), from.Network, network, addr, limit); got != want {
		s.t.Errorf("%s → %s %s %s: open is %t, want %t", from.Name, to.Name, network, addr, got, want)
	}
}

func declared(t *testing.T, s *stage) {
	i := s.Info()
	if i.Name == "" || i.Title == "" || i.Needs == "" || i.Undoes == "" {
		t.Errorf("Info leaves something out: %+v", i)
	}
	if err := s.Ready(t.Context()); err != nil {
		t.Fatalf("not ready: %v", err)
	}
	s.isOpen(s.Device)
}

func contained(t *testing.T, s *stage) {
	var lines []*line
	for i := range s.Device.Addrs {
		lines = append(lines, connect(t, s.Peer, s.Device, i), connect(t, s.Device, s.Peer, i), connect(t, s.Peer, s.Other, i), connect(t, s.Self, s.Device, i))
	}
	a := s.apply(s.rules(s.Device), time.Minute)
	if a.Shown == "" || a.Token == "" {
		t.Errorf("Applied shows nothing: %+v", a)
	}
	if again := s.apply(s.rules(s.Device), time.Minute); again.Shown == "" {
		t.Error("a second Apply shows nothing")
	}
	for i, l := range lines {
		if got, want := l.alive(), i%4 > 1; got != want {
			t.Errorf("established connection %s: alive is %t, want %t", l.name, got, want)
		}
	}
	s.isCut(s.Device)
	s.isOpen(s.Other)
	if c, ok := s.Enforcer.(enforce.Counter); ok {
		d, err := c.Dropped(t.Context())
		if err != nil || d.From == 0 || d.To == 0 {
			t.Errorf("dropped packets: %+v, %v", d, err)
		}
		t.Logf("dropped: %d packets from the device, %d to it", d.From, d.To)
	}
}

func undoes(t *testing.T, s *stage) {
	a := s.apply(s.rules(s.Device), trial)
	for i := range s.Device.Addrs {
		s.at(s.Peer, s.Device, i, "udp", firstPort, false)
	}
	for i, addr := range s.Device.Addrs {
		late := firstAnswer(t, s.Peer.Network, netip.AddrPortFrom(addr, firstPort), a.ConfirmBy.Add(5*time.Second)).Sub(a.ConfirmBy)
		t.Logf("%s: open again %s after confirm-by, with nobody doing anything", addr, late.Round(time.Millisecond))
		if i == 0 && (late < -50*time.Millisecond || late > 2*time.Second) {
			t.Errorf("undone %s after confirm-by", late)
		}
	}
	s.isOpen(s.Device)
}

func stays(t *testing.T, s *stage) {
	a := s.apply(s.rules(s.Device), trial)
	s.confirm(a)
	s.confirm(a) // to confirm twice is no error
	if at := firstAnswer(t, s.Peer.Network, netip.AddrPortFrom(s.Device.Addrs[0], firstPort), a.ConfirmBy.Add(trial/2)); !at.IsZero() {
		t.Errorf("an answer came through %s after confirm-by", at.Sub(a.ConfirmBy))
	}
	s.isCut(s.Device)
	s.isOpen(s.Other)
	s.apply(nil, trial)
	s.isOpen(s.Device)
}

func fallsBack(t *testing.T, s *stage) {
	s.confirm(s.apply(s.rules(s.Device), trial))
	a := s.apply(append(s.rules(s.Device), s.rules(s.Other)...), trial)
	s.at(s.Peer, s.Other, 0, "udp", firstPort, false)
	if firstAnswer(t, s.Peer.Network, netip.AddrPortFrom(s.Other.Addrs[0], firstPort), a.ConfirmBy.Add(5*time.Second)).IsZero() {
		t.Error("the second device stayed contained")
	}
	s.isCut(s.Device)
	s.isOpen(s.Other)

	// To take one of two back is a change like any other, and so is its undoing.
	s.confirm(s.apply(append(s.rules(s.Device), s.rules(s.Other)...), trial))
	s.confirm(s.apply(s.rules(s.Other), trial))
	s.isOpen(s.Device)
	s.isCut(s.Other)
}

func tooLate(t *testing.T, s *stage) {
	old := s.apply(s.rules(s.Device), time.Minute)
	a := s.apply(s.rules(s.Device), time.Second+time.Second/2)
	if err := s.Confirm(t.Context(), old); err == nil {
		t.Error("an Apply that was replaced could be confirmed")
	}
	if firstAnswer(t, s.Peer.Network, netip.AddrPortFrom(s.Device.Addrs[0], firstPort), a.ConfirmBy.Add(5*time.Second)).IsZero() {
		t.Fatal("it did not undo itself")
	}
	if err := s.Confirm(t.Context(), a); firmward.CodeOf(err) != firmward.Conflict {
		t.Errorf("confirmed after its time: %v", err)
	}
	s.isOpen(s.Device)
}

func allowed(t *testing.T, s *stage) {
	for _, direction := range [...]string{"to", "from"} {
		var rules []firmward.AccessRule
		for i, addr := range s.Device.Addrs {
			peer := s.Peer.Addrs[i]
			wide, err := peer.Prefix(peer.BitLen() - 4)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range []firmward.AccessRule{
				{Peer: netip.PrefixFrom(peer, peer.BitLen()), Proto: "tcp", Port: firstPort, Allow: true},
				{Peer: wide, Proto: "tcp", Port: firstPort, Allow: true}, // overlaps the first
				{Peer: netip.PrefixFrom(s.Self.Addrs[i], peer.BitLen()), Proto: "any", Allow: true},
			} {
				r.Device, r.Direction = addr, direction
				rules = append(rules, r)
			}
		}
		s.apply(append(rules, s.rules(s.Device)...), time.Minute)
		begins, asked := s.Peer, s.Device
		if direction == "from" {
			begins, asked = asked, begins
		}
		for i := range s.Device.Addrs {
			s.at(begins, asked, i, "tcp", firstPort, true)
			s.at(begins, asked, i, "tcp", secondPort, false)
			s.at(begins, asked, i, "udp", firstPort, false)
			s.at(asked, begins, i, "tcp", firstPort, false)
			s.at(s.Self, s.Device, i, "tcp", secondPort, true)
		}
	}
}

func noGap(t *testing.T, s *stage) {
	s.apply(s.rules(s.Device), time.Minute)
	to := netip.AddrPortFrom(s.Device.Addrs[0], firstPort)
	through, kept := flood(t, s.Peer.Network, to, 2*time.Millisecond), flood(t, s.Self.Network, to, 100*time.Millisecond)
	for range 10 {
		s.confirm(s.apply(s.rules(s.Device), time.Minute))
		s.confirm(s.apply(append(s.rules(s.Other), s.rules(s.Device)...), time.Minute))
	}
	sent, answered := through()
	if answered != 0 {
		t.Errorf("%d of %d packets crossed the wall while rules were swapped", answered, sent)
	}
	ownSent, ownAnswered := kept()
	t.Logf("20 swaps: 0 wanted and %d of %d crossed; firmward itself had %d of %d answered", answered, sent, ownAnswered, ownSent)
	if sent < 20 || ownSent-ownAnswered > ownSent/20 {
		t.Errorf("firmward's own path: %d of %d answered", ownAnswered, ownSent)
	}
}

func bad(t *testing.T, s *stage) {
	good := s.rules(s.Device)
	s.confirm(s.apply(good, trial))
	loop, narrow := good[0], good[0]
	loop.Device = netip.MustParseAddr("127.0.0.1")
	narrow.Allow = false
	for _, tc := range []struct {
		name string
		want []firmward.AccessRule
		by   time.Time
	}{
		{"time is over", s.rules(s.Other), time.Now().Add(-time.Second)},
		{"loopback", []firmward.AccessRule{loop}, time.Now().Add(trial)},
		{"only one peer is denied", []firmward.AccessRule{narrow}, time.Now().Add(trial)},
		{"no address", []firmward.AccessRule{{Direction: "from", Proto: "any"}}, time.Now().Add(trial)},
	} {
		if _, err := s.Apply(t.Context(), tc.want, tc.by); firmward.CodeOf(err) != firmward.Invalid {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
	if err := s.Confirm(t.Context(), enforce.Applied{Token: "x"}); firmward.CodeOf(err) != firmward.Invalid {
		t.Errorf("a strange token: %v", err)
	}
	s.isCut(s.Device)
	s.isOpen(s.Other)
}
