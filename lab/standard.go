package lab

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Passwords of the standard devices.
const (
	PlugPassword   = "lab-plug-secret" // user admin on plug-2
	CameraPassword = "lab-cam-secret"  // user root on every camera
	HueKey         = "lab-hue-application-key"
)

// PlugImage is firmware for the standard plugs plug-1 to plug-8.
func PlugImage(version string) []byte {
	return BuildImage(ImageSpec{Family: FamilyPlug, Model: "SNPL-00112EU", HardwareRev: "gen2", Version: version})
}

// PlugG3Image is firmware for plug-g3-1 and plug-g3-2.
func PlugG3Image(version string) []byte {
	return BuildImage(ImageSpec{Family: FamilyPlugG3, Model: "S3PL-00112EU", HardwareRev: "gen3", Version: version})
}

// CameraImage is firmware for the standard cameras with HardwareID 7A2 (all but cam-5), with the given flaws.
func CameraImage(version string, flaws ...string) []byte {
	return BuildImage(ImageSpec{
		Family: FamilyCamera, Model: "P3265-LV", HardwareRev: "7A2", Version: version, Flaws: flaws,
	})
}

// Image is firmware for exactly this device, of the given version and with the given flaws. Printers, pumps and storage
// boxes take none over the network.
func (d *Device) Image(version string, flaws ...string) ([]byte, error) {
	family, ok := map[string]string{
		"plug": FamilyPlug, "camera": FamilyCamera, "light": FamilyWLED, "relay": FamilyTasmota, "router": FamilyOpenWrt,
		"ip-camera": FamilyHikvision, "bmc": FamilyRedfish,
	}[d.kind]
	if !ok {
		return nil, fmt.Errorf("make an image for %s: a %s takes none over the network", d.name, d.kind)
	}
	for _, flaw := range flaws {
		if known := []string{FlawDeadStream, FlawBootLoop, FlawWrongChecksum, FlawWrongMagic, FlawOpenTelnet, FlawDeadBroker, FlawResetConfig, FlawFactoryLogin, FlawSluggish}; !slices.Contains(known, flaw) {
			return nil, fmt.Errorf("make an image for %s: unknown flaw %q, known are %s", d.name, flaw, strings.Join(known, ", "))
		}
	}
	return BuildImage(ImageSpec{Family: family, Model: d.model, HardwareRev: d.hardware, Version: version, Flaws: flaws}), nil
}

// Standard returns a lab with two sites. home, 192.168.20.0/24: ten plugs of two generations, a storage box, a
// printer. clinic, 10.40.0.0/24: six cameras, of which cam-2 has two interfaces and cam-5 another hardware revision,
// and two infusion pumps. The address .2 of each is free for [Lab.Attach].
func Standard(opts Options) (*Lab, error) {
	l := New(opts)
	home := func(name string, last byte) Place {
		return Place{Name: name, Site: "home", Addr: netip.AddrFrom4([4]byte{192, 168, 20, last})}
	}
	clinic := func(name string, last byte) Place {
		return Place{Name: name, Site: "clinic", Addr: netip.AddrFrom4([4]byte{10, 40, 0, last})}
	}
	var failed error
	check := func(_ *Device, err error) {
		if failed == nil {
			failed = err
		}
	}
	for i := range byte(8) {
		spec := PlugSpec{Place: home(fmt.Sprintf("plug-%d", i+1), 11+i)}
		if i == 1 {
			spec.Password = PlugPassword
		}
		check(l.AddPlug(spec))
	}
	for i := range byte(2) {
		check(l.AddPlug(PlugSpec{
			Place: home(fmt.Sprintf("plug-g3-%d", i+1), 21+i),
			Model: "S3PL-00112EU", App: "PlugSG3", Gen: 3, HardwareRev: "gen3", Version: "1.2.0",
		}))
	}
	check(l.AddNAS(NASSpec{Place: home("nas-1", 30)}))
	check(l.AddPrinter(PrinterSpec{Place: home("printer-1", 40), Version: "20200612", IPPVersion: "20190101"}))
	for i := range byte(6) {
		spec := CameraSpec{Place: clinic(fmt.Sprintf("cam-%d", i+1), 11+i), Password: CameraPassword}
		switch i {
		case 1:
			spec.Extra = []Interface{{Addr: netip.AddrFrom4([4]byte{10, 40, 0, 112})}}
		case 4:
			spec.HardwareRev = "7B0"
		}
		check(l.AddCamera(spec))
	}
	for i := range byte(2) {
		check(l.AddPump(PumpSpec{Place: clinic(fmt.Sprintf("pump-%d", i+1), 51+i)}))
	}
	if failed != nil {
		_ = l.Close()
		return nil, failed
	}
	return l, nil
}
