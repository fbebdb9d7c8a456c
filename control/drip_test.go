package control_test

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/control/controltest"
	"github.com/firmward/firmward/discover"
	"github.com/firmward/firmward/discover/http"
	"github.com/firmward/firmward/discover/neighbor"
	"github.com/firmward/firmward/lab"
	"github.com/firmward/firmward/store"
)

// stubborn is a probe that knows no time: it reads until the connection ends.
type stubborn struct{ http.Probe }

func (stubborn) Run(ctx context.Context, t discover.Target, report func(firmward.Observation)) error {
	ear := discover.Listening(t.Network)
	c, err := ear.DialContext(context.WithoutCancel(ctx), "tcp", netip.AddrPortFrom(t.Addr, 80).String())
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.Write([]byte("GET / HTTP/1.0\r\n\r\n")); err != nil {
		return err
	}
	for b := make([]byte, 16); err == nil; {
		_, err = c.Read(b)
	}
	o := firmward.Observation{Addr: t.Addr, Port: 80}
	o.Outcome, o.Note = ear.Failed(err)
	report(o)
	return nil
}

// TestDripIsCut scans a careful network with a device that sends a byte a second. The pace there leaves a
// probe 101 seconds; the device gets the probe's own five, even when the probe would wait for ever, and
// what is kept says why nothing was read.
func TestDripIsCut(t *testing.T) {
	for _, p := range []discover.Probe{http.Probe{}, stubborn{}} {
		synctest.Test(t, func(t *testing.T) {
			l := lab.New(lab.Options{})
			defer l.Close()
			if _, err := l.AddNAS(lab.NASSpec{Place: lab.Place{Name: "nas", Site: "clinic"}}); err != nil {
				t.Fatal(err)
			}
			if err := l.Fault("nas", lab.FaultDrip); err != nil {
				t.Fatal(err)
			}
			st, err := store.Open(t.Context(), store.Options{URL: "memory:"})
			if err != nil {
				t.Fatal(err)
			}
			defer st.Close()
			c := controltest.Open(t, func(cfg *control.Config) {
				cfg.Store, cfg.Network, cfg.Probes = st, l.Attach("clinic"), []discover.Probe{neighbor.Probe{}, p}
			})
			prefix, anna := netip.MustParsePrefix("10.40.0.0/24"), firmward.Person{Name: "anna"}
			if _, err := c.NameNetwork(t.Context(), anna, control.AddNetwork{Prefix: prefix, Site: "clinic", Profile: firmward.ProfileMedical}); err != nil {
				t.Fatal(err)
			}
			if _, err := c.AllowNetwork(t.Context(), anna, prefix, firmward.Polite); err != nil {
				t.Fatal(err)
			}
			scan, err := c.StartScan(t.Context(), anna, prefix)
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			c.RunScans(t.Context())
			if scan, err = c.ScanByID(scan.ID); err != nil || scan.Ended.IsZero() || scan.Error != "" {
				t.Fatalf("%+v, %v", scan, err)
			}
			if took := time.Since(began); took > 6*time.Second {
				t.Errorf("the scan took %s", took)
			}
			found, err := st.FindDevices(t.Context(), "10.40.0.3")
			if err != nil || len(found) != 1 {
				t.Fatalf("%d devices, %v", len(found), err)
			}
			seen, err := st.ObservationsOf(t.Context(), found[0].ID)
			if err != nil {
				t.Fatal(err)
			}
			cut := 0
			for _, o := range seen {
				if o.Outcome == firmward.Cut && strings.Contains(o.Note, "too slowly") {
					cut++
				}
			}
			if cut != 1 {
				t.Errorf("observations %+v; want one that was cut", seen)
			}
		})
	}
}
