package probes_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/catalog"
	"github.com/firmward/firmward/discover"
	"github.com/firmward/firmward/discover/probes"
	"github.com/firmward/firmward/wire"
)

// TestPlan: what is withheld follows from zone and leave.
func TestPlan(t *testing.T) {
	cat, err := catalog.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	prefix := netip.MustParsePrefix("192.0.2.0/24")
	for _, tc := range []struct {
		profile firmward.Profile
		allowed firmward.Safety
		sent    string // probes that ask somebody
	}{
		{firmward.ProfileOT, firmward.Passive, "neighbor listen"},
		{firmward.ProfileMedical, firmward.Polite, "neighbor listen http snmp shelly axis hikvision hue openwrt tasmota ipp rtsp shelly-switch tls redfish modbus"}, // those that FirstProbes does not name: by family alone
		{firmward.ProfileHome, firmward.Stateful, "neighbor listen ports http snmp shelly axis hikvision hue openwrt tasmota ipp rtsp shelly-switch mdns upnp tls redfish ssh mqtt modbus"},
	} {
		var sent []string
		for _, p := range discover.Plan(firmward.Network{Prefix: prefix, Profile: tc.profile, Allowed: tc.allowed}, true, probes.All(), cat.Families) {
			if len(p.When) > 0 {
				sent = append(sent, p.Name)
			}
			if len(p.When) == 0 && p.Withheld == "" {
				t.Errorf("%s: %s asks nobody, and nobody is told why", tc.profile, p.Name)
			}
			if p.AtOnce && firmward.ZoneOf(tc.profile).Careful() {
				t.Errorf("%s: %s asks all at once", tc.profile, p.Name)
			}
		}
		if got := strings.Join(sent, " "); got != tc.sent {
			t.Errorf("%s, %s: %s", tc.profile, tc.allowed, got)
		}
	}
}

// TestDryRun: what is shown beforehand is what a silent device gets, for every probe that knows its first words.
func TestDryRun(t *testing.T) {
	addr := netip.MustParseAddr("192.168.20.11")
	random := []string{"tls", "redfish", "mqtt"} // every hello has its own random bytes, every session a name of its own
	for _, p := range probes.All() {
		name := p.Info().Name
		if p.Info().Safety == firmward.Passive {
			continue
		}
		planned, err := discover.DryRun(t.Context(), p, discover.Target{Addr: addr})
		if err != nil || len(planned) == 0 {
			t.Errorf("%s: %d packets, %v", name, len(planned), err)
			continue
		}
		again, err := discover.DryRun(t.Context(), p, discover.Target{Addr: addr})
		if err != nil || !slices.Contains(random, name) && fmt.Sprint(planned) != fmt.Sprint(again) {
			t.Errorf("%s differs from time to time: %v, then %v, %v", name, planned, again, err)
		}
		for _, packet := range planned {
			if packet.To.Addr() != addr || packet.Network == "tcp" && wire.NeverPorts(packet.To.Port()) {
				t.Errorf("%s would go to %s", name, packet.To)
			}
			if ports := p.Info().Ports; len(ports) > 0 && packet.To.Port() != ports[0].Number {
				t.Errorf("%s declares %v and goes to %s", name, ports, packet.To)
			}
		}
	}
	modbus, _ := probes.Named("modbus")
	planned, err := discover.DryRun(t.Context(), modbus, discover.Target{Addr: addr})
	if err != nil || len(planned) != 1 || fmt.Sprintf("%x", planned[0].Bytes) != "0001000000"+"05ff2b0e0100" {
		t.Errorf("modbus: %+v, %v", planned, err)
	}
}
