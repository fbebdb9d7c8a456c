package drivers_test

import (
	"errors"
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

func hikvision(t *testing.T, spec lab.HikvisionSpec, image []byte) drivertest.Device {
	l := lab.New(lab.Options{Clock: lab.RealClock(), Net: lab.NewNet()})
	spec.Place = lab.Place{Name: "gate"}
	dev, err := l.AddHikvision(spec)
	if err != nil {
		t.Fatal(err)
	}
	const next = "V5.7.15 build 230313"
	if image == nil {
		if image, err = dev.Image(next); err != nil {
			t.Fatal(err)
		}
	}
	return deviceOf(t, l, "home", "gate", wire.Secret{User: "admin", Password: lab.HikvisionPassword}, "DS-2CD2143G2-I", "B-R-G5-0", next, image, false)
}

func TestHikvision(t *testing.T) {
	d, _ := drivers.Named("hikvision-isapi")
	for name, spec := range map[string]lab.HikvisionSpec{"told to restart": {}, "restarts by itself": {Restarts: true}} {
		t.Run(name, func(t *testing.T) {
			drivertest.Run(t, drivertest.Case{Driver: d, Model: "DS-2CD2143G2-I", Version: "V5.7.3 build 220112", New: func(t *testing.T) drivertest.Device {
				return hikvision(t, spec, nil)
			}})
		})
	}
}

// TestHikvisionRefusesImages: an image for another model or platform is refused for good, and one that is none. One that bricks
// the camera all the same was accepted, as far as anybody can tell.
func TestHikvisionRefusesImages(t *testing.T) {
	d, _ := drivers.Named("hikvision-isapi")
	image := func(model, platform string) []byte {
		return lab.BuildImage(lab.ImageSpec{Family: lab.FamilyHikvision, Model: model, HardwareRev: platform, Version: "V5.7.15 build 230313", Size: 1 << 20})
	}
	for name, tc := range map[string]struct {
		image []byte
		fault string
		want  firmward.Code
	}{
		"another model":           {image("DS-2CD2385FWD-I", ""), "", firmward.Refused},
		"another platform":        {image("DS-2CD2143G2-I", "B-R-G3-0"), "", firmward.Refused},
		"no image":                {[]byte("hello"), "", firmward.Refused},
		"another model is a trap": {image("DS-2CD2385FWD-I", ""), lab.FaultWrongModelBricks, ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			dev := hikvision(t, lab.HikvisionSpec{}, tc.image)
			defer dev.Close()
			if tc.fault != "" {
				dev.Fault(tc.fault)
			}
			err := d.(driver.Installer).Install(t.Context(), dev.Conn, dev.Image)
			if firmward.CodeOf(err) != tc.want || errors.Is(err, driver.ErrNotBegun) || dev.Truth() != "V5.7.3 build 220112" {
				t.Errorf("%s: %v, runs %s", name, err, dev.Truth())
			}
			time.Sleep(dev.Settle)
			if _, err := d.Read(t.Context(), dev.Conn); (err == nil) == (tc.fault != "") {
				t.Errorf("%s: afterwards it reads: %v", name, err)
			}
		})
	}
}

// TestHikvisionSendsTheImageOnce: the image goes over the network once, behind the challenge, and the password not at all.
func TestHikvisionSendsTheImageOnce(t *testing.T) {
	d, _ := drivers.Named("hikvision-isapi")
	synctest.Test(t, func(t *testing.T) {
		dev := hikvision(t, lab.HikvisionSpec{}, nil)
		defer dev.Close()
		if err := d.(driver.Installer).Install(t.Context(), dev.Conn, dev.Image); err != nil {
			t.Fatal(err)
		}
		if got, size := dev.Bytes(), dev.Image.Release.Size; got < size || got > size+few {
			t.Errorf("%d bytes were sent for an image of %d", got, size)
		}
	})
}

// few bytes are what all requests around an image need.
const few = 16 << 10
