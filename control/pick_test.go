package control

import (
	"testing"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/catalog"
	"github.com/firmward/firmward/driver"
	"github.com/firmward/firmward/driver/wled"
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
