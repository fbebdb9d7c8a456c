// Package drivers is the one list of all drivers in the product.
package drivers

import (
	"github.com/firmward/firmward/driver"
	"github.com/firmward/firmward/driver/axis"
	"github.com/firmward/firmward/driver/hikvision"
	"github.com/firmward/firmward/driver/hue"
	"github.com/firmward/firmward/driver/openwrt"
	"github.com/firmward/firmward/driver/redfish"
	"github.com/firmward/firmward/driver/shelly"
	"github.com/firmward/firmward/driver/tasmota"
	"github.com/firmward/firmward/driver/wled"
)

// All lists every driver.
func All() []driver.Driver {
	return []driver.Driver{
		axis.Driver{},
		hikvision.Driver{},
		hue.Driver{},
		openwrt.Driver{},
		redfish.Driver{},
		shelly.Driver{},
		tasmota.Driver{},
		wled.Driver{},
	}
}

// Named finds a driver by the name that catalogue files bind.
func Named(name string) (driver.Driver, bool) {
	for _, d := range All() {
		if d.Info().Name == name {
			return d, true
		}
	}
	return nil, false
}
