// Package probes is the one list of all probes in the product.
package probes

import (
	"github.com/firmward/firmward/discover"
	"github.com/firmward/firmward/discover/axis"
	"github.com/firmward/firmward/discover/hikvision"
	"github.com/firmward/firmward/discover/http"
	"github.com/firmward/firmward/discover/hue"
	"github.com/firmward/firmward/discover/ipp"
	"github.com/firmward/firmward/discover/listen"
	"github.com/firmward/firmward/discover/mdns"
	"github.com/firmward/firmward/discover/modbus"
	"github.com/firmward/firmward/discover/mqtt"
	"github.com/firmward/firmward/discover/neighbor"
	"github.com/firmward/firmward/discover/openwrt"
	"github.com/firmward/firmward/discover/ports"
	"github.com/firmward/firmward/discover/redfish"
	"github.com/firmward/firmward/discover/rtsp"
	"github.com/firmward/firmward/discover/shelly"
	"github.com/firmward/firmward/discover/snmp"
	"github.com/firmward/firmward/discover/ssh"
	"github.com/firmward/firmward/discover/tasmota"
	"github.com/firmward/firmward/discover/tls"
	"github.com/firmward/firmward/discover/upnp"
)

// All lists every probe. The order is the order in which an unknown host is asked.
func All() []discover.Probe {
	return []discover.Probe{
		neighbor.Probe{},
		listen.Probe{},
		ports.New(),
		http.Probe{},
		snmp.Probe{},
		shelly.Probe{},
		axis.Probe{},
		hikvision.Probe{},
		hue.Probe{},
		openwrt.Probe{},
		tasmota.Probe{},
		ipp.Probe{},
		rtsp.Probe{},
		shelly.Switch{},
		mdns.Probe{},
		upnp.Probe{},
		tls.Probe{},
		redfish.Probe{},
		ssh.Probe{},
		mqtt.Probe{},
		modbus.Probe{},
	}
}

// Named finds a probe by name.
func Named(name string) (discover.Probe, bool) {
	for _, p := range All() {
		if p.Info().Name == name {
			return p, true
		}
	}
	return nil, false
}
