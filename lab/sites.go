package lab

import (
	"net/netip"
)

// Passwords of the further devices of [ThreeSites].
const (
	RouterPassword = "lab-router-secret" // user root on gateway-2
	RouterFactory  = "lab-router-maker"  // what images with FlawFactoryLogin accept too
)

// The versions that some of them have at first, and images for them.
const (
	RelayVersion  = "13.4.0"
	StripVersion  = "0.15.0"
	RouterVersion = "22.03.5"
	GateVersion   = "V5.7.3 build 220112"
	YardVersion   = "V5.4.0 build 160530"
	BMCVersion    = "1.45.0"
)

// ThreeSites returns a lab of 36 devices: those of [Standard], and
//
//   - at home a router (gateway-1) with what hangs on its Wi-Fi: a bridge with three lamps whose automatic updates are off, two light
//     controllers, two relays; the management controller of a server; and a camera that its maker has abandoned;
//   - in the clinic two cameras of another maker;
//   - a plant, 10.50.0.0/24, with a router (gateway-2) and two controllers behind it.
//
// The lamps are no devices of the lab but what hangs on one, see [Device.Lamps]: 33 devices and three lamps.
func ThreeSites(opts Options) (*Lab, error) {
	l, err := Standard(opts)
	if err != nil {
		return nil, err
	}
	l.AddSite("plant", netip.MustParsePrefix("10.50.0.0/24"))
	for _, add := range []func() (*Device, error){
		func() (*Device, error) { return l.AddGateway(GatewaySpec{Place: l.at("home", "gateway-1", 3, "")}) },
		func() (*Device, error) {
			return l.AddHue(HueSpec{
				Place: l.at("home", "hue-1", 50, "gateway-1"), Key: HueKey, Manual: true,
				Lamps: []HueLamp{{Name: "Sofa"}, {Name: "Desk", Model: "LWB010", Product: "Hue white lamp"}, {Name: "Hall"}},
			})
		},
		func() (*Device, error) {
			return l.AddWLED(WLEDSpec{Place: l.at("home", "strip-1", 61, "gateway-1"), Version: StripVersion})
		},
		func() (*Device, error) {
			return l.AddWLED(WLEDSpec{Place: l.at("home", "strip-2", 62, "gateway-1"), Version: StripVersion})
		},
		func() (*Device, error) {
			return l.AddTasmota(TasmotaSpec{Place: l.at("home", "relay-1", 63, "gateway-1"), Version: RelayVersion})
		},
		func() (*Device, error) {
			return l.AddTasmota(TasmotaSpec{Place: l.at("home", "relay-2", 64, "gateway-1"), Version: RelayVersion})
		},
		func() (*Device, error) {
			return l.AddRedfish(RedfishSpec{Place: l.at("home", "bmc-1", 70, ""), Version: BMCVersion})
		},
		func() (*Device, error) {
			return l.AddHikvision(HikvisionSpec{Place: l.at("home", "cam-yard", 71, ""), Model: "DS-2CD2032-I", Platform: "-", Version: YardVersion, Server: "DNVRS-Webs"})
		},
		func() (*Device, error) {
			return l.AddHikvision(HikvisionSpec{Place: l.at("clinic", "cam-gate-1", 21, ""), Version: GateVersion})
		},
		func() (*Device, error) {
			return l.AddHikvision(HikvisionSpec{Place: l.at("clinic", "cam-gate-2", 22, ""), Version: GateVersion, Restarts: true})
		},
		func() (*Device, error) {
			return l.AddOpenWrt(OpenWrtSpec{Place: l.at("plant", "gateway-2", 3, ""), Version: RouterVersion, Password: RouterPassword})
		},
		func() (*Device, error) { return l.AddPLC(PLCSpec{Place: l.at("plant", "plc-1", 11, "gateway-2")}) },
		func() (*Device, error) { return l.AddPLC(PLCSpec{Place: l.at("plant", "plc-2", 12, "gateway-2")}) },
	} {
		if _, err := add(); err != nil {
			_ = l.Close()
			return nil, err
		}
	}
	return l, nil
}

// at is a place at a site, by the last byte of its address.
func (l *Lab) at(site, name string, last byte, behind string) Place {
	b := l.Sites()[site].Addr().As4()
	b[3] = last
	return Place{Name: name, Site: site, Addr: netip.AddrFrom4(b), Behind: behind}
}
