package probes_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/discover"
	"github.com/firmward/firmward/lab"
	"github.com/firmward/firmward/wire"
)

// TestBroker: what a broker is asked, byte by byte, and what is made of its answers.
func TestBroker(t *testing.T) {
	const (
		hello     = "10 21 00 04 4d 51 54 54 04 02 00 3c 00 15 " // MQTT 3.1.1, a clean session and nothing else, then the client's name
		subscribe = "82 18 00 01 00 13 24 53 59 53 2f 62 72 6f 6b 65 72 2f 76 65 72 73 69 6f 6e 00"
		leave     = "e0 00"
	)
	for name, tc := range map[string]struct {
		spec     lab.BrokerSpec
		fault    string
		outcome  firmward.Outcome
		readings string
		note     string
		sent     []string // after the hello
	}{
		"tells":     {lab.BrokerSpec{}, "", firmward.Answered, "accepted mosquitto version 2.0.11", "", []string{subscribe, leave}},
		"private":   {lab.BrokerSpec{Private: true}, "", firmward.Answered, "not-authorized", "lets in no client without a name", nil},
		"quiet":     {lab.BrokerSpec{Quiet: true}, "", firmward.Answered, "accepted", "did not tell its version", []string{subscribe, leave}},
		"boundless": {lab.BrokerSpec{}, lab.FaultHugeAnswer, firmward.Answered, "accepted", "too long", []string{subscribe, leave}},
		"silent":    {lab.BrokerSpec{}, lab.FaultSilent, firmward.NoAnswer, "", "nothing came back", nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := lab.New(lab.Options{})
				defer l.Close()
				tc.spec.Place = lab.Place{Name: "broker"}
				d, err := l.AddBroker(tc.spec)
				if err == nil && tc.fault != "" {
					err = l.Fault("broker", tc.fault)
				}
				if err != nil {
					t.Fatal(err)
				}
				var sent []string
				network := wire.Guarded(l.Attach("home"), wire.Guard{
					Allow:  func(netip.Addr) error { return nil },
					Record: func(s wire.Sent) { sent = append(sent, fmt.Sprintf("% x", s.Bytes)) },
				}, nil)
				o := look(t, "mqtt", discover.Target{Network: network, Addr: d.Facts().Addrs[0]})
				var readings []string
				for _, r := range o.Readings {
					readings = append(readings, r.Value)
				}
				if o.Outcome != tc.outcome || strings.Join(readings, " ") != tc.readings || !strings.Contains(o.Note, tc.note) || tc.note == "" && o.Note != "" {
					t.Errorf("%s, %v: %s", o.Outcome, o.Readings, o.Note)
				}
				if len(sent) > 0 {
					if !strings.HasPrefix(sent[0], hello+fmt.Sprintf("% x", "firmward-")) || len(sent[0]) != 35*3-1 {
						t.Errorf("it says hello by %s", sent[0])
					}
					sent = sent[1:]
				}
				if strings.Join(sent, ",") != strings.Join(tc.sent, ",") {
					t.Errorf("sent %v, want %v", sent, tc.sent)
				}
			})
		})
	}
}

// TestNoBroker asks an SSH server, as one may stand at any port.
func TestNoBroker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := lab.New(lab.Options{})
		defer l.Close()
		d, err := l.AddGateway(lab.GatewaySpec{Place: lab.Place{Name: "gateway"}})
		if err != nil {
			t.Fatal(err)
		}
		o := look(t, "mqtt", discover.Target{Network: l.Attach("home"), Addr: d.Facts().Addrs[0], Port: 22})
		if o.Outcome != firmward.Closed || !strings.HasPrefix(o.Note, "it is no MQTT broker") || len(o.Readings) > 0 {
			t.Errorf("%s, %v: %s", o.Outcome, o.Readings, o.Note)
		}
	})
}
