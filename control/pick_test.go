package control

import (
	"path/filepath"
	"testing"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/catalog"
	"github.com/firmward/firmward/driver"
	"github.com/firmward/firmward/driver/wled"
	"github.com/firmward/firmward/store"
)

// TestAbilitiesOfTheModel: the driver can go back, and does so only where the card says that this model can.
func TestAbilitiesOfTheModel(t *testing.T) {
	cat, err := catalog.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	c := &Control{Config: Config{Catalog: cat, Clock: Clock{}.orReal()}, byDriver: map[string]driver.Driver{"wled": wled.Driver{}}}
	for model, want := range map[string]bool{"WLED ESP32": true, "WLED ESP8266": false, "WLED a build that no card names": false} {
		if a := c.able(cat.Model(firmward.Device{Family: "wled", Model: model}), nil); a.CanRevert != want || a.DeadMan {
			t.Errorf("%s: %+v, want a way back: %v", model, a, want)
		}
	}
}

// TestCarefulIsOfTheDevice: of two devices of one model, whose events are folded together, one hangs on a patient.
func TestCarefulIsOfTheDevice(t *testing.T) {
	cat, err := catalog.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	st, err := store.Open(t.Context(), store.Options{URL: filepath.Join(t.TempDir(), "firmward.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	c := &Control{Config: Config{Catalog: cat, Store: st, Clock: Clock{}.orReal()}, byDriver: map[string]driver.Driver{"wled": wled.Driver{}}}
	light := firmward.Device{Family: "wled", Model: "WLED ESP32", Zone: firmward.ZoneHome}
	ward := light
	ward.Zone = firmward.ZoneClinical
	for range 20 { // maps give them in any order
		able, err := c.abilitiesOf(t.Context(), map[string]firmward.Device{"home": light, "ward": ward})
		if err != nil {
			t.Fatal(err)
		}
		if able["home"].Careful || !able["ward"].Careful || !able["ward"].CanRevert {
			t.Fatalf("%+v", able)
		}
	}
}
