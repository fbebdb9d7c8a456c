package probes_test

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/catalog"
	"github.com/firmward/firmward/discover"
	"github.com/firmward/firmward/discover/probes"
	"github.com/firmward/firmward/identify"
	"github.com/firmward/firmward/lab"
	"github.com/firmward/firmward/wire"
)

// look runs one probe as the runner does.
func look(t *testing.T, name string, target discover.Target) firmward.Observation {
	t.Helper()
	p, ok := probes.Named(name)
	if !ok {
		t.Fatalf("no probe %s", name)
	}
	ctx, cancel := context.WithTimeout(t.Context(), p.Info().Timeout)
	defer cancel()
	var got firmward.Observation
	if err := p.Run(ctx, target, func(o firmward.Observation) { o.Probe = name; got = o }); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return got
}

func standard(t *testing.T) (*lab.Lab, wire.Network) {
	t.Helper()
	l, err := lab.Standard(lab.Options{Clock: lab.RealClock(), Net: lab.NewNet()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l, l.Attach("home")
}

func TestIdentityOfTheLab(t *testing.T) {
	cat, err := catalog.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		l, net := standard(t)
		synctest.Wait()
		for _, tc := range []struct {
			device, addr string
			probes       []string
			paths        []string
			secret       wire.Secret
			want         map[firmward.Field]string
			disputed     int
		}{
			{device: "plug-1", addr: "192.168.20.11", probes: []string{"shelly", "shelly-switch"}, want: map[firmward.Field]string{firmward.FieldModel: "SNPL-00112EU", firmward.FieldFirmware: "1.0.3", firmward.FieldHardware: "gen2"}},
			{device: "cam-1", addr: "10.40.0.11", probes: []string{"axis", "rtsp"}, secret: wire.Secret{User: "root", Password: "lab-cam-secret"}, want: map[firmward.Field]string{firmward.FieldModel: "AXIS P3265-LV", firmward.FieldFirmware: "10.12.206", firmward.FieldHardware: "7A2"}},
			{device: "printer-1", addr: "192.168.20.40", probes: []string{"snmp", "ipp"}, want: map[firmward.Field]string{firmward.FieldModel: "HP Color LaserJet MFP M478f", firmward.FieldFirmware: "20200612"}, disputed: 1},
			{device: "pump-1", addr: "10.40.0.51", probes: []string{"http"}, want: map[firmward.Field]string{firmward.FieldModel: "Alaris 8015", firmward.FieldFirmware: "9.33.1", firmward.FieldClass: "infusion-pump"}},
			{device: "nas-1", addr: "192.168.20.30", probes: []string{"http"}, paths: []string{"/xml/info.xml"}, want: map[firmward.Field]string{firmward.FieldModel: "DNS-320L", firmward.FieldFirmware: "1.11", firmward.FieldClass: "nas"}},
		} {
			var claims []firmward.Claim
			for _, p := range tc.probes {
				o := look(t, p, discover.Target{Network: net, Addr: netip.MustParseAddr(tc.addr), Secret: tc.secret, Paths: tc.paths})
				if o.Outcome != firmward.Answered {
					t.Errorf("%s: %s ended %s: %s", tc.device, p, o.Outcome, o.Note)
				}
				claims = append(claims, cat.Rules.Claims(o)...)
			}
			id := identify.Merge(claims)
			for f, want := range tc.want {
				if c, _ := id.Best(f); c.Value != want {
					t.Errorf("%s: %s is %q, want %q\nclaims %+v", tc.device, f, c.Value, want, claims)
				}
			}
			if len(id.Contradictions) != tc.disputed {
				t.Errorf("%s: contradictions %+v, want %d", tc.device, id.Contradictions, tc.disputed)
			}
			d, _ := l.Device(tc.device)
			if f := d.Facts(); f.Frozen {
				t.Errorf("%s froze", tc.device)
			}
		}
	})
}

// TestIdentityOfWLED: the start page suggests the family, the path that its file declares says the rest.
func TestIdentityOfWLED(t *testing.T) {
	cat, err := catalog.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	fam, _ := cat.Family("wled")
	synctest.Test(t, func(t *testing.T) {
		l := lab.New(lab.Options{})
		defer l.Close()
		d, err := l.AddWLED(lab.WLEDSpec{Place: lab.Place{Name: "strip"}, PIN: "7391"})
		if err != nil {
			t.Fatal(err)
		}
		f := d.Facts()
		for _, tc := range []struct {
			paths []string
			want  map[firmward.Field]string
		}{
			{nil, map[firmward.Field]string{firmward.FieldFamily: "wled", firmward.FieldModel: "", firmward.FieldFirmware: ""}},
			{fam.Paths, map[firmward.Field]string{
				firmward.FieldFamily: "wled", firmward.FieldVendor: "WLED", firmward.FieldClass: "light", firmward.FieldModel: f.Model, firmward.FieldFirmware: f.InstalledVersion,
				firmward.FieldHardware: f.HardwareRev, firmward.FieldSerial: f.Serial, firmward.FieldMAC: strings.ToUpper(f.MACs[0]), firmward.FieldName: "strip",
			}},
		} {
			o := look(t, "http", discover.Target{Network: l.Attach("home"), Addr: f.Addrs[0], Paths: tc.paths})
			id := identify.Merge(cat.Rules.Claims(o))
			for field, want := range tc.want {
				if c, _ := id.Best(field); c.Value != want {
					t.Errorf("with paths %v: %s is %q, want %q\n%+v", tc.paths, field, c.Value, want, o.Readings)
				}
			}
		}
	})
}

// TestIdentityOfTasmota: an open one names itself on its start page; with a password it says so to who knows it.
func TestIdentityOfTasmota(t *testing.T) {
	cat, err := catalog.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	for _, password := range []string{"", "s3cret"} {
		synctest.Test(t, func(t *testing.T) {
			l := lab.New(lab.Options{})
			defer l.Close()
			d, err := l.AddTasmota(lab.TasmotaSpec{Place: lab.Place{Name: "relay"}, Password: password})
			if err != nil {
				t.Fatal(err)
			}
			f := d.Facts()
			target := discover.Target{Network: l.Attach("home"), Addr: f.Addrs[0]}
			claims := cat.Rules.Claims(look(t, "http", target))
			if id := identify.Merge(claims); says(id, firmward.FieldFamily, "tasmota") != (password == "") {
				t.Errorf("password %q, from its start page: %+v", password, claims)
			}
			if o := look(t, "tasmota", target); (o.Outcome == firmward.Answered) != (password == "") || o.Outcome == firmward.Closed && !strings.Contains(o.Note, "password") {
				t.Errorf("without the password %q: %+v", password, o)
			}
			target.Secret = wire.Secret{Password: password}
			claims = append(claims, cat.Rules.Claims(look(t, "tasmota", target))...)
			id := identify.Merge(claims)
			for field, want := range map[firmward.Field]string{
				firmward.FieldFamily: "tasmota", firmward.FieldModel: f.Model, firmward.FieldFirmware: f.InstalledVersion, firmward.FieldHardware: f.HardwareRev,
				firmward.FieldSerial: f.Serial, firmward.FieldMAC: f.Serial,
			} {
				if !says(id, field, want) {
					t.Errorf("password %q: %s is not %q: %+v", password, field, want, claims)
				}
			}
		})
	}
}

// TestIdentityOfOpenWrt: the start page suggests the family; what it is a router tells only who logs in.
func TestIdentityOfOpenWrt(t *testing.T) {
	cat, err := catalog.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		l := lab.New(lab.Options{})
		defer l.Close()
		d, err := l.AddOpenWrt(lab.OpenWrtSpec{Place: lab.Place{Name: "ap"}, Password: "s3cret"})
		if err != nil {
			t.Fatal(err)
		}
		f := d.Facts()
		target := discover.Target{Network: l.Attach("home"), Addr: f.Addrs[0]}
		claims := cat.Rules.Claims(look(t, "http", target))
		if id := identify.Merge(claims); !says(id, firmward.FieldFamily, "openwrt") || !says(id, firmward.FieldClass, "router") || !says(id, firmward.FieldModel, "") {
			t.Errorf("from its start page: %+v", claims)
		}
		for password, note := range map[string]string{"": "only to who logs in", "wrong": "refuses the password"} {
			target.Secret = wire.Secret{Password: password}
			if o := look(t, "openwrt", target); o.Outcome != firmward.Closed || !strings.Contains(o.Note, note) || len(o.Readings) != 0 {
				t.Errorf("password %q: %+v", password, o)
			}
		}
		target.Secret = wire.Secret{Password: "s3cret"}
		claims = append(claims, cat.Rules.Claims(look(t, "openwrt", target))...)
		id := identify.Merge(claims)
		for field, want := range map[firmward.Field]string{
			firmward.FieldVendor: "OpenWrt", firmward.FieldModel: f.Model, firmward.FieldFirmware: f.InstalledVersion, firmward.FieldHardware: f.HardwareRev,
			firmward.FieldSerial: f.Serial, firmward.FieldMAC: strings.ToUpper(f.MACs[0]), firmward.FieldName: "ap",
		} {
			if !says(id, field, want) {
				t.Errorf("%s is not %q: %+v", field, want, claims)
			}
		}
	})
}

func says(id firmward.Identity, field firmward.Field, want string) bool {
	c, _ := id.Best(field)
	return c.Value == want
}

// TestIdentityOfHikvision: without a password the web server's name tells the family and no more; with it model, version with
// build, and platform are known, and the stream is found where this maker has it.
func TestIdentityOfHikvision(t *testing.T) {
	cat, err := catalog.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		l := lab.New(lab.Options{})
		defer l.Close()
		d, err := l.AddHikvision(lab.HikvisionSpec{Place: lab.Place{Name: "gate"}})
		if err != nil {
			t.Fatal(err)
		}
		old, err := l.AddHikvision(lab.HikvisionSpec{Place: lab.Place{Name: "yard"}, Model: "DS-2CD2032-I", Platform: "-", Version: "V5.4.5 build 170123", Server: "DNVRS-Webs"})
		if err != nil {
			t.Fatal(err)
		}
		f, o := d.Facts(), old.Facts()
		secret := wire.Secret{User: "admin", Password: lab.HikvisionPassword}
		for _, tc := range []struct {
			facts  lab.Facts
			secret wire.Secret
			want   map[firmward.Field]string
		}{
			{f, wire.Secret{}, map[firmward.Field]string{firmward.FieldFamily: "hikvision", firmward.FieldModel: "", firmward.FieldClass: ""}},
			{o, wire.Secret{}, map[firmward.Field]string{firmward.FieldFamily: "hikvision", firmward.FieldVendor: "Hikvision", firmward.FieldModel: ""}},
			{f, secret, map[firmward.Field]string{
				firmward.FieldFamily: "hikvision", firmward.FieldClass: "camera", firmward.FieldModel: f.Model, firmward.FieldFirmware: f.InstalledVersion,
				firmward.FieldHardware: f.HardwareRev, firmward.FieldSerial: f.Serial, firmward.FieldMAC: strings.ToUpper(f.MACs[0]),
			}},
			{o, secret, map[firmward.Field]string{firmward.FieldModel: o.Model, firmward.FieldFirmware: "V5.4.5 build 170123", firmward.FieldHardware: "0x0"}},
		} {
			var claims []firmward.Claim
			for _, p := range []string{"http", "hikvision", "rtsp"} {
				seen := look(t, p, discover.Target{Network: l.Attach("home"), Addr: tc.facts.Addrs[0], Secret: tc.secret})
				if want := p == "http" || tc.secret.Password != ""; (seen.Outcome == firmward.Answered) != want || !want && !strings.Contains(seen.Note, "credentials set") {
					t.Errorf("%s: %s ended %s: %s", tc.facts.Name, p, seen.Outcome, seen.Note)
				}
				claims = append(claims, cat.Rules.Claims(seen)...)
			}
			id := identify.Merge(claims)
			for field, want := range tc.want {
				if c, _ := id.Best(field); c.Value != want {
					t.Errorf("%s: %s is %q, want %q\n%+v", tc.facts.Name, field, c.Value, want, claims)
				}
			}
		}
	})
}

// TestOneFileFamily names a printer whose family is one catalogue file and no Go.
func TestOneFileFamily(t *testing.T) {
	cat, err := catalog.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		l := lab.New(lab.Options{})
		defer l.Close()
		d, err := l.AddPrinter(lab.PrinterSpec{Place: lab.Place{Name: "printer"}, Model: "Brother HL-L2350DW series", Version: "1.76"})
		if err != nil {
			t.Fatal(err)
		}
		id := identify.Merge(cat.Rules.Claims(look(t, "ipp", discover.Target{Network: l.Attach("home"), Addr: d.Facts().Addrs[0]})))
		for field, want := range map[firmward.Field]string{
			firmward.FieldVendor: "Brother", firmward.FieldModel: "Brother HL-L2350DW", firmward.FieldFamily: "brother-printer", firmward.FieldClass: "printer", firmward.FieldFirmware: "1.76",
		} {
			if c, _ := id.Best(field); c.Value != want {
				t.Errorf("%s is %q, want %q", field, c.Value, want)
			}
		}
	})
	card := cat.Model(firmward.Device{Family: "brother-printer", Model: "Brother HL-L2350DW"})
	if card.Mechanism.Value != "manual-download" || card.Rollback.Value != "" || len(card.Update.Steps) == 0 {
		t.Errorf("model card: %+v", card)
	}
}

// TestPrivateStream plays a stream that wants the password for every request.
func TestPrivateStream(t *testing.T) {
	for password, want := range map[string]struct {
		outcome firmward.Outcome
		note    string
		asked   int // requests; a challenge is answered by a count that goes up, so one is enough
	}{
		"right-password": {firmward.Answered, "", 5},
		"wrong-password": {firmward.Closed, "wants another password", 2},
		"":               {firmward.Closed, "wants another password", 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			l := lab.New(lab.Options{})
			defer l.Close()
			if _, err := l.AddCamera(lab.CameraSpec{Place: lab.Place{Name: "cam"}, Password: "right-password", Private: true}); err != nil {
				t.Fatal(err)
			}
			asked := 0
			network := wire.Guarded(l.Attach("clinic"), wire.Guard{Allow: func(netip.Addr) error { return nil }, Record: func(wire.Sent) { asked++ }}, nil)
			o := look(t, "rtsp", discover.Target{Network: network, Addr: netip.MustParseAddr("10.40.0.3"), Secret: wire.Secret{User: "root", Password: password}})
			if asked != want.asked {
				t.Errorf("password %q: %d requests, want %d", password, asked, want.asked)
			}
			if _, media := o.Get("rtsp.media"); o.Outcome != want.outcome || !strings.Contains(o.Note, want.note) || media != (password == "right-password") {
				t.Errorf("password %q: %s (%s) %v", password, o.Outcome, o.Note, o.Readings)
			}
		})
	}
}

// TestClosed asks a plug for what it has not: each probe says that the port is closed.
func TestClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, net := standard(t)
		for _, probe := range []string{"snmp", "rtsp", "ipp"} {
			began := time.Now()
			o := look(t, probe, discover.Target{Network: net, Addr: netip.MustParseAddr("192.168.20.11")})
			if o.Outcome != firmward.Closed || o.Note == "" || time.Since(began) > 0 {
				t.Errorf("%s: %s (%s) after %s", probe, o.Outcome, o.Note, time.Since(began))
			}
		}
	})
}

// TestHostile shows that no probe is held up or led away by a device.
func TestHostile(t *testing.T) {
	for _, tc := range []struct {
		fault, probe string
		want         firmward.Outcome
	}{
		{"huge-answer", "http", firmward.Cut},
		{"drip", "http", firmward.Cut},
		{"overloaded", "shelly", firmward.Closed},
		{"huge-answer", "shelly-switch", firmward.Cut},
		{"redirect-elsewhere", "http", firmward.Answered},
		{"silent", "http", firmward.NoAnswer},
		{"silent", "shelly", firmward.NoAnswer},
		{"huge-answer", "shelly", firmward.Cut},
	} {
		t.Run(tc.fault+" "+tc.probe, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, net := standard(t)
				if err := l.Fault("plug-1", tc.fault); err != nil {
					t.Fatal(err)
				}
				o := look(t, tc.probe, discover.Target{Network: net, Addr: netip.MustParseAddr("192.168.20.11")})
				if o.Outcome != tc.want {
					t.Errorf("outcome %s (%s), want %s", o.Outcome, o.Note, tc.want)
				}
				for _, r := range o.Readings {
					if len(r.Value) > firmward.MaxReading {
						t.Errorf("reading %s has %d bytes", r.Name, len(r.Value))
					}
				}
				t.Log(o.Outcome, o.Note)
			})
		})
	}
}
