package version

import "strings"

// products says by which scheme the versions of a CPE product are written. A product is named in
// full, or by its start (simatic_wincc*) or end (*_firmware); the first line that fits counts. It
// holds firmware and operating systems only: a camera vendor's desktop program has versions of its
// own kind. What is not here has no known scheme, which is an answer.
var products = []struct{ vendor, product, scheme string }{
	{"hikvision", "*_firmware", "hikvision"},
	{"dahuasecurity", "*_firmware", "dahua"},
	{"axis", "*_firmware", "axis"},
	{"axis", "axis_os*", "axis"},

	{"tp-link", "*_firmware", "tp-link"},
	{"tp_link", "*_firmware", "tp-link"},
	{"netgear", "*_firmware", "netgear"},
	{"netgear", "readynas_os", "dotted"},
	{"dlink", "*_firmware", "dlink"},
	{"asus", "*_firmware", "asus"},
	{"asus", "asuswrt*", "asus"},
	{"zyxel", "*_firmware", "zyxel"},
	{"mikrotik", "routeros", "routeros"},
	{"tenda", "*_firmware", "tenda"},
	{"ui", "edgeos", "edgeos"},
	{"ui", "airos*", "edgeos"},
	{"ui", "*_firmware", "edgeos"},
	{"shelly", "*_firmware", "shelly"},
	{"openwrt", "openwrt", "calver"},
	{"opnsense", "opnsense", "calver"},
	{"esphome", "esphome", "calver"},
	{"home-assistant", "home-assistant", "calver"},

	{"synology", "diskstation_manager*", "synology"},
	{"synology", "virtual_diskstation_manager", "synology"},
	{"synology", "router_manager", "synology"},
	{"synology", "dsm", "synology"},
	{"qnap", "qts", "qnap"},
	{"qnap", "quts_hero", "qnap"},
	{"qnap", "qutscloud", "qnap"},

	{"cisco", "ios", "cisco-ios"},
	{"cisco", "cisco_ios", "cisco-ios"},
	{"cisco", "ios_xe", "cisco-ios-xe"},
	{"cisco", "ios_xe_software", "cisco-ios-xe"},
	{"cisco", "ios_xr*", "cisco-ios-xr"},
	{"cisco", "*nx-os*", "cisco-nx-os"},
	{"cisco", "adaptive_security_appliance_software", "dotted"},
	{"juniper", "junos", "junos"},
	{"juniper", "junos_os", "junos"},
	{"juniper", "junos_os_evolved", "junos-evolved"},
	{"juniper", "junos_evolved", "junos-evolved"},
	{"juniper_networks", "junos_os", "junos"},
	{"juniper_networks", "junos_os_evolved", "junos-evolved"},
	{"fortinet", "fortios", "fortios"},
	{"fortinet", "fortiproxy", "fortios"},
	{"fortinet", "fortimanager", "fortios"},
	{"fortinet", "fortianalyzer", "fortios"},
	{"fortinet", "fortiswitch", "fortios"},
	{"paloaltonetworks", "pan-os", "pan-os"},
	{"sonicwall", "sonicos*", "sonicos"},
	{"arubanetworks", "arubaos", "dotted"},
	{"arubanetworks", "instantos", "dotted"},

	{"hp", "*laserjet*_firmware", "date"},
	{"moxa", "*_firmware", "moxa"},
	{"wago", "*_firmware", "wago"},
	{"siemens", "*_firmware", "siemens"},
	{"siemens", "simatic_wincc*", "siemens"},
	{"siemens", "simatic_pcs_7", "siemens"},
	{"siemens", "simatic_step_7*", "siemens"},
	{"siemens", "simatic_net_pc*", "siemens"},
	{"siemens", "wincc*", "siemens"},
	{"siemens", "totally_integrated_automation_portal", "siemens"},

	{"debian", "debian_linux", "dotted"}, // releases (12.5), not packages
	{"canonical", "ubuntu_linux", "calver"},
}

// ForProduct names the scheme by which the versions of a CPE product are written, or gives "" when
// the registry does not know. Both names are plain and in lower case, without CPE's quoting; of a
// vendor's several names the caller gives the one that is usual. Without a product it names the
// scheme of the vendor's firmware, or the one scheme that all its products share.
func ForProduct(vendor, product string) string {
	if product == "" {
		return forVendor(vendor)
	}
	for _, p := range products {
		if p.vendor == vendor && named(p.product, product) {
			return p.scheme
		}
	}
	return ""
}

func forVendor(vendor string) string {
	only := ""
	for _, p := range products {
		switch {
		case p.vendor != vendor:
		case p.product == "*_firmware":
			return p.scheme
		case only != "" && only != p.scheme:
			return ""
		default:
			only = p.scheme
		}
	}
	return only
}

// named reports whether a name fits a pattern with * for any text.
func named(pattern, name string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == name
	}
	last := len(parts) - 1
	if !strings.HasPrefix(name, parts[0]) {
		return false
	}
	name = name[len(parts[0]):]
	for _, p := range parts[1:last] {
		i := strings.Index(name, p)
		if i < 0 {
			return false
		}
		name = name[i+len(p):]
	}
	return strings.HasSuffix(name, parts[last])
}
