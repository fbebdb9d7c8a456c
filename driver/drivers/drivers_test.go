package drivers_test

import (
	"context"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firmward/firmward/driver/drivers"
	"github.com/firmward/firmward/lab"
	"github.com/firmward/firmward/wire"
)

func TestAxisRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, err := lab.Standard(lab.Options{Clock: lab.RealClock(), Net: lab.NewNet()})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		d, _ := drivers.Named("axis-vapix")
		st, err := d.Read(ctx, wire.Conn{Network: l.Attach("clinic"), Addr: netip.MustParseAddr("10.40.0.11"), Secret: wire.Secret{User: "root", Password: lab.CameraPassword}})
		t.Logf("%+v %v", st, err)
	})
}
