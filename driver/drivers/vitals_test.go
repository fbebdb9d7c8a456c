package drivers_test

import (
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/driver"
	"github.com/firmward/firmward/driver/drivers"
	"github.com/firmward/firmward/lab"
	"github.com/firmward/firmward/wire"
)

// TestVitals: before the start each driver gives what its device says of battery and radio, and nothing that it does not say.
func TestVitals(t *testing.T) {
	add := map[string]func(*lab.Lab) (*lab.Device, error){
		"shelly-gen2": func(l *lab.Lab) (*lab.Device, error) {
			return l.AddPlug(lab.PlugSpec{Place: lab.Place{Name: "one"}})
		},
		"wled": func(l *lab.Lab) (*lab.Device, error) {
			return l.AddWLED(lab.WLEDSpec{Place: lab.Place{Name: "one"}, Release: "ESP8266", Arch: "esp8266"})
		},
		"tasmota": func(l *lab.Lab) (*lab.Device, error) {
			return l.AddTasmota(lab.TasmotaSpec{Place: lab.Place{Name: "one"}})
		},
	}
	for _, tc := range []struct {
		name, driver    string
		battery, signal int
		external        bool
		want            firmward.Vitals
	}{
		{"weak", "shelly-gen2", -1, -84, false, firmward.Vitals{Signal: new(-84)}},
		{"empty", "shelly-gen2", 0, -58, false, firmward.Vitals{Battery: new(0), Signal: new(-58)}},
		{"on external power", "shelly-gen2", 22, -58, true, firmward.Vitals{Battery: new(22), External: true, Signal: new(-58)}},
		{"wired", "shelly-gen2", -1, 0, false, firmward.Vitals{}},
		{"weak", "wled", -1, -91, false, firmward.Vitals{Signal: new(-91)}},
		{"wired", "wled", -1, 0, false, firmward.Vitals{}},
		{"weak", "tasmota", -1, -84, false, firmward.Vitals{Signal: new(-84)}},
		{"wired", "tasmota", -1, 0, false, firmward.Vitals{}},
	} {
		t.Run(tc.driver+" "+tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := lab.New(lab.Options{Clock: lab.RealClock(), Net: lab.NewNet()})
				defer l.Close()
				d, err := add[tc.driver](l)
				if err != nil {
					t.Fatal(err)
				}
				if err := d.SetBattery(tc.battery, tc.external); err != nil {
					t.Fatal(err)
				}
				if err := d.SetSignal(tc.signal); err != nil {
					t.Fatal(err)
				}
				drv, _ := drivers.Named(tc.driver)
				f := d.Facts()
				img := driver.Image{Release: firmward.Release{Models: []string{f.Model}, Hardware: []string{"*"}, Version: "15.0.0", Size: 1000}}
				got, err := drv.(driver.Preflighter).Preflight(t.Context(), wire.Conn{Network: l.Attach("home"), Addr: f.Addrs[0]}, img)
				if d := cmp.Diff(tc.want, got); d != "" || err != nil {
					t.Errorf("%v (-want +got):\n%s", err, d)
				}
			})
		})
	}
}
