package discover_test

import (
	"testing"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/discover"
	"github.com/firmward/firmward/wire"
)

var safeties = []firmward.Safety{firmward.Passive, firmward.Polite, firmward.Stateful, firmward.NeverUnasked}

func TestPermitted(t *testing.T) {
	for _, tc := range []struct {
		class   firmward.Class
		allowed firmward.Safety
		most    firmward.Safety // the highest class of probe that may run
	}{
		{firmward.ClassUnknown, firmward.Passive, firmward.Passive},
		{"", firmward.Polite, firmward.Polite},
		{firmward.ClassUnknown, firmward.Polite, firmward.Polite},
		{firmward.ClassUnknown, firmward.Stateful, firmward.Stateful},
		{firmward.ClassCamera, firmward.Passive, firmward.Passive}, // no class opens what no person did
		{firmward.ClassCamera, firmward.Polite, firmward.Stateful},
		{firmward.ClassCamera, firmward.Stateful, firmward.Stateful},
		{firmward.ClassInfusionPump, firmward.Passive, firmward.Passive},
		{firmward.ClassInfusionPump, firmward.Polite, firmward.Polite},
		{firmward.ClassInfusionPump, firmward.Stateful, firmward.Polite}, // life support only lowers
		{firmward.ClassInfusionPump, firmward.NeverUnasked, firmward.Polite},
		{firmward.ClassCamera, firmward.NeverUnasked, firmward.Stateful}, // never means never from here
	} {
		for _, s := range safeties {
			if got := discover.Permitted(s, firmward.Network{Allowed: tc.allowed}, tc.class); got != (s <= tc.most) {
				t.Errorf("a probe of safety %v against class %q where %v is allowed: %v", s, tc.class, tc.allowed, got)
			}
		}
	}
}

func TestPaceFor(t *testing.T) {
	perHour := func(p wire.Pace) float64 {
		if p.Every <= 0 || p.Burst < 1 {
			t.Errorf("no pace: %+v", p)
		}
		return float64(time.Hour) / float64(p.Every)
	}
	slowest := discover.PaceFor(firmward.ZoneHome, firmward.ClassInfusionPump)
	for _, z := range []firmward.Zone{firmward.ZoneHome, firmward.ZoneClinical, firmward.ZonePlant, ""} {
		unknown, known := discover.PaceFor(z, firmward.ClassUnknown), discover.PaceFor(z, firmward.ClassCamera)
		pump := discover.PaceFor(z, firmward.ClassInfusionPump)
		if pump != slowest || pump.Burst != 1 || perHour(pump) > perHour(unknown) {
			t.Errorf("zone %q: life support is touched by %+v, strangers by %+v", z, pump, unknown)
		}
		if perHour(unknown) > perHour(known) || unknown != discover.PaceFor(z, "") {
			t.Errorf("zone %q: strangers are touched by %+v, a proven camera by %+v", z, unknown, known)
		}
		if z.Careful() && (unknown.Every < 10*time.Second || unknown.Burst != 1) {
			t.Errorf("careful zone %q: strangers are touched by %+v", z, unknown)
		}
	}
}

// TestFirstProbes: in a careful zone a stranger gets one ordinary request, and no list names a probe twice.
func TestFirstProbes(t *testing.T) {
	if got := discover.FirstProbes(firmward.ZoneClinical); len(got) != 1 || got[0] != "http" {
		t.Errorf("a stranger in a clinic is asked by %v", got)
	}
	if got := discover.FirstProbes(firmward.ZoneHome); len(got) == 0 || got[0] != "ports" {
		t.Errorf("a stranger at home is asked by %v", got)
	}
	if got := discover.ByPort("9100"); len(got) != 0 {
		t.Errorf("raw printing is asked by %v", got)
	}
}
