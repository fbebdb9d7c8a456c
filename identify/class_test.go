package identify_test

import (
	"strings"
	"testing"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/identify"
)

func TestClass(t *testing.T) {
	for _, c := range firmward.Classes() {
		if got, err := identify.Class(string(c)); got != c || err != nil {
			t.Errorf("%s: got %s, %v", c, got, err)
		}
	}
	for _, free := range []string{"thermostat", "mri-scanner", "sensor", "lock", "gas", "door-station-2"} {
		if got, err := identify.Class(free); string(got) != free || err != nil {
			t.Errorf("%s: got %s, %v", free, got, err)
		}
	}
	for text, want := range map[string]string{
		"infusion-pmup": "infusion-pump?", "Infusion Pump": "infusion-pump?", "infusion_pumps": "infusion-pump?", "Camera": "camera?", "camra": "camera?",
		"plugs": "plug?", "NAS": "nas?", "saftey-plc": "safety-plc?", "ventilater": "ventilator?", "patient monitor": "patient-monitor?",
		"": "is no class", "MRI Scanner": "is no class", "a/b": "is no class", "-": "is no class", "geräte": "is no class",
	} {
		if got, err := identify.Class(text); firmward.CodeOf(err) != firmward.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %s, %v, want %s", text, got, err, want)
		}
	}
}
