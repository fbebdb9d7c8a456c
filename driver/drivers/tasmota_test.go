package drivers_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/driver"
	"github.com/firmward/firmward/driver/drivers"
	"github.com/firmward/firmward/driver/drivertest"
	"github.com/firmward/firmward/lab"
	"github.com/firmward/firmward/wire"
)

const relayURL = "http://ota.example/tasmota-%04d.bin" // a device of its owner's: the number of its chip stands in it

func tasmota(t *testing.T, spec lab.TasmotaSpec, image []byte) drivertest.Device {
	l := lab.New(lab.Options{Clock: lab.RealClock(), Net: lab.NewNet()})
	spec.Place, spec.OTAURL = lab.Place{Name: "relay"}, relayURL
	dev, err := l.AddTasmota(spec)
	if err != nil {
		t.Fatal(err)
	}
	if image == nil {
		if image, err = dev.Image("14.4.1"); err != nil {
			t.Fatal(err)
		}
	}
	f := dev.Facts()
	return deviceOf(t, l, "home", "relay", wire.Secret{Password: spec.Password}, f.Model, f.HardwareRev, "14.4.1", image, true)
}

func TestTasmota(t *testing.T) {
	d, _ := drivers.Named("tasmota")
	for name, c := range map[string]struct {
		spec  lab.TasmotaSpec
		model string
	}{
		"open":     {lab.TasmotaSpec{}, "Tasmota tasmota"},
		"password": {lab.TasmotaSpec{Password: "relay-secret"}, "Tasmota tasmota"},
		"ESP32":    {lab.TasmotaSpec{Build: "tasmota32", Chip: "ESP32-D0WD-V3 v3.1"}, "Tasmota tasmota32"},
	} {
		t.Run(name, func(t *testing.T) {
			drivertest.Run(t, drivertest.Case{Driver: d, Model: c.model, Version: "14.2.0", Deaf: true, New: func(t *testing.T) drivertest.Device {
				return tasmota(t, c.spec, nil)
			}})
		})
	}
}

// TestTasmotaRefuses: what Tasmota itself would take or try is refused before it is told of an image, and its own
// address for images is as it was.
func TestTasmotaRefuses(t *testing.T) {
	d, _ := drivers.Named("tasmota")
	for name, tc := range map[string]struct {
		spec    lab.TasmotaSpec
		release func(*firmward.Release)
		word    string
	}{
		"fits":                       {lab.TasmotaSpec{}, func(*firmward.Release) {}, ""},
		"another build":              {lab.TasmotaSpec{Build: "sensors"}, func(r *firmward.Release) { r.Models = []string{"Tasmota tasmota"} }, "wrong model"},
		"another chip":               {lab.TasmotaSpec{}, func(r *firmward.Release) { r.Hardware = []string{"ESP32-D0WD-V3 v3.1"} }, "wrong hardware"},
		"no room in 1 MiB":           {lab.TasmotaSpec{FlashKiB: 1024}, func(*firmward.Release) {}, "minimal build"},
		"compressed, fits in 1 MiB":  {lab.TasmotaSpec{FlashKiB: 1024}, func(r *firmward.Release) { r.Size = 350 << 10 }, ""},
		"an ESP32 counts its place":  {lab.TasmotaSpec{Chip: "ESP32-C3 v0.4"}, func(r *firmward.Release) { r.Size = 2800 << 10 }, ""},
		"no room on an ESP32":        {lab.TasmotaSpec{Chip: "ESP32-C3 v0.4"}, func(r *firmward.Release) { r.Size = 2881 << 10 }, "divided anew"},
		"a step is left out":         {lab.TasmotaSpec{Version: "6.4.1"}, func(*firmward.Release) {}, "6.7.1 first"},
		"the step":                   {lab.TasmotaSpec{Version: "6.4.1"}, func(r *firmward.Release) { r.Version = "6.7.1" }, ""},
		"from the last step onwards": {lab.TasmotaSpec{Version: "9.1.0"}, func(*firmward.Release) {}, ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			dev := tasmota(t, tc.spec, nil)
			defer dev.Close()
			tc.release(&dev.Image.Release)
			_, err := d.(driver.Preflighter).Preflight(t.Context(), dev.Conn, dev.Image)
			if tc.word == "" && err != nil || tc.word != "" && (firmward.CodeOf(err) != firmward.Refused || !strings.Contains(err.Error(), tc.word)) {
				t.Errorf("%s: %v; want %q", name, err, tc.word)
			}
			if at := address(t, dev); at != relayURL {
				t.Errorf("%s: it fetches from %s now", name, at)
			}
		})
	}
}

// address is where the device fetches images from.
func address(t *testing.T, dev drivertest.Device) string {
	t.Helper()
	b, err := driver.GetInClear(t.Context(), dev.Conn, 80, "/cm?cmnd=OtaUrl")
	if err != nil {
		t.Fatal(err)
	}
	_, at, _ := strings.Cut(string(b), `{"OtaUrl":"`)
	return strings.TrimSuffix(at, `"}`)
}

// TestTasmotaKeepsItsAddress: an update that was not begun leaves the owner's address as it was. One that was begun
// leaves ours: the driver's package comment says why.
func TestTasmotaKeepsItsAddress(t *testing.T) {
	d, _ := drivers.Named("tasmota")
	for at, want := range map[int]string{2: relayURL, 3: relayURL, 0: "http://192.168.20.2:8390/image.bin"} {
		synctest.Test(t, func(t *testing.T) {
			dev := tasmota(t, lab.TasmotaSpec{}, nil)
			defer dev.Close()
			conn := dev.Conn
			conn.Network = &overloaded{Network: dev.Conn.Network, at: at, dev: dev}
			err := d.(driver.Installer).Install(t.Context(), conn, dev.Image)
			if (err == nil) != (at == 0) || err != nil && !errors.Is(err, driver.ErrNotBegun) {
				t.Errorf("overloaded at connection %d: %v", at, err)
			}
			time.Sleep(dev.Settle)
			if got := address(t, dev); got != want {
				t.Errorf("overloaded at connection %d: it fetches from %s now, want %s", at, got, want)
			}
		})
	}
}

// overloaded lets the device be too busy from one connection on, and for that one only.
type overloaded struct {
	wire.Network
	at, dials int
	dev       drivertest.Device
}

// DialContext counts and strikes.
func (n *overloaded) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	switch n.dials++; n.dials {
	case n.at:
		n.dev.Fault(lab.FaultOverloaded)
	case n.at + 1:
		n.dev.Mend()
	}
	return n.Network.DialContext(ctx, network, address)
}

// TestTasmotaOffer: an address in which Tasmota would put its number is not told to it.
func TestTasmotaOffer(t *testing.T) {
	d, _ := drivers.Named("tasmota")
	for _, url := range []string{"", "http://192.168.20.2:8390/a%20b", "http://192.168.20.2:8390/a b"} {
		err := d.(driver.Installer).Install(t.Context(), wire.Conn{}, driver.Image{URL: url})
		if !errors.Is(err, driver.ErrNotBegun) || firmward.CodeOf(err) != firmward.Invalid {
			t.Errorf("%q: %v", url, err)
		}
	}
}

// TestTasmotaPasswordInRecord: the password goes in clear, but neither it nor its form in the head is recorded.
func TestTasmotaPasswordInRecord(t *testing.T) {
	d, _ := drivers.Named("tasmota")
	synctest.Test(t, func(t *testing.T) {
		dev := tasmota(t, lab.TasmotaSpec{Password: "relay-secret"}, nil)
		defer dev.Close()
		var mu sync.Mutex
		var sent []byte
		dev.Conn.Network = wire.Guarded(dev.Conn.Network, wire.Guard{
			Allow: func(netip.Addr) error { return nil }, Secrets: []string{"relay-secret"},
			Record: func(s wire.Sent) {
				mu.Lock()
				defer mu.Unlock()
				sent = append(sent, s.Bytes...)
			},
		}, nil)
		if err := d.(driver.Installer).Install(t.Context(), dev.Conn, dev.Image); err != nil {
			t.Fatal(err)
		}
		time.Sleep(dev.Settle)
		mu.Lock()
		defer mu.Unlock()
		clear := base64.StdEncoding.EncodeToString([]byte("admin:relay-secret"))
		if dev.Truth() != "14.4.1" || !bytes.Contains(sent, []byte("Authorization: Basic ***")) || bytes.Contains(sent, []byte(clear[:12])) || bytes.Contains(sent, []byte("relay-secret")) {
			t.Errorf("runs %s, recorded %s", dev.Truth(), sent)
		}
	})
}
