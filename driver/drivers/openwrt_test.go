package drivers_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/driver"
	"github.com/firmward/firmward/driver/drivers"
	"github.com/firmward/firmward/driver/drivertest"
	"github.com/firmward/firmward/lab"
	"github.com/firmward/firmward/proto/ubus"
	"github.com/firmward/firmward/wire"
)

const board = "tplink,archer-c7-v2"

func openwrt(t *testing.T, spec lab.OpenWrtSpec, image []byte) drivertest.Device {
	l := lab.New(lab.Options{Clock: lab.RealClock(), Net: lab.NewNet()})
	spec.Place, spec.Password = lab.Place{Name: "ap"}, `r"outer&secret`
	if _, err := l.AddOpenWrt(spec); err != nil {
		t.Fatal(err)
	}
	if image == nil {
		image = lab.BuildImage(lab.ImageSpec{Family: lab.FamilyOpenWrt, Model: board, HardwareRev: "ath79/generic", Version: "22.03.7", Size: 1 << 20})
	}
	return deviceOf(t, l, "home", "ap", wire.Secret{User: "root", Password: spec.Password}, board, "ath79/generic", "22.03.7", image, false)
}

func TestOpenWrt(t *testing.T) {
	d, _ := drivers.Named("openwrt-ubus")
	drivertest.Run(t, drivertest.Case{Driver: d, Model: board, Version: "22.03.5", Deaf: true, New: func(t *testing.T) drivertest.Device {
		return openwrt(t, lab.OpenWrtSpec{}, nil)
	}})
}

// TestOpenWrtRefusesImages: what sysupgrade does not take is refused for good in its own words, never forced, and does
// not stay in the router's memory. Both ways to run it say the same.
func TestOpenWrtRefusesImages(t *testing.T) {
	d, _ := drivers.Named("openwrt-ubus")
	image := func(board string, flaws ...string) []byte {
		return lab.BuildImage(lab.ImageSpec{Family: lab.FamilyOpenWrt, Model: board, Version: "22.03.7", Size: 300_000, Flaws: flaws})
	}
	for _, tc := range []struct {
		image []byte
		word  string
	}{
		{image("tplink,archer-c7-v5"), "Device tplink,archer-c7-v2 not supported by this image"},
		{image(board, lab.FlawNewLayout), "the config is incompatible to the new image (1.0->1.1)"},
		{[]byte("hello"), "Image metadata not present"},
	} {
		for _, plain := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				dev := openwrt(t, lab.OpenWrtSpec{Plain: plain}, tc.image)
				defer dev.Close()
				err := d.(driver.Installer).Install(t.Context(), dev.Conn, dev.Image)
				if firmward.CodeOf(err) != firmward.Refused || errors.Is(err, driver.ErrNotBegun) || !strings.Contains(err.Error(), tc.word) || dev.Flashes() != 0 {
					t.Errorf("plain %v: %v, %d flashes; want %q", plain, err, dev.Flashes(), tc.word)
				}
				if ran := sysupgradeTest(t, dev); !strings.Contains(ran.Stderr, "not found") {
					t.Errorf("plain %v: the image stays in its memory: %+v", plain, ran)
				}
			})
		}
	}
}

// sysupgradeTest lets the router judge the file that it has.
func sysupgradeTest(t *testing.T, dev drivertest.Device) (ran ubus.Ran) {
	t.Helper()
	post := func(b []byte, err error) []byte {
		if err == nil {
			b, err = driver.Post(t.Context(), wire.Conn{Network: dev.Conn.Network, Addr: dev.Conn.Addr}, 80, ubus.Path, "application/json", b)
		}
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	session, err := ubus.Session(post(ubus.Login("root", dev.Conn.Secret.Password, 60)))
	if err == nil {
		args := map[string]any{"command": "/sbin/sysupgrade", "params": []string{"--test", ubus.ImageFile}}
		err = ubus.Answer(post(ubus.Call(session, "file", "exec", args)), &ran)
	}
	if err != nil {
		t.Fatal(err)
	}
	return ran
}

// TestOpenWrtAsLuCI: without rpc-sys an update is begun as LuCI does it, and the driver says that nobody knows.
func TestOpenWrtAsLuCI(t *testing.T) {
	d, _ := drivers.Named("openwrt-ubus")
	synctest.Test(t, func(t *testing.T) {
		dev := openwrt(t, lab.OpenWrtSpec{Plain: true}, nil)
		defer dev.Close()
		if _, err := d.(driver.Preflighter).Preflight(t.Context(), dev.Conn, dev.Image); err != nil {
			t.Fatal(err)
		}
		err := d.(driver.Installer).Install(t.Context(), dev.Conn, dev.Image)
		if firmward.CodeOf(err) != firmward.Unavailable || errors.Is(err, driver.ErrNotBegun) {
			t.Errorf("%v; want neither yes nor no", err)
		}
		time.Sleep(dev.Settle)
		if dev.Truth() != "22.03.7" || dev.Flashes() != 1 {
			t.Errorf("runs %s after %d flashes", dev.Truth(), dev.Flashes())
		}
	})
}

// TestOpenWrtPreflight: who may not update, and what has no room, is told before a byte of the image is sent.
func TestOpenWrtPreflight(t *testing.T) {
	d, _ := drivers.Named("openwrt-ubus")
	for _, tc := range []struct {
		spec lab.OpenWrtSpec
		want firmward.Code
		word string
	}{
		{lab.OpenWrtSpec{}, "", ""},
		{lab.OpenWrtSpec{ReadOnly: true}, firmward.Unauthorized, "may not run sysupgrade"},
		{lab.OpenWrtSpec{TmpKiB: 1000}, firmward.Unavailable, "1000 KiB free in /tmp"},
		{lab.OpenWrtSpec{Board: "tplink,archer-c7-v5"}, firmward.Refused, "wrong model"},
		{lab.OpenWrtSpec{Target: "ath79/tiny"}, firmward.Refused, "wrong hardware"},
	} {
		synctest.Test(t, func(t *testing.T) {
			dev := openwrt(t, tc.spec, nil)
			defer dev.Close()
			_, err := d.(driver.Preflighter).Preflight(t.Context(), dev.Conn, dev.Image)
			if tc.want == "" && err != nil || tc.want != "" && (firmward.CodeOf(err) != tc.want || !strings.Contains(err.Error(), tc.word)) || dev.Bytes() > 8192 {
				t.Errorf("%+v: %v after %d bytes", tc.spec, err, dev.Bytes())
			}
			if tc.spec.ReadOnly {
				if err := d.(driver.Installer).Install(t.Context(), dev.Conn, dev.Image); firmward.CodeOf(err) != firmward.Unauthorized || !errors.Is(err, driver.ErrNotBegun) || dev.Bytes() > 8192 {
					t.Errorf("install: %v after %d bytes", err, dev.Bytes())
				}
			}
		})
	}
}

// TestOpenWrtStoresWhatWasSent: a file that arrives as another one is not installed.
func TestOpenWrtStoresWhatWasSent(t *testing.T) {
	d, _ := drivers.Named("openwrt-ubus")
	synctest.Test(t, func(t *testing.T) {
		dev := openwrt(t, lab.OpenWrtSpec{}, nil)
		defer dev.Close()
		dev.Image.Release.SHA256 = strings.Repeat("0", 64)
		err := d.(driver.Installer).Install(t.Context(), dev.Conn, dev.Image)
		if !errors.Is(err, driver.ErrNotBegun) || !strings.Contains(err.Error(), "not what was sent") || dev.Flashes() != 0 {
			t.Errorf("%v, %d flashes", err, dev.Flashes())
		}
	})
}

// TestOpenWrtBackup fetches the settings, and says who may not.
func TestOpenWrtBackup(t *testing.T) {
	d, _ := drivers.Named("openwrt-ubus")
	synctest.Test(t, func(t *testing.T) {
		dev := openwrt(t, lab.OpenWrtSpec{}, nil)
		defer dev.Close()
		var kept bytes.Buffer
		if err := d.(driver.Backuper).Backup(t.Context(), dev.Conn, &kept); err != nil {
			t.Fatal(err)
		}
		z, err := gzip.NewReader(&kept)
		if err != nil {
			t.Fatal(err)
		}
		files := tar.NewReader(z)
		head, err := files.Next()
		if err != nil {
			t.Fatal(err)
		}
		if text, err := io.ReadAll(files); head.Name != "etc/config/system" || !strings.Contains(string(text), "option hostname 'ap'") || err != nil {
			t.Errorf("%s: %s, %v", head.Name, text, err)
		}
		for fault, word := range map[string]string{lab.FaultHugeAnswer: "longer", lab.FaultOverloaded: "busy"} {
			dev.Fault(fault)
			if err := d.(driver.Backuper).Backup(t.Context(), dev.Conn, &kept); firmward.CodeOf(err) != firmward.Unavailable || !strings.Contains(err.Error(), word) {
				t.Errorf("%s: %v", fault, err)
			}
			dev.Mend()
		}
	})
}
