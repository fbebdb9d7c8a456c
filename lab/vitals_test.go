package lab

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
)

// TestVitals: each family tells of battery and radio in its own shape, and leaves out what it has not.
func TestVitals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(Options{Clock: RealClock(), Net: NewNet()})
		defer l.Close()
		plug, err := l.AddPlug(PlugSpec{Place: Place{Name: "plug"}})
		if err != nil {
			t.Fatal(err)
		}
		light, err := l.AddWLED(WLEDSpec{Place: Place{Name: "light"}, Arch: "esp8266"})
		if err != nil {
			t.Fatal(err)
		}
		relay, err := l.AddTasmota(TasmotaSpec{Place: Place{Name: "relay"}})
		if err != nil {
			t.Fatal(err)
		}
		client := &http.Client{Transport: &http.Transport{DialContext: l.Attach("home").DialContext, DisableKeepAlives: true}}
		says := func(d *Device, path string) string {
			t.Helper()
			res, err := client.Get("http://" + d.Facts().Addrs[0].String() + path)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			if err != nil {
				t.Fatal(err)
			}
			return string(body)
		}
		const status, info, state = "/rpc/Shelly.GetStatus", "/json/info", "/cm?cmnd=Status%2011"
		want := func(d *Device, path string, parts ...string) {
			t.Helper()
			got := says(d, path)
			for _, p := range parts {
				if missing, not := strings.CutPrefix(p, "!"); strings.Contains(got, missing) == not {
					t.Errorf("%s of %s: %s, want %s", path, d.Name(), got, p)
				}
			}
		}
		want(plug, status, `"rssi":-58`, `!"battery"`, `!"ip":`)
		want(light, info, `"rssi":-61`, `"signal":78`)
		want(relay, state, `"RSSI":68`, `"Signal":-66`)
		for _, d := range []*Device{plug, light, relay} {
			if err := d.SetSignal(0); err != nil {
				t.Fatal(err)
			}
		}
		if err := plug.SetBattery(22, true); err != nil {
			t.Fatal(err)
		}
		want(plug, status, `"rssi":null`, `"battery":{"V":2.22,"percent":22}`, `"external":{"present":true}`, `{"ip":"192.168.20.`)
		want(light, info, `"rssi":31`)
		want(relay, state, `!Signal`)
		if f := plug.Facts(); f.Battery == nil || *f.Battery != 22 || !f.External {
			t.Errorf("%+v", f)
		}
		if plug.SetBattery(101, false) == nil || plug.SetSignal(3) == nil || plug.SetSignal(-128) == nil {
			t.Error("what no device can say was taken")
		}
	})
}
