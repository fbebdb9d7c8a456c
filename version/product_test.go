package version_test

import (
	"testing"

	"github.com/firmward/firmward/version"
)

func TestForProduct(t *testing.T) {
	for _, c := range []struct{ vendor, product, want string }{
		{"hikvision", "ds-2cd2026g2-iu/sl_firmware", "hikvision"},
		{"hikvision", "ivms-4200", ""}, // a desktop program
		{"dahuasecurity", "ipc-hdbw2230e-s-s2_firmware", "dahua"},
		{"axis", "p1204_firmware", "axis"},
		{"axis", "axis_os", "axis"},
		{"axis", "axis_os_2022", "axis"},
		{"axis", "device_manager", ""},
		{"tp-link", "archer_c7_firmware", "tp-link"},
		{"tp-link", "omada_controller", ""},
		{"netgear", "r7000_firmware", "netgear"},
		{"netgear", "readynas_os", "dotted"},
		{"netgear", "genie", ""},
		{"dlink", "dir-825_firmware", "dlink"},
		{"dlink", "dap-1530_firmware", "dlink"},
		{"dlink", "central_wifimanager", ""},
		{"zyxel", "usg_flex_100_firmware", "zyxel"},
		{"zyxel", "zyxel_ap_configurator", ""},
		{"asus", "rt-ac68u_firmware", "asus"},
		{"asus", "asuswrt-merlin", "asus"},
		{"asus", "armoury_crate_service", ""},
		{"mikrotik", "routeros", "routeros"},
		{"mikrotik", "winbox", ""},
		{"ui", "edgeos", "edgeos"},
		{"ui", "airos_4_xs2", "edgeos"},
		{"ui", "unifi_controller", ""},
		{"cisco", "ios", "cisco-ios"},
		{"cisco", "ios_xe", "cisco-ios-xe"},
		{"cisco", "ios_xr", "cisco-ios-xr"},
		{"cisco", "nx-os", "cisco-nx-os"},
		{"cisco", "mds_9000_nx-os", "cisco-nx-os"},
		{"cisco", "catos", ""},
		{"cisco", "rv340_firmware", ""},
		{"juniper", "junos", "junos"},
		{"juniper", "junos_os_evolved", "junos-evolved"},
		{"juniper", "junos_space", ""},
		{"fortinet", "fortios", "fortios"},
		{"fortinet", "forticlient", ""},
		{"paloaltonetworks", "pan-os", "pan-os"},
		{"paloaltonetworks", "globalprotect", ""},
		{"synology", "diskstation_manager", "synology"},
		{"synology", "diskstation_manager_unified_controller", "synology"},
		{"synology", "photo_station", ""},
		{"qnap", "qts", "qnap"},
		{"qnap", "photo_station", ""},
		{"moxa", "edr-g903_firmware", "moxa"},
		{"moxa", "mxview", ""},
		{"siemens", "scalance_x204rna_firmware", "siemens"},
		{"siemens", "simatic_wincc_runtime_professional", "siemens"},
		{"siemens", "teamcenter", ""},
		{"hp", "color_laserjet_cm4540_mfp_firmware", "date"},
		{"hp", "officejet_pro_8710_firmware", ""},
		{"shelly", "pro_4pm_firmware", "shelly"},
		{"openwrt", "openwrt", "calver"},
		{"debian", "debian_linux", "dotted"},
		{"debian", "dpkg", ""},
		{"nobody", "camera_firmware", ""},
		{"", "", ""},
		{"netgear", "", "netgear"},
		{"mikrotik", "", "routeros"},
		{"qnap", "", "qnap"},
		{"cisco", "", ""}, // more than one
		{"hikvision", "_firmware", "hikvision"},
		{"hikvision", "*_firmware", "hikvision"}, // a name, no pattern
	} {
		got := version.ForProduct(c.vendor, c.product)
		if got != c.want {
			t.Errorf("%s %s: %q, want %q", c.vendor, c.product, got, c.want)
		}
		if got != "" && !version.Known(got) {
			t.Errorf("%s %s: no scheme %q", c.vendor, c.product, got)
		}
	}
}
