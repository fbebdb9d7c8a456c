package drivers_test

import (
	"errors"
	"strings"
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

func redfish(t *testing.T, image []byte) drivertest.Device {
	l := lab.New(lab.Options{Clock: lab.RealClock(), Net: lab.NewNet()})
	dev, err := l.AddRedfish(lab.RedfishSpec{Place: lab.Place{Name: "bmc"}})
	if err != nil {
		t.Fatal(err)
	}
	if image == nil {
		if image, err = dev.Image("1.46.2"); err != nil {
			t.Fatal(err)
		}
	}
	secret := wire.Secret{User: "root", Password: lab.RedfishPassword, Key: lab.KeyOf("bmc")}
	return deviceOf(t, l, "home", "bmc", secret, "RX-3500", "CX-4", "1.46.2", image, false)
}

func TestRedfish(t *testing.T) {
	d, _ := drivers.Named("redfish")
	drivertest.Run(t, drivertest.Case{Driver: d, Model: "RX-3500", Version: "1.45.0", New: func(t *testing.T) drivertest.Device { return redfish(t, nil) }})
}

// TestRedfishRefusesImages: an image for another server or controller is refused for good, an older one and one that is none.
func TestRedfishRefusesImages(t *testing.T) {
	d, _ := drivers.Named("redfish")
	image := func(model, hardware, version string) []byte {
		return lab.BuildImage(lab.ImageSpec{Family: lab.FamilyRedfish, Model: model, HardwareRev: hardware, Version: version, Size: 1 << 20})
	}
	for name, image := range map[string][]byte{
		"another server":     image("RX-4500", "", "1.46.2"),
		"another controller": image("RX-3500", "CX-5", "1.46.2"),
		"older":              image("RX-3500", "CX-4", "1.30.0"),
		"no image":           []byte("hello"),
	} {
		synctest.Test(t, func(t *testing.T) {
			dev := redfish(t, image)
			defer dev.Close()
			err := d.(driver.Installer).Install(t.Context(), dev.Conn, dev.Image)
			if firmward.CodeOf(err) != firmward.Refused || errors.Is(err, driver.ErrNotBegun) || dev.Truth() != "1.45.0" {
				t.Errorf("%s: %v, runs %s", name, err, dev.Truth())
			}
		})
	}
}

// TestRedfishTooLarge: what the controller says that it cannot take is not sent.
func TestRedfishTooLarge(t *testing.T) {
	d, _ := drivers.Named("redfish")
	synctest.Test(t, func(t *testing.T) {
		dev := redfish(t, nil)
		defer dev.Close()
		dev.Image.Release.Size = 1 << 40
		_, err := d.(driver.Preflighter).Preflight(t.Context(), dev.Conn, dev.Image)
		if firmward.CodeOf(err) != firmward.Refused || !strings.Contains(err.Error(), "at most") {
			t.Errorf("%v", err)
		}
	})
}

// TestRedfishCertificates: a controller whose certificate is not known, or not the known one, gets neither password nor image,
// and a person is told what to do.
func TestRedfishCertificates(t *testing.T) {
	d, _ := drivers.Named("redfish")
	for name, tc := range map[string]struct {
		key, word string
		want      firmward.Code
	}{
		"none is known": {"", "scan", firmward.Unavailable},
		"another":       {lab.KeyOf("another"), "another certificate", firmward.Refused},
	} {
		synctest.Test(t, func(t *testing.T) {
			dev := redfish(t, nil)
			defer dev.Close()
			dev.Conn.Secret.Key = tc.key
			_, read := d.Read(t.Context(), dev.Conn)
			_, preflight := d.(driver.Preflighter).Preflight(t.Context(), dev.Conn, dev.Image)
			install := d.(driver.Installer).Install(t.Context(), dev.Conn, dev.Image)
			for _, err := range []error{read, preflight, install} {
				if firmward.CodeOf(err) != tc.want || !strings.Contains(err.Error(), tc.word) || !errors.Is(err, driver.ErrNotBegun) || strings.Contains(err.Error(), lab.RedfishPassword) {
					t.Errorf("%s: %s: %v", name, firmward.CodeOf(err), err)
				}
			}
			time.Sleep(dev.Settle)
			// Three handshakes that end at the certificate: a request would not fit into what is left.
			if dev.Flashes() != 0 || dev.Bytes() > 3*400 {
				t.Errorf("%s: %d flashes, %d bytes arrived", name, dev.Flashes(), dev.Bytes())
			}
		})
	}
}
