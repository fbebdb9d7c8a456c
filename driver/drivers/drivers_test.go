package drivers_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/catalog"
	"github.com/firmward/firmward/driver"
	"github.com/firmward/firmward/driver/drivers"
	"github.com/firmward/firmward/driver/drivertest"
	"github.com/firmward/firmward/lab"
	"github.com/firmward/firmward/wire"
)

// device is a device of the standard lab with an image for it.
func device(t *testing.T, site, name string, secret wire.Secret, model, hardware, version string, image []byte, pull bool) drivertest.Device {
	l, err := lab.Standard(lab.Options{Clock: lab.RealClock(), Net: lab.NewNet()})
	if err != nil {
		t.Fatal(err)
	}
	return deviceOf(t, l, site, name, secret, model, hardware, version, image, pull)
}

// deviceOf is a device of any lab with an image for it.
func deviceOf(t *testing.T, l *lab.Lab, site, name string, secret wire.Secret, model, hardware, version string, image []byte, pull bool) drivertest.Device {
	dev, _ := l.Device(name)
	stack := l.Attach(site)
	sum := sha256.Sum256(image)
	d := drivertest.Device{
		Conn: wire.Conn{Network: stack, Addr: dev.Facts().Addrs[0], Secret: secret},
		Image: driver.Image{
			Release: firmward.Release{
				Models: []string{model}, Hardware: []string{hardware}, Version: version, FileName: "image.bin",
				SHA256: hex.EncodeToString(sum[:]), Size: int64(len(image)),
			},
			Open:     func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(image)), nil },
			FallBack: 15 * time.Minute,
		},
		Fault: func(f string) {
			if err := l.Fault(name, f); err != nil {
				t.Fatal(err)
			}
		},
		Mend: func() {
			if err := l.ClearFaults(name); err != nil {
				t.Fatal(err)
			}
		},
		Truth:   func() string { return dev.Facts().InstalledVersion },
		Flashes: func() int { return len(dev.Facts().Flashes) },
		Bytes: func() (n int64) {
			for _, p := range dev.Facts().Ports {
				n += p.Bytes
			}
			return n
		},
		Settle: 6 * time.Minute,
		Close:  func() { l.Close() },
	}
	if pull {
		ln, err := stack.Listen(t.Context(), "tcp", ":8390")
		if err != nil {
			t.Fatal(err)
		}
		srv := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.ServeContent(w, r, "image.bin", time.Time{}, bytes.NewReader(image))
		})}
		go srv.Serve(ln)
		d.Image.URL = "http://192.168.20.2:8390/image.bin"
		d.Close = func() { srv.Close(); l.Close() }
	}
	return d
}

func TestAxis(t *testing.T) {
	d, _ := drivers.Named("axis-vapix")
	drivertest.Run(t, drivertest.Case{Driver: d, Model: "AXIS P3265-LV", Version: "10.12.206", New: func(t *testing.T) drivertest.Device {
		return device(t, "clinic", "cam-1", wire.Secret{User: "root", Password: lab.CameraPassword}, "AXIS P3265-LV", "7A2", "10.12.300", lab.CameraImage("10.12.300"), false)
	}})
}

func TestShelly(t *testing.T) {
	d, _ := drivers.Named("shelly-gen2")
	for name, password := range map[string]string{"plug-1": "", "plug-2": lab.PlugPassword} {
		t.Run(name, func(t *testing.T) {
			drivertest.Run(t, drivertest.Case{Driver: d, Model: "SNPL-00112EU", Version: "1.0.3", New: func(t *testing.T) drivertest.Device {
				return device(t, "home", name, wire.Secret{User: "admin", Password: password}, "SNPL-00112EU", "gen2", "1.4.4", lab.PlugImage("1.4.4"), true)
			}})
		})
	}
}

func wled(t *testing.T, spec lab.WLEDSpec, image []byte) drivertest.Device {
	l := lab.New(lab.Options{Clock: lab.RealClock(), Net: lab.NewNet()})
	spec.Place = lab.Place{Name: "strip"}
	dev, err := l.AddWLED(spec)
	if err != nil {
		t.Fatal(err)
	}
	if image == nil {
		if image, err = dev.Image("0.15.1"); err != nil {
			t.Fatal(err)
		}
	}
	return deviceOf(t, l, "home", "strip", wire.Secret{}, "WLED ESP32", "esp32", "0.15.1", image, false)
}

func TestWLED(t *testing.T) {
	d, _ := drivers.Named("wled")
	drivertest.Run(t, drivertest.Case{Driver: d, Model: "WLED ESP32", Version: "0.15.0", New: func(t *testing.T) drivertest.Device {
		return wled(t, lab.WLEDSpec{}, nil)
	}})
}

// TestWLEDRefusesImages: an image of another build is refused for good, and one that is none.
func TestWLEDRefusesImages(t *testing.T) {
	d, _ := drivers.Named("wled")
	for name, image := range map[string][]byte{
		"another build": lab.BuildImage(lab.ImageSpec{Family: lab.FamilyWLED, Model: "WLED ESP32_Ethernet", Version: "0.15.1"}),
		"no image":      []byte("hello"),
	} {
		synctest.Test(t, func(t *testing.T) {
			dev := wled(t, lab.WLEDSpec{}, image)
			defer dev.Close()
			err := d.(driver.Installer).Install(t.Context(), dev.Conn, dev.Image)
			if firmward.CodeOf(err) != firmward.Refused || errors.Is(err, driver.ErrNotBegun) || dev.Truth() != "0.15.0" {
				t.Errorf("%s: %v, runs %s", name, err, dev.Truth())
			}
		})
	}
}

// TestWLEDLocks: a controller whose updates are locked says so before a byte of the image is sent; its PIN opens it,
// and neither record nor error holds the PIN.
func TestWLEDLocks(t *testing.T) {
	d, _ := drivers.Named("wled")
	for _, tc := range []struct {
		spec lab.WLEDSpec
		pin  string
		want firmward.Code
	}{
		{lab.WLEDSpec{OTALock: true}, "", firmward.Unauthorized},
		{lab.WLEDSpec{PIN: "7391"}, "", firmward.Unauthorized},
		{lab.WLEDSpec{PIN: "7391"}, "8462", firmward.Unauthorized},
		{lab.WLEDSpec{PIN: "7391"}, "7391", ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			dev := wled(t, tc.spec, nil)
			defer dev.Close()
			var mu sync.Mutex // the transport writes while the test goes on
			var sent []byte
			dev.Conn.Secret = wire.Secret{Password: tc.pin}
			dev.Conn.Network = wire.Guarded(dev.Conn.Network, wire.Guard{
				Allow: func(netip.Addr) error { return nil }, Secrets: []string{tc.pin}, Record: func(s wire.Sent) {
					mu.Lock()
					defer mu.Unlock()
					sent = append(sent, s.Bytes...)
				},
			}, nil)
			err := d.(driver.Installer).Install(t.Context(), dev.Conn, dev.Image)
			time.Sleep(dev.Settle)
			if tc.want == "" {
				if err != nil || dev.Truth() != "0.15.1" {
					t.Errorf("with its PIN: %v, runs %s", err, dev.Truth())
				}
			} else if firmward.CodeOf(err) != tc.want || !errors.Is(err, driver.ErrNotBegun) || !strings.Contains(err.Error(), "locked") || dev.Bytes() > 4096 {
				t.Errorf("%+v: %v after %d bytes; want a word about the lock before the image", tc.spec, err, dev.Bytes())
			}
			mu.Lock()
			defer mu.Unlock()
			if tc.pin != "" && bytes.Contains(sent, []byte(tc.pin)) || err != nil && tc.pin != "" && strings.Contains(err.Error(), tc.pin) {
				t.Errorf("the PIN is in what was recorded or said: %v", err)
			}
		})
	}
}

// TestWLEDWithoutAWayBack: a controller with one slot, or one that was never updated, says that it cannot go back.
func TestWLEDWithoutAWayBack(t *testing.T) {
	d, _ := drivers.Named("wled")
	for _, spec := range []lab.WLEDSpec{{}, {Arch: "esp8266"}} {
		synctest.Test(t, func(t *testing.T) {
			dev := wled(t, spec, nil)
			defer dev.Close()
			if err := d.(driver.Reverter).Revert(t.Context(), dev.Conn); firmward.CodeOf(err) != firmward.Unavailable {
				t.Errorf("%+v: %v", spec, err)
			}
		})
	}
}

// TestAxisRefusesImages lets a camera refuse an image for each of its reasons: the driver says "never", not "later".
func TestAxisRefusesImages(t *testing.T) {
	d, _ := drivers.Named("axis-vapix")
	for name, image := range map[string][]byte{
		"another model": lab.BuildImage(lab.ImageSpec{Family: lab.FamilyCamera, Model: "Q6215-LE", Version: "10.12.300", Size: 1 << 20}),
		"older":         lab.CameraImage("9.80.1"),
		"no image":      []byte("hello"),
		"no signature":  lab.CameraImage("10.12.300", lab.FlawUnsigned),
		"withdrawn":     lab.CameraImage("10.12.300", lab.FlawRevoked),
	} {
		synctest.Test(t, func(t *testing.T) {
			dev := device(t, "clinic", "cam-1", wire.Secret{User: "root", Password: lab.CameraPassword}, "AXIS P3265-LV", "7A2", "10.12.300", image, false)
			defer dev.Close()
			err := d.(driver.Installer).Install(t.Context(), dev.Conn, dev.Image)
			if firmward.CodeOf(err) != firmward.Refused || errors.Is(err, driver.ErrNotBegun) || dev.Truth() != "10.12.206" {
				t.Errorf("%s: %v, runs %s", name, err, dev.Truth())
			}
		})
	}
}

// TestCatalogueNames keeps the list honest: every driver is found by its own name, once.
func TestCatalogueNames(t *testing.T) {
	seen := map[string]bool{}
	for _, d := range drivers.All() {
		name := d.Info().Name
		if got, ok := drivers.Named(name); !ok || got != d || seen[name] || strings.TrimSpace(name) == "" {
			t.Errorf("driver %q is not found by its name, or twice", name)
		}
		seen[name] = true
	}
	cat, err := catalog.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range cat.Families {
		for _, m := range f.Models {
			if _, ok := drivers.Named(m.Driver); !ok && m.Driver != "" {
				t.Errorf("the card of %s %s binds driver %q, which is not here", f.Name, m.Name, m.Driver)
			}
		}
	}
	if _, ok := drivers.Named("no-such"); ok {
		t.Error("a driver without a name was found")
	}
}
