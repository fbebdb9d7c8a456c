package mdns_test

import (
	"encoding/hex"
	"net/netip"
	"slices"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/firmward/firmward/proto/mdns"
)

// answer builds a response with another codec than the one under test.
func answer(t testing.TB, add func(b *dnsmessage.Builder, h dnsmessage.ResourceHeader) error) []byte {
	t.Helper()
	b := dnsmessage.NewBuilder(nil, dnsmessage.Header{Response: true, Authoritative: true})
	b.EnableCompression()
	if err := b.StartAnswers(); err != nil {
		t.Fatal(err)
	}
	if err := add(&b, dnsmessage.ResourceHeader{Class: dnsmessage.ClassINET | 1<<15, TTL: 120}); err != nil {
		t.Fatal(err)
	}
	m, err := b.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func bridge(t testing.TB) []byte {
	return answer(t, func(b *dnsmessage.Builder, h dnsmessage.ResourceHeader) error {
		name := dnsmessage.MustNewName
		ptr, srv, host := h, h, h
		ptr.Name, srv.Name, host.Name = name("_hap._tcp.local."), name("Bridge 1._hap._tcp.local."), name("bridge.local.")
		for _, err := range []error{
			b.PTRResource(ptr, dnsmessage.PTRResource{PTR: srv.Name}),
			b.SRVResource(srv, dnsmessage.SRVResource{Target: host.Name, Port: 8080}),
			b.TXTResource(srv, dnsmessage.TXTResource{TXT: []string{"md=BSB002", "MD=later", "id=\"A=\\\xfcB", "novalue", "=x"}}),
			b.AResource(host, dnsmessage.AResource{A: [4]byte{192, 0, 2, 7}}),
		} {
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func TestServices(t *testing.T) {
	var a mdns.Answers
	if err := a.Add(bridge(t)); err != nil {
		t.Fatal(err)
	}
	want := []mdns.Service{{
		Type: "_hap._tcp", Instance: "Bridge 1", Host: "bridge.local", Port: 8080, Addrs: []netip.Addr{netip.MustParseAddr("192.0.2.7")},
		TXT: []mdns.Pair{{Key: "id", Value: `"A=\B`}, {Key: "md", Value: "BSB002"}},
	}}
	if d := cmp.Diff(want, a.Services(), cmpopts.EquateComparable(netip.Addr{})); d != "" {
		t.Error(d)
	}
	if m := a.Missing(); len(m) != 0 {
		t.Errorf("still asked: %v", m)
	}
}

// TestDotInTheName reads an instance with a dot and a space in its label, and asks for it again as it is.
func TestDotInTheName(t *testing.T) {
	b, err := hex.DecodeString("0000840000000001000000000" + "55f68747470045f746370056c6f63616c00000c0001000000780008055631" + "2e3220c00c")
	if err != nil {
		t.Fatal(err)
	}
	var a mdns.Answers
	if err := a.Add(b); err != nil {
		t.Fatal(err)
	}
	if m := a.Missing(); len(m) != 2 || m[0].Name != `V1\.2\ ._http._tcp.local.` {
		t.Errorf("missing %v", m)
	}
}

// TestMissing goes from the list of types to the address, one answer at a time.
func TestMissing(t *testing.T) {
	var a mdns.Answers
	types := answer(t, func(b *dnsmessage.Builder, h dnsmessage.ResourceHeader) error {
		h.Name = dnsmessage.MustNewName("_services._dns-sd._udp.local.")
		return b.PTRResource(h, dnsmessage.PTRResource{PTR: dnsmessage.MustNewName("_hap._tcp.local.")})
	})
	if err := a.Add(types); err != nil || len(a.Services()) != 0 {
		t.Fatal(err)
	}
	if m := a.Missing(); len(m) != 1 || m[0].Name != "_hap._tcp.local." {
		t.Errorf("after the types: %v", m)
	}
	qs, err := mdns.Queries(7, append(mdns.Browse(), a.Missing()...))
	if err != nil || len(qs) != 1 {
		t.Fatalf("%d messages, %v", len(qs), err)
	}
	var p dnsmessage.Parser
	if h, err := p.Start(qs[0]); err != nil || h.ID != 7 || h.Response {
		t.Errorf("%+v, %v", h, err)
	}
	asked, err := p.AllQuestions()
	if err != nil || asked[0].Name.String() != "_services._dns-sd._udp.local." || asked[0].Class != 0x8001 {
		t.Errorf("%v, %v", asked, err)
	}
	if err := a.Add(qs[0]); err == nil {
		t.Error("a question was taken for an answer")
	}
}

// FuzzAnswers reads any message: bounded, valid text, and questions that can be asked.
func FuzzAnswers(f *testing.F) {
	f.Add(bridge(f))
	f.Add([]byte("\x00\x00\x84\x00\x00\x00\x00\x01\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var a mdns.Answers
		if a.Add(b) != nil {
			return
		}
		if _, err := mdns.Queries(1, a.Missing()); err != nil {
			t.Errorf("what is missing cannot be asked: %v", err)
		}
		for _, s := range a.Services() {
			texts := []string{s.Type, s.Instance, s.Host}
			for _, p := range s.TXT {
				texts = append(texts, p.Key, p.Value)
			}
			if slices.ContainsFunc(texts, func(x string) bool { return !utf8.ValidString(x) }) || len(s.TXT) > 64 || len(s.Addrs) > 16 {
				t.Errorf("%+v", s)
			}
		}
	})
}
