package discover

import (
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/wire"
)

// Permitted reports whether a probe of a safety class may run against a device of a class on a
// network. The network decides while the class is unknown; once a person allowed polite probes, a
// proven class that keeps nobody alive may also be asked by stateful ones. NeverUnasked never runs
// from here.
func Permitted(s firmward.Safety, n firmward.Network, class firmward.Class) bool {
	allowed := n.Allowed
	known := class != "" && class != firmward.ClassUnknown
	switch {
	case s == firmward.NeverUnasked:
		return false
	case class.LifeSupport():
		allowed = min(allowed, firmward.Polite)
	case known && allowed >= firmward.Polite:
		allowed = max(allowed, firmward.Stateful)
	}
	return s <= allowed
}

// PaceFor is the packet budget: the least time between two connections to one device. Class may
// lower a zone's budget for life support, and raise it once the device is proven to be ordinary.
func PaceFor(z firmward.Zone, class firmward.Class) wire.Pace {
	known := class != "" && class != firmward.ClassUnknown
	switch {
	case class.LifeSupport():
		return wire.Pace{Every: 15 * time.Second, Burst: 1}
	case z.Careful() && !known:
		return wire.Pace{Every: 12 * time.Second, Burst: 1}
	case z.Careful():
		return wire.Pace{Every: time.Second, Burst: 4}
	}
	return wire.Pace{Every: 25 * time.Millisecond, Burst: 10} // 40 a second
}

// FirstProbes lists the probes, in order, for a host of which nothing but its place is known. In
// careful zones that is one ordinary request, in a plant then the question of controllers, if a person allowed it;
// elsewhere the short port list comes first.
func FirstProbes(z firmward.Zone) []string {
	if z == firmward.ZonePlant {
		return []string{"http", "modbus"}
	}
	if z.Careful() {
		return []string{"http"}
	}
	return []string{"ports", "snmp"}
}

// ByPort lists the probes that have something to ask at an open port.
func ByPort(port string) []string {
	switch port {
	case "80":
		return []string{"http", "shelly", "axis"}
	case "443":
		return []string{"tls", "redfish"}
	case "22":
		return []string{"ssh"}
	case "554":
		return []string{"rtsp"}
	case "631":
		return []string{"ipp"}
	case "1883":
		return []string{"mqtt"}
	}
	return nil
}

// ControlPort reports whether a TCP port above 1023 belongs to a protocol that moves things: a device may not send a probe
// there. (wire.NeverPorts are those at which no byte goes to anybody.)
func ControlPort(port uint16) bool {
	switch port {
	case 1200, 1911, 1962, 2404, 2455, 2575, 3671, 4840, 4911, 5007, 5094, 9600, 11112, 20000, 34962, 34963, 34964, 44818, 47808, 48899:
		return true
	}
	return false
}
