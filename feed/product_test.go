package feed_test

import (
	"strings"
	"testing"

	"github.com/firmward/firmward/feed"
)

func TestInWords(t *testing.T) {
	for _, c := range []struct{ vendor, name, want string }{
		{"Schneider Electric Software, LLC", "Modicon M340", "schneider-electric:modicon_m340 schneider_electric_software:modicon_m340 schneiderelectricsoftware:modicon_m340"},
		{"Becton, Dickinson and Company (BD)", "Alaris", `becton\,_dickinson_and:alaris becton\,dickinsonand:alaris bd:alaris`},
		{"General Electric (GE)", "D20", "general_electric:d20 generalelectric:d20 ge:d20"},
		{"Dahua Technology Co, Ltd", "NVR4", "dahuasecurity:nvr4 dahua_technology:nvr4 dahuatechnology:nvr4"},
		{"Acme (a subsidiary of Other)", "Door", "acme:door"},
		{"n/a", "Door", ""},
		{"Acme", "n/a", ""},
		{"Software", "Door", "software:door"},
		{"Zyxel", "USG FLEX series firmware", "zyxel:usg_flex*"},
		{"Zyxel", "ZyWALL/USG series firmware", "zyxel:zywall* zyxel:usg*"},
		{"Zyxel", "USG FLEX 50(W) series firmware", "zyxel:usg_flex_50*"},
		{"Acme", "X Series", "acme:x_series"},
	} {
		all, err := feed.InWords(c.vendor, c.name)
		var got []string
		for _, p := range all {
			got = append(got, string(p.Name.Vendor)+":"+string(p.Name.Product))
		}
		if text := strings.Join(got, " "); err != nil || text != c.want {
			t.Errorf("%s, %s: %s, %v", c.vendor, c.name, text, err)
		}
	}
}

func TestFixedIn(t *testing.T) {
	for text, want := range map[string]string{
		"Update to V2.0 or later version": "V2.0", "Upgrade to V14 SP1 - Download: https://x.example/1 ": "V14 SP1", "Fixed in 9.8.12.": "9.8.12", "Please update to\nversion 1.2": "1.2",
		"Update to firmware 3.1 (https://x.example)": "3.1",
		"Update to V2.0, which needs a key":          "", "Update to the latest version": "", "V2.0": "", "Update to 1.2 and 1.3": "", "Do not update to 2.0": "", "Update to versions before 2.0": "", "": "",
	} {
		if got, ok := feed.FixedIn(text); got != want || ok != (want != "") {
			t.Errorf("%q: %q", text, got)
		}
	}
}
