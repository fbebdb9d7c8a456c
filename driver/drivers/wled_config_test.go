package drivers_test

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/driver"
	"github.com/firmward/firmward/driver/drivers"
	"github.com/firmward/firmward/lab"
	wledproto "github.com/firmward/firmward/proto/wled"
	"github.com/firmward/firmward/wire"
)

// TestWLEDConfig: how one controller is set up is saved and put into another that stands for it. Its name and network stay its own, and who does not
// know the PIN puts nothing there.
func TestWLEDConfig(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := lab.New(lab.Options{Clock: lab.RealClock(), Net: lab.NewNet()})
		defer l.Close()
		way := l.Attach("home")
		add := func(name, pin string) wire.Conn {
			d, err := l.AddWLED(lab.WLEDSpec{Place: lab.Place{Name: name}, PIN: pin})
			if err != nil {
				t.Fatal(err)
			}
			for path, value := range map[string]any{"ap.ssid": "AP of " + name, "def.bri": 40 + len(name)} {
				if err := d.SetUp(path, value); err != nil {
					t.Fatal(err)
				}
			}
			return wire.Conn{Network: way, Addr: d.Facts().Addrs[0]}
		}
		shelf, spare, locked := add("shelf", ""), add("spare-one", ""), add("spare-two", "1234")
		d, _ := drivers.Named("wled")
		saved := func(c wire.Conn) []byte {
			t.Helper()
			var b bytes.Buffer
			if err := d.(driver.Backuper).Backup(t.Context(), c, &b); err != nil {
				t.Fatal(err)
			}
			return b.Bytes()
		}
		restore := func(c wire.Conn, b []byte) error { return d.(driver.Restorer).Restore(t.Context(), c, b) }
		of := saved(shelf)
		if err := restore(spare, of); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		config, presets, err := wledproto.Unpack(saved(spare))
		if err != nil || !bytes.Contains(config, []byte(`"name":"spare-one"`)) || !bytes.Contains(config, []byte(`"bri":45`)) || !bytes.Contains(config, []byte("AP of spare-one")) || string(presets) != `{"0":{}}` {
			t.Errorf("%s %s %v", config, presets, err)
		}
		if s, err := d.Read(t.Context(), spare); err != nil || s.Version != "0.15.0" {
			t.Errorf("%+v %v", s, err)
		}
		if err := restore(locked, of); firmward.CodeOf(err) != firmward.Unauthorized {
			t.Errorf("without the PIN: %v", err)
		}
		locked.Secret.Password = "1234"
		if err := restore(locked, of); err != nil {
			t.Error(err)
		}
		for _, bad := range [][]byte{nil, []byte("hello"), of[:600]} {
			if err := restore(spare, bad); firmward.CodeOf(err) != firmward.Invalid {
				t.Errorf("%d bytes: %v", len(bad), err)
			}
		}
	})
}
