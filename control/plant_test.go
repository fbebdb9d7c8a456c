package control_test

import (
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/lab"
)

// TestPlantIsAskedStepByStep: in a plant no byte reaches a controller at first, none on its Modbus port after polite
// probes were allowed, and one identification when a person allowed that too.
func TestPlantIsAskedStepByStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t)
		plant := netip.MustParsePrefix("10.60.0.0/24")
		l.AddSite("plant", plant)
		plc, err := l.AddPLC(lab.PLCSpec{Place: lab.Place{Name: "plc-1", Site: "plant"}})
		if err != nil {
			t.Fatal(err)
		}
		b := live(t, l.Attach("plant"), "plant", map[netip.Prefix]firmward.Profile{plant: firmward.ProfileOT})
		for _, step := range []struct {
			allowed firmward.Safety
			conns   int64 // to the Modbus port
			touched bool  // at any port
			model   string
		}{{firmward.Passive, 0, false, ""}, {firmward.Polite, 0, true, ""}, {firmward.Stateful, 1, true, "BMX P34 2020"}} {
			if step.allowed > firmward.Passive {
				if _, err := b.AllowNetwork(b.ctx, anna, plant, step.allowed); err != nil {
					t.Fatal(err)
				}
			}
			before := plc.Facts().Ports
			preview, err := b.PreviewScan(b.ctx, plant, "")
			if err != nil || len(plc.Facts().Ports) != len(before) {
				t.Errorf("%s: a preview sent something: %v, %v", step.allowed, plc.Facts().Ports, err)
			}
			for _, p := range preview.Probes {
				if asked := slices.Contains(p.When, "each address"); p.Name == "modbus" && asked != (step.conns > 0) || asked && len(p.First) == 0 {
					t.Errorf("%s: the preview says of %s: %v, %q", step.allowed, p.Name, p.When, p.Withheld)
				}
			}
			all := b.scan(plant)
			facts := plc.Facts()
			if facts.Ports["tcp/502"].Conns != step.conns || (len(facts.Ports) > 0) != step.touched || facts.Frozen {
				t.Errorf("%s: %+v, frozen %v", step.allowed, facts.Ports, facts.FrozenBy)
			}
			if len(all) != 1 || all[0].Model != step.model {
				t.Errorf("%s: %+v", step.allowed, all)
			}
		}
	})
}
